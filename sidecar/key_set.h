/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The embedded issuer's public keys, as its child sends them: the supervisor judges them before it
 * writes them to jwks_file (published_file.h), where services of this host read them.
 */
#ifndef POSTERN_SIDECAR_KEY_SET_H
#define POSTERN_SIDECAR_KEY_SET_H

#include <postern-private/json.h>

#define KEY_SET_MAX 100 /* keys, as readers of the file have it (lib/jose) */

/*
 * Judge node `set` of a message: {"keys":[…]} with 1..100 public EC, RSA or OKP keys (RFC 7517
 * §5), no private or symmetric member (RFC 7518 §6.2.2, §6.3.2, §6.4).
 *   POSTERN_OK · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err key_set_check(const postern_json *message, uint32_t set,
                                           postern_error *err);

#endif
