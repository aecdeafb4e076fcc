/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern logout`: give a person's authorization back (RFC 7009) and forget it here.  What could
 * not be given back is kept, so that it can be tried again.  See postern(1).
 */
#include "config.h"

#include <stdio.h>

#include <postern/login.h>

#include "cli.h"
#include "login_store.h"
#include "options.h"
#include "token_fetch.h"

struct logout_options {
    struct token_options token;
    bool is_all, is_local;
};

static void print_help(FILE *out)
{
    fputs("usage: postern logout [OPTION ...]\n"
          "\n"
          "  --resource URI           which stored login, by what it is for\n"
          "  --person NAME            which stored login, by its name\n"
          "  --all                    every login of this client at this issuer\n"
          "  --local                  forget it here even if the server could not be told\n"
          TOKEN_HELP_AGENT
          "  --allow-loopback-http    http to an issuer on 127.0.0.1 or ::1\n"
          "  --loopback-user USER     who may own the listener there, besides root\n"
          "  --tls-ca-file FILE       certificate authorities for the issuer's HTTPS\n"
          "  --quiet                  one line on standard error when it fails\n"
          "\n"
          "Exit status: 0 given back and forgotten, 1 refused, or nothing was stored, 2 usage, 3 "
          "the server could not be told: kept.\n",
          out);
}

static const struct option long_options[] = {
    { "resource", required_argument, NULL, 'r' },
    { "person", required_argument, NULL, 'p' },
    { "all", no_argument, NULL, 'A' },
    { "local", no_argument, NULL, 'L' },
    { "client", required_argument, NULL, 'c' },
    { "issuer", required_argument, NULL, 'i' },
    { "client-id", required_argument, NULL, 'I' },
    { "client-auth", required_argument, NULL, 'm' },
    { "secret-file", required_argument, NULL, 'f' },
    { "allow-loopback-http", no_argument, NULL, 'l' },
    { "loopback-user", required_argument, NULL, 'u' },
    { "tls-ca-file", required_argument, NULL, 'a' },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static bool take_option(void *arg, int option, const char *value)
{
    struct logout_options *o = arg;

    switch (option) {
    case 'A':
        o->is_all = true;
        return true;
    case 'L':
        o->is_local = true;
        return true;
    default:
        return token_options_take(&o->token, option, value);
    }
}

static postern_err check_options(const struct logout_options *o, postern_error *err)
{
    if (o->is_all && (o->token.resource != NULL || o->token.person != NULL))
        return POSTERN_FAIL(err, USAGE, "--all excludes --resource and --person");
    return POSTERN_OK;
}

/* ---- one login ---- */

struct logout_run {
    const struct logout_options *options;
    const struct token_settings *settings;
    struct login_store *store;
    postern_secret *credential;
    struct token_got got; /* the server's word */
};

/* The refresh token stands for the whole authorization; without one the access token is all. */
static postern_err revoke(struct logout_run *r, const struct login_entry *e, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    const postern_secret *token = e->refresh_token != NULL ? e->refresh_token : e->access_token;
    postern_revoke rq = {
        .size = sizeof rq,
        .agent = token_agent(r->settings, postern_secret_bytes(r->credential)),
        .is_refresh_token = e->refresh_token != NULL,
    };
    postern_err why;

    if (token == NULL)
        return POSTERN_OK; /* the server ended it before */
    rq.token = postern_secret_bytes(token);
    rq.agent.deadline_ms = TOKEN_PATIENT_MS;
    POSTERN_TRY(postern_revoke_start(NULL, &rq, &op, err));
    why = postern_op_run(op, err);
    token_keep_oauth_error(op, &r->got);
    return why;
}

static void say_kept_or_forgotten(const struct logout_run *r, const postern_error *why)
{
    if (r->options->is_local)
        fprintf(stderr, "postern logout: forgotten here; the server could not be told: %s\n",
                why->detail);
    else if (!r->options->token.is_quiet)
        fprintf(stderr, "postern logout: kept, because the server could not be told; --local "
                        "forgets it all the same\n");
}

static postern_err end_login(struct logout_run *r, const char *name, postern_error *err)
{
    __attribute__((cleanup(login_lock_auto))) struct login_lock *lock = NULL;
    __attribute__((cleanup(login_entry_auto))) struct login_entry e = { 0 };
    postern_error why = { 0 };
    postern_err verdict;

    POSTERN_TRY(login_store_lock(r->store, name, &lock, err));
    POSTERN_TRY(login_store_read(r->store, name, &e, err));
    verdict = revoke(r, &e, &why);
    if (verdict != POSTERN_OK)
        say_kept_or_forgotten(r, &why);
    if (verdict != POSTERN_OK && !r->options->is_local) {
        if (err != NULL)
            *err = why;
        return verdict;
    }
    return login_store_remove(r->store, name, err);
}

/* ---- which ---- */

#define LOGINS_MAX 256 /* of one client at one issuer; more are ended by another run */

struct names {
    size_t count;
    char name[LOGINS_MAX][LOGIN_NAME_ROOM];
};

static bool keep_name(void *arg, const char *name, const struct login_entry *e)
{
    struct names *n = arg;

    (void)e;
    memcpy(n->name[n->count], name, LOGIN_NAME_ROOM);
    return ++n->count < LOGINS_MAX;
}

static postern_err end_all(struct logout_run *r, const struct login_key *key, postern_error *err)
{
    struct names n = { 0 };
    postern_err e = POSTERN_OK;

    POSTERN_TRY(login_store_walk(r->store, key, keep_name, &n, err));
    if (n.count == 0)
        return POSTERN_FAIL(err, LOGIN_NEEDED, "nobody has authorized %s at %s", key->client_id,
                            key->issuer);
    for (size_t i = 0; i < n.count; i++) {
        postern_err one = end_login(r, n.name[i], err);

        if (one != POSTERN_OK)
            e = one; /* the others are still ended */
    }
    return e;
}

static postern_err logout(struct logout_run *r, postern_error *err)
{
    const struct token_settings *s = r->settings;
    struct login_key key = { s->issuer, s->client_id, s->resource, s->person };
    char name[LOGIN_NAME_ROOM];

    POSTERN_TRY(login_store_open(&r->store, err));
    POSTERN_TRY(token_read_credential(s, &r->credential, err));
    if (r->options->is_all) {
        key.resource = key.person = NULL;
        return end_all(r, &key, err);
    }
    POSTERN_TRY(login_store_find(r->store, &key, name, err));
    return end_login(r, name, err);
}

static int run(const struct logout_options *o)
{
    struct token_settings s;
    struct logout_run r = { .options = o, .settings = &s };
    postern_error err = { 0 };
    int status = 0;

    if (token_settings_read(&o->token, &s, &err) != POSTERN_OK || logout(&r, &err) != POSTERN_OK)
        status = token_explain(&o->token, &s, r.got.oauth_error, &err);
    postern_secret_free(r.credential);
    login_store_close(r.store);
    token_settings_free(&s);
    return status;
}

int command_logout(int argc, char **argv)
{
    struct logout_options o = { .token.command = "logout" };
    postern_error err = { 0 };
    int status;

    if (token_is_privileged("logout"))
        return CLI_USAGE;
    if (cli_options_read(&(struct cli_options){ "logout", long_options, take_option, &o }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("logout", &err);
    if (o.token.is_help) {
        print_help(stdout);
        return 0;
    }
    if (check_options(&o, &err) != POSTERN_OK)
        return cli_fail("logout", &err);
    token_set_dumpable(false);
    status = run(&o);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
