/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JWT before and after its proof (RFC 7519, compact JWS only).  Before:
 * `kid`, `alg`, `typ` and, among names that the caller brings, which one `iss`
 * is; nothing else can be asked.  The claims come out of postern_jwt_read()
 * alone, and only behind a proof.
 */
#ifndef POSTERN_LIB_JWT_H
#define POSTERN_LIB_JWT_H

#include <postern-private/json.h>

#include "jwks.h"

/* Workspace, kept between tokens: one allocation serves many; wiped on free. */
typedef struct postern_jwt postern_jwt;
POSTERN_MUST_USE postern_err postern_jwt_new(postern_jwt **ret, postern_error *err);
void postern_jwt_free(postern_jwt *jwt);
/* Wipe what is left of the last token, and keep the storage: between tokens of a pooled
 * workspace. */
void postern_jwt_forget(postern_jwt *jwt);
static inline void postern_auto_jwt(postern_jwt **j) { postern_jwt_free(*j); }

/* True when the bytes have the shape of a compact JWS: token68 minus "~+/=", exactly two dots,
 * no part but the signature empty. */
bool postern_jwt_is_shaped(postern_bytes token);
/*
 * Limit, shape, header, algorithm, crit, kid.  `token` must stay alive.
 *   POSTERN_OK · LIMIT · MALFORMED · ALG_NOT_ALLOWED · CRIT · NOMEM
 */
POSTERN_MUST_USE postern_err postern_jwt_parse(postern_jwt *jwt, postern_bytes token,
                                               postern_error *err);
/* NONE unless the parse was POSTERN_OK. */
postern_alg   postern_jwt_alg(const postern_jwt *jwt);
/* False: no kid, and *ret is empty. */
bool          postern_jwt_kid(const postern_jwt *jwt, postern_bytes *ret);
/* As written, at most 128 bytes of it; empty when absent. */
postern_bytes postern_jwt_typ(const postern_jwt *jwt);
/* RFC 7515 §4.1.9: case ignored, "application/" optional. */
bool          postern_jwt_typ_is(const postern_jwt *jwt, const char *want);
/*
 * Which of several issuers' keys are to prove this token (RFC 8725 §3.8): the one whose name `iss`
 * is, byte for byte after unescaping.  Nothing is proved by it, and nothing else of the payload
 * comes out.  Where one issuer alone counts it is not called, so that no JSON of strangers' is read.
 *   issuers   1 or more
 *   POSTERN_OK · MALFORMED · LIMIT (as the payload's after the proof) · ISS · NOMEM · USAGE
 */
POSTERN_MUST_USE postern_err postern_jwt_choose_issuer(postern_jwt *jwt,
                                                       const char *const *issuers, size_t count,
                                                       size_t *ret_index, postern_error *err);
/*
 * Key and signature.
 *   POSTERN_OK · as postern_jwks_verify() · USAGE (nothing was parsed)
 */
POSTERN_MUST_USE postern_err postern_jwt_prove(postern_jwt *jwt, const postern_jwks *keys,
                                               postern_error *err);
/*
 * The payload of a token that was proved.  `*ret_claims` is an object, owned by jwt, good until the
 * next token.
 *   POSTERN_OK · MALFORMED · LIMIT · NOMEM · USAGE (nothing was proved)
 */
POSTERN_MUST_USE postern_err postern_jwt_read(postern_jwt *jwt, const postern_json **ret_claims,
                                              postern_error *err);
/* Both. */
POSTERN_MUST_USE postern_err postern_jwt_verify(postern_jwt *jwt, const postern_jwks *keys,
                                                const postern_json **ret_claims,
                                                postern_error *err);

#endif
