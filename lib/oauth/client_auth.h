/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an agent proves itself in a request to its authorization server: RFC 6749 §2.3.1, RFC 7523
 * §2.2 with rfc7523bis, or not at all.  Pure but for random numbers; called by token_call.c.
 */
#ifndef POSTERN_LIB_CLIENT_AUTH_H
#define POSTERN_LIB_CLIENT_AUTH_H

#include <postern/agent.h>

#include "jose/signer.h"

#define POSTERN_CLIENT_ID_MAX     512  /* bytes: Entra and Keycloak use 36 */
#define POSTERN_CLIENT_SECRET_MAX 1024 /* bytes: ours has 43, the longest known providers' 128 */
#define POSTERN_ASSERTION_LIFE_S  60   /* one request's time, and clocks that differ */
#define POSTERN_ASSERTION_MAX     8192 /* bytes: two names, an issuer, an RSA signature */
/* Bytes of "Basic …": id and secret, each byte encoded by three, then by 4/3. */
#define POSTERN_BASIC_MAX 8192

struct postern_client_proof {
    postern_client_auth auth;
    const char *issuer; /* the configured one: an assertion's only audience */
    const char *client_id;
    postern_bytes secret;         /* SECRET */
    const postern_signer *signer; /* PRIVATE_KEY_JWT */
};

/*
 * Add the proof to a request.
 *   takes           POSTERN_TAKES_* of the endpoint
 *   authorization   of POSTERN_BASIC_MAX; stays empty where the body holds the proof
 *   body            form parameters are appended
 *   assertion       of POSTERN_ASSERTION_MAX; the secret part of PRIVATE_KEY_JWT, for whoever must
 *                   not show it
 *   POSTERN_OK · NOMEM · SYSTEM (no random numbers)
 */
POSTERN_MUST_USE postern_err postern_client_auth_add(const struct postern_client_proof *proof,
                                                     unsigned takes, int64_t now_s,
                                                     postern_buf *authorization, postern_buf *body,
                                                     postern_buf *assertion, postern_error *err);

#endif
