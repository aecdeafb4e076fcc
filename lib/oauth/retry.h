/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When an issuer is asked again: after a failure later and later, before the end of a life a little
 * ahead, and never all hosts of a fleet at the same instant.  Pure but for the dice.
 */
#ifndef POSTERN_LIB_RETRY_H
#define POSTERN_LIB_RETRY_H

#include <stdint.h>

/* The first pause after a failure; doubled each time. */
#define POSTERN_RETRY_FIRST_MS 1000
/* The longest: an issuer that is back is noticed within a minute. */
#define POSTERN_RETRY_LONGEST_MS 60000
/* What an issuer may ask for by Retry-After: longer, and a word of one overloaded proxy would put
 * logins out for an afternoon. */
#define POSTERN_RETRY_AFTER_MAX_MS 300000
/* Exchanges of one refresh together: within the five seconds of a login, so that the one who waited
 * can still be served by what is old. */
#define POSTERN_RETRY_FETCH_MS 4000

/* Any number, for the jitter; not for secrets. */
uint32_t postern_retry_dice(void);
/*
 * Pause after the nth failure in a row (1 or more): between half of 1, 2, 4 .. 60 s and the whole;
 * never less than Retry-After.
 *   retry_after_s   -1: none
 */
int64_t postern_retry_pause_ms(unsigned failures, int retry_after_s, uint32_t dice);
/* When, of a life of ttl_ms, to fetch ahead: between 67.5 % and 75 %. */
int64_t postern_retry_ahead_ms(int64_t ttl_ms, uint32_t dice);
/* max_age_s (-1: absent, then `otherwise_ms`) within the bounds, in milliseconds. */
int64_t postern_retry_ttl_ms(int max_age_s, int64_t otherwise_ms, int64_t lowest_ms,
                             int64_t highest_ms);

#endif
