/* SPDX-License-Identifier: BSD-2-Clause */
/* An agent as its authorization server knows it: who asks, and how it proves itself. */
#ifndef POSTERN_AGENT_H
#define POSTERN_AGENT_H

#include <sys/types.h>

#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the agent proves itself to its authorization server (RFC 6749 §2.3). */
typedef enum postern_client_auth {
    /* client_secret_basic, form-encoded first (RFC 6749 §2.3.1); client_secret_post where the
     * server's metadata lists that and not the other. */
    POSTERN_CLIENT_AUTH_SECRET = 0,
    /* A signed assertion (RFC 7523 §2.2 and rfc7523bis): ES256, RS256 or EdDSA, by the key; its
     * audience is the configured issuer and nothing else. */
    POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT,
    POSTERN_CLIENT_AUTH_NONE /* a public client: it names itself and proves nothing */
} postern_client_auth;

/* Part of every request to an authorization server; everything is copied. */
typedef struct postern_agent {
    /* Exact issuer URL; its metadata (RFC 8414) names the endpoints. */
    const char         *issuer;
    const char         *client_id;
    postern_client_auth auth;
    /* The client secret, or the private key in PEM (P-256, RSA of 2048 bits or more, Ed25519);
     * empty with NONE. */
    postern_bytes       credential;
    const char         *tls_ca_file;         /* PEM; NULL: the system's */
    bool                allow_loopback_http; /* http://127.0.0.1 and http://[::1] only */
    /* Over loopback http the listener must belong to root or to this uid. */
    uid_t               loopback_uid;
    int                 deadline_ms;         /* 0: POSTERN_OP_DEADLINE_MS */
} postern_agent;

/* The answer of the token endpoint (RFC 6749 §5.1), tokens apart. */
typedef struct postern_token_info {
    int64_t expires_in_s;  /* -1 when absent */
    char    scope[1024];   /* as granted; the requested one when the answer had none */
    /* Whom the server named beside the token (`sub` of the answer, or of its ID token); for people
     * to read, "" when it named nobody. */
    char    subject[256];
} postern_token_info;

/*
 * What came of any operation that asks a token endpoint: postern_acquire_start(),
 * postern_exchange_start(), postern_refresh_start(), postern_login_redeem_start().  The access token
 * itself is taken with postern_op_take_token().
 */
/* NULL unless POSTERN_OK. */
const postern_token_info *postern_acquire_info(const postern_op *op);
/* "invalid_client" …, the server's own word; NULL when none. */
const char               *postern_acquire_oauth_error(const postern_op *op);
/* The refresh token beside the access token of a login or a refresh; ownership moves.  NULL: the
 * answer held none (a refresh: the old one stays good, RFC 6749 §6). */
postern_secret           *postern_acquire_take_refresh_token(postern_op *op);
/*
 * False: no request was sent, or the server's answer says that nothing came of it.  True: it was
 * sent, and what it led to is known only when step() said POSTERN_OK; what may be used once
 * (a code, a rotating refresh token) counts as used.
 */
bool                      postern_acquire_was_sent(const postern_op *op);

#ifdef __cplusplus
}
#endif
#endif
