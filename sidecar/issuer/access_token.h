/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access tokens: what they say (RFC 9068 §2.2, RFC 8693 §4), how long they live, and the answer that
 * carries one (RFC 6749 §5.1).
 */
#ifndef POSTERN_ISSUER_ACCESS_TOKEN_H
#define POSTERN_ISSUER_ACCESS_TOKEN_H

#include "answer.h"
#include "issuer.h"
#include "store_grants.h"

#define TOKEN_JTI_BYTES 16 /* 128 bits: no two tokens of one issuer share a jti (RFC 7519 §4.1.7) */
#define TOKEN_JTI_MAX REVOCATION_NAME_MAX /* bytes with NUL: ours have 22 */
/* Actors in a chain: what the library reads of one (RFC 8693 §4.1 sets no limit). */
#define TOKEN_ACTORS_MAX 8
/* Tokens that one was exchanged from, and those that they were: as many as verifiers look up. */
#define TOKEN_PARENTS_MAX 16

/* Texts are borrowed for the call. */
struct access_claims {
    const char   *subject, *client, *resource, *scope;
    const char   *actors[TOKEN_ACTORS_MAX]; /* outermost first */
    size_t        actor_count;
    const char   *purpose;                  /* "" or NULL: none */
    postern_bytes details;                  /* a JSON array; empty: none */
    postern_bytes may_act;                  /* a JSON object; empty: none */
    int64_t       auth_time_s;              /* 0: no person took part */
    const char   *grant;                    /* "" or NULL: none */
    char          parents[TOKEN_PARENTS_MAX][TOKEN_JTI_MAX]; /* jti */
    size_t        parent_count;
    int64_t       ends_s;                   /* it ends then at the latest; INT64_MAX: no matter */
};

/* What goes with it. */
struct access_answer {
    const postern_secret *refresh;    /* NULL: none */
    const char           *token_type; /* issued_token_type (RFC 8693 §2.2.1); NULL: none */
};

/* A token of now on, signed or opaque as its resource wants it; ends_s lies ahead.  False: answered. */
bool access_token_mint(struct issuer *is, const struct access_claims *c, int64_t now_s,
                       postern_secret **ret, struct answer *a);
/* 200 with everything in it.  Written before the store commits what the answer depends on: a failure
 * then replaces it, and a success cannot fail any more.  False: answered with an error. */
bool access_token_answer(struct issuer *is, const struct access_claims *c, int64_t now_s,
                         const postern_secret *token, struct access_answer more, struct answer *a);
/* Seconds. */
int64_t access_token_life_s(const struct issuer *is, const struct access_claims *c, int64_t now_s);
/* `seen`, as the store has it, got a token.  A failure is logged: the token is good. */
void access_token_touch(struct issuer *is, const struct client_record *seen, int64_t now_s);

#endif
