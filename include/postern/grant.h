/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A grant: the proof that a token was verified, and for whom.  Only lib/grant/grant.c makes one,
 * by two constructors that are not public: a local proof, or the reply of a verified helper.
 * Having one is the permission; there is no other "yes" in this library.
 *
 * Every string is NUL-terminated, owned by the grant, free of control characters, and NULL where
 * the token had none.
 */
#ifndef POSTERN_GRANT_H
#define POSTERN_GRANT_H

#include <postern/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct postern_grant postern_grant;

typedef enum postern_origin {
    POSTERN_ORIGIN_NONE = 0,    /* never seen on a grant */
    POSTERN_ORIGIN_LOCAL_PROOF, /* this process checked signature and claims */
    /* The helper did, and its reply's nonce and service match the request. */
    POSTERN_ORIGIN_HELPER
} postern_origin;

postern_origin postern_grant_origin(const postern_grant *g);
/* Whose rules it was judged by; NULL: token-only check. */
const char *postern_grant_service(const postern_grant *g);
const char *postern_grant_issuer(const postern_grant *g);    /* `iss` */
const char *postern_grant_subject(const postern_grant *g);   /* `sub` */
/* `client_id` (or azp, appid by configuration). */
const char *postern_grant_client_id(const postern_grant *g);
/* Who acts: outermost act.sub, else the client; RFC 8693 §4.1. */
const char *postern_grant_actor(const postern_grant *g);
/* Does the agent act for a human?  With an actor, or with a subject that is not the client (RFC 9068
 * §2.2: a token that a client got for itself has the client as its subject; other providers have
 * other signs, `provider:` of postern.conf(5)).  A subject that is among the actors is an agent, whose
 * own token others took further: no human stands behind it. */
bool        postern_grant_has_human(const postern_grant *g);
/* Mapped local user; NULL: token-only check. */
const char *postern_grant_user(const postern_grant *g);
/* Whom a host logs in: the user, but with `login_as: both` the agent, by its local name; the user is
 * then for whom it acts (SASL's authorization identity, RFC 4422 §2).  NULL: token-only check. */
const char *postern_grant_authcid(const postern_grant *g);
/* The configured audience that matched `aud`. */
const char *postern_grant_audience(const postern_grant *g);
const char *postern_grant_jti(const postern_grant *g);
const char *postern_grant_purpose(const postern_grant *g);   /* ≤ 256 bytes, self-asserted */
/* As granted, single spaces; "" when none. */
const char *postern_grant_scope(const postern_grant *g);
/* Whole word, case-sensitive. */
bool        postern_grant_has_scope(const postern_grant *g, const char *scope);
size_t      postern_grant_act_depth(const postern_grant *g); /* 0: no delegation */
/* 0 is the outermost actor; NULL past the end. */
const char *postern_grant_act(const postern_grant *g, size_t i);
/* The person's authorization that the token comes from; it ends with that.  NULL in a helper's
 * grant. */
const char *postern_grant_grant_id(const postern_grant *g);
/* jti of each token that it was exchanged from; NULL past the end.  None in a helper's grant. */
const char *postern_grant_derived_from(const postern_grant *g, size_t i);
/* RFC 9396: the JSON array as signed; empty: none, and in a helper's grant. */
postern_bytes postern_grant_authorization_details(const postern_grant *g);
/* SHA-256 of the client certificate that the token is bound to (RFC 8705) and that was shown; empty:
 * a bearer token, and in a helper's grant. */
postern_bytes postern_grant_bound_cert(const postern_grant *g);
int64_t     postern_grant_exp_s(const postern_grant *g);     /* seconds since 1970 */
int64_t     postern_grant_iat_s(const postern_grant *g);     /* -1 when the token had none */
/* When the issuer said last that the token is active (RFC 7662), seconds since 1970; 0: it was not
 * asked, and in a helper's grant. */
int64_t     postern_grant_introspected_s(const postern_grant *g);
/* helper's reference of this login; NULL for a local proof. */
const char *postern_grant_ref(const postern_grant *g);
/* The verified claims as JSON, exactly as signed; empty for a helper's grant. */
postern_bytes postern_grant_claims(const postern_grant *g);
/* NULL is fine. */
void postern_grant_free(postern_grant *g);
static inline void postern_auto_grant(postern_grant **g) { postern_grant_free(*g); }

/* Why there is no grant: enough for a host's log line and for RFC 7628 error JSON. */
/* Bytes with NUL: four of them and the scope fit the 1500-byte error JSON. */
#define POSTERN_URL_MAX 512
#define POSTERN_SCOPE_MAX 256  /* bytes with NUL of a *missing* scope list shown to a client */
#define POSTERN_REF_MAX 24     /* bytes with NUL of a reference */
/* Bytes with NUL of what an administrator wrote for the refused: a sentence, and an address. */
#define POSTERN_BECAUSE_MAX 256
#define POSTERN_CONTACT_MAX 160
#define POSTERN_FAILURE_AGENT_MAX 256 /* bytes with NUL: as much of a name as a log line shows */
typedef struct postern_failure {
    postern_err code;
    char        ref[POSTERN_REF_MAX];                  /* "" when nobody recorded it */
    char        scope[POSTERN_SCOPE_MAX];              /* what the service requires; "" none */
    /* Discovery document of the issuer; "" unknown. */
    char        openid_configuration[POSTERN_URL_MAX];
    char        resource_metadata[POSTERN_URL_MAX];    /* RFC 9728 document; "" unknown */
    /* Configured issuer that was chosen; "" none. */
    char        issuer[POSTERN_URL_MAX];
    char        because[POSTERN_BECAUSE_MAX];          /* of a block; "" none */
    char        contact[POSTERN_CONTACT_MAX];          /* likewise */
    /* Who acts, where the token was proved and something else is wrong (blocked, revoked, mapping);
     * cut at its end, "" otherwise.  For records, not for clients. */
    char        agent[POSTERN_FAILURE_AGENT_MAX];
    /* Likewise the human it acts for, by the issuer's name (`sub`); "" for itself. */
    char        human[POSTERN_FAILURE_AGENT_MAX];
} postern_failure;

#ifdef __cplusplus
}
#endif
#endif
