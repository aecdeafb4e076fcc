/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for people: a reference for each answer, a fingerprint for a token that has no verified jti
 * yet. */
#ifndef POSTERN_SIDECAR_NAMES_H
#define POSTERN_SIDECAR_NAMES_H

#include <postern/bytes.h>
#include <postern/grant.h>

#define REF_PREFIX "R-"
#define REF_DIGITS 10 /* 50 bits: no collision in a log that people search */
/* Hex digits: 48 bits, enough to see that two refusals were of one token. */
#define FINGERPRINT_LEN     12
#define FINGERPRINT_KEY_LEN 32

/* "R-" and ten digits of Crockford's base32 (no I, L, O, U: it is read aloud).  False: no random
 * numbers. */
bool make_ref(char ret[POSTERN_REF_MAX]);

struct fingerprint_key {
    uint8_t key[FINGERPRINT_KEY_LEN];
};
/* A new key for this process's life.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err fingerprint_start(struct fingerprint_key *k, postern_error *err);
/* HMAC-SHA-256 of the token, first 12 hex digits; "" when the computation fails. */
void fingerprint_token(const struct fingerprint_key *k, postern_bytes token,
                       char ret[FINGERPRINT_LEN + 1]);

#endif
