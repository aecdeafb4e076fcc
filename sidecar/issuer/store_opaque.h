/* SPDX-License-Identifier: BSD-2-Clause */
/* Opaque access tokens: what each stands for, under its SHA-256. */
#ifndef POSTERN_ISSUER_STORE_OPAQUE_H
#define POSTERN_ISSUER_STORE_OPAQUE_H

#include "store.h"

#define OPAQUE_HASH 32 /* SHA-256 of the token */

/* How many may be kept at one time. */
struct opaque_caps {
    int64_t of_client;          /* one of them */
    int64_t of_self_registered; /* all of those that registered themselves */
    int64_t all;
};

struct opaque_record {
    uint8_t sha256[OPAQUE_HASH];
    const char *client, *jti, *claims; /* borrowed; claims: a JSON object */
    int64_t exp_s;
};

typedef enum store_opaque {
    STORE_OPAQUE_UNSET = 0,
    STORE_OPAQUE_KEPT,
    STORE_OPAQUE_FULL_CLIENT, /* caps->of_client */
    STORE_OPAQUE_FULL         /* one of the other two */
} store_opaque;

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
/* Keep one, and forget those that ended before `over_s`.  It goes with its client. */
POSTERN_MUST_USE postern_err store_opaque_add(struct store *s, const struct opaque_record *o,
                                              const struct opaque_caps *caps, int64_t over_s,
                                              store_opaque *ret, postern_error *err);
/* Its claims, appended. */
POSTERN_MUST_USE postern_err store_opaque_find(struct store *s, const uint8_t sha256[OPAQUE_HASH],
                                               bool *ret_found, postern_buf *ret_claims,
                                               postern_error *err);
/* Nothing when it is none of these. */
POSTERN_MUST_USE postern_err store_opaque_end(struct store *s, const char *jti,
                                              postern_error *err);
POSTERN_MUST_USE postern_err store_opaque_forget(struct store *s, int64_t over_s,
                                                 postern_error *err);

#endif
