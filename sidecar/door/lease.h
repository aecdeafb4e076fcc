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
    int64_t word_end_boot_ms; /* so long counts what the issuer said last; 0: nobody is asked */
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
/*
 * What the issuer says of the token (revocation_check:) is a part of the lease that has no grace, and that
 * nobody renews but the issuer: a client is told of the rest.
 *   word_ms   CLOCK_BOOTTIME, when it was said
 */
void lease_hear(struct lease *l, int64_t word_ms, int64_t interval_ms);
bool lease_is_unheard(const struct lease *l, struct lease_clock now);
/* The token is past its exp, so that the issuer has nothing more to say of it.  Its last word still counts
 * for as long as it would have; that is now the end of the lease, with its grace. */
void lease_hear_no_more(struct lease *l, struct lease_clock now);
/* The end is now, unless it was before; the grace begins. */
void lease_cut(struct lease *l, struct lease_clock now);
lease_state lease_state_at(const struct lease *l, int64_t grace_s, struct lease_clock now);
/* Whole seconds that are left, never negative. */
int64_t lease_left_s(const struct lease *l, struct lease_clock now);

#endif
