/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nth-allocation-fails sweep: an operation is run with its first, second, third … allocation failing until it gets through,
 * and each time must say "out of memory", take nothing with it, and leave nothing behind (ASan's leak check is the judge).
 * Reaches allocations of our own objects, also in the convenience archives; not those inside shared libraries.
 *
 * A cmocka test uses it with one line in its tests/unit/ROOM.mk:
 *
 *     tests_unit_test_NAME_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
 *
 *     static postern_err parse_once(void *arg, postern_error *err) { … make, free, return the code … }
 *     alloc_fail_sweep(parse_once, &arg, POSTERN_OK);
 */
#ifndef TESTS_SUPPORT_ALLOC_FAIL_H
#define TESTS_SUPPORT_ALLOC_FAIL_H

#include <stdbool.h>

#include <postern/error.h>

/* One complete run: makes, uses and frees everything.  Starts from the same state each time. */
typedef postern_err (*alloc_fail_run)(void *arg, postern_error *err);

/*
 * Asserts (cmocka) that every run with a failing allocation returns POSTERN_ERR_NOMEM with the same code in err, and that the
 * run without one returns `want`.  Returns the number of allocations, so that a test can assert that there were some.
 */
unsigned alloc_fail_sweep(alloc_fail_run run, void *arg, postern_err want);

/* By hand: the nth allocation from now (1 = the next) fails, and that one only.  0: none. */
void alloc_fail_arm(unsigned nth);
/* Back to normal; true when an allocation was refused. */
bool alloc_fail_disarm(void);

#endif
