/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/spawner/said.c: what a program says is told in lines, each short, not too many, and none is
 * lost without being counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spawner/said.h"

struct world {
    struct said said;
    char heard[65536]; /* "line|" or "line...|", "(3)" before the line that follows three others */
};

static void hear(void *arg, const char *line, bool is_cut, int64_t missed)
{
    struct world *w = arg;
    size_t len = strlen(w->heard);
    int n = 0;

    if (missed != 0)
        n = snprintf(w->heard + len, sizeof w->heard - len, "(%lld)", (long long)missed);
    len += (size_t)n;
    if (line != NULL)
        n = snprintf(w->heard + len, sizeof w->heard - len, "%s%s|", line, is_cut ? "..." : "");
    assert_in_range(n, 0, sizeof w->heard - len - 1);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void say(struct world *w, const char *text, int64_t now_ms)
{
    said_add(&w->said, postern_bytes_str(text), now_ms, hear, w);
}

static void lines_come_in_any_pieces(void **state)
{
    struct world *w = *state;

    say(w, "on", 0);
    say(w, "e\ntwo\nthr", 0);
    assert_string_equal(w->heard, "one|two|");
    say(w, "", 0);
    say(w, "ee\n", 0);
    assert_string_equal(w->heard, "one|two|three|");
}

static void empty_lines_are_nothing(void **state)
{
    struct world *w = *state;

    say(w, "\n\n\na\n\n", 0);
    said_finish(&w->said, 0, hear, w);
    assert_string_equal(w->heard, "a|");
}

static void a_last_line_needs_no_end(void **state)
{
    struct world *w = *state;

    say(w, "bye", 0);
    assert_string_equal(w->heard, "");
    said_finish(&w->said, 0, hear, w);
    assert_string_equal(w->heard, "bye|");
}

static void a_nul_hides_nothing(void **state)
{
    struct world *w = *state;

    said_add(&w->said, (postern_bytes){ (const uint8_t *)"a\0b\n", 4 }, 0, hear, w);
    assert_string_equal(w->heard, "a?b|");
}

static void a_long_line_is_cut_and_the_next_one_is_whole(void **state)
{
    struct world *w = *state;
    char text[SAID_LINE_MAX + 3], want[2 * SAID_LINE_MAX];

    memset(text, 'x', sizeof text);
    text[SAID_LINE_MAX] = '\0';
    say(w, text, 0); /* exactly as long as may be */
    say(w, "\n", 0);
    assert_int_equal(snprintf(want, sizeof want, "%s|", text), SAID_LINE_MAX + 1);
    assert_string_equal(w->heard, want);
    w->heard[0] = '\0';
    say(w, text, 0);
    say(w, "y", 0); /* one more */
    say(w, "yyyy\nnext\n", 0);
    assert_int_equal(snprintf(want, sizeof want, "%s...|next|", text), SAID_LINE_MAX + 9);
    assert_string_equal(w->heard, want);
}

static size_t count(const struct world *w)
{
    size_t n = 0;

    for (const char *p = w->heard; *p != '\0'; p++)
        n += *p == '|';
    return n;
}

static void who_says_too_much_is_counted(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < SAID_BURST + 7; i++)
        say(w, "a\n", 1000);
    assert_int_equal(count(w), SAID_BURST);
    w->heard[0] = '\0';
    say(w, "still\n", 1000 + SAID_REFILL_MS - 1);
    assert_string_equal(w->heard, "");
    say(w, "now\n", 1000 + SAID_REFILL_MS);
    assert_string_equal(w->heard, "(8)now|");
    say(w, "too soon\n", 1000 + SAID_REFILL_MS);
    said_finish(&w->said, 1000 + SAID_REFILL_MS, hear, w);
    assert_string_equal(w->heard, "(8)now|(1)");
}

static void after_a_long_silence_all_may_be_said_again(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < SAID_BURST; i++)
        say(w, "a\n", 0);
    w->heard[0] = '\0';
    for (int i = 0; i < SAID_BURST + 1; i++)
        say(w, "b\n", SAID_BURST * SAID_REFILL_MS);
    assert_int_equal(count(w), SAID_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(lines_come_in_any_pieces),
        TEST(empty_lines_are_nothing),
        TEST(a_last_line_needs_no_end),
        TEST(a_nul_hides_nothing),
        TEST(a_long_line_is_cut_and_the_next_one_is_whole),
        TEST(who_says_too_much_is_counted),
        TEST(after_a_long_silence_all_may_be_said_again),
#undef TEST
    };

    return cmocka_run_group_tests_name("said", tests, NULL, NULL);
}
