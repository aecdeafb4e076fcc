/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people authorized: a grant (who, which agent, what for, until when), and what hangs on it:
 * authorization codes and refresh tokens, both used once.  The answer of a call that redeems or
 * rotates goes out only after the call returned: it is on disk then.
 */
#ifndef POSTERN_ISSUER_STORE_GRANTS_H
#define POSTERN_ISSUER_STORE_GRANTS_H

#include "store_clients.h"
#include "store_users.h"

#define GRANTS_OF_PERSON_MAX 500 /* that stand: some MB on disk */
#define GRANT_ID_MAX 23          /* bytes with NUL: 128 random bits, base64url */
#define GRANT_PURPOSE_MAX 257    /* bytes with NUL */
#define GRANT_DETAILS_MAX 4097   /* bytes with NUL: authorization_details as JSON (RFC 9396) */
#define GRANT_HASH 32            /* SHA-256 of a code or refresh token */
#define GRANT_CHALLENGE_MAX 44   /* bytes with NUL: base64url of SHA-256 (RFC 7636 §4.2) */
#define GRANT_REDIRECT_MAX 513   /* bytes with NUL */

struct grant_record {
    char    id[GRANT_ID_MAX];
    char    user[USER_NAME_MAX];
    char    client[CLIENT_NAME_MAX];
    char    scopes[CLIENT_SCOPES_MAX];
    char    resources[CLIENT_RESOURCES_MAX]; /* words */
    char    purpose[GRANT_PURPOSE_MAX];      /* "" none */
    char    details[GRANT_DETAILS_MAX];      /* "" none */
    int64_t created_s;
    int64_t auth_time_s; /* when the person gave the password */
    int64_t ends_s;      /* no token of it lives longer */
    int64_t ended_s;     /* 0: it stands */
};

struct code_record {
    uint8_t sha256[GRANT_HASH];
    char    grant[GRANT_ID_MAX];
    char    redirect[GRANT_REDIRECT_MAX];    /* as it stood in the authorization request */
    char    challenge[GRANT_CHALLENGE_MAX];  /* S256 */
    int64_t expires_s;
};

struct refresh_record {
    uint8_t sha256[GRANT_HASH];
    char    grant[GRANT_ID_MAX];
    int64_t created_s;
    int64_t expires_s; /* when it was not used until then */
};

/* What became of a code or refresh token that somebody brought. */
typedef enum grant_use {
    GRANT_USE_UNSET = 0,
    GRANT_UNKNOWN, /* never issued, forgotten, or of an ended grant */
    GRANT_EXPIRED,
    GRANT_REUSED,  /* it was used before: the caller ends the grant */
    GRANT_USED     /* now, by this call: nobody else can any more */
} grant_use;

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
/* A new grant with its first code, in one transaction. */
POSTERN_MUST_USE postern_err store_grant_add(struct store *s, const struct grant_record *grant,
                                             const struct code_record *code, postern_error *err);
POSTERN_MUST_USE postern_err store_grant_find(struct store *s, const char *id, bool *ret_found,
                                              struct grant_record *ret, postern_error *err);
/* Look at a code without using it: the verifier, the client and the redirect URI are judged first,
 * so that a stranger cannot use it up.  GRANT_USED stands for "it could be used". */
POSTERN_MUST_USE postern_err store_code_find(struct store *s, const uint8_t sha256[GRANT_HASH],
                                             int64_t now_s, grant_use *ret,
                                             struct code_record *ret_code,
                                             struct grant_record *ret_grant, postern_error *err);
/* Use it, and keep `refresh` (NULL: none) in the same transaction. */
POSTERN_MUST_USE postern_err store_code_redeem(struct store *s, const uint8_t sha256[GRANT_HASH],
                                               int64_t now_s, const struct refresh_record *refresh,
                                               grant_use *ret, postern_error *err);
POSTERN_MUST_USE postern_err store_refresh_find(struct store *s, const uint8_t sha256[GRANT_HASH],
                                                int64_t now_s, grant_use *ret,
                                                struct refresh_record *ret_refresh,
                                                struct grant_record *ret_grant,
                                                postern_error *err);
/* Use the old one and keep the new one, in one transaction (OAuth 2.1 §4.3.1). */
POSTERN_MUST_USE postern_err store_refresh_rotate(struct store *s, const uint8_t old[GRANT_HASH],
                                                  int64_t now_s,
                                                  const struct refresh_record *next,
                                                  grant_use *ret, postern_error *err);
/* End a grant: its codes and refresh tokens are void and a POSTERN_REVOCATION_GRANT until `until_s` is
 * remembered, in one transaction.  *ret_found false: there is none that stands. */
POSTERN_MUST_USE postern_err store_grant_end(struct store *s, const char *id, int64_t now_s,
                                             int64_t until_s, bool *ret_found, postern_error *err);
/* Inside the transaction that removes the client, whose tokens are void by that. */
POSTERN_MUST_USE postern_err store_grants_end_of_client(struct store *s, const char *client,
                                                        int64_t now_s, postern_error *err);
/* The first `max` standing grants of `user` whose id follows `after`, in order of id. */
POSTERN_MUST_USE postern_err store_grant_list(struct store *s, const char *user, const char *after,
                                              int64_t now_s, struct grant_record *ret, size_t max,
                                              size_t *ret_count, postern_error *err);
/* How many of `user` stand. */
POSTERN_MUST_USE postern_err store_grant_count(struct store *s, const char *user, int64_t now_s,
                                               int64_t *ret, postern_error *err);
/* Forget codes, refresh tokens, grants and one-time identifiers that are over. */
POSTERN_MUST_USE postern_err store_grants_forget(struct store *s, int64_t now_s,
                                                 postern_error *err);

#endif
