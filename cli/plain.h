/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that came from elsewhere, printed so that nothing of it can steer a terminal. */
#ifndef POSTERN_CLI_PLAIN_H
#define POSTERN_CLI_PLAIN_H

#include <stdio.h>

#include <postern/bytes.h>

/* Printable ASCII as it is, every other byte as \xNN. */
void plain_print_text(FILE *out, postern_bytes text);
/* JSON that was scanned, so UTF-8 is well formed and what is not ASCII stands in strings: it
 * becomes \uNNNN, which means the same. */
void plain_print_json(FILE *out, postern_bytes json);

#endif
