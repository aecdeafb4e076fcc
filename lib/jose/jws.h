/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature algorithms (RFC 7518 §3, RFC 8037 §3.1, RFC 9864) and the check of one signature.
 * One row per algorithm; there is no row and no code path for `none`, HMAC, ES256K or RS1.
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

/* `kty` and `crv` in one: what an algorithm asks of a key. */
typedef enum postern_key_kind {
    POSTERN_KEY_NONE = 0, /* a kind that no algorithm here uses: oct, secp256k1, X25519, Ed448 … */
    POSTERN_KEY_RSA, POSTERN_KEY_P256, POSTERN_KEY_P384, POSTERN_KEY_P521, POSTERN_KEY_ED25519
} postern_key_kind;

const char *postern_alg_name(postern_alg alg);         /* "RS256"; "" for NONE */
postern_alg postern_alg_from_name(postern_bytes name); /* exact bytes; NONE when unknown */
postern_alg_set postern_alg_set_of(postern_key_kind kind); /* what a key of that kind can verify */

struct postern_jwk;
/* OpenSSL objects for one key and one algorithm, set up once; many threads may verify with it at
 * a time. */
typedef struct postern_verifier postern_verifier;
/* POSTERN_OK · NOMEM · INTERNAL (OpenSSL lacks the algorithm) */
POSTERN_MUST_USE postern_err postern_verifier_new(const struct postern_jwk *key, postern_alg alg,
                                                  postern_verifier **ret, postern_error *err);
void postern_verifier_free(postern_verifier *v);

/*
 * Verify `sig` over `input` with a key whose contexts were prepared at parse time.  Thread-safe
 * for one key.
 *   POSTERN_OK · ALG_KEY_MISMATCH · BAD_SIGNATURE · NOMEM · INTERNAL (OpenSSL failed for another
 *   reason than the signature)
 */
POSTERN_MUST_USE postern_err postern_jws_verify(const struct postern_jwk *key, postern_alg alg,
                                                postern_bytes input, postern_bytes sig,
                                                postern_error *err);

#endif
