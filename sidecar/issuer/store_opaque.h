/* SPDX-License-Identifier: BSD-2-Clause */
/* Opaque access tokens: what each stands for, under its SHA-256. */
#ifndef POSTERN_ISSUER_STORE_OPAQUE_H
#define POSTERN_ISSUER_STORE_OPAQUE_H

#include "store.h"

#define OPAQUE_HASH 32 /* SHA-256 of the token */
/* Alive at one time of one client: an agent of sixty services has a token for each every few
 * minutes. */
#define OPAQUE_PER_CLIENT_MAX 512
/* Of all, some 40 MB at the usual size; of those that registered themselves, so that they leave room to the
 * rest. */
#define OPAQUE_MAX 65536
#define OPAQUE_SELF_REGISTERED_MAX 8192

struct opaque_record {
    uint8_t sha256[OPAQUE_HASH];
    const char *client, *jti, *claims; /* borrowed; claims: a JSON object */
    int64_t exp_s;
};

typedef enum store_opaque {
    STORE_OPAQUE_UNSET = 0,
    STORE_OPAQUE_KEPT,
    STORE_OPAQUE_FULL_CLIENT, /* OPAQUE_PER_CLIENT_MAX */
    STORE_OPAQUE_FULL         /* one of the other two */
} store_opaque;

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
/* Keep one, and forget those that ended before `over_s`.  It goes with its client. */
POSTERN_MUST_USE postern_err store_opaque_add(struct store *s, const struct opaque_record *o,
                                              int64_t over_s, store_opaque *ret,
                                              postern_error *err);
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
