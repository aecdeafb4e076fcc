/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allowed actions that are counted and not recorded one by one (`log summary`).  The counters are in
 * memory that the door shares with the supervisor and the audit child, so that they outlive the
 * door: an action is released when it is counted, and the audit child writes what was counted, each
 * TALLY_PERIOD_MS and when the door is gone (audit/tally_memory.h).
 */
#ifndef POSTERN_SIDECAR_AUDIT_TALLY_H
#define POSTERN_SIDECAR_AUDIT_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#define TALLY_PERIOD_MS 1000
/*
 * What was counted and is not in the log after this: the audit child is away or cannot write, and
 * nothing more is counted (audit_failure: deny).  Three periods, as long as a record waits for its
 * confirmation (AUDIT_CONFIRM_MS).
 */
#define TALLY_STALE_MS 3000

/* What is counted together.  Borrowed, NULL or "" when unknown; UTF-8. */
struct tally_of {
    const char *session, *door, *agent, *human, *purpose;
    const char *action; /* "redis:GET" */
    const char *rule, *user_rule;
};

struct tally; /* one loop's share: one thread adds */
/*
 * Count one more, at `now_ms` (since 1970).
 *   t   NULL is fine: there is no shared memory
 *   False: there is no room, a text is too long to be kept whole, or what was counted before does
 *   not get into the log; write a record of this one instead.
 */
bool tally_add(struct tally *t, const struct tally_of *what, int64_t now_ms);

#endif
