/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allowed actions that are counted and not recorded one by one (`log summary`).  The counters are in
 * memory that the door shares with the supervisor and the audit child, so that they outlive the
 * door: an action is released when it is counted, and the audit child writes what was counted, each
 * TALLY_PERIOD_MS and when the door is gone.
 */
#ifndef POSTERN_SIDECAR_AUDIT_TALLY_H
#define POSTERN_SIDECAR_AUDIT_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#define TALLY_PERIOD_MS 1000

/* What is counted together.  Borrowed, NULL or "" when unknown; long ones are cut. */
struct tally_of {
    const char *session, *door, *agent, *human, *purpose;
    const char *action; /* "redis:GET" */
    const char *rule, *user_rule;
};

struct tally; /* one loop's share: one thread adds */
/*
 * Count one more, at `now_ms` (since 1970).
 *   False: there is no room or no shared memory; write a record of this one instead.
 */
bool tally_add(struct tally *t, const struct tally_of *what, int64_t now_ms);

#endif
