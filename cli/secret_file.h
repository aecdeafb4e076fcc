/* SPDX-License-Identifier: BSD-2-Clause */
/* Read a client secret, a private key or a token from its file, after a look at who else could. */
#ifndef POSTERN_CLI_SECRET_FILE_H
#define POSTERN_CLI_SECRET_FILE_H

#include <postern/bytes.h>

#define SECRET_FILE_MAX 16384 /* bytes: the longest token, and the longest private key in PEM */

/*
 * A regular file (links are followed: Kubernetes and systemd hand out links) of root or of
 * ourselves, without bits for others; readable by a group only when it is one of ours.  One newline
 * at the end is cut off. POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err secret_file_read(const char *path, postern_secret **ret,
                                              postern_error *err);

#endif
