/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A person authorizes the agent: authorization code with PKCE (OAuth 2.1 §4.1, RFC 7636, RFC 8252),
 * then refresh and revocation of what came of it.
 *
 *     postern_login_start() → step() OK → show postern_login_url() → the browser comes back to
 *     redirect_uri → postern_login_is_answer(query) → postern_login_redeem_start(query) → step() OK
 */
#ifndef POSTERN_LOGIN_H
#define POSTERN_LOGIN_H

#include <postern/agent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the person is asked for; everything is copied. */
typedef struct postern_login {
    size_t        size;         /* sizeof(postern_login) */
    postern_agent agent;
    const char   *redirect_uri; /* where the browser comes back to, as registered; RFC 8252 §7.3 */
    const char   *resource;     /* RFC 8707, of the first token; NULL: the server's default */
    /* More that the person is asked for, for exchanges later; ended by NULL.  NULL: none. */
    const char *const *more_resources;
    const char   *scope;        /* space-separated; NULL: the server's default */
    const char   *login_hint;   /* whom the login page should expect; NULL: nobody */
} postern_login;

#define POSTERN_LOGIN_RESOURCES_MAX 8 /* more_resources: what a person can read on one screen */

/*
 * Begin: read the server's metadata and make the address for the browser.  The op is kept, done as
 * it is, until the answer came; it holds the state and the code verifier.
 *   POSTERN_OK · USAGE · CONFIG_FILE · NOMEM · SYSTEM
 *   step():  ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER (also: no authorization endpoint,
 *            or one that does not say that it takes S256) · TIMEOUT
 */
POSTERN_MUST_USE postern_err postern_login_start(const postern_clock *clock,
                                                 const postern_login *rq, postern_op **ret_op,
                                                 postern_error *err);
/* Owned by the op; NULL unless step() said POSTERN_OK.  It holds the state and the code challenge: who
 * reads it can bring an answer of his own to redirect_uri, so it is no word of a command line. */
const char *postern_login_url(const postern_op *login);
/* True when the query string of a request to redirect_uri holds this login's `state`, once.  Anything
 * else was sent by somebody else. */
bool postern_login_is_answer(const postern_op *login, postern_bytes query);
/*
 * Begin redeeming the code in the browser's answer.  `login` may be freed afterwards; a login is
 * good for one redemption.
 *
 *   query    of the request to redirect_uri, without '?'; copied
 *   POSTERN_OK · USAGE (login is none, not done, or redeemed before) · NOMEM · SYSTEM
 *   step():  TOKEN_REFUSED (the person or the server said no: postern_acquire_oauth_error()) ·
 *            ISSUER_UNTRUSTED (state or issuer is another's, RFC 9207 §2.4) · ISSUER_ANSWER · as
 *            postern_acquire_start(); fewer scopes than asked are the person's choice and no failure
 */
POSTERN_MUST_USE postern_err postern_login_redeem_start(postern_op *login, postern_bytes query,
                                                        postern_op **ret_op, postern_error *err);

typedef struct postern_refresh {
    size_t        size;          /* sizeof(postern_refresh) */
    postern_agent agent;
    postern_bytes refresh_token;
    const char   *resource;      /* RFC 8707 §2.2: one of the login's; NULL: as at the login */
    const char   *scope;         /* fewer than the login's; NULL: all of them */
} postern_refresh;

/*
 * Begin a refresh (RFC 6749 §6).  Servers that rotate take a second use of a refresh token for
 * theft and end the authorization: let one process at a time do it, and store what
 * postern_acquire_take_refresh_token() gives before the access token is used.
 *   POSTERN_OK · USAGE · CONFIG_FILE · NOMEM · SYSTEM
 *   step():  as postern_acquire_start(); TOKEN_REFUSED with invalid_grant: it is over
 */
POSTERN_MUST_USE postern_err postern_refresh_start(const postern_clock *clock,
                                                   const postern_refresh *rq, postern_op **ret_op,
                                                   postern_error *err);

typedef struct postern_revoke {
    size_t        size;             /* sizeof(postern_revoke) */
    postern_agent agent;
    postern_bytes token;
    bool          is_refresh_token; /* the hint of RFC 7009 §2.1 */
} postern_revoke;

/*
 * Begin a revocation (RFC 7009).  An unknown token is no failure.
 *   POSTERN_OK · USAGE · CONFIG_FILE · NOMEM · SYSTEM
 *   step():  TOKEN_REFUSED · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER (also: the server
 *            has no revocation endpoint) · TIMEOUT
 */
POSTERN_MUST_USE postern_err postern_revoke_start(const postern_clock *clock,
                                                  const postern_revoke *rq, postern_op **ret_op,
                                                  postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
