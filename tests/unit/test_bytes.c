/* SPDX-License-Identifier: BSD-2-Clause */
/* Views, readers, UTF-8, the buffer, secrets and the arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <postern/bytes.h>

#include "base/arena.h"

#define LIT(s) POSTERN_BYTES_LIT(s)

static void equal_compares_length_and_bytes(void **state)
{
    (void)state;
    assert_true(postern_bytes_equal(LIT("abc"), LIT("abc")));
    assert_true(postern_bytes_equal(POSTERN_BYTES_NONE, LIT("")));
    assert_false(postern_bytes_equal(LIT("abc"), LIT("abd")));
    assert_false(postern_bytes_equal(LIT("abc"), LIT("ab")));
    assert_true(postern_bytes_equal_str(LIT("abc"), "abc"));
    assert_true(postern_bytes_equal_str(POSTERN_BYTES_NONE, NULL));
    assert_false(postern_bytes_equal_str(LIT("abc\0d"), "abc"));
    assert_false(postern_bytes_equal_str(LIT("ab"), "abc"));
}

static void constant_time_equal_sees_a_difference_in_every_place(void **state)
{
    uint8_t a[37], b[37];

    (void)state;
    memset(a, 0x5A, sizeof a);
    memcpy(b, a, sizeof a);
    assert_true(
        postern_bytes_equal_ct((postern_bytes){ a, sizeof a }, (postern_bytes){ b, sizeof b }));
    assert_true(postern_bytes_equal_ct(POSTERN_BYTES_NONE, POSTERN_BYTES_NONE));
    assert_false(postern_bytes_equal_ct((postern_bytes){ a, 36 }, (postern_bytes){ b, 37 }));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(
            postern_bytes_equal_ct((postern_bytes){ a, sizeof a }, (postern_bytes){ b, sizeof b }));
        b[i] ^= 0x80;
    }
}

static void find_gives_the_place_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(postern_bytes_find(LIT("a.b.c"), '.'), 1);
    assert_int_equal(postern_bytes_find(LIT("abc"), '.'), 3);
    assert_int_equal(postern_bytes_find(POSTERN_BYTES_NONE, '.'), 0);
}

/* clang-format off */
static const struct {
    const char *why;
    postern_bytes in;
    bool want;
} utf8_cases[] = {
    { "empty", LIT(""), true },
    { "ASCII", LIT("a\0b\x7f"), true },
    { "first and last of two bytes", LIT("\xc2\x80\xdf\xbf"), true },
    { "first and last of three bytes", LIT("\xe0\xa0\x80\xef\xbf\xbf"), true },
    { "around the surrogates", LIT("\xed\x9f\xbf\xee\x80\x80"), true },
    { "first and last of four bytes", LIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true },
    { "overlong NUL", LIT("\xc0\x80"), false },
    { "overlong C1", LIT("\xc1\xbf"), false },
    { "overlong three bytes", LIT("\xe0\x9f\xbf"), false },
    { "overlong four bytes", LIT("\xf0\x8f\xbf\xbf"), false },
    { "surrogate D800", LIT("\xed\xa0\x80"), false },
    { "surrogate DFFF", LIT("\xed\xbf\xbf"), false },
    { "past U+10FFFF", LIT("\xf4\x90\x80\x80"), false },
    { "F5", LIT("\xf5\x80\x80\x80"), false },
    { "FF", LIT("a\xff"), false },
    { "lone continuation", LIT("a\x80"), false },
    { "cut after one of two", LIT("a\xc3"), false },
    { "cut after two of three", LIT("\xe2\x82"), false },
    { "cut after three of four", LIT("\xf0\x9f\x98"), false },
    { "third byte no continuation", LIT("\xe2\x82\x41"), false },
    { "fourth byte no continuation", LIT("\xf0\x9f\x98\xc0"), false },
};
/* clang-format on */

static void utf8_is_judged_by_rfc_3629(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8_cases / sizeof utf8_cases[0]; i++)
        if (postern_bytes_is_utf8(utf8_cases[i].in) != utf8_cases[i].want)
            fail_msg("%s", utf8_cases[i].why);
    assert_int_equal(postern_utf8_len(LIT("a")), 1);
    assert_int_equal(postern_utf8_len(LIT("\xf0\x9f\x98\x80z")), 4);
    assert_int_equal(postern_utf8_len(POSTERN_BYTES_NONE), 0);
}

static void printable_is_space_to_tilde(void **state)
{
    (void)state;
    assert_true(postern_bytes_is_printable(LIT(" ~aZ0")));
    assert_true(postern_bytes_is_printable(POSTERN_BYTES_NONE));
    assert_false(postern_bytes_is_printable(LIT("a\x1f")));
    assert_false(postern_bytes_is_printable(LIT("a\x7f")));
    assert_false(postern_bytes_is_printable(LIT("\xc3\xa4")));
}

static void control_characters_are_c0_del_and_c1(void **state)
{
    (void)state;
    assert_true(postern_bytes_has_control(LIT("a\x1f")));
    assert_true(postern_bytes_has_control(LIT("\x7f")));
    assert_true(postern_bytes_has_control(LIT("a\xc2\x80")));
    assert_true(postern_bytes_has_control(LIT("\xc2\x9f" "a")));
    assert_false(postern_bytes_has_control(LIT("\xc2\xa0"))); /* a no-break space prints */
    assert_false(postern_bytes_has_control(LIT("\xe4\x82\x80 ~")));
    assert_false(postern_bytes_has_control(POSTERN_BYTES_NONE));
}

static void a_reader_moves_on_success_only(void **state)
{
    postern_reader r = { LIT("n,a=x,Bearer tok") };
    postern_bytes part = POSTERN_BYTES_NONE;

    (void)state;
    assert_false(postern_reader_take_byte(&r, 'y'));
    assert_true(postern_reader_take_byte(&r, 'n'));
    assert_false(postern_reader_take_lit(&r, ",b"));
    assert_true(postern_reader_take_lit(&r, ",a="));
    assert_false(postern_reader_take_until(&r, ';', &part));
    assert_null(part.ptr);
    assert_true(postern_reader_take_until(&r, ',', &part));
    assert_true(postern_bytes_equal_str(part, "x"));
    assert_false(postern_reader_take_lit(&r, "BEARER "));
    assert_true(postern_reader_take_lit_nocase(&r, "bEARER "));
    assert_false(postern_reader_take_len(&r, 4, &part));
    assert_true(postern_reader_take_len(&r, 3, &part));
    assert_true(postern_bytes_equal_str(part, "tok"));
    assert_true(postern_reader_is_done(&r));
    assert_false(postern_reader_take_byte(&r, 0));
    assert_false(postern_reader_take_lit_nocase(&r, "x"));
    assert_false(postern_reader_take_until(&r, ',', &part));
}

static void case_folding_stops_at_ascii_letters(void **state)
{
    postern_reader r = { LIT("@[`{") };

    (void)state;
    assert_false(postern_reader_take_lit_nocase(&r, "`[`{"));
    assert_false(postern_reader_take_lit_nocase(&r, "@{`{"));
    assert_true(postern_reader_take_lit_nocase(&r, "@[`{"));
}

static void a_buffer_collects_what_is_added(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(1000);

    (void)state;
    assert_string_equal(postern_buf_cstr(&b), "");
    postern_buf_add_str(&b, "user=");
    postern_buf_add(&b, LIT("al\0ice"));
    postern_buf_add_byte(&b, ';');
    postern_buf_addf(&b, "%05d|%s", 42, "end");
    assert_false(b.failed);
    assert_true(postern_bytes_equal(postern_buf_bytes(&b), LIT("user=al\0ice;00042|end")));
    assert_string_equal(postern_buf_cstr(&b) + 8, "ice;00042|end");
}

static void a_buffer_holds_exactly_its_maximum(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(5);

    (void)state;
    postern_buf_add_str(&b, "12345");
    assert_false(b.failed);
    assert_string_equal(postern_buf_cstr(&b), "12345");
    postern_buf_add_byte(&b, '6');
    assert_true(b.failed);
    assert_int_equal(b.len, 5);
    assert_null(postern_buf_cstr(&b));
    postern_buf_reset(&b);
    assert_false(b.failed);
    postern_buf_addf(&b, "%s", "abcde");
    assert_string_equal(postern_buf_cstr(&b), "abcde");
    postern_buf_addf(&b, "%d", 1);
    assert_true(b.failed);
}

static void a_failed_buffer_takes_no_more(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(4);

    (void)state;
    postern_buf_add_str(&b, "too long");
    assert_true(b.failed);
    postern_buf_add_str(&b, "ok");
    assert_int_equal(b.len, 0);
}

static void a_length_that_would_wrap_is_refused(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(SIZE_MAX);

    (void)state;
    postern_buf_add_byte(&b, 'x');
    assert_true(b.failed);
    postern_buf_free(&b);
    b = POSTERN_BUF_INIT(SIZE_MAX - 1);
    postern_buf_add_byte(&b, 'x');
    assert_false(b.failed);
    postern_buf_add(&b, (postern_bytes){ (const uint8_t *)"x", SIZE_MAX - 1 });
    assert_true(b.failed);
    assert_int_equal(b.len, 1);
}

static void a_buffer_may_be_fed_from_itself_while_it_grows(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(100000);

    (void)state;
    postern_buf_add_str(&b, "0123456789");
    for (int i = 0; i < 8; i++)
        postern_buf_add(&b, postern_buf_bytes(&b));
    assert_false(b.failed);
    assert_int_equal(b.len, 2560);
    assert_memory_equal(b.ptr + 2550, "0123456789", 10);
}

static void a_reset_wipes_the_content(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(100);
    static const uint8_t zeros[6];

    (void)state;
    postern_buf_add_str(&b, "secret");
    postern_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_memory_equal(b.ptr, zeros, 6);
    postern_buf_free(&b);
    postern_buf_free(&b);
    postern_buf_free(NULL);
    assert_null(b.ptr);
    assert_int_equal(b.max, 100);
}

static void a_secret_copies_and_ends_with_a_nul(void **state)
{
    POSTERN_AUTO(secret) s = NULL;
    POSTERN_AUTO(secret) empty = NULL;

    (void)state;
    assert_int_equal(postern_secret_new(LIT("to\0ken"), &s, NULL), POSTERN_OK);
    assert_true(postern_bytes_equal(postern_secret_bytes(s), LIT("to\0ken")));
    assert_int_equal(postern_secret_bytes(s).ptr[6], 0);
    assert_int_equal(postern_secret_new(POSTERN_BYTES_NONE, &empty, NULL), POSTERN_OK);
    assert_int_equal(postern_secret_bytes(empty).len, 0);
    assert_int_equal(postern_secret_bytes(NULL).len, 0);
    postern_secret_free(NULL);
}

static void a_secret_of_absurd_length_is_out_of_memory(void **state)
{
    postern_secret *s = NULL;
    postern_error err;

    (void)state;
    assert_int_equal(postern_secret_new((postern_bytes){ (const uint8_t *)"", SIZE_MAX }, &s, &err),
                     POSTERN_ERR_NOMEM);
    assert_int_equal(err.code, POSTERN_ERR_NOMEM);
    assert_null(s);
}

static void an_arena_gives_zeroed_aligned_distinct_memory_up_to_its_maximum(void **state)
{
    postern_arena a = POSTERN_ARENA_INIT(10000);
    char *one = postern_arena_alloc(&a, 1), *two = postern_arena_alloc(&a, 0);
    char *big = postern_arena_alloc(&a, 9000);

    (void)state;
    assert_non_null(one);
    assert_non_null(two);
    assert_non_null(big);
    assert_ptr_not_equal(one, two);
    assert_int_equal((uintptr_t)two % _Alignof(max_align_t), 0);
    assert_int_equal(one[0], 0);
    assert_int_equal(big[8999], 0);
    assert_null(postern_arena_alloc(&a, 2000));
    assert_null(postern_arena_alloc(&a, SIZE_MAX));
    assert_non_null(postern_arena_alloc(&a, 900));
    postern_arena_free(&a);
    assert_null(a.head);
    assert_non_null(postern_arena_alloc(&a, 10000));
    assert_null(postern_arena_alloc(&a, 1));
    postern_arena_free(&a);
}

static void arena_text_ends_with_a_nul(void **state)
{
    postern_arena a = POSTERN_ARENA_INIT(64);

    (void)state;
    assert_string_equal(postern_arena_text(&a, LIT("alice")), "alice");
    assert_string_equal(postern_arena_text(&a, POSTERN_BYTES_NONE), "");
    assert_null(postern_arena_text(&a, (postern_bytes){ (const uint8_t *)"", SIZE_MAX }));
    assert_null(postern_arena_text(
        &a, LIT("0123456789012345678901234567890123456789012345678901234567890123")));
    postern_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_compares_length_and_bytes),
        cmocka_unit_test(constant_time_equal_sees_a_difference_in_every_place),
        cmocka_unit_test(find_gives_the_place_or_the_length),
        cmocka_unit_test(utf8_is_judged_by_rfc_3629),
        cmocka_unit_test(printable_is_space_to_tilde),
        cmocka_unit_test(control_characters_are_c0_del_and_c1),
        cmocka_unit_test(a_reader_moves_on_success_only),
        cmocka_unit_test(case_folding_stops_at_ascii_letters),
        cmocka_unit_test(a_buffer_collects_what_is_added),
        cmocka_unit_test(a_buffer_holds_exactly_its_maximum),
        cmocka_unit_test(a_failed_buffer_takes_no_more),
        cmocka_unit_test(a_length_that_would_wrap_is_refused),
        cmocka_unit_test(a_buffer_may_be_fed_from_itself_while_it_grows),
        cmocka_unit_test(a_reset_wipes_the_content),
        cmocka_unit_test(a_secret_copies_and_ends_with_a_nul),
        cmocka_unit_test(a_secret_of_absurd_length_is_out_of_memory),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_distinct_memory_up_to_its_maximum),
        cmocka_unit_test(arena_text_ends_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
