/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Issuer, audience, time, identity, client, binding, actors, authentication, scope.
 * Pure: proved claims, rules and a clock in, facts or one reason out.  Called by validate.c after
 * the signature.  RFC 9068 §4, RFC 7519 §4.1, RFC 8693 §4.1.
 */
#ifndef POSTERN_LIB_CLAIMS_H
#define POSTERN_LIB_CLAIMS_H

#include <postern-private/json.h>

#include "base/arena.h"
#include "grant/grant.h"
#include "trail.h"

/* Members of the claims: fifty times what the richest of tokens has, and each is looked at. */
#define POSTERN_CLAIMS_MAX      1024
#define POSTERN_AUD_ENTRIES_MAX 256 /* each is compared with each of ours */
/* Entries of authorization_details: what a person can have read on a consent page. */
#define POSTERN_DETAILS_ENTRIES_MAX 32
#define POSTERN_CLAIM_PARTS_MAX     8 /* of a path: half of the depth that a token may have */

/* Claims that every token is asked for: found in one pass over the members. */
enum claim_name {
    CLAIM_ISS,
    CLAIM_SUB,
    CLAIM_AUD,
    CLAIM_EXP,
    CLAIM_NBF,
    CLAIM_IAT,
    CLAIM_JTI,
    CLAIM_AZP,
    CLAIM_CNF,
    CLAIM_ACT,
    CLAIM_ACR,
    CLAIM_LONGER, /* from here on: not of three letters */
    CLAIM_CLIENT_ID = CLAIM_LONGER,
    CLAIM_MAY_ACT,
    CLAIM_AUTH_TIME,
    CLAIM_SCOPE,
    CLAIM_GRANT_ID,
    CLAIM_DERIVED_FROM,
    CLAIM_AUTHORIZATION_DETAILS,
    CLAIM_AT_HASH, /* of ID tokens alone */
    CLAIM_C_HASH,
    CLAIM_NAMES
};

/* "realm_access.name", split when the configuration was read.  The whole is tried as one name too:
 * names may hold dots. */
struct claim_path {
    const char *whole;
    int known; /* a claim_name when the whole is one, else -1 */
    size_t count;
    const char *parts[POSTERN_CLAIM_PARTS_MAX];
};
/* POSTERN_OK · NOMEM · CONFIG_VALUE (too many parts) */
POSTERN_MUST_USE postern_err postern_claim_path_parse(postern_arena *arena, const char *text,
                                                      struct claim_path *ret, postern_error *err);

struct claim_rules {
    const char *issuer;           /* byte for byte; RFC 8414 §3.3 */
    bool may_lack_issuer;         /* of an introspection answer: whoever answers is the issuer */
    const char *const *audiences; /* any of them */
    size_t audience_count;
    int64_t skew_s;
    const struct claim_path *required;
    size_t required_count;
    const struct claim_path *agents; /* who acts if nobody was delegated to: first present */
    size_t agent_count;
    struct claim_path purpose;
    const struct claim_path *scope_claims; /* where scopes stand: first present; none: `scope` */
    size_t scope_claim_count;
    bool takes_scope_array;
    const struct provider *provider; /* NULL: rfc9068 */
    const char *const *scopes;       /* all of them */
    size_t scope_count;
    const char *const *any_scopes; /* one of them at least; none: not asked */
    size_t any_scope_count;
    const char *const *clients; /* whose tokens count; none: everybody's */
    size_t client_count;
    const char *const *acrs; /* any of them; none: not asked */
    size_t acr_count;
    int64_t max_auth_age_s, max_token_age_s, max_lifetime_s; /* 0: not asked */
};

/* What one login brings beside its token. */
struct claim_login {
    int64_t now_s;              /* when the token must be alive */
    bool is_live_session;       /* judged again: what has an age is as old as at its issue */
    postern_bytes extra_scopes; /* more that must be there, blank-separated */
    postern_bytes
        client_cert_sha256; /* of the DER of who holds the connection; empty: none shown */
};

/*
 *   j              the scanned payload; its root is an object
 *   scratch        for strings with escapes; keep it as long as the result
 *   trail          may be NULL
 *   ret            views into the JSON text, the scratch or the rules; service and user are left
 *                  empty; of no meaning unless POSTERN_OK
 *   POSTERN_OK · TYP (an ID token) · ISS · AUD · EXPIRED · NOT_YET_VALID · TOKEN_AGE · CLAIM_MISSING ·
 * MALFORMED_CLAIM · UNSAFE_IDENTITY · LIMIT · CLIENT_NOT_ALLOWED · CNF · ACTOR_NOT_ALLOWED · ACR ·
 * AUTH_AGE · INSUFFICIENT_SCOPE · NOMEM
 */
POSTERN_MUST_USE postern_err postern_claims_check(const struct claim_rules *rules,
                                                  const postern_json *j,
                                                  const struct claim_login *login,
                                                  postern_buf *scratch, postern_trail *trail,
                                                  struct postern_grant_facts *ret,
                                                  postern_error *err);
/* claim_read.c: claims by name or path, and strings that are safe to show and to log in with. */
struct claim_reader {
    const postern_json *j;
    postern_buf *scratch;
    uint32_t known[CLAIM_NAMES]; /* POSTERN_JSON_ABSENT when not there */
};
/*
 * Room for every unescaped string of `j` and for the names that are made of them, so that scratch
 * never moves under a view.  For who writes names into it; claims are read with it all the same.
 *   POSTERN_OK · NOMEM
 */
POSTERN_MUST_USE postern_err postern_claims_reserve(const postern_json *j, postern_buf *scratch,
                                                    postern_error *err);
void postern_claim_reader_init(struct claim_reader *r, const postern_json *j, postern_buf *scratch);
uint32_t postern_claim_find(const struct claim_reader *r, const struct claim_path *path);
/* The same, without a pass over all members: for whoever asks for one claim or two. */
uint32_t postern_claim_find_in(const postern_json *j, const struct claim_path *path);
/* A string of any content.  POSTERN_OK · MALFORMED_CLAIM (another type) · NOMEM */
POSTERN_MUST_USE postern_err postern_claim_string(struct claim_reader *r, uint32_t node,
                                                  const char *name, postern_bytes *ret,
                                                  postern_error *err);
/* A string of 1 to `max` bytes without control characters.  POSTERN_OK · MALFORMED_CLAIM ·
 * UNSAFE_IDENTITY · NOMEM */
POSTERN_MUST_USE postern_err postern_claim_identity(struct claim_reader *r, uint32_t node,
                                                    const char *name, size_t max,
                                                    postern_bytes *ret, postern_error *err);
/* claim_lineage.c: grant_id, derived_from (1 to POSTERN_DERIVED_MAX strings) and
 * authorization_details into ret.  POSTERN_OK · MALFORMED_CLAIM · UNSAFE_IDENTITY · LIMIT ·
 * NOMEM */
POSTERN_MUST_USE postern_err postern_claims_lineage(struct claim_reader *r,
                                                    struct postern_grant_facts *ret,
                                                    postern_error *err);
/* claim_party.c: each name that the token gives its client is one of rules->clients.
 * POSTERN_OK · CLIENT_NOT_ALLOWED · MALFORMED_CLAIM · UNSAFE_IDENTITY · NOMEM */
POSTERN_MUST_USE postern_err postern_claims_client(struct claim_reader *r,
                                                   const struct claim_rules *rules,
                                                   const struct postern_grant_facts *facts,
                                                   postern_trail *trail, postern_error *err);
/* claim_party.c: `may_act`, and that the outermost actor, if there is one, is who it names.
 * POSTERN_OK · ACTOR_NOT_ALLOWED · MALFORMED_CLAIM · UNSAFE_IDENTITY · NOMEM */
POSTERN_MUST_USE postern_err postern_claims_may_act(struct claim_reader *r,
                                                    const struct postern_grant_facts *facts,
                                                    postern_trail *trail, postern_error *err);
/* claim_binding.c: `cnf` against the certificate of the login; into ret->bound_cert when there is
 * one.  POSTERN_OK · CNF · MALFORMED_CLAIM · NOMEM */
POSTERN_MUST_USE postern_err postern_claims_binding(struct claim_reader *r,
                                                    const struct claim_login *login,
                                                    struct postern_grant_facts *ret,
                                                    postern_trail *trail, postern_error *err);
/* claim_age.c: how old the token may be, and how long it may live; exp and iat of facts.
 * POSTERN_OK · TOKEN_AGE · CLAIM_MISSING */
POSTERN_MUST_USE postern_err postern_claims_age(const struct claim_rules *rules,
                                                const struct claim_login *login,
                                                const struct postern_grant_facts *facts,
                                                postern_trail *trail, postern_error *err);
/* claim_age.c: how and when the person authenticated.
 * POSTERN_OK · ACR · AUTH_AGE · NOT_YET_VALID · MALFORMED_CLAIM */
POSTERN_MUST_USE postern_err postern_claims_authentication(
    const struct claim_reader *r, const struct claim_rules *rules, const struct claim_login *login,
    const struct postern_grant_facts *facts, postern_trail *trail, postern_error *err);
/* claim_scope.c: empty when there is none.  POSTERN_OK · MALFORMED_CLAIM · NOMEM */
POSTERN_MUST_USE postern_err postern_claims_scope(struct claim_reader *r,
                                                  const struct claim_rules *rules,
                                                  postern_bytes *ret, postern_error *err);

#endif
