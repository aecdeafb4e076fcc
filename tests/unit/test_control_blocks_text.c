/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/blocks_text.c: which lines are blocks, which are refused, and what a change leaves as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/blocks_text.h"
#include "tests/support/alloc_fail.h"

#define NOW_S   1780000000 /* 2026-05-28T20:26:40Z */
#define LATER_S 1796083200 /* 2026-12-01T00:00:00Z */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct block_list *parse(const char *text)
{
    struct block_list *l = NULL;
    postern_error err = { 0 };

    if (block_list_parse(postern_bytes_str(text), &l, &err) != POSTERN_OK)
        fail_msg("%s: %s", text, err.detail);
    return l;
}

static void a_line_names_agent_time_and_reason(void **state)
{
    static const struct { const char *text, *agent, *reason; int64_t until_s; } cases[] = {
        { "agent-7 2026-12-01T00:00:00Z stolen laptop\n", "agent-7", "stolen laptop", LATER_S },
        { "agent-7 - left the company", "agent-7", "left the company", 0 },
        { "agent-7 -\n", "agent-7", "", 0 },
        { "  agent-7\t-\t \t a # b  \n", "agent-7", "a # b", 0 },
        { "\"a b\" - x", "a b", "x", 0 },
        { "\"a\\\"\\\\b\" -", "a\"\\b", "", 0 },
        { "a\"b\\ -", "a\"b\\", "", 0 },
        { "\xc3\xa4gent - weil\xc2\xa0so", "\xc3\xa4gent", "weil\xc2\xa0so", 0 },
        { "https://as.example/agents/7 - x", "https://as.example/agents/7", "x", 0 },
        { "- - x", "-", "x", 0 },
        { "a 2028-02-29T23:59:59Z", "a", "", 1835481599 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct block_list *l = parse(cases[i].text);

        assert_int_equal(l->count, 1);
        assert_string_equal(l->entries[0].agent, cases[i].agent);
        assert_string_equal(l->entries[0].reason, cases[i].reason);
        assert_int_equal(l->entries[0].until_s, cases[i].until_s);
        block_list_release(l);
    }
}

static void comments_and_blank_lines_are_no_blocks(void **state)
{
    static const char *const cases[] = { "", "\n", "# a - b\n", "  # a\n\n \t\n#\n", "#a -" };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct block_list *l = parse(cases[i]);

        assert_int_equal(l->count, 0);
        block_list_release(l);
    }
}

static void an_agent_may_stand_there_twice(void **state)
{
    struct block_list *l = parse("a 2020-01-01T00:00:00Z old\nb -\na - new\n");

    (void)state;
    assert_int_equal(l->count, 3);
    assert_true(block_list_has(l, "a", NOW_S));
    assert_true(block_list_has(l, "b", NOW_S));
    assert_false(block_list_has(l, "c", NOW_S));
    assert_false(block_list_has(l, "", NOW_S));
    block_list_release(l);
    l = parse("a 2026-12-01T00:00:00Z\n");
    assert_true(block_list_has(l, "a", LATER_S - 1));
    assert_false(block_list_has(l, "a", LATER_S)); /* the end is exclusive */
    block_list_release(l);
}

static void what_is_no_block_is_refused_with_its_line(void **state)
{
    static const char *const cases[] = {
        "agent-7", "agent-7 forever", "agent-7 12h", "agent-7 2026-12-01", "agent-7 2026-12-01 00:00:00Z",
        "agent-7 2026-12-01T00:00:00+00:00", "agent-7 2026-12-01T00:00:00z", "agent-7 2026-13-01T00:00:00Z",
        "agent-7 2026-02-30T00:00:00Z", "agent-7 2027-02-29T00:00:00Z", "agent-7 2026-12-01T24:00:00Z",
        "agent-7 2026-12-01T00:60:00Z", "agent-7 2026-12-01T00:00:60Z", "agent-7 2026-00-01T00:00:00Z",
        "agent-7 2026-01-00T00:00:00Z", "agent-7 1969-12-31T23:59:59Z", "agent-7 1970-01-01T00:00:00Z",
        "agent-7 --", "agent-7 -x", "\"agent-7 -", "\"agent-7\"- x", "\"\" -", "\"a\\n\" -", "\"a\\", "\"",
        "a\x01 -", "a - x\ty", "a - x\r", "\xff -", "a - \xff", "a\xc2\x80 -", "a - \xc2\x9b", "# \xff",
        "-", "a -\xc2\xa0x",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        struct block_list *l = NULL;
        postern_error err = { 0 };

        (void)snprintf(text, sizeof text, "# first\nb - ok\n%s\nc - ok\n", cases[i]);
        if (block_list_parse(postern_bytes_str(text), &l, &err) != POSTERN_ERR_CONFIG_FILE)
            fail_msg("%s", cases[i]);
        assert_null(l);
        if (strncmp(err.detail, "line 3: ", 8) != 0)
            fail_msg("%s: %s", cases[i], err.detail);
    }
    assert_int_equal(block_list_parse(POSTERN_BYTES_LIT("a\0b -\n"), &(struct block_list *){ NULL }, NULL),
                     POSTERN_ERR_CONFIG_FILE);
}

/* `count` letters where %s stands. */
static postern_err parse_long(const char *format, size_t count)
{
    char letters[BLOCKS_LINE_MAX + 1], text[2 * BLOCKS_LINE_MAX];
    struct block_list *l = NULL;
    postern_err e;

    memset(letters, 'a', count);
    letters[count] = '\0';
    (void)snprintf(text, sizeof text, format, letters); /* lint: format because the test's own */
    e = block_list_parse(postern_bytes_str(text), &l, NULL);
    block_list_release(l);
    return e;
}

static void names_and_reasons_have_the_length_that_a_validation_compares(void **state)
{
    (void)state;
    assert_int_equal(parse_long("%s -", POSTERN_AGENT_MAX - 1), POSTERN_OK);
    assert_int_equal(parse_long("%s -", POSTERN_AGENT_MAX), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(parse_long("\"%s\" -", POSTERN_AGENT_MAX - 1), POSTERN_OK);
    assert_int_equal(parse_long("\"%s\" -", POSTERN_AGENT_MAX), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(parse_long("\"%s\" -", 1300), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(parse_long("a - %s", 255), POSTERN_OK);
    assert_int_equal(parse_long("a - %s", 256), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(parse_long("#%s", BLOCKS_LINE_MAX - 1), POSTERN_OK);
    assert_int_equal(parse_long("#%s", BLOCKS_LINE_MAX), POSTERN_ERR_CONFIG_FILE);
}

static void more_blocks_than_a_context_takes_are_refused(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    struct block_list *l = NULL;

    (void)state;
    for (int i = 0; i < POSTERN_BLOCKS_MAX; i++)
        postern_buf_addf(&text, "agent-%d -\n", i);
    assert_int_equal(block_list_parse(postern_buf_bytes(&text), &l, NULL), POSTERN_OK);
    assert_int_equal(l->count, POSTERN_BLOCKS_MAX);
    block_list_release(l);
    l = NULL;
    postern_buf_add_str(&text, "one-more -\n");
    assert_int_equal(block_list_parse(postern_buf_bytes(&text), &l, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(l);
}

static void assert_changed(const char *text, const struct block_change *c, const char *want)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    postern_error err = { 0 };

    if (blocks_text_change(postern_bytes_str(text), c, &out, &err) != POSTERN_OK)
        fail_msg("%s: %s", text, err.detail);
    if (strcmp(postern_buf_cstr(&out), want) != 0)
        fail_msg("got:\n%s\nwant:\n%s", postern_buf_cstr(&out), want);
}

static void a_change_leaves_everything_else_as_it_was(void **state)
{
    const struct block_change add = { "a", true, LATER_S, "stolen laptop", NOW_S };
    const struct block_change drop = { "a", false, 0, "", NOW_S };
    const struct block_change odd = { "a \"b\\", true, 0, "", NOW_S };
    const struct block_change hash = { "#a", true, 0, "x", NOW_S };

    (void)state;
    assert_changed("# mine\n\n  b\t-  kept as it is  \n", &add,
                   "# mine\n\n  b\t-  kept as it is  \na 2026-12-01T00:00:00Z stolen laptop\n");
    assert_changed("b -", &add, "b -\na 2026-12-01T00:00:00Z stolen laptop\n");
    assert_changed("a - x\nb -\na 2026-12-01T00:00:00Z y\n", &drop, "b -\n");
    assert_changed("\"a\" - x\nb -\n", &drop, "b -\n");
    assert_changed("A -\naa -\n# a -\n", &drop, "A -\naa -\n# a -\n");
    assert_changed("b -\n", &odd, "b -\n\"a \\\"b\\\\\" -\n");
    assert_changed("b -\n", &hash, "b -\n\"#a\" - x\n");
    assert_changed("", &add,
                   "# Blocked agents, one a line: AGENT UNTIL REASON; postern-control(7)\n"
                   "a 2026-12-01T00:00:00Z stolen laptop\n");
}

static void blocks_that_are_over_go_at_the_next_change(void **state)
{
    const struct block_change add = { "a", true, 0, "", LATER_S };

    (void)state;
    assert_changed("# b\nb 2026-12-01T00:00:00Z\nc 2026-12-01T00:00:01Z\n", &add,
                   "# b\nc 2026-12-01T00:00:01Z\na -\n");
}

static void a_broken_text_is_not_changed(void **state)
{
    const struct block_change add = { "a", true, 0, "", NOW_S };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(blocks_text_change(postern_bytes_str("b -\nwhat\n"), &add, &out, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "line 2: "));
}

static void a_written_list_is_read_again(void **state)
{
    static const char *const text = "a 2026-12-01T00:00:00Z x y\n\"b c\" -\n\"\\\"\" - z\n\"#\" -\n";
    struct block_list *l = parse(text), *again;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);

    (void)state;
    block_list_write(l, &out);
    again = parse(postern_buf_cstr(&out));
    assert_int_equal(again->count, l->count);
    for (size_t i = 0; i < l->count; i++) {
        assert_string_equal(again->entries[i].agent, l->entries[i].agent);
        assert_string_equal(again->entries[i].reason, l->entries[i].reason);
        assert_int_equal(again->entries[i].until_s, l->entries[i].until_s);
    }
    block_list_release(l);
    block_list_release(again);
}

static void a_kept_list_lives_until_the_last_release(void **state)
{
    struct block_list *l = parse("a -\n");

    (void)state;
    assert_ptr_equal(block_list_keep(l), l);
    block_list_release(l);
    assert_string_equal(l->entries[0].agent, "a");
    block_list_release(l);
    block_list_release(NULL);
}

static postern_err run_once(void *arg, postern_error *err)
{
    const struct block_change add = { "c", true, 0, "", NOW_S };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    struct block_list *l = NULL;

    POSTERN_TRY(block_list_parse(postern_bytes_str(arg), &l, err));
    block_list_release(l);
    return blocks_text_change(postern_bytes_str(arg), &add, &out, err);
}

static void no_memory_is_no_list(void **state)
{
    char text[] = "a - x\nb -\n";

    (void)state;
    assert_true(alloc_fail_sweep(run_once, text, POSTERN_OK) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_agent_time_and_reason),
        cmocka_unit_test(comments_and_blank_lines_are_no_blocks),
        cmocka_unit_test(an_agent_may_stand_there_twice),
        cmocka_unit_test(what_is_no_block_is_refused_with_its_line),
        cmocka_unit_test(names_and_reasons_have_the_length_that_a_validation_compares),
        cmocka_unit_test(more_blocks_than_a_context_takes_are_refused),
        cmocka_unit_test(a_change_leaves_everything_else_as_it_was),
        cmocka_unit_test(blocks_that_are_over_go_at_the_next_change),
        cmocka_unit_test(a_broken_text_is_not_changed),
        cmocka_unit_test(a_written_list_is_read_again),
        cmocka_unit_test(a_kept_list_lives_until_the_last_release),
        cmocka_unit_test(no_memory_is_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
