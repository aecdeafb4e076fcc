/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/audit/args_digest.c: as an independent HMAC says (Python's), and no two lists of pieces alike. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <postern-private/args_digest.h>

static struct args_digest_key count_up(void)
{
    struct args_digest_key k;

    for (size_t i = 0; i < sizeof k.bytes; i++)
        k.bytes[i] = (uint8_t)i;
    return k;
}

static void the_digest_is_what_another_implementation_says(void **state)
{
    const struct args_digest_key key = count_up();
    const postern_bytes pieces[] = { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("1") };
    char text[ARGS_DIGEST_MAX];

    (void)state;
    assert_true(args_digest_make(&key, "redis:SET", NULL, pieces, 2, text));
    assert_string_equal(text, "ssycPwj4jRi9MW6qSssSw8slc3zssE2rzXoqQ_c_GjY");
    assert_true(args_digest_make(&key, NULL, NULL, NULL, 0, text));
    assert_string_equal(text, "ODbjyHl5S7Pqx8fZ65SmCKtOnfUrnVLPG_to6q-GS4s");
}

static void no_two_lists_of_pieces_have_one_digest(void **state)
{
    static const struct {
        const char *action, *database;
        size_t count;
        postern_bytes pieces[3];
    } lists[] = {
        { "redis:SET", NULL, 2, { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc") } },
        { "redis:SET", NULL, 2, { POSTERN_BYTES_LIT("ab"), POSTERN_BYTES_LIT("c") } },
        { "redis:SET", NULL, 1, { POSTERN_BYTES_LIT("abc") } },
        { "redis:SET", NULL, 3, { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc"), POSTERN_BYTES_LIT("") } },
        { "redis:SET", NULL, 3, { POSTERN_BYTES_LIT(""), POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc") } },
        { "redis:SETa", NULL, 1, { POSTERN_BYTES_LIT("bc") } },
        { "redis:SET", NULL, 2, { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("b\0") } },
        { "redis:SET", NULL, 0, { POSTERN_BYTES_NONE } },
        { "redis:SET", "3", 2, { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc") } },
        { "redis:SET", "33", 2, { POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc") } },
        { "redis:SET", NULL, 3, { POSTERN_BYTES_LIT("3"), POSTERN_BYTES_LIT("a"), POSTERN_BYTES_LIT("bc") } },
        { "redis:SET", "3", 0, { POSTERN_BYTES_NONE } },
    };
    enum { COUNT = sizeof lists / sizeof lists[0] };
    const struct args_digest_key key = count_up();
    char texts[COUNT][ARGS_DIGEST_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(args_digest_make(&key, lists[i].action, lists[i].database, lists[i].pieces, lists[i].count, texts[i]));
        assert_int_equal(strlen(texts[i]), ARGS_DIGEST_MAX - 1);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(texts[i], texts[k]);
    }
}

static void another_key_makes_another_digest(void **state)
{
    struct args_digest_key key = count_up();
    char one[ARGS_DIGEST_MAX], other[ARGS_DIGEST_MAX];

    (void)state;
    assert_true(args_digest_make(&key, "redis:GET", NULL, NULL, 0, one));
    key.bytes[ARGS_DIGEST_KEY_LEN - 1] ^= 1;
    assert_true(args_digest_make(&key, "redis:GET", NULL, NULL, 0, other));
    assert_string_not_equal(one, other);
}

static void the_first_database_is_as_none(void **state)
{
    const struct args_digest_key key = count_up();
    const postern_bytes piece = POSTERN_BYTES_LIT("k");
    char none[ARGS_DIGEST_MAX], first[ARGS_DIGEST_MAX], third[ARGS_DIGEST_MAX];

    (void)state;
    assert_true(args_digest_make(&key, "redis:DEL", NULL, &piece, 1, none));
    assert_true(args_digest_make(&key, "redis:DEL", "", &piece, 1, first));
    assert_string_equal(none, first);
    assert_true(args_digest_make(&key, "redis:DEL", "3", &piece, 1, third));
    assert_string_equal(third, "CG5AqKS0Fvwy_fFkuka_7lfhrMHIReeVDu852uKf1c4");
}

static void whoever_makes_many_makes_each_as_if_it_were_the_first(void **state)
{
    const struct args_digest_key key = count_up();
    struct args_digest_maker *m = args_digest_maker_new(&key);
    char one[ARGS_DIGEST_MAX], other[ARGS_DIGEST_MAX], text[200];

    (void)state;
    assert_non_null(m);
    memset(text, 'x', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        const postern_bytes pieces[] = { { (const uint8_t *)text, len }, POSTERN_BYTES_LIT("k") };
        const char *database = len % 3 == 0 ? NULL : "2";

        assert_true(args_digest_make(&key, "redis:SET", database, pieces, len % 2 + 1, one));
        assert_true(args_digest_make_with(m, "redis:SET", database, pieces, len % 2 + 1, other));
        assert_string_equal(one, other);
    }
    args_digest_maker_free(m);
    args_digest_maker_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_what_another_implementation_says),
        cmocka_unit_test(no_two_lists_of_pieces_have_one_digest),
        cmocka_unit_test(another_key_makes_another_digest),
        cmocka_unit_test(the_first_database_is_as_none),
        cmocka_unit_test(whoever_makes_many_makes_each_as_if_it_were_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
