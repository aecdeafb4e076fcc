/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/freshness.c: Cache-Control and Age, as servers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/freshness.h"

static void cache_control_says_for_how_long(void **state)
{
    static const struct {
        const char *line;
        int before, want;
    } cases[] = {
        { "", -1, -1 },
        { "", 7, 7 },
        { "public", -1, -1 },
        { "max-age=600", -1, 600 },
        { "Max-Age=600", -1, 600 },
        { " public , max-age = 600 \r\n", -1, 600 },
        { "max-age=\"600\"", -1, 600 },
        { "max-age=600, max-age=60", -1, 60 },
        { "max-age=600", 60, 60 },
        { "max-age=600", 0, 0 },
        { "no-store, max-age=600", -1, 0 },
        { "max-age=600, no-cache", -1, 0 },
        { "no-cache=\"set-cookie\", max-age=600", -1, 0 },
        { "max-age", -1, 0 },
        { "max-age=", -1, 0 },
        { "max-age=-1", -1, 0 },
        { "max-age=+1", -1, 0 },
        { "max-age=1e3", -1, 0 },
        { "max-age=6 0", -1, 0 },
        { "max-age=\"600", -1, 0 },
        { "max-age=99999999999999999999999999", -1, POSTERN_FRESHNESS_MAX_S },
        { "s-maxage=600", -1, -1 },
        { "xmax-age=600", -1, -1 },
        { "max-agex=600", -1, -1 },
        { "ext=\"a, max-age=600\"", -1, -1 },
        { "ext=\"a\\\", no-store\", max-age=5", -1, 5 },
        { "ext=\"never closed, max-age=600", -1, -1 },
        { ",,,max-age=5,,", -1, 5 },
        { "\"\\", -1, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = postern_freshness_read(postern_bytes_str(cases[i].line), cases[i].before);

        if (got != cases[i].want)
            fail_msg("%s after %d: %d, not %d", cases[i].line, cases[i].before, got, cases[i].want);
    }
}

static void age_is_taken_off(void **state)
{
    static const struct {
        int max_age_s;
        const char *age;
        int want;
    } cases[] = { { 600, "100", 500 }, { 600, " 600\r\n", 0 }, { 600, "601", 0 },
                  { 600, "", 600 },    { 600, "-5", 600 },     { 600, "x", 600 },
                  { -1, "100", -1 },   { 0, "1", 0 },          { 600, "99999999999999999999", 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            postern_freshness_less_age(cases[i].max_age_s, postern_bytes_str(cases[i].age)),
            cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_control_says_for_how_long),
        cmocka_unit_test(age_is_taken_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
