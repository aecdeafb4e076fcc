/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's clocks: for records and latencies only.  Tokens are judged by the context's. */
#include "config.h"

#include <time.h>

#include "helper.h"

int64_t helper_wall_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail: the clock is there and so is ts */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t helper_mono_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
