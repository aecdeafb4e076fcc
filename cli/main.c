/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern`: finds the subcommand.  Each one is a file of this folder; see postern(1). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "config.h"

static const struct command commands[] = {
    { "approve", "let a held action pass once", command_approve },
    { "audit", "show, follow or verify the audit file", command_audit },
    { "block", "refuse an agent from now on, and end its sessions at doors", command_block },
    { "blocks", "list the blocked agents", command_blocks },
    { "client", "register, list and remove the agents of the embedded issuer", command_client },
    { "connect", "log in to a door with a token and relay a local client", command_connect },
    { "deny", "refuse a held action", command_deny },
    { "doctor", "say what is wrong with a service, check by check", command_doctor },
    { "exchange", "fetch a token for another service on behalf of a person", command_exchange },
    { "handle", "have a short name of a token made, for short password fields", command_handle },
    { "held", "list the actions that wait for somebody's approval", command_held },
    { "init", "set a service up: look at the issuer, write its files", command_init },
    { "keys", "show and rotate the keys that the embedded issuer signs with", command_keys },
    { "kill", "end sessions at doors", command_kill },
    { "login", "let a person authorize the agent in a browser", command_login },
    { "logout", "give a person's authorization back and forget it", command_logout },
    { "parse", "read a SASL bearer message and say what it holds", command_parse },
    { "policy", "check rules files, and say what they decide and why", command_policy },
    { "psql", "run psql with a token of the agent's", command_psql },
    { "sessions", "list the sessions at doors", command_sessions },
    { "status", "show the stored logins, without their tokens", command_status },
    { "token", "fetch an access token and print it", command_token },
    { "unblock", "let a blocked agent in again", command_unblock },
    { "user", "add, list and remove the people who log in at the embedded issuer", command_user },
    { "verify", "judge a token by a service's rules or by an issuer's keys alone", command_verify },
    { "why", "say why a login or action was accepted, refused or held", command_why },
    { NULL, NULL, NULL },
};

static void print_usage(FILE *out)
{
    fputs("usage: postern COMMAND [OPTION ...]\n\n", out);
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(out, "  %-10s %s\n", c->name, c->summary);
    fputs("\n`postern COMMAND --help` explains one; postern(1) explains all.\n"
          "Exit status: 0 done or proved, 1 rejected, 2 usage, 3 undecided (try again or see the message).\n", out);
}

int cli_exit_code(postern_err e)
{
    if (postern_err_class(e) == POSTERN_CLASS_USAGE)
        return CLI_USAGE;
    switch (postern_err_outcome(e)) {
    case POSTERN_PROVED:
        return CLI_PROVED;
    case POSTERN_REJECTED:
        return CLI_REJECTED;
    case POSTERN_UNDECIDED:
        break;
    }
    return CLI_UNDECIDED;
}

int cli_fail(const char *subcommand, const postern_error *err)
{
    if (err->code == POSTERN_ERR_USAGE) /* a wrong command line: the detail says it all */
        fprintf(stderr, "postern %s: %s\n", subcommand, err->detail);
    else
        fprintf(stderr, "postern %s: %s: %s\n", subcommand, postern_err_text(err->code),
                err->detail);
    return cli_exit_code(err->code);
}

/* Append what read(2) brings until end of file or until `b` holds more than `max`. */
static postern_err read_all(int fd, postern_buf *b, size_t max, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "reading standard input: %m");
        postern_buf_add(b, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
        if (b->len > max + 1)
            return POSTERN_FAIL(err, LIMIT, "standard input holds more than %zu bytes", max);
        if (b->failed)
            return POSTERN_FAIL(err, NOMEM, "reading standard input");
    }
    return POSTERN_OK;
}

/* As cli.h says; `may_cut`: one trailing newline is not part of the text. */
static postern_err read_stdin(size_t max, bool may_cut, postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(max + 1 + 4096);
    postern_bytes text;

    POSTERN_TRY(read_all(STDIN_FILENO, &b, max, err));
    text = postern_buf_bytes(&b);
    if (may_cut && text.len != 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > max)
        return POSTERN_FAIL(err, LIMIT, "standard input holds more than %zu bytes", max);
    return postern_secret_new(text, ret, err);
}

postern_err cli_read_stdin(size_t max, postern_secret **ret, postern_error *err)
{
    return read_stdin(max, true, ret, err);
}

postern_err cli_read_stdin_exact(size_t max, postern_secret **ret, postern_error *err)
{
    return read_stdin(max, false, ret, err);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("postern " PACKAGE_VERSION);
        return 0;
    }
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, argv[1]) == 0)
            return c->run(argc - 1, argv + 1);
    fprintf(stderr, "postern: no command \"%s\"; `postern --help` lists them\n", argv[1]);
    return CLI_USAGE;
}
