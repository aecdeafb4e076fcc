/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature algorithms (RFC 7518 §3, RFC 8037 §3.1, RFC 9864) and the check of one signature.  One row per algorithm; there is no row
 * and no code path for `none`, HMAC, ES256K or RS1.
 */
#ifndef POSTERN_LIB_JWS_H
#define POSTERN_LIB_JWS_H

#include <postern/bytes.h>

typedef enum postern_alg {
    POSTERN_ALG_NONE = 0, /* not an algorithm: nothing is ever verified with it */
    POSTERN_ALG_RS256, POSTERN_ALG_RS384, POSTERN_ALG_RS512,
    POSTERN_ALG_PS256, POSTERN_ALG_PS384, POSTERN_ALG_PS512,
    POSTERN_ALG_ES256, POSTERN_ALG_ES384, POSTERN_ALG_ES512,
    POSTERN_ALG_EDDSA, POSTERN_ALG_ED25519,
    POSTERN_ALG_COUNT
} postern_alg;
typedef uint32_t postern_alg_set; /* bit 1u << alg */
#define POSTERN_ALG_SET_ALL (((1u << POSTERN_ALG_COUNT) - 1u) & ~1u)

const char *postern_alg_name(postern_alg alg);
postern_alg postern_alg_from_name(postern_bytes name); /* exact bytes; NONE when unknown */

struct postern_jwk;
/*
 * Verify `sig` over `input` with a key whose contexts were prepared at parse time.  Thread-safe for one key.
 *   POSTERN_OK · ALG_KEY_MISMATCH · BAD_SIGNATURE · NOMEM · INTERNAL (OpenSSL failed for another reason than the signature)
 */
POSTERN_MUST_USE postern_err postern_jws_verify(const struct postern_jwk *key, postern_alg alg, postern_bytes input, postern_bytes sig, postern_error *err);

#endif
