/* SPDX-License-Identifier: BSD-2-Clause */
/* See retry.h. */
#include "retry.h"

#include <sys/random.h>

uint32_t postern_retry_dice(void)
{
    uint32_t dice;

    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice)
        return 0; /* no jitter, then */
    return dice;
}

/* 0 to most, inclusive. */
static int64_t roll(int64_t most, uint32_t dice)
{
    return most <= 0 ? 0 : (int64_t)(dice % ((uint64_t)most + 1));
}

int64_t postern_retry_pause_ms(unsigned failures, int retry_after_s, uint32_t dice)
{
    int64_t pause_ms = POSTERN_RETRY_FIRST_MS, asked_ms = (int64_t)retry_after_s * 1000;

    while (failures-- > 1 && pause_ms < POSTERN_RETRY_LONGEST_MS)
        pause_ms *= 2;
    if (pause_ms > POSTERN_RETRY_LONGEST_MS)
        pause_ms = POSTERN_RETRY_LONGEST_MS;
    pause_ms -= roll(pause_ms / 2, dice);
    if (asked_ms > POSTERN_RETRY_AFTER_MAX_MS)
        asked_ms = POSTERN_RETRY_AFTER_MAX_MS;
    return asked_ms > pause_ms ? asked_ms : pause_ms;
}

int64_t postern_retry_ahead_ms(int64_t ttl_ms, uint32_t dice)
{
    return ttl_ms / 4 * 3 - roll(ttl_ms * 3 / 40, dice);
}

int64_t postern_retry_ttl_ms(int max_age_s, int64_t otherwise_ms, int64_t lowest_ms,
                             int64_t highest_ms)
{
    int64_t ttl_ms = max_age_s < 0 ? otherwise_ms : (int64_t)max_age_s * 1000;

    if (ttl_ms < lowest_ms)
        return lowest_ms;
    return ttl_ms > highest_ms ? highest_ms : ttl_ms;
}
