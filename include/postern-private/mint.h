/* SPDX-License-Identifier: BSD-2-Clause */
/* Signing: the issuer's key and its tokens.  Not installed; sidecar/issuer only. */
#ifndef POSTERN_PRIVATE_MINT_H
#define POSTERN_PRIVATE_MINT_H

#include <postern/bytes.h>

typedef struct postern_signing_key postern_signing_key; /* ES256; wiped on free */

POSTERN_MUST_USE postern_err postern_signing_key_generate(postern_signing_key **ret,
                                                          postern_error *err);
/* PKCS#8 PEM, unencrypted.  POSTERN_OK · POSTERN_ERR_CONFIG_FILE (not a P-256 private key) ·
 * NOMEM */
POSTERN_MUST_USE postern_err postern_signing_key_from_pem(postern_bytes pem,
                                                          postern_signing_key **ret,
                                                          postern_error *err);
POSTERN_MUST_USE postern_err postern_signing_key_to_pem(const postern_signing_key *k,
                                                        postern_secret **ret, postern_error *err);
/* RFC 7638 thumbprint, base64url: the key's kid; owned by the key. */
const char *postern_signing_key_kid(const postern_signing_key *k);
/* The public JWK as JSON (kty crv x y kid use alg), appended. */
POSTERN_MUST_USE postern_err postern_signing_key_public_jwk(const postern_signing_key *k,
                                                            postern_buf *out, postern_error *err);
/* Sign `claims` (a JSON object) as a compact JWS with {"alg":"ES256","typ":typ,"kid":…}.  RFC
 * 7515 §7.1, RFC 7518 §3.4 */
POSTERN_MUST_USE postern_err postern_mint_token(const postern_signing_key *k, const char *typ,
                                                postern_bytes claims, postern_secret **ret_token,
                                                postern_error *err);
void postern_signing_key_free(postern_signing_key *k);
static inline void postern_auto_signing_key(postern_signing_key **k)
{
    postern_signing_key_free(*k);
}

#endif
