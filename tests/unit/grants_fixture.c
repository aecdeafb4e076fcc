/* SPDX-License-Identifier: BSD-2-Clause */
/* See grants_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "grants_fixture.h"
#include "issuer/opaque.h"

#define BODY_MAX 65536

static void hear(void *arg, const struct revocation *what)
{
    struct grants_fixture *g = arg;

    assert_true(g->told_count < TOLD_MAX);
    g->told[g->told_count++] = *what;
}

static void write_keys(struct grants_fixture *g)
{
    const char *kid = postern_signing_key_kid(g->f->key);
    char *jwks = test_key_jwks(g->key, kid, "ES256");
    FILE *file;

    assert_true(snprintf(g->jwks_file, sizeof g->jwks_file, "%s/jwks.json", g->f->dir) > 0);
    file = fopen(g->jwks_file, "w");
    assert_non_null(file);
    assert_true(fputs(jwks, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(jwks);
    g->header = test_printf("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", kid);
}

int grants_set_up(void **state)
{
    struct grants_fixture *g = calloc(1, sizeof *g);
    postern_error err = { 0 };
    void *inner = NULL;
    char *pem;

    if (g == NULL || fixture_set_up(&inner) != 0)
        return -1;
    g->f = inner;
    g->key = test_key_new("P-256");
    pem = test_key_private_pem(g->key);
    postern_signing_key_free(g->f->key);
    if (postern_signing_key_from_pem(postern_bytes_str(pem), &g->f->key, NULL) != POSTERN_OK)
        return -1;
    free(pem);
    g->f->is.key = g->f->key;
    write_keys(g);
    if (own_token_load_keys(&g->f->is, g->jwks_file, &err) != POSTERN_OK)
        fail_msg("keys: %s", err.detail);
    g->f->is.tell_revoked = hear;
    g->f->is.tell_arg = g;
    *state = g;
    return 0;
}

int grants_tear_down(void **state)
{
    struct grants_fixture *g = *state;
    void *inner = g->f;

    test_key_free(g->key);
    free(g->header);
    if (unlink(g->jwks_file) != 0)
        return -1;
    free(g);
    return fixture_tear_down(&inner);
}

void grants_client(struct grants_fixture *g, const char *name, const char *scopes, const char *resources,
                   client_auth_method auth, unsigned flags)
{
    struct client_record c = { .auth = auth, .flags = flags, .created_s = g->f->now_s };
    store_add added = STORE_ADD_UNSET;
    char secret[128];

    assert_true(snprintf(secret, sizeof secret, "secret-of-%s", name) > 0);
    assert_true(snprintf(c.name, sizeof c.name, "%s", name) > 0);
    assert_true(snprintf(c.scopes, sizeof c.scopes, "%s", scopes) >= 0);
    assert_true(snprintf(c.resources, sizeof c.resources, "%s", resources) >= 0);
    if (auth == CLIENT_AUTH_BY_SECRET)
        assert_int_equal(opaque_hash(postern_bytes_str(secret), c.secret_sha256, NULL), POSTERN_OK);
    assert_int_equal(store_client_add(g->f->is.store, &c, &added, NULL), POSTERN_OK);
    assert_int_equal(added, STORE_ADDED);
}

void grants_allow_record(struct grants_fixture *g, const struct grant_record *grant, const char *code)
{
    POSTERN_AUTO_BUF challenge = POSTERN_BUF_INIT(GRANT_CHALLENGE_MAX);
    struct code_record c = { .redirect = REDIRECT, .expires_s = g->f->now_s + 60 };
    uint8_t hash[GRANT_HASH];

    assert_int_equal(opaque_hash(postern_bytes_str(code), c.sha256, NULL), POSTERN_OK);
    assert_int_equal(opaque_hash(postern_bytes_str(VERIFIER), hash, NULL), POSTERN_OK);
    postern_base64url_encode((postern_bytes){ hash, sizeof hash }, &challenge);
    assert_true(snprintf(c.challenge, sizeof c.challenge, "%s", postern_buf_cstr(&challenge)) == GRANT_CHALLENGE_MAX - 1);
    memcpy(c.grant, grant->id, sizeof c.grant);
    assert_int_equal(store_grant_add(g->f->is.store, grant, &c, NULL), POSTERN_OK);
}

void grants_allow(struct grants_fixture *g, const char *id, const char *client, const char *scopes,
                  const char *resources, int64_t life_s, const char *code)
{
    struct grant_record r = { .user = "alice", .created_s = g->f->now_s, .auth_time_s = g->f->now_s - 10,
                              .ends_s = g->f->now_s + life_s };

    assert_true(snprintf(r.id, sizeof r.id, "%s", id) > 0);
    assert_true(snprintf(r.client, sizeof r.client, "%s", client) > 0);
    assert_true(snprintf(r.scopes, sizeof r.scopes, "%s", scopes) >= 0);
    assert_true(snprintf(r.resources, sizeof r.resources, "%s", resources) >= 0);
    grants_allow_record(g, &r, code);
}

void grants_post(struct grants_fixture *g, const char *path, const char *client, const char *fmt, ...)
{
    struct client_record c;
    char body[BODY_MAX];
    bool is_found = false;
    int len, more;
    va_list args;

    va_start(args, fmt);
    len = vsnprintf(body, sizeof body, fmt, args);
    va_end(args);
    assert_true(len >= 0 && len < BODY_MAX);
    assert_int_equal(store_client_find(g->f->is.store, client, &is_found, &c, NULL), POSTERN_OK);
    more = snprintf(body + len, sizeof body - (size_t)len, "&client_id=%s%s%s", client,
                    is_found && c.auth == CLIENT_AUTH_BY_NOTHING ? "" : "&client_secret=secret-of-",
                    is_found && c.auth == CLIENT_AUTH_BY_NOTHING ? "" : client);
    assert_true(more > 0 && len + more < BODY_MAX);
    fixture_ask(g->f, (struct http_request){ .path = path, .content_type = "application/x-www-form-urlencoded",
                                             .body = postern_bytes_str(body) });
}

char *grants_take(struct grants_fixture *g, const char *member)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(4096);
    postern_bytes text;
    char *copy;

    if (!postern_json_string(&g->f->json, postern_json_member(&g->f->json, 0, member), &scratch, &text))
        fail_msg("no %s in status %d: %.*s", member, g->f->answer.status, (int)g->f->answer.body.len,
                 (const char *)g->f->answer.body.ptr);
    copy = strndup((const char *)text.ptr, text.len);
    assert_non_null(copy);
    return copy;
}

void grants_redeem(struct grants_fixture *g, const char *client, const char *code, char **ret_access, char **ret_refresh)
{
    grants_post(g, "/oauth/token", client, "grant_type=authorization_code&code=%s&redirect_uri=" REDIRECT
                "&code_verifier=" VERIFIER "&resource=" FIXTURE_IMAP, code);
    assert_status(g->f, 200);
    if (ret_access != NULL)
        *ret_access = grants_take(g, "access_token");
    if (ret_refresh != NULL)
        *ret_refresh = grants_take(g, "refresh_token");
}

char *grants_own_token(struct grants_fixture *g, const char *client)
{
    grants_post(g, "/oauth/token", client, "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_status(g->f, 200);
    return grants_take(g, "access_token");
}

void grants_whoami(struct grants_fixture *g, const char *token)
{
    char *authorization = test_printf("Bearer %s", token);

    fixture_ask(g->f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = authorization });
    free(authorization);
}

char *grants_claim(const char *token, const char *name)
{
    postern_reader r = { postern_bytes_str(token) };
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes part, raw = POSTERN_BYTES_NONE;
    uint32_t node;
    uint8_t *text;
    size_t len = 0;
    char *copy;

    assert_true(postern_reader_take_until(&r, '.', &part) && postern_reader_take_until(&r, '.', &part));
    text = malloc(POSTERN_BASE64URL_DECODED_MAX(part.len));
    assert_non_null(text);
    assert_int_equal(postern_base64url_decode(part, text, &len, NULL), POSTERN_OK);
    assert_int_equal(postern_json_scan(&j, (postern_bytes){ text, len }, NULL), POSTERN_OK);
    node = postern_json_member(&j, 0, name);
    if (node != POSTERN_JSON_ABSENT)
        raw = postern_json_raw(&j, node);
    copy = strndup(raw.len == 0 ? "" : (const char *)raw.ptr, raw.len);
    assert_non_null(copy);
    free(text);
    return copy;
}

void assert_claim_is(const char *token, const char *name, const char *want_raw)
{
    char *got = grants_claim(token, name);

    if (strcmp(got, want_raw) != 0)
        fail_msg("%s is %s, not %s", name, got, want_raw);
    free(got);
}

int64_t grants_number(const char *token, const char *name)
{
    char *got = grants_claim(token, name);
    int64_t n = strtoll(got, NULL, 10);

    free(got);
    return n;
}

char *grants_sign(struct grants_fixture *g, const char *fmt, ...)
{
    char members[16384];
    char *claims, *token;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(members, sizeof members, fmt, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof members);
    claims = test_printf("{\"iss\":\"" FIXTURE_ISSUER "\",\"iat\":%lld,\"exp\":%lld,%s}", (long long)g->f->now_s,
                         (long long)g->f->now_s + 300, members);
    token = test_sign(g->key, "ES256", g->header, claims);
    free(claims);
    return token;
}
