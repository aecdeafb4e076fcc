/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads at one context. */
#ifndef POSTERN_BENCH_VERIFY_MANY_H
#define POSTERN_BENCH_VERIFY_MANY_H

#include "verify_rig.h"

/* 1, 2 and 8 threads at `c`, each with tokens of its own. */
void verify_measure_threads(struct bench *b, const char *name, struct candidate c, int rounds);

#endif
