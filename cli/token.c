/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern token`: fetch an access token by client_credentials and print it.  The secret comes from
 * a file, never from the command line; the token goes to standard output and nowhere else.  See
 * postern(1).
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <time.h>

#include "cli.h"
#include "secret_file.h"
#include "token_cache.h"

static void print_help(FILE *out)
{
    fputs("usage: postern token [OPTION ...]\n"
          "\n"
          "  --client FILE|NAME       client file, or NAME of clients/NAME.conf (default: "
          "POSTERN_CLIENT, then client.conf)\n"
          "  --issuer URL             authorization server\n"
          "  --client-id ID           name under which the agent is registered\n"
          "  --secret-file FILE       file with the client secret, mode 0600\n"
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
    { "client", required_argument, NULL, 'c' },
    { "issuer", required_argument, NULL, 'i' },
    { "client-id", required_argument, NULL, 'I' },
    { "secret-file", required_argument, NULL, 'f' },
    { "resource", required_argument, NULL, 'r' },
    { "scope", required_argument, NULL, 's' },
    { "for-host", required_argument, NULL, 'H' },
    { "for-service", required_argument, NULL, 'S' },
    { "allow-loopback-http", no_argument, NULL, 'l' },
    { "loopback-user", required_argument, NULL, 'u' },
    { "tls-ca-file", required_argument, NULL, 'a' },
    { "json", no_argument, NULL, 'j' },
    { "no-cache", no_argument, NULL, 'n' },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Where an option with a value goes; NULL: it has none. */
static const char **find_text(struct token_options *o, int option)
{
    switch (option) {
    case 'c':
        return &o->client;
    case 'i':
        return &o->issuer;
    case 'I':
        return &o->client_id;
    case 'f':
        return &o->secret_file;
    case 'r':
        return &o->resource;
    case 's':
        return &o->scope;
    case 'H':
        return &o->for_host;
    case 'S':
        return &o->for_service;
    case 'u':
        return &o->loopback_user;
    case 'a':
        return &o->tls_ca_file;
    default:
        return NULL;
    }
}

static bool *find_flag(struct token_options *o, int option)
{
    switch (option) {
    case 'l':
        return &o->allow_loopback_http;
    case 'j':
        return &o->is_json;
    case 'n':
        return &o->use_no_cache;
    case 'q':
        return &o->is_quiet;
    case 'h':
        return &o->is_help;
    default:
        return NULL;
    }
}

/* getopt_long(3) takes "--secret X" for --secret-file, and then X would be named in a message: only
 * whole names count. */
static bool is_whole_name(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
           (word[2 + len] == '\0' || word[2 + len] == '=');
}

/* The message names the option, never its value. */
static postern_err refuse_word(const char *word, postern_error *err)
{
    return POSTERN_FAIL(err, USAGE,
                        "bad option, or no value for it: %.*s; `postern token --help` lists them",
                        (int)strcspn(word, "="), word);
}

static postern_err read_options(int argc, char **argv, struct token_options *o, postern_error *err)
{
    const char **text;
    bool *flag;
    int option, index, at = 1;

    for (opterr = 0, optind = 1;
         (option = getopt_long(argc, argv, "+", long_options, &index)) != -1; at = optind) {
        if (option == '?' || !is_whole_name(argv[at], long_options[index].name))
            return refuse_word(argv[at], err);
        if ((text = find_text(o, option)) != NULL && optarg[0] != '\0')
            *text = optarg;
        else if ((flag = find_flag(o, option)) != NULL)
            *flag = true;
        else
            return refuse_word(argv[at], err);
    }
    if (optind != argc)
        return POSTERN_FAIL(err, USAGE,
                            "there is a word that is no option; `postern token --help` lists them");
    return POSTERN_OK;
}

static int64_t read_clock_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail with this clock */
    return t.tv_sec;
}

static postern_err start_op(const struct token_settings *s, postern_bytes secret, postern_op **ret,
                            postern_error *err)
{
    postern_acquire rq = {
        .size = sizeof rq,
        .issuer = s->issuer,
        .client_id = s->client_id,
        .client_secret = secret,
        .resource = s->resource,
        .scope = s->scope,
        .tls_ca_file = s->tls_ca_file,
        .allow_loopback_http = s->allow_loopback_http,
        .loopback_uid = s->loopback_uid,
    };

    return postern_acquire_start(NULL, &rq, ret, err);
}

/* Ask the server; `c` may be NULL. */
static postern_err fetch(postern_op *op, const struct token_cache *c, postern_secret **ret_token,
                         postern_token_info *ret_info, postern_error *err)
{
    POSTERN_AUTO(secret) token = NULL;

    POSTERN_TRY(postern_op_run(op, err));
    if ((token = postern_op_take_token(op)) == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a fetch without a token");
    *ret_info = *postern_acquire_info(op);
    if (c != NULL)
        token_cache_store(c, read_clock_s(), postern_secret_bytes(token), ret_info);
    *ret_token = POSTERN_STEAL(token);
    return POSTERN_OK;
}

/* From the cache or from the server to standard output.  ret_op: for what the server said; NULL
 * when it was not asked. */
static postern_err obtain(const struct token_options *o, const struct token_settings *s,
                          postern_op **ret_op, postern_error *err)
{
    POSTERN_AUTO(secret) secret = NULL;
    POSTERN_AUTO(secret) token = NULL;
    __attribute__((cleanup(token_cache_auto))) struct token_cache *c = NULL;
    postern_token_info info = { 0 };

    POSTERN_TRY(secret_file_read(s->secret_file, &secret, err));
    if (!o->use_no_cache)
        c = token_cache_open(s);
    if (c == NULL || !token_cache_find(c, read_clock_s(), &token, &info)) {
        POSTERN_TRY(start_op(s, postern_secret_bytes(secret), ret_op, err));
        POSTERN_TRY(fetch(*ret_op, c, &token, &info, err));
    }
    return token_print(postern_secret_bytes(token), &info, o->is_json, err);
}

static int obtain_or_explain(const struct token_options *o, const struct token_settings *s)
{
    POSTERN_AUTO(op) op = NULL;
    postern_error err = { 0 };

    if (obtain(o, s, &op, &err) == POSTERN_OK)
        return 0;
    return token_explain(o, s, op == NULL ? NULL : postern_acquire_oauth_error(op), &err);
}

static int run(const struct token_options *o)
{
    struct token_settings s;
    postern_error err = { 0 };
    int status;

    if (token_settings_read(o, &s, &err) == POSTERN_OK)
        status = obtain_or_explain(o, &s);
    else
        status = token_explain(o, &s, NULL, &err);
    token_settings_free(&s);
    return status;
}

/* No core file while secrets are in memory.  Fails with other values only. */
static void set_dumpable(bool is_dumpable)
{
    (void)prctl(PR_SET_DUMPABLE, is_dumpable ? 1 : 0, 0, 0, 0);
}

int command_token(int argc, char **argv)
{
    struct token_options o = { 0 };
    postern_error err = { 0 };
    int status;

    if (getauxval(AT_SECURE) != 0) { /* whose client file and whose secret would it be? */
        fputs("postern token: does not run setuid or setgid\n", stderr);
        return CLI_USAGE;
    }
    if (read_options(argc, argv, &o, &err) != POSTERN_OK)
        return cli_fail("token", &err);
    if (o.is_help) {
        print_help(stdout);
        return 0;
    }
    set_dumpable(false);
    status = run(&o);
    set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
