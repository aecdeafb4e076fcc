/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where rates.c counts, so that a door that starts again after a crash gives nobody a new budget: a
 * memfd of fixed size that the supervisor holds.  Each door process has one to itself; it is filled
 * with a copy of what the one before it left, which the supervisor copies and never reads.  So no
 * two processes write into one, and nobody can change what a door has judged.
 *
 * The door before may have been broken into: what it left is judged like anybody's bytes.
 */
#ifndef POSTERN_SIDECAR_DOOR_RATES_MEMORY_H
#define POSTERN_SIDECAR_DOOR_RATES_MEMORY_H

#include <postern/error.h>

#include "rates.h"

#define RATE_NAME_LEN 32 /* SHA-256 */

/* Numbers of one agent under one rule. */
struct rate_slot {
    uint8_t  name[RATE_NAME_LEN]; /* of issuer, agent, rule, each with its NUL; zero: free */
    struct postern_policy_rate rate;
    int64_t  newest;                /* number of its newest step: now_ms / step */
    uint64_t steps[RATE_STEPS + 1]; /* step n is at n % (RATE_STEPS + 1) */
};

/* ---- supervisor: one for all its generations ---- */

struct rates_memory;
POSTERN_MUST_USE postern_err rates_memory_new(struct rates_memory **ret, postern_error *err);
struct rates_memory *rates_memory_ref(struct rates_memory *m);
void rates_memory_unref(struct rates_memory *m); /* NULL is fine */
/*
 * For the door process that starts now: its own memory, with what the last one left.  *ret_fd stays
 * m's, until the next call.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (what the last one left stays)
 */
POSTERN_MUST_USE postern_err rates_memory_renew(struct rates_memory *m, int *ret_fd,
                                                postern_error *err);

/* ---- door ---- */

/*
 * RATES_MAX slots.
 *   fd         stays the caller's; refused unless it has the size and the seals
 *   ret_used   slots behind these were never written to: to look at one makes its page
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err rates_memory_map(int fd, struct rate_slot **ret, size_t *ret_used,
                                              postern_error *err);
void rates_memory_unmap(struct rate_slot *slots); /* NULL is fine */

#endif
