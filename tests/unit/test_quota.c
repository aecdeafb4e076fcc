/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/quota.c: the first refusals of strangers are all recorded, then one a second, and none is lost to the count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quota.h"

#define START_US 5000000123

static int64_t take(struct quota *q, int64_t now_us)
{
    int64_t missed = -7;

    return quota_take(q, now_us, &missed) ? missed : -1;
}

static void drain(struct quota *q)
{
    for (int i = 0; i < QUOTA_BURST; i++)
        assert_int_equal(take(q, START_US), 0);
}

static void the_first_are_all_recorded_and_the_next_is_not(void **state)
{
    struct quota q = { 0 };

    (void)state;
    drain(&q);
    assert_int_equal(take(&q, START_US), -1);
    assert_int_equal(take(&q, START_US + QUOTA_REFILL_US / 2), -1);
}

static void then_one_a_second_is_recorded_and_says_how_many_were_not(void **state)
{
    struct quota q = { 0 };
    int64_t next_us = (START_US / QUOTA_REFILL_US + 1) * QUOTA_REFILL_US;

    (void)state;
    drain(&q);
    assert_int_equal(take(&q, next_us - 1), -1);
    assert_int_equal(take(&q, next_us - 1), -1);
    assert_int_equal(take(&q, next_us), 2);
    assert_int_equal(take(&q, next_us), -1);
    assert_int_equal(take(&q, next_us + QUOTA_REFILL_US - 1), -1);
    assert_int_equal(take(&q, next_us + 3 * QUOTA_REFILL_US), 2);
    assert_int_equal(take(&q, next_us + 3 * QUOTA_REFILL_US), 0);
    assert_int_equal(take(&q, next_us + 3 * QUOTA_REFILL_US), 0);
    assert_int_equal(take(&q, next_us + 3 * QUOTA_REFILL_US), -1);
}

static void a_pause_fills_it_and_no_more(void **state)
{
    struct quota q = { 0 };
    int64_t later_us = START_US + 100000 * (int64_t)QUOTA_REFILL_US;

    (void)state;
    drain(&q);
    for (int i = 0; i < QUOTA_BURST; i++)
        assert_int_equal(take(&q, later_us), 0);
    assert_int_equal(take(&q, later_us), -1);
    assert_int_equal(take(&q, START_US), -1); /* a clock that runs backwards gives nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_are_all_recorded_and_the_next_is_not),
        cmocka_unit_test(then_one_a_second_is_recorded_and_says_how_many_were_not),
        cmocka_unit_test(a_pause_fills_it_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
