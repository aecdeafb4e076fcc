/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/connect_lease.c: when a session is renewed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect_lease.h"

#define NOW 5000000

static int64_t first_wait_ms(int64_t lease_s, uint32_t random)
{
    struct connect_lease l;

    lease_begin(&l, NOW, lease_s, random);
    assert_int_equal(lease_left_ms(&l, NOW), lease_s * 1000);
    return lease_wait_ms(&l, NOW);
}

static void a_lease_is_renewed_before_its_end(void **state)
{
    static const struct {
        int64_t lease_s, latest_ms, earliest_ms;
    } cases[] = {
        { 28800, 19200000, 16320001 },
        { 300, 200000, 170001 },
        { 90, 60000, 51001 },
        { 89, 59000, 50101 }, /* 30 s before the end comes first */
        { 60, 30000, 24001 },
        { 59, 39333, 33434 }, /* too short for 30 s */
        { 6, 4000, 3401 },
        { 3, 2000, 1701 },
        { 1, 1000, 1000 },
        { 0, 1000, 1000 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(first_wait_ms(cases[i].lease_s, 0), cases[i].latest_ms);
        assert_int_equal(first_wait_ms(cases[i].lease_s, UINT32_MAX), cases[i].earliest_ms);
        assert_in_range(first_wait_ms(cases[i].lease_s, UINT32_MAX / 3), cases[i].earliest_ms,
                        cases[i].latest_ms);
    }
}

static void the_longest_lease_does_not_overflow(void **state)
{
    (void)state;
    assert_int_equal(first_wait_ms(366 * 86400LL, 0), 366 * 86400000LL / 3 * 2);
    assert_true(first_wait_ms(366 * 86400LL, UINT32_MAX) > 366 * 86400000LL / 2);
}

static void waiting_counts_down_and_never_below_zero(void **state)
{
    struct connect_lease l;

    (void)state;
    lease_begin(&l, NOW, 300, 0);
    assert_int_equal(lease_wait_ms(&l, NOW + 199999), 1);
    assert_int_equal(lease_wait_ms(&l, NOW + 200000), 0);
    assert_int_equal(lease_wait_ms(&l, NOW + 900000), 0); /* the machine slept */
    assert_int_equal(lease_left_ms(&l, NOW + 299999), 1);
    assert_int_equal(lease_left_ms(&l, NOW + 900000), 0);
}

static void tries_come_further_apart_until_the_lease_is_over(void **state)
{
    static const int64_t full_ms[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
    struct connect_lease l;

    (void)state;
    for (int spread = 0; spread < 2; spread++) {
        int64_t now_ms = NOW;

        lease_begin(&l, NOW, 300, 0);
        for (size_t i = 0; i < sizeof full_ms / sizeof *full_ms; i++) {
            lease_retry(&l, now_ms, 0, spread == 0 ? 0 : UINT32_MAX);
            assert_int_equal(lease_wait_ms(&l, now_ms),
                             spread == 0 ? full_ms[i] / 2 : full_ms[i] - 1);
            now_ms = l.next_ms;
        }
    }
    lease_retry(&l, NOW + 298999, 0, UINT32_MAX);
    assert_int_equal(lease_wait_ms(&l, NOW + 298999), -1);
}

static void a_door_may_ask_for_more_time_and_not_for_less(void **state)
{
    struct connect_lease l;

    (void)state;
    lease_begin(&l, NOW, 300, 0);
    lease_retry(&l, NOW + 200000, 7, 0);
    assert_int_equal(lease_wait_ms(&l, NOW + 200000), 7000);
    lease_retry(&l, NOW + 207000, 99, 0);
    assert_int_equal(lease_wait_ms(&l, NOW + 207000), -1); /* the lease is over by then */
    lease_begin(&l, NOW, 300, 0);
    assert_int_equal(lease_wait_ms(&l, NOW), 200000); /* a new lease begins anew */
    l.tries = 1000000;
    lease_retry(&l, NOW, 0, UINT32_MAX);
    assert_int_equal(lease_wait_ms(&l, NOW), LEASE_RETRY_MAX_MS - 1);
}

static void what_was_given_up_is_not_tried_again(void **state)
{
    struct connect_lease l;

    (void)state;
    lease_begin(&l, NOW, 300, 0);
    lease_give_up(&l);
    assert_int_equal(lease_wait_ms(&l, NOW + 250000), -1);
    assert_int_equal(lease_left_ms(&l, NOW + 250000), 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_renewed_before_its_end),
        cmocka_unit_test(the_longest_lease_does_not_overflow),
        cmocka_unit_test(waiting_counts_down_and_never_below_zero),
        cmocka_unit_test(tries_come_further_apart_until_the_lease_is_over),
        cmocka_unit_test(a_door_may_ask_for_more_time_and_not_for_less),
        cmocka_unit_test(what_was_given_up_is_not_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
