/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of the supervisor that everybody may read and nobody else may write: the embedded issuer's
 * public keys, the certificate of a door on loopback.  A child makes what is in it and cannot put
 * it there; who steals the child's port can publish nothing else.
 */
#ifndef POSTERN_SIDECAR_PUBLISHED_FILE_H
#define POSTERN_SIDECAR_PUBLISHED_FILE_H

#include <postern/bytes.h>

/*
 * Replace `path` by these bytes and a newline: temporary file beside it, fsync, rename.  Mode
 * 0644; the folder and all above it must be trusted (sidecar/folder.h).  Blocks for the file
 * system.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err published_file_write(const char *path, postern_bytes text,
                                                  postern_error *err);

#endif
