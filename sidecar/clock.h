/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks, under the name that all rooms of posternd may include. */
#ifndef POSTERN_SIDECAR_CLOCK_H
#define POSTERN_SIDECAR_CLOCK_H

#include <postern-private/clock.h>

#endif
