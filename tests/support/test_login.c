/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include "test_login.h"

#include <stdio.h>
#include <stdlib.h>

static void demand(bool is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "test_login: %s\n", what);
    abort();
}

static int64_t get_now(void *arg)
{
    return ((const test_login *)arg)->now_s;
}

static int64_t get_mono(void *arg)
{
    return ((const test_login *)arg)->mono_ms;
}

void test_login_make(test_login *t)
{
    char *issuer;

    memset(t, 0, sizeof *t);
    test_folder_make(&t->folder);
    t->now_s = TEST_NOW_S;
    t->mono_ms = 1000000;
    t->clock = (postern_clock){ get_now, get_mono, t };
    t->key = test_key_new("P-256");
    issuer = test_printf("issuer: " TEST_ISSUER "\njwks_file: %s\n",
                         test_folder_at(&t->folder, "keys.json"));
    test_folder_put(&t->folder, "issuers/sso.conf", issuer);
    free(issuer);
    test_folder_put(&t->folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE
                    "\nhelper_peers: 0\nusername_strip_domain: example.org\n"
                    "required_scopes: mail.read\n");
    test_login_put_key(t, t->key, "a");
}

void test_login_put_key(test_login *t, const test_key *k, const char *kid)
{
    char *jwks = test_key_jwks(k, kid, NULL);

    test_folder_put(&t->folder, "keys.json", jwks);
    free(jwks);
}

void test_login_reload(test_login *t)
{
    postern_config *config = NULL;

    postern_context_free(t->context);
    t->context = NULL;
    demand(postern_config_load(t->folder.path, &config, &t->err) == POSTERN_OK, t->err.detail);
    demand(postern_context_new(config, &t->clock, &t->context, &t->err) == POSTERN_OK,
           t->err.detail);
}

void test_login_remove(test_login *t)
{
    postern_context_free(t->context);
    test_key_free(t->key);
    test_folder_remove(&t->folder);
}

char *test_login_claims(const char *name, const char *json)
{
    static const struct {
        const char *name, *json;
    } base[] = {
        { "iss", "\"" TEST_ISSUER "\"" },
        { "aud", "\"" TEST_AUDIENCE "\"" },
        { "exp", "1800000300" },
        { "iat", "1800000000" },
        { "sub", "\"alice@example.org\"" },
        { "client_id", "\"agent-7\"" },
        { "jti", "\"t-1\"" },
        { "scope", "\"mail.read mail.write\"" },
    };
    bool is_new = name != NULL;
    char *text = test_printf("{");

    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        bool is_it = name != NULL && strcmp(name, base[i].name) == 0;
        const char *value = is_it ? json : base[i].json;
        char *longer;

        is_new = is_new && !is_it;
        if (value == NULL)
            continue;
        longer =
            test_printf("%s%s\"%s\":%s", text, text[1] == '\0' ? "" : ",", base[i].name, value);
        free(text);
        text = longer;
    }
    if (is_new && json != NULL) {
        char *longer = test_printf("%s,\"%s\":%s}", text, name, json);

        free(text);
        return longer;
    }
    name = text;
    text = test_printf("%s}", name);
    free((char *)name);
    return text;
}

char *test_login_token(const test_login *t, const char *name, const char *json)
{
    char *claims = test_login_claims(name, json);
    char *token = test_token(t->key, "ES256", "a", claims);

    free(claims);
    return token;
}

postern_request test_login_request(const char *token)
{
    return (postern_request){ .size = sizeof(postern_request),
                              .service = "imap",
                              .token = postern_bytes_str(token),
                              .tls = POSTERN_TLS_LOCAL };
}

static void note_events(test_login *t, postern_op *op)
{
    postern_event event;

    t->events[0] = '\0';
    while (postern_op_next_event(op, &event)) {
        size_t used = strlen(t->events);

        demand(snprintf(t->events + used, sizeof t->events - used, "%s ", event.name) > 0,
               "events");
    }
}

postern_err test_login_run(test_login *t, const postern_request *rq, postern_grant **ret_grant)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    memset(&t->err, 0, sizeof t->err);
    e = postern_validate_start(t->context, rq, &op, &t->err);
    if (e != POSTERN_OK)
        return e;
    e = postern_op_run(op, &t->err);
    t->failure = *postern_op_failure(op);
    note_events(t, op);
    demand(t->failure.code == e, "the failure's code is not the verdict");
    if (ret_grant != NULL)
        *ret_grant = postern_op_take_grant(op);
    return e;
}

postern_err test_login_try(test_login *t, const char *name, const char *json)
{
    char *token = test_login_token(t, name, json);
    postern_request rq = test_login_request(token);
    postern_err e = test_login_run(t, &rq, NULL);

    free(token);
    return e;
}
