/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a session's lease is renewed.  Pure: times are milliseconds since boot (they go on while the
 * machine sleeps, and nobody sets them), randomness is a parameter.
 */
#ifndef POSTERN_CLI_CONNECT_LEASE_H
#define POSTERN_CLI_CONNECT_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* A renewal takes seconds, and several tries fit into this: so long before the end it is asked for,
 * where the lease is at least twice as long. */
#define LEASE_RESERVE_MS 30000
/* Shorter leases are no reason to ask a door, and the issuer behind the tokens, more often. */
#define LEASE_GAP_MS 1000
/* Between two tries, doubled each time. */
#define LEASE_RETRY_MS     1000
#define LEASE_RETRY_MAX_MS 30000

struct connect_lease {
    int64_t end_ms;
    int64_t next_ms; /* the next renewal */
    unsigned tries;  /* of this lease, without a verdict */
    bool is_given_up;
};

/* A lease of `lease_s` begins now: renewed after two thirds of it, or LEASE_RESERVE_MS before its
 * end, and up to a tenth of it sooner by chance, so that sessions which began together do not renew
 * together. */
void lease_begin(struct connect_lease *l, int64_t now_ms, int64_t lease_s, uint32_t random);
/* No verdict: again later, unless the lease is over by then.  after_s: what the door asked for, or
 * 0. */
void lease_retry(struct connect_lease *l, int64_t now_ms, int64_t after_s, uint32_t random);
void lease_give_up(struct connect_lease *l);
/* Until the next renewal, never below 0; -1: there is none. */
int64_t lease_wait_ms(const struct connect_lease *l, int64_t now_ms);
/* Of the lease, never below 0. */
int64_t lease_left_ms(const struct connect_lease *l, int64_t now_ms);

#endif
