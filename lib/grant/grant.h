/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two constructors of a grant, and nothing else that could make one.  Called by
 * lib/oauth/validate.c (local proof) and lib/helper (a verified helper's reply) alone;
 * tests/lint/includes keeps it so.
 */
#ifndef POSTERN_LIB_GRANT_H
#define POSTERN_LIB_GRANT_H

#include <postern/grant.h>
#include <postern/request.h>

/* RFC 8693 §4.1 sets none; deeper chains are loops, not organisations. */
#define POSTERN_ACT_DEPTH_MAX 8
#define POSTERN_PURPOSE_MAX 256       /* bytes: one line for people */
/* Bytes of a sub, client_id, act.sub or user: CANON_BUF_SIZE of libsasl. */
#define POSTERN_IDENTITY_MAX 1024
/* Bytes of an iss, aud or jti: an identifier, not a document. */
#define POSTERN_URI_MAX 2048
#define POSTERN_SCOPE_CLAIM_MAX 8192  /* bytes: half of the largest token */
#define POSTERN_GRANT_ID_MAX 256      /* bytes of a grant_id: a random name, perhaps a short URN */
/* Tokens that one was exchanged from, one after the other: twice POSTERN_ACT_DEPTH_MAX. */
#define POSTERN_DERIVED_MAX 16
#define POSTERN_BOUND_CERT_LEN 32     /* SHA-256 */
#define POSTERN_DETAILS_MAX 8192      /* bytes of authorization_details: half of the largest token */

/* What was proved.  Strings are borrowed for the call, NULL when absent. */
struct postern_grant_facts {
    postern_bytes service, issuer, subject, client_id, user, audience, jti, purpose, scope;
    /* client_id as the issuer wrote it, whatever agent_claim prefers; judged, not kept. */
    postern_bytes registered_client;
    postern_bytes act[POSTERN_ACT_DEPTH_MAX]; /* outermost first */
    size_t        act_depth;
    /* Whom a host logs in, in the name of user (login_as: both); as user: that is the agent's own
     * name (login_as: agent); empty: user itself. */
    postern_bytes authcid;
    bool          is_clients_own;             /* by its provider's sign: no human stands behind it */
    postern_bytes grant_id;
    postern_bytes derived_from[POSTERN_DERIVED_MAX]; /* jti */
    size_t        derived_count;
    postern_bytes authorization_details;      /* the JSON array; lies within claims */
    int64_t       exp_s, iat_s;               /* iat_s -1: absent */
    postern_bytes bound_cert; /* SHA-256 of the certificate that proved `cnf`; empty: not bound */
    int64_t       introspected_s;             /* since 1970; 0: the issuer was not asked */
    bool          is_answer;                  /* claims are the issuer's word on an opaque token */
    postern_bytes claims;                     /* the signed JSON */
};

/* The fact of that name. */
bool postern_grant_is_clients_own(const postern_grant *g);
bool postern_grant_is_answer(const postern_grant *g); /* likewise */
/* As postern_grant_has_human(). */
bool postern_grant_facts_have_human(const struct postern_grant_facts *facts);

/*
 * From a proof made in this process.
 *   POSTERN_OK · NOMEM · INTERNAL (no subject and no client, exp missing) · LIMIT ·
 *   UNSAFE_IDENTITY (a control character or no UTF-8)
 */
POSTERN_MUST_USE postern_err postern_grant_from_proof(const struct postern_grant_facts *facts,
                                                      postern_grant **ret, postern_error *err);
/*
 * From a helper's reply frame (postern-helper(7)).  The caller has verified the peer; here nonce
 * and service must match.
 *   POSTERN_OK · the helper's own verdict (ret_failure filled) · HELPER_PROTOCOL · NOMEM
 */
POSTERN_MUST_USE postern_err postern_grant_from_reply(postern_bytes frame, postern_bytes nonce_text,
                                                      const char *service, postern_grant **ret,
                                                      postern_failure *ret_failure,
                                                      postern_error *err);
/* The other side of it, for the helper's server: include/postern-private/reply.h. */

#endif
