/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that mostly wait (for a lease, a time-out, a silence): each in a process of its own, several at
 * a time, so that their waits pass together.  For whoever has included cmocka.h.
 */
#ifndef TESTS_SUPPORT_TOGETHER_H
#define TESTS_SUPPORT_TOGETHER_H

/*
 * As cmocka_run_group_tests() without fixtures of the group.  What each test said comes in one piece,
 * when it has ended.
 *
 *   filter   a pattern of names, cmocka's: those alone, in this process, for a debugger; NULL: all
 *   Returns the number of tests that failed.
 */
int run_tests_together(const struct CMUnitTest *tests, size_t count, const char *filter);

#endif
