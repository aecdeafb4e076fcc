/* SPDX-License-Identifier: BSD-2-Clause */
/* What every subcommand of `postern` shares: the table, exit codes, and reading a token from
 * standard input. */
#ifndef POSTERN_CLI_H
#define POSTERN_CLI_H

#include <postern/bytes.h>

enum { CLI_PROVED = 0, CLI_REJECTED = 1, CLI_USAGE = 2, CLI_UNDECIDED = 3 };

struct command {
    const char *name;
    const char *summary; /* one line of --help */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

int command_audit(int argc, char **argv);
int command_block(int argc, char **argv);
int command_blocks(int argc, char **argv);
int command_held(int argc, char **argv);
int command_approve(int argc, char **argv);
int command_deny(int argc, char **argv);
int command_client(int argc, char **argv);
int command_connect(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_exchange(int argc, char **argv);
int command_handle(int argc, char **argv);
int command_init(int argc, char **argv);
int command_keys(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_login(int argc, char **argv);
int command_logout(int argc, char **argv);
int command_parse(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_psql(int argc, char **argv);
int command_sessions(int argc, char **argv);
int command_status(int argc, char **argv);
int command_token(int argc, char **argv);
int command_unblock(int argc, char **argv);
int command_user(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_why(int argc, char **argv);

/* Exit code for an error: rejected, undecided or usage. */
int cli_exit_code(postern_err e);
/* "postern SUBCOMMAND: what failed\n" on standard error; returns the exit code of err->code. */
int cli_fail(const char *subcommand, const postern_error *err);
/*
 * All of standard input, at most `max` bytes (one more is a LIMIT error), one trailing newline
 * cut off.
 *   POSTERN_OK · LIMIT · NOMEM · SYSTEM
 */
POSTERN_MUST_USE postern_err cli_read_stdin(size_t max, postern_secret **ret, postern_error *err);
/* The same, byte for byte. */
POSTERN_MUST_USE postern_err cli_read_stdin_exact(size_t max, postern_secret **ret,
                                                  postern_error *err);

#endif
