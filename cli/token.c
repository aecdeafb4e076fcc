/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern token`: fetch an access token, by client_credentials or for a person who logged in, and
 * print it.  The secret comes from a file, never from the command line; the token goes to standard
 * output and nowhere else.  See postern(1).
 */
#include "config.h"

#include <stdio.h>

#include "cli.h"
#include "options.h"
#include "token_fetch.h"

static void print_help(FILE *out)
{
    fputs("usage: postern token [OPTION ...]\n"
          "\n"
          TOKEN_HELP_AGENT
          TOKEN_HELP_LOGIN
          "  --resource URI           what the token is for (RFC 8707)\n"
          "  --scope SCOPES           scopes to ask for, blank-separated\n"
          "  --for-host HOST          the server that the token will be sent to; must be in hosts: "
          "of the client file\n"
          "  --for-service SERVICE    its SASL service; the resource is https://HOST/SERVICE "
          "unless the file names one\n"
          "  --allow-loopback-http    http to an issuer on 127.0.0.1 or ::1\n"
          "  --loopback-user USER     who may own the listener there, besides root\n"
          "  --tls-ca-file FILE       certificate authorities for the issuer's HTTPS\n"
          "  --json                   print the members of the answer as JSON (RFC 6749 section "
          "5.1)\n"
          "  --no-cache               neither take nor leave a token in the user's store\n"
          "  --quiet                  one line on standard error when it fails\n"
          "\n"
          "Exit status: 0 token printed, 1 refused, 2 usage, 3 undecided: server not reachable or "
          "not trusted, or misconfigured.\n",
          out);
}

static const struct option long_options[] = {
    TOKEN_LONG_OPTIONS,
    TOKEN_LOGIN_OPTIONS,
    { "for-host", required_argument, NULL, 'H' },
    { "for-service", required_argument, NULL, 'S' },
    { NULL, 0, NULL, 0 },
};

static bool take_option(void *arg, int option, const char *value)
{
    struct token_options *o = arg;

    if (option == 'H')
        o->for_host = value;
    else if (option == 'S')
        o->for_service = value;
    else
        return token_options_take(o, option, value);
    return true;
}

static int obtain_or_explain(const struct token_options *o, const struct token_settings *s)
{
    const struct token_want want = { .use_no_cache = o->use_no_cache };
    struct token_got got;
    postern_error err = { 0 };
    postern_err e = token_obtain(s, &want, &got, &err);
    int status = 0;

    if (e == POSTERN_OK)
        e = token_print(postern_secret_bytes(got.token), &got.info, o->is_json, &err);
    if (e != POSTERN_OK)
        status = token_explain(o, s, got.oauth_error, &err);
    token_got_free(&got);
    return status;
}

static int run(const struct token_options *o)
{
    struct token_settings s;
    postern_error err = { 0 };
    int status;

    if (token_settings_read(o, &s, &err) == POSTERN_OK)
        status = obtain_or_explain(o, &s);
    else
        status = token_explain(o, &s, "", &err);
    token_settings_free(&s);
    return status;
}

int command_token(int argc, char **argv)
{
    struct token_options o = { 0 };
    postern_error err = { 0 };
    int status;

    if (token_is_privileged("token"))
        return CLI_USAGE;
    if (cli_options_read(&(struct cli_options){ "token", long_options, take_option, &o }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("token", &err);
    if (o.is_help) {
        print_help(stdout);
        return 0;
    }
    token_set_dumpable(false);
    status = run(&o);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
