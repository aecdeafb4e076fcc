/* SPDX-License-Identifier: BSD-2-Clause */
/* Proof key for code exchange, method S256 alone (RFC 7636 §4.1, §4.2). */
#ifndef POSTERN_LIB_PKCE_H
#define POSTERN_LIB_PKCE_H

#include <postern/bytes.h>

#define POSTERN_PKCE_TEXT 43 /* base64url characters of 32 octets: a verifier, a challenge */

/* 256 random bits as text with NUL: a verifier, or a state.  POSTERN_OK · SYSTEM */
POSTERN_MUST_USE postern_err postern_pkce_random(char ret[POSTERN_PKCE_TEXT + 1],
                                                 postern_error *err);
/* base64url(SHA-256(verifier)).  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_pkce_challenge(const char *verifier,
                                                    char ret[POSTERN_PKCE_TEXT + 1],
                                                    postern_error *err);

#endif
