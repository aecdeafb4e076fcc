/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that is asked of proved claims: at a login (validate.c), and again of a live session
 * whose grant keeps them (postern_context_judge_again()).
 */
#ifndef POSTERN_LIB_JUDGE_H
#define POSTERN_LIB_JUDGE_H

#include "context_inner.h"

struct judge {
    postern_context *ctx;
    const struct trust *trust; /* the issuer's whose token it is, at the service */
    bool is_answer;            /* claims are the issuer's word on an opaque token (RFC 7662) */
    int64_t now_s, mono_ms;
    int64_t life_s;                   /* when the token must be alive: now, but of a live session */
    bool is_live_session;             /* a login was judged before; this is another look */
    postern_bytes extra_scopes;       /* blank-separated */
    postern_bytes client_cert_sha256; /* empty: the client showed none */
    const char *authzid;              /* "" when none is wanted */
    postern_buf *scratch;             /* keep it as long as the facts */
    postern_trail *trail;             /* may be NULL */
    postern_failure *failure;         /* because and contact of a block */
};

/*
 *   claims   proved
 *   ret      views into claims, scratch and rules
 *   POSTERN_OK · what postern_claims_check() and postern_identity_map() say · REVOKED ·
 *   REVOCATIONS_UNKNOWN · BLOCKED · AUTHZID · SYSTEM (the clock was never set) · TYP (an ID token)
 */
POSTERN_MUST_USE postern_err postern_judge_claims(const struct judge *j, const postern_json *claims,
                                                  struct postern_grant_facts *ret,
                                                  postern_error *err);

#endif
