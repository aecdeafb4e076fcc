/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern exchange`: a person's token for one that another service takes (RFC 8693).  The subject
 * is the stored login unless it is said otherwise; tokens come from files, never from the command
 * line.  See postern(1).
 */
#include "config.h"

#include <stdio.h>

#include <postern/request.h>

#include "cli.h"
#include "login_token.h"
#include "options.h"
#include "secret_file.h"

struct exchange_options {
    struct token_options token;
    const char *subject_file, *actor, *purpose, *authorization_details, *login_resource;
};

static void print_help(FILE *out)
{
    fputs("usage: postern exchange --resource URI [OPTION ...]\n"
          "\n"
          "  --resource URI           what the new token is for (RFC 8707)\n"
          "  --scope SCOPES           scopes to ask for, blank-separated\n"
          "  --purpose TEXT           why, for the service's records\n"
          "  --authorization-details JSON\n"
          "                           RFC 9396\n"
          "  --subject-token-file FILE\n"
          "                           the person's token; - is standard input (default: the stored "
          "login)\n"
          "  --actor-token FILE       who acts; - is standard input, self the agent's own token\n"
          "  --login-resource URI     which stored login, by what it is for\n"
          "  --person NAME            which stored login, by its name\n"
          TOKEN_HELP_AGENT
          "  --allow-loopback-http    http to an issuer on 127.0.0.1 or ::1\n"
          "  --loopback-user USER     who may own the listener there, besides root\n"
          "  --tls-ca-file FILE       certificate authorities for the issuer's HTTPS\n"
          "  --json                   print the members of the answer as JSON (RFC 8693 section "
          "2.2.1)\n"
          "  --quiet                  one line on standard error when it fails\n"
          "\n"
          "Exit status: 0 token printed, 1 refused, 2 usage, 3 undecided: server not reachable or "
          "not trusted, or misconfigured.\n",
          out);
}

static const struct option long_options[] = {
    { "resource", required_argument, NULL, 'r' },
    { "scope", required_argument, NULL, 's' },
    { "purpose", required_argument, NULL, 'U' },
    { "authorization-details", required_argument, NULL, 'D' },
    { "subject-token-file", required_argument, NULL, 'F' },
    { "actor-token", required_argument, NULL, 'A' },
    { "login-resource", required_argument, NULL, 'R' },
    { "person", required_argument, NULL, 'p' },
    { "client", required_argument, NULL, 'c' },
    { "issuer", required_argument, NULL, 'i' },
    { "client-id", required_argument, NULL, 'I' },
    { "client-auth", required_argument, NULL, 'm' },
    { "secret-file", required_argument, NULL, 'f' },
    { "allow-loopback-http", no_argument, NULL, 'l' },
    { "loopback-user", required_argument, NULL, 'u' },
    { "tls-ca-file", required_argument, NULL, 'a' },
    { "json", no_argument, NULL, 'j' },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static const char **find_text(struct exchange_options *o, int option)
{
    switch (option) {
    case 'U':
        return &o->purpose;
    case 'D':
        return &o->authorization_details;
    case 'F':
        return &o->subject_file;
    case 'A':
        return &o->actor;
    case 'R':
        return &o->login_resource;
    default:
        return NULL;
    }
}

static bool take_option(void *arg, int option, const char *value)
{
    struct exchange_options *o = arg;
    const char **text = find_text(o, option);

    if (text == NULL)
        return token_options_take(&o->token, option, value);
    *text = value;
    return true;
}

static postern_err check_options(const struct exchange_options *o, postern_error *err)
{
    if (o->token.resource == NULL)
        return POSTERN_FAIL(err, USAGE, "--resource is missing: what is the new token for?");
    if (o->subject_file != NULL && o->actor != NULL && strcmp(o->subject_file, "-") == 0 &&
        strcmp(o->actor, "-") == 0)
        return POSTERN_FAIL(err, USAGE, "standard input is one token, not two");
    if (o->subject_file != NULL && (o->login_resource != NULL || o->token.person != NULL))
        return POSTERN_FAIL(err, USAGE,
                            "--subject-token-file excludes --login-resource and --person");
    return POSTERN_OK;
}

/* ---- the tokens that go in ---- */

static postern_err read_token(const char *file, postern_secret **ret, postern_error *err)
{
    return strcmp(file, "-") == 0 ? cli_read_stdin(POSTERN_TOKEN_MAX, ret, err)
                                  : secret_file_read(file, ret, err);
}

/* The client file's `resource:` says which login, as it did for `postern login`. */
static const char *choose_login_resource(const struct exchange_options *o,
                                         const struct token_settings *s)
{
    const postern_section *c =
        s->config == NULL ? NULL : postern_config_section(s->config, POSTERN_SECTION_CLIENT, NULL);

    if (o->login_resource != NULL || c == NULL)
        return o->login_resource;
    return postern_section_text(c, "resource");
}

static postern_err obtain_subject(const struct exchange_options *o, const struct token_settings *s,
                                  postern_bytes credential, struct token_got *ret,
                                  postern_error *err)
{
    const struct login_key key = { s->issuer, s->client_id, choose_login_resource(o, s),
                                   s->person };

    *ret = (struct token_got){ 0 };
    if (o->subject_file != NULL)
        return read_token(o->subject_file, &ret->token, err);
    return login_token_obtain(s, &key, credential, &(struct token_want){ 0 }, ret, err);
}

static postern_err read_actor(const struct exchange_options *o, struct token_settings *s,
                              postern_secret **ret, postern_error *err)
{
    if (o->actor == NULL)
        return POSTERN_OK;
    s->is_actor_self = strcmp(o->actor, "self") == 0;
    return s->is_actor_self ? POSTERN_OK : read_token(o->actor, ret, err);
}

/* ---- the exchange ---- */

static postern_err exchange(const struct exchange_options *o, struct token_settings *s,
                            struct token_got *subject, struct token_got *got, postern_error *err)
{
    POSTERN_AUTO(secret) credential = NULL;
    POSTERN_AUTO(secret) actor = NULL;
    struct login_exchange x = {
        .resource = o->token.resource,
        .scope = o->token.scope,
        .purpose = o->purpose,
        .authorization_details = o->authorization_details,
        .deadline_ms = TOKEN_PATIENT_MS,
    };

    POSTERN_TRY(token_read_credential(s, &credential, err));
    POSTERN_TRY(read_actor(o, s, &actor, err));
    if (actor != NULL)
        x.actor_token = postern_secret_bytes(actor);
    POSTERN_TRY(obtain_subject(o, s, postern_secret_bytes(credential), subject, err));
    POSTERN_TRY(login_token_exchange(s, postern_secret_bytes(credential),
                                     postern_secret_bytes(subject->token), &x, got, err));
    return token_print_exchanged(postern_secret_bytes(got->token), &got->info, o->token.is_json,
                                 err);
}

static int run(const struct exchange_options *o)
{
    struct token_settings s;
    struct token_got subject = { 0 }, got = { 0 };
    postern_error err = { 0 };
    int status = 0;

    if (token_settings_read(&o->token, &s, &err) != POSTERN_OK ||
        exchange(o, &s, &subject, &got, &err) != POSTERN_OK)
        status = token_explain(&o->token, &s,
                               got.oauth_error[0] != '\0' ? got.oauth_error : subject.oauth_error,
                               &err);
    token_got_free(&subject);
    token_got_free(&got);
    token_settings_free(&s);
    return status;
}

int command_exchange(int argc, char **argv)
{
    struct exchange_options o = { .token.command = "exchange" };
    postern_error err = { 0 };
    int status;

    if (token_is_privileged("exchange"))
        return CLI_USAGE;
    if (cli_options_read(&(struct cli_options){ "exchange", long_options, take_option, &o }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("exchange", &err);
    if (o.token.is_help) {
        print_help(stdout);
        return 0;
    }
    if (check_options(&o, &err) != POSTERN_OK)
        return cli_fail("exchange", &err);
    token_set_dumpable(false);
    status = run(&o);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
