/* SPDX-License-Identifier: BSD-2-Clause */
/* What one issuer took back: clients that were removed, with all their older tokens; single tokens,
 * with all that came from them; what a person granted, with all tokens of it.  RFC 7009 §2.1. */
#ifndef POSTERN_LIB_REVOCATIONS_H
#define POSTERN_LIB_REVOCATIONS_H

#include <postern/context.h>

struct revocations; /* thread-safe */

POSTERN_MUST_USE postern_err postern_revocations_new(struct revocations **ret, postern_error *err);
void postern_revocations_free(struct revocations *r);
/* From now on tokens are undecided until postern_revocations_set_ready(). */
void postern_revocations_expect(struct revocations *r);
void postern_revocations_set_ready(struct revocations *r);
/* The later time counts when something is named twice.  POSTERN_OK · NOMEM · BUSY · USAGE */
POSTERN_MUST_USE postern_err postern_revocations_add(struct revocations *r,
                                                     postern_revocation_kind kind,
                                                     postern_bytes name, int64_t before_s,
                                                     int64_t now_s, postern_error *err);
/*
 *   name    of a client, a jti, a grant_id; empty: the token has none, which nobody can revoke
 *   iat_s   -1: the token does not say, so any removal of its client counts
 *   POSTERN_OK · REVOKED · REVOCATIONS_UNKNOWN · USAGE
 */
POSTERN_MUST_USE postern_err postern_revocations_check(struct revocations *r,
                                                       postern_revocation_kind kind,
                                                       postern_bytes name, int64_t iat_s,
                                                       postern_error *err);

#endif
