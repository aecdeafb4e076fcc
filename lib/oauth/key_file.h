/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of an issuer from its jwks_file: read when first asked, read again when the file was
 * replaced.  A source for keyring.c. */
#ifndef POSTERN_LIB_KEY_FILE_H
#define POSTERN_LIB_KEY_FILE_H

#include "keyring.h"
#include "trusted_file.h"

/* One stat(2) a second at most: a rotated key counts within a second, and a thousand logins a
 * second cost nothing. */
#define POSTERN_KEYRING_RECHECK_MS 1000
/* For a token with an unknown kid, and while no usable file was found: ten looks a second, whatever
 * strangers send. */
#define POSTERN_KEYRING_HURRY_MS 100
/* How long keys outlive their file: an administrator's slip can be mended, a withdrawn key does not
 * live on for long. */
#define POSTERN_KEYRING_STALE_MS 300000

/* `path` is kept, not copied.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_key_file_new(const char *path, enum file_trust trust,
                                                  struct key_source **ret, postern_error *err);

#endif
