/* SPDX-License-Identifier: BSD-2-Clause */
/* Which clients of one issuer were removed, and when: their older tokens are refused.  RFC 7009
 * §2.2 in spirit. */
#ifndef POSTERN_LIB_REVOCATIONS_H
#define POSTERN_LIB_REVOCATIONS_H

#include <postern/context.h>

/*
 * Seconds after which a removal no longer matters: the embedded issuer's longest token_lifetime (1
 * h) and the largest clock_skew (300 s).  Used only when the table is full.
 */
#define POSTERN_REVOCATION_KEEP_S (3600 + 300)

struct revocations; /* thread-safe */

POSTERN_MUST_USE postern_err postern_revocations_new(struct revocations **ret, postern_error *err);
void postern_revocations_free(struct revocations *r);
/* From now on tokens are undecided until postern_revocations_set_ready(). */
void postern_revocations_expect(struct revocations *r);
void postern_revocations_set_ready(struct revocations *r);
/* The later time counts when a client is named twice.  POSTERN_OK · NOMEM · BUSY */
POSTERN_MUST_USE postern_err postern_revocations_add(struct revocations *r, postern_bytes client_id,
                                                     int64_t before_s, int64_t now_s,
                                                     postern_error *err);
/* iat_s -1: the token does not say, so any removal counts.  POSTERN_OK · REVOKED ·
 * REVOCATIONS_UNKNOWN */
POSTERN_MUST_USE postern_err postern_revocations_check(struct revocations *r,
                                                       postern_bytes client_id, int64_t iat_s,
                                                       postern_error *err);

#endif
