/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JWK set (RFC 7517 §5): public keys of one issuer, parsed once, read by many threads.
 * Unusable members are skipped and counted, not fatal; private members and `oct` keys are never
 * taken.
 */
#ifndef POSTERN_LIB_JWKS_H
#define POSTERN_LIB_JWKS_H

#include "jws.h"

#define POSTERN_JWKS_MAX 262144     /* bytes of a document: 100 RSA-4096 keys with x5c chains */
#define POSTERN_JWKS_KEYS_MAX 100
/* Keys tried for a token without kid, or with a kid that several have: bounds the cost. */
#define POSTERN_KID_LESS_TRIES 4

typedef struct postern_jwks postern_jwks;
/* POSTERN_OK (perhaps with no usable key) · MALFORMED · LIMIT · NOMEM · INTERNAL (OpenSSL lacks
 * an algorithm) */
POSTERN_MUST_USE postern_err postern_jwks_parse(postern_bytes json, postern_jwks **ret,
                                                postern_error *err);
size_t        postern_jwks_count(const postern_jwks *set);   /* usable keys */
size_t        postern_jwks_skipped(const postern_jwks *set); /* unusable members */
/* What the usable keys can verify, all together. */
postern_alg_set postern_jwks_algs(const postern_jwks *set);
postern_jwks *postern_jwks_ref(postern_jwks *set);           /* thread-safe */
void          postern_jwks_free(postern_jwks *set);          /* drops one reference; NULL is fine */
static inline void postern_auto_jwks(postern_jwks **s) { postern_jwks_free(*s); }
/*
 * Verify with the key named `kid` or, for a token without kid, with at most
 * POSTERN_KID_LESS_TRIES keys that fit the algorithm.  A kid that several keys have is tried
 * with those of them that fit.  Of several reasons the nearest to success is told.
 *   POSTERN_OK · UNKNOWN_KID · ALG_KEY_MISMATCH · KEY_NOT_FOR_SIG · WEAK_KEY (a skipped member
 *   had that kid) · BAD_SIGNATURE · NOMEM · INTERNAL
 */
POSTERN_MUST_USE postern_err postern_jwks_verify(const postern_jwks *set, postern_alg alg,
                                                 bool has_kid, postern_bytes kid,
                                                 postern_bytes input, postern_bytes sig,
                                                 postern_error *err);

#endif
