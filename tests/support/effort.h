/* SPDX-License-Identifier: BSD-2-Clause */
/* How much a test does of what could go on without end: rounds, mutations, bytes. */
#ifndef POSTERN_TESTS_EFFORT_H
#define POSTERN_TESTS_EFFORT_H

/*
 * `many` where the environment says POSTERN_THOROUGH=1, as tests/run does; else `few`, enough to find what is wrong in general,
 * for who waits for `make check`.  Both are of the same fixed series: the few are the first of the many.
 */
unsigned long test_effort(unsigned long few, unsigned long many);

#endif
