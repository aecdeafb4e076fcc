/* SPDX-License-Identifier: BSD-2-Clause */
/* `key: value` files: what is read, and the line and column of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/keyfile.h"
#include "../support/alloc_fail.h"

#define LIT(s) POSTERN_BYTES_LIT(s)

static const char sample[] = "# a service\n"
                             "service_names: imap pop\n"
                             "\n"
                             "Audience:\thttps://mail.example.org/imap#x\t \n"
                             "   https://mail.example.org/pop\n"
                             "# in between\n"
                             " \t \n"
                             "\thttps://mail.example.org/sieve\n"
                             "late:\n"
                             "  value of the next line\n"
                             "name:K\xc3\xb6ln:x";

static void keys_values_and_places_are_read(void **state)
{
    static const struct {
        const char *key, *value;
        int line, column;
    } want[] = {
        { "service_names", "imap pop", 2, 16 },
        { "audience",
          "https://mail.example.org/imap#x https://mail.example.org/pop "
          "https://mail.example.org/sieve",
          4, 11 },
        { "late", "value of the next line", 10, 3 },
        { "name", "K\xc3\xb6ln:x", 11, 6 },
    };
    POSTERN_AUTO(keyfile) f = NULL;

    (void)state;
    assert_int_equal(postern_keyfile_parse("imap.conf", postern_bytes_str(sample), &f, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_keyfile_count(f), 4);
    for (size_t i = 0; i < 4; i++) {
        const postern_keyfile_entry *e = postern_keyfile_at(f, i);

        assert_string_equal(e->key, want[i].key);
        assert_string_equal(e->value, want[i].value);
        assert_int_equal(e->line, want[i].line);
        assert_int_equal(e->column, want[i].column);
    }
    assert_null(postern_keyfile_at(f, 4));
}

static void a_file_without_entries_is_fine(void **state)
{
    static const char *const texts[] = { "", "\n", "# only\n", "  \n\t\n#x" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        POSTERN_AUTO(keyfile) f = NULL;

        assert_int_equal(postern_keyfile_parse("x", postern_bytes_str(texts[i]), &f, NULL),
                         POSTERN_OK);
        assert_int_equal(postern_keyfile_count(f), 0);
    }
    postern_keyfile_free(NULL);
}

/* clang-format off */
static const struct {
    postern_bytes text;
    postern_err   want;
    const char   *detail;
} refused[] = {
    { LIT("a: 1\nb 2\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:2:2: expected `key: value`" },
    { LIT("a: 1\nb\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:2:2: expected `key: value`" },
    { LIT("a : 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:2: expected `key: value`" },
    { LIT(": 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:1: expected `key: value`" },
    { LIT("a.b: 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:2: expected `key: value`" },
    { LIT("a=1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:2: expected `key: value`" },
    { LIT("\xc3\xa4: 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:1: expected `key: value`" },
    { LIT("\xef\xbb\xbf" "a: 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:1: expected `key: value`" },
    { LIT("a:\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:3: the value is missing" },
    { LIT("a: \t\nb: 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:3: the value is missing" },
    { LIT("a:\n \n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:3: the value is missing" },
    { LIT(" a: 1\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:1: a line that begins with a blank continues nothing" },
    { LIT("# c\n\tb\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:2:1: a line that begins with a blank continues nothing" },
    { LIT("a: 1\n  # b\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:2:3: a comment begins in column 1" },
    { LIT("a: 1\nb: 2\nA: 3\n"), POSTERN_ERR_CONFIG_KEY, "x:3:1: \"a\" stands twice, first in line 1" },
    { LIT("a: 1\na:\n"), POSTERN_ERR_CONFIG_KEY, "x:2:1: \"a\" stands twice, first in line 1" },
    { LIT("a: 1\r\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:5: a carriage return: save the file with Unix line ends" },
    { LIT("a: 1\nb: \0\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:2:4: a NUL byte: this is no text file" },
    { LIT("a: \x1b[0m\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:4: a control character" },
    { LIT("# \x07\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:3: a control character" },
    { LIT("a: \x7f\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:4: a control character" },
    { LIT("a: \xc3\xa4\xff\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:5: not UTF-8" },
    { LIT("a: \xed\xa0\x80\n"), POSTERN_ERR_CONFIG_SYNTAX, "x:1:4: not UTF-8" },
    { LIT("k234567890123456789012345678901234567890123456789012345678901234: 1\n"), POSTERN_ERR_CONFIG_SYNTAX,
      "x:1:1: the key is too long" },
};
/* clang-format on */

static void what_is_not_key_and_value_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        postern_keyfile *f = NULL;
        postern_error err;

        assert_string_equal(
            postern_err_reason(postern_keyfile_parse("x", refused[i].text, &f, &err)),
            postern_err_reason(refused[i].want));
        assert_string_equal(err.detail, refused[i].detail);
        assert_null(f);
    }
}

static void a_key_of_63_bytes_fits(void **state)
{
    POSTERN_AUTO(keyfile) f = NULL;

    (void)state;
    assert_int_equal(postern_keyfile_parse(
                         "x",
                         LIT("k23456789012345678901234567890123456789012345678901234567890123: 1"),
                         &f, NULL),
                     POSTERN_OK);
    assert_int_equal(strlen(postern_keyfile_at(f, 0)->key), 63);
}

static void lines_are_counted_up_to_the_limit(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_KEYFILE_MAX + 1);
    postern_error err;

    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        POSTERN_AUTO(keyfile) f = NULL;
        postern_err e;

        postern_buf_reset(&text);
        for (int i = 0; i < POSTERN_KEYFILE_LINES + extra; i++)
            postern_buf_addf(&text, "k%d: v\n", i);
        e = postern_keyfile_parse("x", postern_buf_bytes(&text), &f, &err);
        if (extra == 0) {
            assert_int_equal(e, POSTERN_OK);
            assert_int_equal(postern_keyfile_count(f), POSTERN_KEYFILE_LINES);
        } else {
            assert_int_equal(e, POSTERN_ERR_CONFIG_SYNTAX);
            assert_string_equal(err.detail, "x:4097:1: too many lines");
        }
    }
}

static void a_value_may_fill_the_file_and_no_more(void **state)
{
    POSTERN_AUTO(keyfile) f = NULL;
    char *text = malloc(POSTERN_KEYFILE_MAX + 1);
    postern_error err;

    (void)state;
    assert_non_null(text);
    memset(text, 'v', POSTERN_KEYFILE_MAX + 1);
    text[1] = ':';
    assert_int_equal(postern_keyfile_parse(
                         "x", (postern_bytes){ (uint8_t *)text, POSTERN_KEYFILE_MAX }, &f, &err),
                     POSTERN_OK);
    assert_int_equal(strlen(postern_keyfile_at(f, 0)->value), POSTERN_KEYFILE_MAX - 2);
    postern_keyfile_free(POSTERN_STEAL(f));
    assert_int_equal(
        postern_keyfile_parse("x", (postern_bytes){ (uint8_t *)text, POSTERN_KEYFILE_MAX + 1 }, &f,
                              &err),
        POSTERN_ERR_CONFIG_SYNTAX);
    assert_null(f);
    free(text);
}

static postern_err parse_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(keyfile) f = NULL;

    return postern_keyfile_parse("x", postern_bytes_str(arg), &f, err);
}

static void every_allocation_may_fail(void **state)
{
    char text[sizeof sample];

    (void)state;
    memcpy(text, sample, sizeof text);
    assert_true(alloc_fail_sweep(parse_once, text, POSTERN_OK) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_values_and_places_are_read),
        cmocka_unit_test(a_file_without_entries_is_fine),
        cmocka_unit_test(what_is_not_key_and_value_is_refused_with_its_place),
        cmocka_unit_test(a_key_of_63_bytes_fits),
        cmocka_unit_test(lines_are_counted_up_to_the_limit),
        cmocka_unit_test(a_value_may_fill_the_file_and_no_more),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
