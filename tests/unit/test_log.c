/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/log.c: one line stays one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "log.h"

static void nothing_forges_a_second_line_or_steers_a_terminal(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        { "plain text, 100 %", "plain text, 100 %" },
        { "a\nposternd: ready", "a\\x0aposternd: ready" },
        { "a\r\x1b[2J", "a\\x0d\\x1b[2J" },
        { "caf\xc3\xa9", "caf\\xc3\\xa9" },
        { "back\\slash", "back\\x5cslash" },
        { "", "" },
    };
    char room[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(log_escape(cases[i].text, room, sizeof room), cases[i].want);
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    char room[16], exact[8];

    (void)state;
    assert_string_equal(log_escape("0123456789abcdefghij", room, sizeof room), "012345678...");
    assert_true(strlen(log_escape("\n\n\n\n\n\n\n\n", room, sizeof room)) < sizeof room);
    assert_string_equal(log_escape("", exact, sizeof exact), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_forges_a_second_line_or_steers_a_terminal),
        cmocka_unit_test(a_long_line_is_cut_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
