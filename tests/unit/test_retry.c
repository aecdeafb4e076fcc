/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/retry.c: pauses and lives, by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oauth/retry.h"

static void a_pause_doubles_up_to_a_minute_and_is_never_below_its_half(void **state)
{
    static const struct {
        unsigned failures;
        int64_t whole_ms;
    } cases[] = { { 1, 1000 },  { 2, 2000 },  { 3, 4000 },    { 6, 32000 },
                  { 7, 60000 }, { 8, 60000 }, { 400, 60000 }, { UINT32_MAX, 60000 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t half_ms = cases[i].whole_ms / 2;

        assert_int_equal(postern_retry_pause_ms(cases[i].failures, -1, 0), cases[i].whole_ms);
        assert_int_equal(postern_retry_pause_ms(cases[i].failures, -1, (uint32_t)half_ms), half_ms);
        assert_int_equal(postern_retry_pause_ms(cases[i].failures, -1, (uint32_t)half_ms + 1),
                         cases[i].whole_ms);
    }
}

static void retry_after_makes_a_pause_longer_up_to_five_minutes(void **state)
{
    (void)state;
    assert_int_equal(postern_retry_pause_ms(1, 0, 0), 1000);
    assert_int_equal(postern_retry_pause_ms(1, 17, 0), 17000);
    assert_int_equal(postern_retry_pause_ms(7, 17, 0), 60000);
    assert_int_equal(postern_retry_pause_ms(1, 300, 0), 300000);
    assert_int_equal(postern_retry_pause_ms(1, 301, 0), 300000);
    assert_int_equal(postern_retry_pause_ms(1, INT32_MAX, 0), 300000);
}

static void what_lives_is_fetched_ahead_at_three_quarters_at_the_latest(void **state)
{
    (void)state;
    assert_int_equal(postern_retry_ahead_ms(900000, 0), 675000);
    assert_int_equal(postern_retry_ahead_ms(900000, 67500), 607500);
    assert_int_equal(postern_retry_ahead_ms(900000, 67501), 675000);
    assert_int_equal(postern_retry_ahead_ms(0, 5), 0);
}

static void a_life_stays_within_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(postern_retry_ttl_ms(-1, 900000, 60000, 86400000), 900000);
    assert_int_equal(postern_retry_ttl_ms(0, 900000, 60000, 86400000), 60000);
    assert_int_equal(postern_retry_ttl_ms(61, 900000, 60000, 86400000), 61000);
    assert_int_equal(postern_retry_ttl_ms(86401, 900000, 60000, 86400000), 86400000);
    assert_int_equal(postern_retry_ttl_ms(INT32_MAX, 900000, 60000, 86400000), 86400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_doubles_up_to_a_minute_and_is_never_below_its_half),
        cmocka_unit_test(retry_after_makes_a_pause_longer_up_to_five_minutes),
        cmocka_unit_test(what_lives_is_fetched_ahead_at_three_quarters_at_the_latest),
        cmocka_unit_test(a_life_stays_within_its_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
