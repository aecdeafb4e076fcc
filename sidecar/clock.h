/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of posternd's processes: for records, latencies and time-outs of our own.  Tokens are
 * judged by their context's clock, and a test moves that one.
 */
#ifndef POSTERN_SIDECAR_CLOCK_H
#define POSTERN_SIDECAR_CLOCK_H

#include <stdint.h>

int64_t clock_wall_s(void); /* since 1970 */
int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* As monotonic, and goes on while the machine sleeps: a lease does not outlive a suspended lid. */
int64_t clock_boot_ms(void);

#endif
