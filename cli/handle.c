/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern handle`: have the helper of this host keep a token and give a short name for it, for password
 * fields that are too short for the token.  The token comes from standard input, the handle goes to standard
 * output.  See postern(1).
 */
#include <stdio.h>
#include <stdlib.h>

#include <postern/client.h>

#include "cli.h"
#include "options.h"
#include "token.h"
#include "why_advice.h"

#define UID_DIGITS_MAX 10

struct handle_options {
    const char *service, *socket;
    unsigned uses;
    uid_t server_uid;
    bool is_help;
};

static const struct option long_options[] = {
    { "service", required_argument, NULL, 's' },
    { "uses", required_argument, NULL, 'n' },
    { "socket", required_argument, NULL, 'S' },
    { "helper-uid", required_argument, NULL, 'u' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_help(FILE *out)
{
    fputs("usage: postern handle --service NAME [OPTION ...] < token\n"
          "\n"
          "  --service NAME     the service that the token is for, as posternd knows it\n"
          "  --uses N           how often it may log in, 1 to 8 [1]\n"
          "  --socket PATH      the helper's socket [" POSTERN_HELPER_SOCKET_DEFAULT "]\n"
          "  --helper-uid UID   user of posternd, when that is not root\n"
          "\n"
          "Prints a handle of at most 64 characters that stands for the token for a minute.\n"
          "Exit status: 0 done, 1 the token is refused, 2 usage, 3 undecided.\n",
          out);
}

static bool take_number(const char *text, unsigned long max, unsigned long *ret)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > UID_DIGITS_MAX || text[digits] != '\0')
        return false;
    *ret = strtoul(text, NULL, 10);
    return *ret <= max;
}

static bool take_option(void *arg, int option, const char *value)
{
    struct handle_options *o = arg;
    unsigned long n = 0;
    bool is_good = true;

    switch (option) {
    case 's':
        o->service = value;
        return value[0] != '\0';
    case 'S':
        o->socket = value;
        return value[0] == '/';
    case 'n':
        is_good = take_number(value, POSTERN_HANDLE_USES_MAX, &n) && n != 0;
        o->uses = (unsigned)n;
        return is_good;
    case 'u':
        is_good = take_number(value, (uid_t)-2, &n);
        o->server_uid = (uid_t)n;
        return is_good;
    case 'h':
        o->is_help = true;
        return true;
    default:
        return false;
    }
}

static postern_err ask(const struct handle_options *o, postern_secret **ret, postern_error *err)
{
    const postern_helper_address where = { o->socket, o->server_uid };
    POSTERN_AUTO(secret) token = NULL;
    POSTERN_AUTO(op) op = NULL;

    POSTERN_TRY(cli_read_stdin(POSTERN_TOKEN_MAX, &token, err));
    POSTERN_TRY(postern_client_handle_start(&where, o->service, postern_secret_bytes(token), o->uses,
                                            &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    *ret = postern_op_take_token(op);
    return *ret != NULL ? POSTERN_OK : POSTERN_FAIL(err, INTERNAL, "an answer without a handle");
}

static postern_err print(const struct handle_options *o, postern_error *err)
{
    POSTERN_AUTO(secret) handle = NULL;
    postern_bytes text;

    POSTERN_TRY(ask(o, &handle, err));
    text = postern_secret_bytes(handle);
    if (fwrite(text.ptr, 1, text.len, stdout) != text.len || putchar('\n') == EOF ||
        fflush(stdout) != 0)
        return POSTERN_FAIL(err, SYSTEM, "standard output: %m");
    return POSTERN_OK;
}

static int fail(const postern_error *err)
{
    bool is_ours = postern_err_class(err->code) == POSTERN_CLASS_CONFIG; /* not the token's */
    const char *advice = is_ours ? why_advice(err->code) : NULL;
    int status = cli_fail("handle", err);

    if (advice != NULL)
        fprintf(stderr, "  to do:  %s\n", advice);
    return status;
}

int command_handle(int argc, char **argv)
{
    struct handle_options o = { .uses = 1 };
    postern_error err = { 0 };
    int status = 0;

    if (cli_options_read(&(struct cli_options){ "handle", long_options, take_option, &o }, argc, argv,
                         &err) != POSTERN_OK)
        return cli_fail("handle", &err);
    if (o.is_help) {
        print_help(stdout);
        return 0;
    }
    if (o.service == NULL) {
        fputs("postern handle: --service is missing; see --help\n", stderr);
        return CLI_USAGE;
    }
    token_set_dumpable(false);
    if (print(&o, &err) != POSTERN_OK)
        status = fail(&err);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
