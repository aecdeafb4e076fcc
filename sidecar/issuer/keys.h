/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's private keys in their files, readable to the issuer child alone: the one that signs,
 * and the next one while it is announced. */
#ifndef POSTERN_ISSUER_KEYS_H
#define POSTERN_ISSUER_KEYS_H

#include <postern-private/mint.h>

#define SIGNING_KEY_FILE "signing-key.pem"
#define NEXT_KEY_FILE "signing-key-next.pem"

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
/* The next key; *ret is NULL when there is none.  Same codes. */
POSTERN_MUST_USE postern_err next_key_load(int dir_fd, postern_signing_key **ret,
                                           postern_error *err);
/* Make it; there must be none.  Same codes. */
POSTERN_MUST_USE postern_err next_key_make(int dir_fd, postern_signing_key **ret,
                                           postern_error *err);
/* The next key takes the place of the one that signs, whose private half is gone then; on disk
 * when it returns.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err next_key_take_over(int dir_fd, postern_error *err);

#endif
