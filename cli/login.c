/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern login`: a person authorizes the agent in a browser; what comes of it is stored for
 * `postern token`, `exchange`, `connect` and the SASL client.  See postern(1).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern-private/clock.h>
#include <postern/login.h>

#include "cli.h"
#include "login_browser.h"
#include "login_callback.h"
#include "login_listen.h"
#include "login_store.h"
#include "options.h"
#include "token_fetch.h"

#define TIMEOUT_DEFAULT_S 300 /* a person finds a password, a second factor, and reads */
#define TIMEOUT_MAX_S     3600

struct login_options {
    struct token_options token;
    const char *more_resources[POSTERN_LOGIN_RESOURCES_MAX + 1]; /* ended by NULL */
    size_t more_count;
    bool wants_browser, wants_no_browser;
    int timeout_s;
    uint16_t port;
};

static void print_help(FILE *out)
{
    fputs("usage: postern login [OPTION ...]\n"
          "\n"
          TOKEN_HELP_AGENT
          "  --person NAME            a name for this login, and whom the login page should expect\n"
          "  --resource URI           what the agent may act at (RFC 8707); one more each time, for "
          "exchanges later\n"
          "  --scope SCOPES           scopes to ask for, blank-separated\n"
          "  --browser                open the address with xdg-open even without a display\n"
          "  --no-browser             only print the address\n"
          "  --port PORT              where the browser comes back to on 127.0.0.1; a free one when "
          "not said\n"
          "  --timeout SECONDS        how long to wait for the person (300)\n"
          "  --allow-loopback-http    http to an issuer on 127.0.0.1 or ::1\n"
          "  --loopback-user USER     who may own the listener there, besides root\n"
          "  --tls-ca-file FILE       certificate authorities for the issuer's HTTPS\n"
          "  --quiet                  one line on standard error when it fails\n"
          "\n"
          "Exit status: 0 authorized and stored, 1 refused, 2 usage, 3 undecided: server not "
          "reachable or not trusted, nobody came, or misconfigured.\n",
          out);
}

static const struct option long_options[] = {
    { "client", required_argument, NULL, 'c' },
    { "issuer", required_argument, NULL, 'i' },
    { "client-id", required_argument, NULL, 'I' },
    { "client-auth", required_argument, NULL, 'm' },
    { "secret-file", required_argument, NULL, 'f' },
    { "person", required_argument, NULL, 'p' },
    { "resource", required_argument, NULL, 'r' },
    { "scope", required_argument, NULL, 's' },
    { "browser", no_argument, NULL, 'b' },
    { "no-browser", no_argument, NULL, 'B' },
    { "port", required_argument, NULL, 'P' },
    { "timeout", required_argument, NULL, 't' },
    { "allow-loopback-http", no_argument, NULL, 'l' },
    { "loopback-user", required_argument, NULL, 'u' },
    { "tls-ca-file", required_argument, NULL, 'a' },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* 0: not a number of 1..most. */
static int read_number(const char *text, int most)
{
    long n = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || n > most)
            return 0;
        n = n * 10 + (*c - '0');
    }
    return n <= most ? (int)n : 0;
}

/* The first is the login's own. */
static bool take_resource(struct login_options *o, const char *value)
{
    if (o->token.resource == NULL) {
        o->token.resource = value;
        return true;
    }
    if (o->more_count == POSTERN_LOGIN_RESOURCES_MAX)
        return false;
    o->more_resources[o->more_count++] = value;
    return true;
}

static bool take_option(void *arg, int option, const char *value)
{
    struct login_options *o = arg;

    switch (option) {
    case 'r':
        return take_resource(o, value);
    case 'b':
        o->wants_browser = true;
        return true;
    case 'B':
        o->wants_no_browser = true;
        return true;
    case 'P': /* a browser leaves http's own port out of Host */
        o->port = (uint16_t)read_number(value, UINT16_MAX);
        return o->port != 0 && o->port != 80;
    case 't':
        return (o->timeout_s = read_number(value, TIMEOUT_MAX_S)) != 0;
    default:
        return token_options_take(&o->token, option, value);
    }
}

/* ---- the login ---- */

struct login_run {
    const struct login_options *options;
    const struct token_settings *settings;
    struct login_store *store;
    postern_secret *credential;
    struct login_listener listener;
    postern_op *login, *redemption;
    postern_buf query;
    char oauth_error[TOKEN_OAUTH_ERROR_ROOM];
};

static const char *or_empty(const char *s)
{
    return s == NULL ? "" : s;
}

static postern_err prepare(struct login_run *r, postern_error *err)
{
    const struct token_settings *s = r->settings;
    postern_login rq = {
        .size = sizeof rq,
        .resource = s->resource,
        .more_resources = r->options->more_resources,
        .scope = s->scope,
        .login_hint = s->person,
        .redirect_uri = r->listener.redirect_uri,
    };

    if (s->person != NULL && strlen(s->person) > LOGIN_PERSON_MAX)
        return POSTERN_FAIL(err, USAGE, "person is longer than %d bytes", LOGIN_PERSON_MAX);
    POSTERN_TRY(login_store_open(&r->store, err)); /* before a person is bothered */
    POSTERN_TRY(token_read_credential(s, &r->credential, err));
    POSTERN_TRY(login_listen(r->options->port, &r->listener, err));
    rq.agent = token_agent(s, postern_secret_bytes(r->credential));
    rq.agent.deadline_ms = TOKEN_PATIENT_MS;
    POSTERN_TRY(postern_login_start(NULL, &rq, &r->login, err));
    return postern_op_run(r->login, err);
}

static void show_address(const struct login_run *r)
{
    const struct login_options *o = r->options;
    const char *url = postern_login_url(r->login);
    bool is_shown = !o->wants_no_browser && (o->wants_browser || login_browser_has_display()) &&
                    login_browser_open(r->listener.start_uri);

    if (!o->token.is_quiet)
        fprintf(stderr, "Open this address to let %s act for you%s:\n", r->settings->client_id,
                is_shown ? " (a browser was started)" : "");
    printf("%s\n", url);
    (void)fflush(stdout);
}

static postern_err redeem(struct login_run *r, postern_error *err)
{
    const char *word;
    postern_err e;

    POSTERN_TRY(postern_login_redeem_start(r->login, postern_buf_bytes(&r->query), &r->redemption,
                                           err));
    e = postern_op_run(r->redemption, err);
    if ((word = postern_acquire_oauth_error(r->redemption)) != NULL)
        (void)snprintf(r->oauth_error, sizeof r->oauth_error, "%s", word);
    return e;
}

static postern_err fill_entry(struct login_run *r, struct login_entry *e, postern_error *err)
{
    const struct token_settings *s = r->settings;
    const postern_token_info *info = postern_acquire_info(r->redemption);

    if (strlen(or_empty(s->resource)) >= sizeof e->resource)
        return POSTERN_FAIL(err, USAGE, "resource is too long");
    (void)snprintf(e->issuer, sizeof e->issuer, "%s", s->issuer); /* the operation bounded both */
    (void)snprintf(e->client_id, sizeof e->client_id, "%s", s->client_id);
    (void)snprintf(e->resource, sizeof e->resource, "%s", or_empty(s->resource));
    (void)snprintf(e->person, sizeof e->person, "%s", or_empty(s->person));
    memcpy(e->subject, info->subject, sizeof e->subject);
    memcpy(e->scope, info->scope, sizeof e->scope);
    if (info->expires_in_s >= 0)
        e->expires_s = clock_wall_s() + info->expires_in_s;
    e->access_token = postern_op_take_token(r->redemption);
    e->refresh_token = postern_acquire_take_refresh_token(r->redemption);
    return POSTERN_OK;
}

static postern_err store(struct login_run *r, struct login_entry *e, postern_error *err)
{
    const struct login_key key = { r->settings->issuer, r->settings->client_id,
                                   r->settings->resource, r->settings->person };
    __attribute__((cleanup(login_lock_auto))) struct login_lock *lock = NULL;
    char name[LOGIN_NAME_ROOM];

    POSTERN_TRY(fill_entry(r, e, err));
    POSTERN_TRY(login_store_name(&key, name, err));
    POSTERN_TRY(login_store_lock(r->store, name, &lock, err));
    return login_store_write(r->store, name, e, err);
}

static void say_done(const struct login_run *r, const struct login_entry *e)
{
    if (r->options->token.is_quiet)
        return;
    fprintf(stderr, "%s may now act for %s", e->client_id,
            e->subject[0] != '\0' ? e->subject : "the person who logged in");
    if (e->scope[0] != '\0')
        fprintf(stderr, ", with %s", e->scope);
    fprintf(stderr, "%s.\n",
            e->refresh_token != NULL ? "" : ", until the token expires: there is no refresh token");
}

static postern_err run_login(struct login_run *r, postern_error *err)
{
    __attribute__((cleanup(login_entry_auto))) struct login_entry e = { 0 };
    int timeout_s = r->options->timeout_s == 0 ? TIMEOUT_DEFAULT_S : r->options->timeout_s;

    POSTERN_TRY(prepare(r, err));
    show_address(r);
    POSTERN_TRY(login_wait(&r->listener, r->login, timeout_s, &r->query, err));
    login_listen_close(&r->listener); /* a second answer finds nobody */
    POSTERN_TRY(redeem(r, err));
    POSTERN_TRY(store(r, &e, err));
    say_done(r, &e);
    return POSTERN_OK;
}

static void free_run(struct login_run *r)
{
    login_listen_close(&r->listener);
    postern_op_free(r->redemption);
    postern_op_free(r->login);
    postern_buf_free(&r->query);
    postern_secret_free(r->credential);
    login_store_close(r->store);
}

static int run(const struct login_options *o)
{
    struct token_settings s;
    struct login_run r = { .options = o,
                           .settings = &s,
                           .listener = { .fd = -1 },
                           .query = POSTERN_BUF_INIT(LOGIN_REQUEST_MAX) };
    postern_error err = { 0 };
    int status = 0;

    if (token_settings_read(&o->token, &s, &err) != POSTERN_OK ||
        run_login(&r, &err) != POSTERN_OK)
        status = token_explain(&o->token, &s, r.oauth_error, &err);
    free_run(&r);
    token_settings_free(&s);
    return status;
}

int command_login(int argc, char **argv)
{
    struct login_options o = { .token.command = "login" };
    postern_error err = { 0 };
    int status;

    if (token_is_privileged("login"))
        return CLI_USAGE;
    if (cli_options_read(&(struct cli_options){ "login", long_options, take_option, &o }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("login", &err);
    if (o.token.is_help) {
        print_help(stdout);
        return 0;
    }
    token_set_dumpable(false);
    status = run(&o);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
