/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often an agent did what a rule allows `with rate COUNT/PERIOD`.  One table for all loops of a
 * door; a mutex, held for less than a microsecond.  The numbers outlive the process (rates_memory.h).
 *
 * The window slides in steps of a RATE_STEPSth of the period, and a step counts whole as long as a
 * part of it is within: never more than COUNT in any PERIOD, at the price of some that come a step
 * later than they might.
 */
#ifndef POSTERN_SIDECAR_DOOR_RATES_H
#define POSTERN_SIDECAR_DOOR_RATES_H

#include <postern/policy.h>

#define RATE_STEPS 16
/* Agents times rules that are counted at one time: 200 bytes each, and what they are called.  Those
 * of whom nothing counts any more make room; when nobody does, an action that has no place is
 * refused. */
#define RATES_MAX 16384
/* Rules with a rate that one action may fall under; more are refused. */
#define RATES_PER_ACTION_MAX 8

struct rate_use {
    const char *rule; /* its label */
    struct postern_policy_rate rate;
};

struct rates;
/* Counts in memory of its own, which ends with the process, until it is given another. */
POSTERN_MUST_USE postern_err rates_new(struct rates **ret, postern_error *err);
void rates_free(struct rates *r); /* NULL is fine */
/*
 * Before the first rates_take(): count there, and on from what a door before this one left there.
 *   fd   of rates_memory_renew(); stays the caller's
 *   POSTERN_OK · those of rates_memory_map(), and all is as it was
 */
POSTERN_MUST_USE postern_err rates_share(struct rates *r, int fd, int64_t now_ms,
                                         postern_error *err);
/*
 * One more under each of these rules, or under none.
 *   now_ms         CLOCK_BOOTTIME
 *   ret_wait_ms    of RATE: after which it is worth another try
 *   POSTERN_OK · POSTERN_ERR_RATE (too often, or the table is full or out of memory)
 */
POSTERN_MUST_USE postern_err rates_take(struct rates *r, const char *issuer, const char *agent,
                                        const struct rate_use *uses, size_t count, int64_t now_ms,
                                        int64_t *ret_wait_ms, postern_error *err);

#endif
