/* SPDX-License-Identifier: BSD-2-Clause */
/* clock_gettime(2) in the units that are wanted (postern-private/clock.h). */
#include <postern-private/clock.h>

#include <time.h>

static int64_t read_clock(clockid_t which, int64_t per_s)
{
    struct timespec t = { 0, 0 };

    (void)clock_gettime(which, &t); /* cannot fail: these clocks are on every Linux, and so is t */
    return (int64_t)t.tv_sec * per_s + t.tv_nsec / (1000000000 / per_s);
}

int64_t clock_wall_s(void)
{
    return read_clock(CLOCK_REALTIME, 1);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}

int64_t clock_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

int64_t clock_coarse_ms(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE, 1000);
}

int64_t clock_boot_ms(void)
{
    return read_clock(CLOCK_BOOTTIME, 1000);
}
