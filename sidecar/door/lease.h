/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a session may live.  Pure: two clocks in, a state out.  The end is kept as wall-clock
 * time and as time since boot, and whichever comes first counts: a clock set forward ends sessions
 * at once, one set back lengthens none, a suspended machine has used its time up.
 */
#ifndef POSTERN_SIDECAR_DOOR_LEASE_H
#define POSTERN_SIDECAR_DOOR_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* A session that falls silent for so long in its grace is at a safe moment to end. */
#define LEASE_QUIET_MS 1000

struct lease_clock {
    int64_t now_s;   /* CLOCK_REALTIME */
    int64_t boot_ms; /* CLOCK_BOOTTIME */
};

struct lease {
    int64_t end_s;       /* since 1970 */
    int64_t end_boot_ms;
    int64_t max_boot_ms; /* session_max: no renewal goes beyond */
};

/* What a lease is made of. */
struct lease_terms {
    int64_t exp_s;         /* of the token */
    int64_t skew_s;        /* clock_skew: of its issuer */
    int64_t policy_s;      /* 0: the policy says none */
    int64_t session_max_s; /* of the door */
};

typedef enum lease_state { LEASE_OVER = 0, LEASE_GRACE, LEASE_OPEN } lease_state;

/* Of a session that begins now. */
struct lease lease_begin(const struct lease_terms *t, struct lease_clock now);
/* The same session with another token; max_boot_ms stays. */
struct lease lease_renew(const struct lease *old, const struct lease_terms *t,
                         struct lease_clock now);
/* The same session under other settings, after a reload: what became shorter counts at once, what
 * became longer counts for the next renewal. */
void lease_limit(struct lease *l, int64_t since_boot_ms, const struct lease_terms *t,
                 struct lease_clock now);
lease_state lease_state_at(const struct lease *l, int64_t grace_s, struct lease_clock now);
/* Whole seconds that are left, never negative. */
int64_t lease_left_s(const struct lease *l, struct lease_clock now);

#endif
