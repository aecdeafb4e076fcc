/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_lease.h.  Leases are bounded by ANSWER_LEASE_MAX_S, so no product here overflows. */
#include "connect_lease.h"

/* 0..part, evenly. */
static int64_t share(int64_t part, uint32_t random)
{
    return (int64_t)((uint64_t)part * random >> 32);
}

void lease_begin(struct connect_lease *l, int64_t now_ms, int64_t lease_s, uint32_t random)
{
    int64_t lease_ms = lease_s * 1000, wait_ms = lease_ms * 2 / 3;

    if (lease_ms >= 2 * LEASE_RESERVE_MS && wait_ms > lease_ms - LEASE_RESERVE_MS)
        wait_ms = lease_ms - LEASE_RESERVE_MS;
    wait_ms -= share(lease_ms / 10, random);
    *l = (struct connect_lease){ .end_ms = now_ms + lease_ms,
                                 .next_ms =
                                     now_ms + (wait_ms > LEASE_GAP_MS ? wait_ms : LEASE_GAP_MS) };
}

/* Half of it for certain, the other half by chance. */
static int64_t backoff_ms(unsigned tries, uint32_t random)
{
    int64_t full_ms = LEASE_RETRY_MS;

    while (tries-- > 0 && full_ms < LEASE_RETRY_MAX_MS)
        full_ms *= 2;
    if (full_ms > LEASE_RETRY_MAX_MS)
        full_ms = LEASE_RETRY_MAX_MS;
    return full_ms / 2 + share(full_ms / 2, random);
}

void lease_retry(struct connect_lease *l, int64_t now_ms, int64_t after_s, uint32_t random)
{
    int64_t wait_ms = backoff_ms(l->tries++, random);

    if (wait_ms < after_s * 1000)
        wait_ms = after_s * 1000;
    l->next_ms = now_ms + wait_ms;
    l->is_given_up = l->next_ms >= l->end_ms;
}

void lease_give_up(struct connect_lease *l)
{
    l->is_given_up = true;
}

int64_t lease_wait_ms(const struct connect_lease *l, int64_t now_ms)
{
    if (l->is_given_up)
        return -1;
    return l->next_ms > now_ms ? l->next_ms - now_ms : 0;
}

int64_t lease_left_ms(const struct connect_lease *l, int64_t now_ms)
{
    return l->end_ms > now_ms ? l->end_ms - now_ms : 0;
}
