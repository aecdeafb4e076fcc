/* SPDX-License-Identifier: BSD-2-Clause */
/* Public halves of our signing keys, and when they began and ended; private halves are files
 * (keys.h). */
#ifndef POSTERN_ISSUER_STORE_KEYS_H
#define POSTERN_ISSUER_STORE_KEYS_H

#include "store.h"

#define KEY_ID_MAX 65  /* bytes with NUL; a thumbprint of SHA-256 has 43 characters */
#define KEY_JWK_MAX 513 /* bytes with NUL: a P-256 JWK of ours has 200 */

struct key_row {
    char    kid[KEY_ID_MAX];
    char    jwk[KEY_JWK_MAX];
    int64_t made_s;
    int64_t published_s; /* 0: not yet */
    int64_t started_s;   /* signs since; 0: not yet */
    int64_t retired_s;   /* signs no more since; 0: not yet */
};

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
/* Nothing happens when it is there. */
POSTERN_MUST_USE postern_err store_key_add(struct store *s, const struct key_row *row,
                                           postern_error *err);
/* The first `max`, oldest first. */
POSTERN_MUST_USE postern_err store_key_list(struct store *s, struct key_row *ret, size_t max,
                                            size_t *ret_count, postern_error *err);
/* The first time counts. */
POSTERN_MUST_USE postern_err store_key_published(struct store *s, const char *kid, int64_t now_s,
                                                 postern_error *err);
/* It signs: it is not retired (any more); the first time counts. */
POSTERN_MUST_USE postern_err store_key_started(struct store *s, const char *kid, int64_t now_s,
                                               postern_error *err);
POSTERN_MUST_USE postern_err store_key_retired(struct store *s, const char *kid, int64_t now_s,
                                               postern_error *err);
/* Only one that is retired goes. */
POSTERN_MUST_USE postern_err store_key_forget(struct store *s, const char *kid,
                                              postern_error *err);

#endif
