/* SPDX-License-Identifier: BSD-2-Clause */
/* Long options of a subcommand, read the careful way: whole names only, and no message ever repeats
 * a value, which may be a secret that somebody put in the wrong place. */
#ifndef POSTERN_CLI_OPTIONS_H
#define POSTERN_CLI_OPTIONS_H

#include <getopt.h>

#include <postern/error.h>

#include <stdbool.h>
#include <stdint.h>

struct cli_options {
    const char *command;        /* "token": for messages */
    const struct option *table; /* long options; `val` is what take() gets */
    /* false: not a good value.  option 0: a word that is no option; value NULL: a flag. */
    bool (*take)(void *arg, int option, const char *value);
    void *arg;
};

/* POSTERN_OK · USAGE */
POSTERN_MUST_USE postern_err cli_options_read(const struct cli_options *o, int argc, char **argv,
                                              postern_error *err);

/* "12h" as seconds, more than 0; false for anything else.  posternd has the last word on how long is
 * too long. */
bool cli_duration(const char *text, int64_t *ret_s);

#endif
