/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The embedded issuer's public keys as a root-owned file, for services of this host: nobody who
 * steals the issuer's port can give them other keys.  The issuer child sends the set; the
 * supervisor judges and writes it.
 */
#ifndef POSTERN_SIDECAR_JWKS_FILE_H
#define POSTERN_SIDECAR_JWKS_FILE_H

#include <postern-private/json.h>

#define JWKS_FILE_KEYS_MAX 100 /* as readers of the file have it (lib/jose) */

/*
 * Judge node `set` of a message: {"keys":[…]} with 1..100 public EC, RSA or OKP keys (RFC 7517
 * §5), no private or symmetric member (RFC 7518 §6.2.2, §6.3.2, §6.4).
 *   POSTERN_OK · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err jwks_file_check(const postern_json *message, uint32_t set,
                                             postern_error *err);
/*
 * Replace `path` by these bytes and a newline: temporary file beside it, fsync, rename.  Mode
 * 0644; the folder and all above it must be trusted (sidecar/folder.h).  Blocks for the file
 * system.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err jwks_file_write(const char *path, postern_bytes set,
                                             postern_error *err);

#endif
