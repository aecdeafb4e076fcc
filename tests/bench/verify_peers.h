/* SPDX-License-Identifier: BSD-2-Clause */
/* The libraries that users would pick instead, at the same work (verify_peers/). */
#ifndef POSTERN_BENCH_VERIFY_PEERS_H
#define POSTERN_BENCH_VERIFY_PEERS_H

#include "verify_rig.h"

/* Each that was built into `folder`, against `base`; a word about each that was not. */
void verify_measure_peers(struct bench *b, const char *folder, struct candidate base, int rounds);

#endif
