/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tokens are void before their end: those of a removed client, one by its jti (with all that
 * were exchanged from it), all of a person's authorization. */
#ifndef POSTERN_ISSUER_STORE_REVOCATIONS_H
#define POSTERN_ISSUER_STORE_REVOCATIONS_H

#include <postern/context.h>

#include "store.h"

#define REVOCATION_NAME_MAX 65 /* bytes with NUL: a client's name; a jti or grant id of ours has 22 */

/* `kind` is stored as its number.  client: tokens with iat <= before_s and this client_id or actor;
 * jti: the token and what was exchanged from it; grant: tokens with this grant_id. */
struct revocation {
    postern_revocation_kind kind;
    char    name[REVOCATION_NAME_MAX];
    int64_t before_s; /* when */
    int64_t until_s;  /* no token it matters to lives longer: may be forgotten */
};

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
/* The later times of two for the same name count. */
POSTERN_MUST_USE postern_err store_revocation_add(struct store *s, const struct revocation *what,
                                                  postern_error *err);
/* Is that name revoked (POSTERN_REVOCATION_JTI, POSTERN_REVOCATION_GRANT)? */
POSTERN_MUST_USE postern_err store_revocation_find(struct store *s, postern_revocation_kind kind,
                                                   const char *name, bool *ret_found,
                                                   postern_error *err);
/* All that are remembered; the caller free()s *ret (NULL when there are none). */
POSTERN_MUST_USE postern_err store_revocations_list(struct store *s, struct revocation **ret,
                                                    size_t *ret_count, postern_error *err);
/* Forget what nothing can outlive any more: until_s < now_s. */
POSTERN_MUST_USE postern_err store_revocations_forget(struct store *s, int64_t now_s,
                                                      postern_error *err);

#endif
