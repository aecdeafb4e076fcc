/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * private_key_jwt: a client proves itself by a short statement that it signed with a key of its
 * registration (RFC 7523 §2.2 and §3, as tightened by rfc7523bis).
 */
#ifndef POSTERN_ISSUER_CLIENT_ASSERTION_H
#define POSTERN_ISSUER_CLIENT_ASSERTION_H

#include <postern-private/json.h>

#include "issuer.h"

#define CLIENT_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
/* Words for the metadata: what lib/jose verifies. */
#define CLIENT_ASSERTION_ALGORITHMS                                                                \
    "ES256 ES384 ES512 PS256 PS384 PS512 RS256 RS384 RS512 EdDSA Ed25519"
#define CLIENT_ASSERTION_LIFE_S 300 /* how far ahead exp may be: RFC 7523 §3 leaves it to us */
#define CLIENT_ASSERTION_SKEW_S 60  /* between the client's clock and ours */
#define CLIENT_ASSERTION_JTI_MAX 256 /* bytes: a UUID has 36, a hash in hex 128 */

/*
 * Is this a client's own assertion, and the first time that it comes?  An unknown client and a
 * wrong signature take the same path.
 *
 *   client_id  the parameter of the request; NULL: none, the assertion's sub says who
 *   ret_name   whom it claims to be, proved or not; "" when it names nobody: for rates and the log
 *   ret_wait_s not 0: it is good, but this client brings too many; nothing of it was used up
 *   POSTERN_OK with *ret_proved (and *ret) · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM ·
 *   POSTERN_ERR_INTERNAL
 */
POSTERN_MUST_USE postern_err client_assertion_check(struct issuer *is, const char *client_id,
                                                    postern_bytes assertion,
                                                    char ret_name[CLIENT_NAME_MAX],
                                                    bool *ret_proved, int *ret_wait_s,
                                                    struct client_record *ret, postern_error *err);

/* ---- its parts, pure; for tests and the fuzzer ---- */

/* Whom an unproved assertion claims to be from: `sub`, if it is a string that a name fits, else "".
 * POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err client_assertion_peek(postern_bytes assertion,
                                                   char ret_name[CLIENT_NAME_MAX],
                                                   postern_error *err);
/*
 * Judge claims that were proved.
 *   jti   is appended to when they are good
 *   POSTERN_OK with *ret_is_good (and *ret_exp_s) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err client_assertion_judge(const postern_json *claims, const char *issuer,
                                                    const char *name, int64_t now_s,
                                                    postern_buf *jti, int64_t *ret_exp_s,
                                                    bool *ret_is_good, postern_error *err);

#endif
