/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system's clocks: for records, latencies and time-outs of our own.  Tokens are judged by their
 * context's clock, which is one of these unless a host or a test says otherwise.
 */
#ifndef POSTERN_PRIVATE_CLOCK_H
#define POSTERN_PRIVATE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_s(void); /* since 1970 */
int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Monotonic, right to a tick of the kernel (4 ms, 10 on some), which is as well as poll(2) keeps it, and
 * a third of the cost: one login asks six times. */
int64_t clock_coarse_ms(void);
/* As monotonic, and goes on while the machine sleeps: a lease does not outlive a suspended lid. */
int64_t clock_boot_ms(void);

#endif
