/* SPDX-License-Identifier: BSD-2-Clause */
/* A new password: typed twice on a terminal without echo, or one line of standard input. */
#ifndef POSTERN_CLI_PASSWORD_INPUT_H
#define POSTERN_CLI_PASSWORD_INPUT_H

#include <postern/bytes.h>

#define PASSWORD_INPUT_MAX 256     /* PASSWORD_MAX of the issuer, which judges what is a password */
#define PASSWORD_GENERATED_BYTES 18 /* of randomness: 24 characters, 144 bits */

/*
 * From the terminal when standard input is one (asked on /dev/tty, echo off, twice), else all of
 * standard input, one newline at its end cut off.
 *   POSTERN_OK · POSTERN_ERR_USAGE (empty, or not the same twice) · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err password_input_read(const char *name, postern_secret **ret,
                                                 postern_error *err);
/* Made from the system's randomness.  POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err password_input_generate(postern_secret **ret, postern_error *err);

#endif
