/* SPDX-License-Identifier: BSD-2-Clause */
/* Codes, refresh tokens and opaque access tokens: random text that we know by its SHA-256 alone.
 * OAuth 2.1 §7.7, RFC 9700 §4.17. */
#ifndef POSTERN_ISSUER_OPAQUE_H
#define POSTERN_ISSUER_OPAQUE_H

#include <postern/oauthbearer.h>

#include "issuer.h"
#include "store_grants.h"

#define OPAQUE_BYTES 32 /* 256 random bits: SHA-256 without salt is enough to store it */

/* What somebody brought, of any length.  POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err opaque_hash(postern_bytes text, uint8_t ret_sha256[GRANT_HASH],
                                         postern_error *err);
/* A new one, base64url, and what the store keeps of it.  POSTERN_OK · POSTERN_ERR_NOMEM ·
 * POSTERN_ERR_SYSTEM (no randomness) */
POSTERN_MUST_USE postern_err opaque_new(postern_secret **ret, uint8_t ret_sha256[GRANT_HASH],
                                        postern_error *err);
/* An access token: POSTERN_OPAQUE_TOKEN_PREFIX in front.  Codes as above. */
POSTERN_MUST_USE postern_err opaque_new_access(postern_secret **ret, uint8_t ret_sha256[GRANT_HASH],
                                               postern_error *err);
/* base64url(SHA-256(verifier)) equals the challenge (RFC 7636 §4.6), in constant time.
 * POSTERN_OK with *ret_is_equal · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err opaque_check_verifier(const char *verifier, const char *challenge,
                                                   bool *ret_is_equal, postern_error *err);

#endif
