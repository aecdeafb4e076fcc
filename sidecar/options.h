/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of posternd(8). */
#ifndef POSTERN_SIDECAR_OPTIONS_H
#define POSTERN_SIDECAR_OPTIONS_H

#include <stdio.h>

typedef enum options_action {
    OPTIONS_WRONG = 0, /* a message stands on standard error */
    OPTIONS_RUN,
    OPTIONS_CHECK,
    OPTIONS_DUMP,
    OPTIONS_VERSION,
    OPTIONS_HELP
} options_action;

struct options {
    options_action action;
    const char    *config_dir; /* borrowed from argv, or the built-in folder */
};

struct options options_parse(int argc, char **argv);
void options_print_help(FILE *out);

#endif
