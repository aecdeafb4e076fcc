/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of a scanned document, its accessors, limits, and the writer.  What is JSON at all:
 * test_json_suite.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern-private/json.h>

#include "../support/alloc_fail.h"

#define LIT(s) POSTERN_BYTES_LIT(s)

static void scan(postern_json *j, postern_bytes text)
{
    postern_error err;

    if (postern_json_scan(j, text, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static void members_are_found_by_name_and_only_there(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    uint32_t aud, act;

    (void)state;
    scan(&j, LIT("{\"iss\":\"https://"
                 "i\",\"aud\":[\"a\",\"b\"],\"act\":{\"sub\":\"bot\"},\"\\u0073ub\":\"x\"}"));
    aud = postern_json_member(&j, 0, "aud");
    act = postern_json_member(&j, 0, "act");
    assert_int_equal(postern_json_type_of(&j, aud), POSTERN_JSON_ARRAY);
    assert_int_equal(postern_json_type_of(&j, act), POSTERN_JSON_OBJECT);
    assert_true(postern_json_string_is(&j, postern_json_member(&j, act, "sub"), "bot"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "sub"), "x"));
    assert_int_equal(postern_json_member(&j, 0, "su"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, 0, "subs"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, 0, "\\u0073ub"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, 0, ""), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, aud, "a"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, POSTERN_JSON_ABSENT, "a"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_type_of(&j, POSTERN_JSON_ABSENT), POSTERN_JSON_NONE);
}

static void children_are_walked_in_order(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    static const char *const want[] = { "1", "[2,[3]]", "{\"x\":{}}", "\"4\"", "null" };
    uint32_t i;
    size_t seen = 0;

    (void)state;
    scan(&j, LIT("[1,[2,[3]],{\"x\":{}},\"4\",null]"));
    assert_int_equal(j.nodes[0].child_count, 5);
    for (i = postern_json_first(&j, 0); i != POSTERN_JSON_ABSENT; i = postern_json_next(&j, i)) {
        assert_true(postern_bytes_equal_str(postern_json_raw(&j, i), want[seen++]));
        assert_int_equal(j.nodes[i].key, 0);
        assert_false(postern_json_name_is(&j, i, ""));
    }
    assert_int_equal(seen, 5);
    assert_int_equal(postern_json_first(&j, 1), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_next(&j, 0), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_next(&j, 99), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_raw(&j, 99).len, 0);
}

static void offsets_cut_the_text_exactly(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    static const char text[] = " { \"ab\" : \"cd\" , \"e\" : -1.5e3 } ";

    (void)state;
    scan(&j, postern_bytes_str(text));
    assert_int_equal(j.count, 3);
    assert_memory_equal(text + j.nodes[0].start, "{ \"ab\" : \"cd\" , \"e\" : -1.5e3 }",
                        j.nodes[0].end - j.nodes[0].start);
    assert_int_equal(j.nodes[0].end, sizeof text - 2);
    assert_memory_equal(text + j.nodes[1].key, "ab", 2);
    assert_int_equal(j.nodes[1].key_end - j.nodes[1].key, 2);
    assert_memory_equal(text + j.nodes[1].start, "cd\"", 3);
    assert_int_equal(j.nodes[1].end - j.nodes[1].start, 2);
    assert_true(postern_bytes_equal_str(postern_json_raw(&j, 1), "\"cd\""));
    assert_true(postern_bytes_equal_str(postern_json_raw(&j, 2), "-1.5e3"));
}

static void a_plain_string_is_a_view_into_the_text(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    postern_bytes text = LIT("[\"plain\",7]"), got;

    (void)state;
    scan(&j, text);
    assert_true(postern_json_string(&j, 1, NULL, &got));
    assert_ptr_equal(got.ptr, text.ptr + 2);
    assert_true(postern_bytes_equal_str(got, "plain"));
    assert_false(postern_json_string(&j, 2, NULL, &got));
    assert_false(postern_json_string(&j, 0, NULL, &got));
    assert_false(postern_json_string(&j, POSTERN_JSON_ABSENT, NULL, &got));
}

static void an_escaped_string_is_unescaped_into_scratch(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(64);
    POSTERN_AUTO_BUF small = POSTERN_BUF_INIT(3);
    postern_bytes got = POSTERN_BYTES_NONE;

    (void)state;
    scan(&j,
         LIT("{\"\\u006b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20AC\\ud83d\\ude00\xc3\xbc!\"}"));
    assert_true(postern_json_string(&j, 1, &scratch, &got));
    assert_true(postern_bytes_equal_str(
        got, "\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xbc!"));
    assert_true(postern_json_string_is(
        &j, 1, "\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xbc!"));
    assert_false(postern_json_string_is(
        &j, 1, "\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xbc"));
    assert_false(postern_json_string_is(
        &j, 1, "\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xbc!!"));
    assert_true(postern_json_name(&j, 1, &scratch, &got));
    assert_true(postern_bytes_equal_str(got, "k"));
    assert_true(postern_json_name_is(&j, 1, "k"));
    assert_false(postern_json_name_is(&j, 1, "\\u006b"));
    assert_false(postern_json_name(&j, 0, &scratch, &got));
    assert_false(postern_json_string(&j, 1, &small, &got));
    assert_false(postern_json_string(&j, 1, NULL, &got));
}

/* clang-format off */
static const struct {
    const char *text;
    bool        is_integer;
    int64_t     integer;
    bool        is_date;
    int64_t     date_s;
} numbers[] = {
    { "0", true, 0, true, 0 },
    { "-0", true, 0, true, 0 },
    { "1700000000", true, 1700000000, true, 1700000000 },
    { "1700000000.0", true, 1700000000, true, 1700000000 },
    { "1700000000.999", false, 0, true, 1700000000 },
    { "1.7e9", false, 0, true, 1700000000 },
    { "17E8", false, 0, true, 1700000000 },
    { "17e+8", false, 0, true, 1700000000 },
    { "1700000000e0", false, 0, true, 1700000000 },
    { "17000000005e-1", false, 0, true, 1700000000 },
    { "0.0000000017e18", false, 0, true, 1700000000 },
    { "5e-1", false, 0, true, 0 },
    { "1e-999999999999", false, 0, true, 0 },
    { "0e999999999999", false, 0, true, 0 },
    { "-1", true, -1, false, 0 },
    { "-0.5", false, 0, false, 0 },
    { "-0.0", true, 0, true, 0 },
    { "9007199254740991", true, INT64_C(9007199254740991), true, INT64_C(9007199254740991) },
    { "-9007199254740991", true, -INT64_C(9007199254740991), false, 0 },
    { "9007199254740992", false, 0, false, 0 },
    { "9007199254740991.9", false, 0, true, INT64_C(9007199254740991) },
    { "9223372036854775808", false, 0, false, 0 },
    { "18446744073709551617", false, 0, false, 0 },
    { "1e15", false, 0, true, INT64_C(1000000000000000) },
    { "1e16", false, 0, false, 0 },
    { "1e400", false, 0, false, 0 },
    { "1e999999999999", false, 0, false, 0 },
    { "\"1700000000\"", false, 0, false, 0 },
    { "true", false, 0, false, 0 },
    { "null", false, 0, false, 0 },
    { "[1]", false, 0, false, 0 },
};
/* clang-format on */

static void numbers_are_exact_or_refused(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t integer = 77, date_s = 77;

        scan(&j, postern_bytes_str(numbers[i].text));
        if (postern_json_integer(&j, 0, &integer) != numbers[i].is_integer ||
            integer != (numbers[i].is_integer ? numbers[i].integer : 77))
            fail_msg("integer %s", numbers[i].text);
        if (postern_json_date(&j, 0, &date_s) != numbers[i].is_date ||
            date_s != (numbers[i].is_date ? numbers[i].date_s : 77))
            fail_msg("date %s", numbers[i].text);
    }
    assert_false(postern_json_integer(&j, POSTERN_JSON_ABSENT, &(int64_t){ 0 }));
}

/* 0.000…01e2001: the point moves over two thousand zeros to a one. */
static void a_date_with_a_long_fraction_is_exact(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4000);
    int64_t date_s = 0;

    (void)state;
    postern_buf_addf(&text, "0.%02000d1e2001", 0);
    scan(&j, postern_buf_bytes(&text));
    assert_true(postern_json_date(&j, 0, &date_s));
    assert_int_equal(date_s, 1);
}

static void the_number_of_values_is_limited(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(100000);
    postern_error err;

    (void)state;
    postern_buf_add_str(&text, "[0");
    for (int i = 2; i < POSTERN_JSON_NODES_MAX; i++)
        postern_buf_add_str(&text, ",0");
    postern_buf_add_str(&text, "]");
    scan(&j, postern_buf_bytes(&text));
    assert_int_equal(j.count, POSTERN_JSON_NODES_MAX);
    text.len--;
    postern_buf_add_str(&text, ",0]");
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&text), &err), POSTERN_ERR_LIMIT);
    assert_string_equal(err.detail, "JSON byte 8191: too many values");
    assert_int_equal(j.count, 0);
}

/* Members with names of their own, the last one `last`. */
static void put_members(postern_buf *text, int count, const char *last)
{
    postern_buf_reset(text);
    postern_buf_add_byte(text, '{');
    for (int i = 1; i < count; i++)
        postern_buf_addf(text, "\"%d\":0,", i);
    postern_buf_addf(text, "\"%s\":0}", last);
    assert_false(text->failed);
}

static void a_reader_of_larger_documents_may_ask_for_more_values(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes_max = POSTERN_JSON_NODES_LARGE };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);
    postern_error err;

    (void)state;
    put_members(&text, POSTERN_JSON_NODES_LARGE - 1, "x");
    scan(&j, postern_buf_bytes(&text));
    assert_int_equal(j.count, POSTERN_JSON_NODES_LARGE);
    put_members(&text, POSTERN_JSON_NODES_LARGE, "x");
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&text), &err), POSTERN_ERR_LIMIT);
    put_members(&text, POSTERN_JSON_NODES_LARGE - 1, "77"); /* among so many a double is seen too */
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&text), &err), POSTERN_ERR_MALFORMED);
    assert_int_equal(j.nodes_max, POSTERN_JSON_NODES_LARGE);
    postern_json_free(&j);
    j.nodes_max = UINT32_MAX; /* and no more than that */
    put_members(&text, POSTERN_JSON_NODES_LARGE, "x");
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&text), &err), POSTERN_ERR_LIMIT);
}

static void the_length_of_a_text_is_limited(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    uint8_t *text = malloc(POSTERN_JSON_TEXT_MAX + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', POSTERN_JSON_TEXT_MAX + 1);
    text[0] = '1';
    assert_int_equal(postern_json_scan(&j, (postern_bytes){ text, POSTERN_JSON_TEXT_MAX }, NULL),
                     POSTERN_OK);
    assert_int_equal(
        postern_json_scan(&j, (postern_bytes){ text, POSTERN_JSON_TEXT_MAX + 1 }, NULL),
        POSTERN_ERR_LIMIT);
    assert_int_equal(j.count, 0);
    free(text);
}

static void an_error_names_the_byte_and_shows_none(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    postern_error err;

    (void)state;
    assert_int_equal(postern_json_scan(&j, LIT("{\"secret\":1,\"secret\":2}"), &err),
                     POSTERN_ERR_MALFORMED);
    assert_string_equal(err.detail, "JSON byte 20: a name stands twice");
    assert_int_equal(postern_json_scan(&j, LIT("[1,]"), &err), POSTERN_ERR_MALFORMED);
    assert_string_equal(err.detail, "JSON byte 3: no value");
    assert_int_equal(postern_json_scan(&j, POSTERN_BYTES_NONE, NULL), POSTERN_ERR_MALFORMED);
}

static void the_index_is_reused(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    postern_json_node *first;

    (void)state;
    scan(&j, LIT("[1,2,3]"));
    first = j.nodes;
    alloc_fail_arm(1);
    scan(&j, LIT("{\"a\":[{\"b\":2}]}"));
    assert_false(alloc_fail_disarm());
    assert_ptr_equal(j.nodes, first);
    postern_json_free(&j);
    postern_json_free(&j);
    postern_json_free(NULL);
    assert_int_equal(postern_json_type_of(&j, 0), POSTERN_JSON_NONE);
}

static postern_err scan_once(void *arg, postern_error *err)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };

    return postern_json_scan(&j, postern_bytes_str(arg), err);
}

static void every_allocation_may_fail(void **state)
{
    char text[500] = "[";

    (void)state;
    for (size_t i = 1; i < 401; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text + 401, "1]", 3);
    assert_int_equal(alloc_fail_sweep(scan_once, text, POSTERN_OK), 3); /* 64, 128, 256 nodes */
}

static void the_writer_places_commas_and_escapes(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1000);
    postern_json_writer w = { &out, false };

    (void)state;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "a", "x\"\\\n\x7f/\xc3\xa4");
    postern_json_put_str(&w, "left_out", NULL);
    postern_json_put_str(&w, "left_out_too", "");
    postern_json_open_array(&w, "list");
    postern_json_put_integer(&w, NULL, INT64_MIN);
    postern_json_open_object(&w, NULL);
    postern_json_close_object(&w);
    postern_json_put_flag(&w, NULL, false);
    postern_json_close_array(&w);
    postern_json_put_raw(&w, "raw", LIT("[1]"));
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_string(&w, "e", POSTERN_BYTES_NONE);
    postern_json_close_object(&w);
    assert_string_equal(
        postern_buf_cstr(&out),
        "{\"a\":\"x\\\"\\\\\\u000a\\u007f/\xc3\xa4\",\"list\":[-9223372036854775808,{},false],"
        "\"raw\":[1],\"ok\":true,\"e\":\"\"}");
}

static void the_writer_makes_any_bytes_readable_again(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4000);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(4000);
    postern_json_writer w = { &out, false };
    uint8_t every[256];
    postern_bytes got;

    (void)state;
    for (unsigned i = 0; i < sizeof every; i++)
        every[i] = (uint8_t)i;
    postern_json_open_array(&w, NULL);
    postern_json_put_string(&w, NULL, (postern_bytes){ every, sizeof every });
    postern_json_put_string(&w, NULL,
                            LIT("\xed\xa0\x80"
                                "a\xe2\x82"));
    postern_json_close_array(&w);
    scan(&j, postern_buf_bytes(&out));
    assert_true(postern_json_string(&j, 1, &scratch, &got));
    assert_int_equal(got.len, 127 + 129 * 3); /* 01..7F as they are, NUL and 80..FF as U+FFFD */
    assert_memory_equal(got.ptr + 3, every + 1, 127);
    assert_true(postern_json_string_is(&j, 2,
                                       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                       "a\xef\xbf\xbd\xef\xbf\xbd"));
}

/* Wherever it stands: the writer looks at eight bytes at a time. */
static void a_byte_is_written_at_each_place_as_it_is_alone(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        uint8_t alone[1] = { (uint8_t)c }, text[19];
        POSTERN_AUTO_BUF want = POSTERN_BUF_INIT(64);
        postern_json_writer w = { &want, false };

        postern_json_put_string(&w, NULL, (postern_bytes){ alone, 1 });
        for (size_t at = 0; at < sizeof text; at++) {
            POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(64);

            w = (postern_json_writer){ &out, false };
            memset(text, 'x', sizeof text);
            text[at] = (uint8_t)c;
            postern_json_put_string(&w, NULL, (postern_bytes){ text, sizeof text });
            assert_int_equal(out.len, want.len + sizeof text - 1);
            assert_memory_equal(out.ptr + 1, text, at);
            assert_memory_equal(out.ptr + 1 + at, want.ptr + 1, want.len - 2);
            for (size_t i = at + want.len - 1; i < out.len - 1; i++)
                assert_int_equal(out.ptr[i], 'x');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_name_and_only_there),
        cmocka_unit_test(children_are_walked_in_order),
        cmocka_unit_test(offsets_cut_the_text_exactly),
        cmocka_unit_test(a_plain_string_is_a_view_into_the_text),
        cmocka_unit_test(an_escaped_string_is_unescaped_into_scratch),
        cmocka_unit_test(numbers_are_exact_or_refused),
        cmocka_unit_test(a_date_with_a_long_fraction_is_exact),
        cmocka_unit_test(the_number_of_values_is_limited),
        cmocka_unit_test(a_reader_of_larger_documents_may_ask_for_more_values),
        cmocka_unit_test(the_length_of_a_text_is_limited),
        cmocka_unit_test(an_error_names_the_byte_and_shows_none),
        cmocka_unit_test(the_index_is_reused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_writer_places_commas_and_escapes),
        cmocka_unit_test(the_writer_makes_any_bytes_readable_again),
        cmocka_unit_test(a_byte_is_written_at_each_place_as_it_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
