/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One public key of a set (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), judged and prepared at parse
 * time.  A member that cannot be used stays here with the reason, so that a token which names it
 * gets that reason.  Called by jwks.c.
 */
#ifndef POSTERN_LIB_JWK_H
#define POSTERN_LIB_JWK_H

#include <openssl/types.h>
#include <postern-private/json.h>

#include "jws.h"

#define POSTERN_KID_MAX 256        /* bytes: thumbprints have 43, certificates' fingerprints 64 */
#define POSTERN_EC_OCTETS_MAX 66   /* bytes of a P-521 coordinate (RFC 7518 §6.2.1.2) */
#define POSTERN_RSA_BITS_MIN 2048  /* RFC 7518 §3.3 */
/* 8192 bits cost 0.3 ms a check; nobody signs access tokens with more. */
#define POSTERN_RSA_BITS_MAX 8192

struct postern_jwk {
    /* POSTERN_OK · WEAK_KEY · KEY_NOT_FOR_SIG · ALG_KEY_MISMATCH (oct, unknown kty, crv or alg). */
    postern_err      usable;
    postern_key_kind kind;
    postern_alg_set  algs;    /* what kind and `alg` admit, usable or not */
    bool             has_kid;
    size_t           kid_len;
    uint8_t          kid[POSTERN_KID_MAX];
    EVP_PKEY        *pkey;
    size_t           sig_len; /* bytes of every signature by this key */
    /* N of the curve, big-endian, sig_len / 2 bytes. */
    uint8_t          order[POSTERN_EC_OCTETS_MAX];
    postern_verifier *verifiers[POSTERN_ALG_COUNT]; /* NULL: not with this key */
};

/*
 * Read the JWK at `node` into zeroed memory.
 *   POSTERN_OK (see ret->usable) · MALFORMED (not an object) · NOMEM · INTERNAL;
 *   postern_jwk_clear() in every case
 */
POSTERN_MUST_USE postern_err postern_jwk_parse(const postern_json *doc, uint32_t node,
                                               struct postern_jwk *ret, postern_error *err);
void postern_jwk_clear(struct postern_jwk *key);

static inline postern_bytes postern_jwk_kid(const struct postern_jwk *key)
{
    return (postern_bytes){ key->kid, key->kid_len };
}

#endif
