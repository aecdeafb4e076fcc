/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's signing key in its file: made once, readable to the issuer child alone. */
#ifndef POSTERN_ISSUER_KEYS_H
#define POSTERN_ISSUER_KEYS_H

#include <postern-private/mint.h>

#define SIGNING_KEY_FILE "signing-key.pem"

/*
 * Read the key from the folder, or make one when there is none: complete and on disk before its
 * name exists.
 *
 *   dir_fd   O_DIRECTORY, stays the caller's
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (not ours, readable to others, no P-256 key) ·
 *   POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err signing_key_load(int dir_fd, postern_signing_key **ret,
                                              postern_error *err);

#endif
