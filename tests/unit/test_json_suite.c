/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own JSON parsing suite: y_ must be accepted, n_ must be refused as MALFORMED, l_ as LIMIT
 * (RFC 8259 and the design's limits). Each case runs twice in one postern_json (storage is reused)
 * and in a block of exactly its own size (ASan sees an overread), and each y_ is refused when it is
 * cut short anywhere, as far as that leaves no value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern-private/json.h>

#define LIT(s) POSTERN_BYTES_LIT(s)

/* clang-format off */
static const struct {
    const char   *name;
    postern_bytes text;
} cases[] = {
    { "y_object_empty", LIT("{}") },
    { "y_array_empty", LIT("[]") },
    { "y_space_everywhere", LIT(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n") },
    { "y_root_string", LIT("\"a\"") },
    { "y_root_string_empty", LIT("\"\"") },
    { "y_root_number", LIT("0") },
    { "y_root_true", LIT("true") },
    { "y_root_null", LIT(" null ") },
    { "y_name_empty", LIT("{\"\":1}") },
    { "y_names_that_share_8_bytes_in_front", LIT("{\"resource\":1,\"resource_access\":2,\"resource_owner\":3}") },
    { "y_names_that_share_both_ends", LIT("{\"aaaaaaaa-1-bbbbbbbb\":1,\"aaaaaaaa-2-bbbbbbbb\":2}") },
    { "y_names_of_7_and_8", LIT("{\"abcdefg\":1,\"abcdefgh\":2,\"abcdefghi\":3}") },
    { "y_names_that_differ_in_case", LIT("{\"sub\":1,\"Sub\":2}") },
    { "y_names_equal_in_other_objects", LIT("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}") },
    { "y_name_escaped", LIT("{\"\\u0073ub\":1,\"aud\":2}") },
    { "y_name_escaped_prefix_of_other", LIT("{\"\\u0061\":1,\"ab\":2,\"\":3}") },
    { "y_17_names", LIT("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}") },
    { "y_string_escapes", LIT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"]") },
    { "y_string_surrogate_pair", LIT("[\"\\uD83D\\uDE00\"]") },
    { "y_string_last_code_point", LIT("[\"\\udbff\\udfff\"]") },
    { "y_string_around_surrogates", LIT("[\"\\ud7ff\\ue000\"]") },
    { "y_string_del_and_solidus", LIT("[\"\x7f/\"]") },
    { "y_string_utf8", LIT("[\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"]") },
    { "y_string_noncharacter", LIT("[\"\xef\xbf\xbf\"]") },
    { "y_string_16_plain", LIT("[\"0123456789abcdef\"]") },
    { "y_string_quote_at_each_place", LIT("[\"\",\"1\",\"12\",\"123\",\"1234\",\"12345\",\"123456\",\"1234567\",\"12345678\",\"123456789\"]") },
    { "y_number_negative_zero", LIT("[-0]") },
    { "y_number_fraction", LIT("[0.5,-1.25,10.0]") },
    { "y_number_exponent", LIT("[1e5,1E5,1e+5,1e-5,0e0,1.5e300]") },
    { "y_number_huge", LIT("[1e999999,123456789012345678901234567890]") },
    { "y_depth_16", LIT("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]") },
    { "y_depth_16_objects", LIT("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}") },

    { "n_empty", LIT("") },
    { "n_only_space", LIT(" \n") },
    { "n_nul", LIT("\0") },
    { "n_bom", LIT("\xef\xbb\xbf{}") },
    { "n_utf16", LIT("{\0}\0") },
    { "n_trailing_brace", LIT("{}}") },
    { "n_trailing_value", LIT("{} {}") },
    { "n_trailing_nul", LIT("{}\0") },
    { "n_trailing_nul_and_more", LIT("{\"a\":1}\0,\"b\":2}") },
    { "n_trailing_comma_root", LIT("{},") },
    { "n_trailing_form_feed", LIT("{}\x0c") },
    { "n_trailing_nbsp", LIT("{}\xc2\xa0") },
    { "n_two_numbers", LIT("1 2") },
    { "n_object_open", LIT("{") },
    { "n_object_name_only", LIT("{\"a\"") },
    { "n_object_no_value", LIT("{\"a\":") },
    { "n_object_not_closed", LIT("{\"a\":1") },
    { "n_object_trailing_comma", LIT("{\"a\":1,}") },
    { "n_object_leading_comma", LIT("{,\"a\":1}") },
    { "n_object_two_commas", LIT("{\"a\":1,,\"b\":2}") },
    { "n_object_no_comma", LIT("{\"a\":1 \"b\":2}") },
    { "n_object_no_colon", LIT("{\"a\" 1}") },
    { "n_object_two_colons", LIT("{\"a\"::1}") },
    { "n_object_equals", LIT("{\"a\"=1}") },
    { "n_object_name_unquoted", LIT("{a:1}") },
    { "n_object_name_single_quotes", LIT("{'a':1}") },
    { "n_object_name_number", LIT("{1:1}") },
    { "n_object_name_null", LIT("{null:1}") },
    { "n_object_value_missing", LIT("{\"a\":}") },
    { "n_object_closed_by_bracket", LIT("{\"a\":1]") },
    { "n_object_comment", LIT("{/**/\"a\":1}") },
    { "n_object_line_comment", LIT("{\"a\":1}//") },
    { "n_array_open", LIT("[") },
    { "n_array_not_closed", LIT("[1") },
    { "n_array_trailing_comma", LIT("[1,]") },
    { "n_array_only_comma", LIT("[,]") },
    { "n_array_no_comma", LIT("[1 2]") },
    { "n_array_colon", LIT("[\"a\":1]") },
    { "n_array_closed_by_brace", LIT("[1}") },
    { "n_close_first", LIT("]") },
    { "n_duplicate_plain", LIT("{\"sub\":1,\"sub\":2}") },
    { "n_duplicate_apart", LIT("{\"sub\":1,\"aud\":2,\"exp\":3,\"sub\":1}") },
    { "n_duplicate_empty_name", LIT("{\"\":1,\"\":2}") },
    { "n_duplicate_escaped_second", LIT("{\"sub\":1,\"\\u0073ub\":2}") },
    { "n_duplicate_escaped_first", LIT("{\"\\u0073ub\":1,\"sub\":2}") },
    { "n_duplicate_both_escaped_differently", LIT("{\"s\\u0075b\":1,\"\\u0073ub\":2}") },
    { "n_duplicate_solidus", LIT("{\"a/b\":1,\"a\\/b\":2}") },
    { "n_duplicate_utf8_and_escape", LIT("{\"\xc3\xa4\":1,\"\\u00E4\":2}") },
    { "n_duplicate_pair_and_utf8", LIT("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}") },
    { "n_duplicate_of_8_bytes", LIT("{\"abcdefgh\":1,\"abcdefgh\":2}") },
    { "n_duplicate_long", LIT("{\"preferred_username\":1,\"x\":2,\"preferred_username\":3}") },
    { "n_duplicate_nested", LIT("{\"act\":{\"sub\":\"a\",\"sub\":\"b\"}}") },
    { "n_duplicate_deep_in_array", LIT("[[[{\"a\":[{\"b\":1,\"b\":1}]}]]]") },
    { "n_duplicate_around_nested", LIT("{\"a\":{\"b\":1},\"a\":2}") },
    { "n_duplicate_17th", LIT("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"a\":1}") },
    { "n_duplicate_after_long_likes", LIT("{\"resource\":1,\"resource_access\":2,\"x\":3,\"x\":4}") },
    { "n_name_nul_escape", LIT("{\"sub\\u0000\":1}") },
    { "n_name_nul_raw", LIT("{\"sub\0\":1}") },
    { "n_name_not_utf8", LIT("{\"\xff\":1}") },
    { "n_name_lone_surrogate", LIT("{\"\\ud800\":1}") },
    { "n_name_control", LIT("{\"a\nb\":1}") },
    { "n_string_nul_escape", LIT("[\"alice\\u0000\"]") },
    { "n_string_nul_raw", LIT("[\"alice\0\"]") },
    { "n_string_newline", LIT("[\"a\nb\"]") },
    { "n_string_tab", LIT("[\"a\tb\"]") },
    { "n_string_unit_separator", LIT("[\"a\x1f\"]") },
    { "n_string_control_in_9th_place", LIT("[\"12345678\x01\"]") },
    { "n_string_not_closed", LIT("[\"abc]") },
    { "n_string_ends_in_backslash", LIT("[\"abc\\") },
    { "n_string_escaped_quote_only", LIT("[\"abc\\\"]") },
    { "n_string_bad_escape", LIT("[\"\\x41\"]") },
    { "n_string_escape_nul", LIT("[\"\\\0\"]") },
    { "n_string_escape_apostrophe", LIT("[\"\\'\"]") },
    { "n_string_escape_upper_u", LIT("[\"\\U0041\"]") },
    { "n_string_escape_newline", LIT("[\"\\\n\"]") },
    { "n_string_u_3_digits", LIT("[\"\\u004\"]") },
    { "n_string_u_no_hex", LIT("[\"\\u00g1\"]") },
    { "n_string_u_sign", LIT("[\"\\u+041\"]") },
    { "n_string_u_cut", LIT("[\"\\u00") },
    { "n_string_lone_high", LIT("[\"\\ud83d\"]") },
    { "n_string_lone_low", LIT("[\"\\ude00\"]") },
    { "n_string_high_high", LIT("[\"\\ud83d\\ud83d\"]") },
    { "n_string_low_high", LIT("[\"\\ude00\\ud83d\"]") },
    { "n_string_high_and_text", LIT("[\"\\ud83dx\"]") },
    { "n_string_high_and_escape", LIT("[\"\\ud83d\\n\"]") },
    { "n_string_high_and_cut", LIT("[\"\\ud83d\\u") },
    { "n_string_single_quotes", LIT("['a']") },
    { "n_string_overlong_quote", LIT("[\"\xc0\xa2\"]") },
    { "n_string_overlong_nul", LIT("[\"\xc0\x80\"]") },
    { "n_string_cesu_surrogates", LIT("[\"\xed\xa0\xbd\xed\xb8\x80\"]") },
    { "n_string_utf8_cut_by_quote", LIT("[\"\xe2\x82\"]") },
    { "n_string_utf8_cut_by_end", LIT("\"\xe2\x82") },
    { "n_string_latin1", LIT("[\"\xe4\"]") },
    { "n_string_past_unicode", LIT("[\"\xf4\x90\x80\x80\"]") },
    { "n_number_plus", LIT("[+1]") },
    { "n_number_leading_zero", LIT("[012]") },
    { "n_number_leading_zeros", LIT("[00]") },
    { "n_number_negative_leading_zero", LIT("[-01]") },
    { "n_number_minus", LIT("[-]") },
    { "n_number_two_minus", LIT("[--1]") },
    { "n_number_bare_point", LIT("[.5]") },
    { "n_number_ends_in_point", LIT("[1.]") },
    { "n_number_point_exponent", LIT("[1.e5]") },
    { "n_number_two_points", LIT("[1.2.3]") },
    { "n_number_bare_exponent", LIT("[1e]") },
    { "n_number_exponent_sign", LIT("[1e+]") },
    { "n_number_exponent_point", LIT("[1e5.0]") },
    { "n_number_hex", LIT("[0x10]") },
    { "n_number_underscore", LIT("[1_000]") },
    { "n_number_nan", LIT("[NaN]") },
    { "n_number_negative_nan", LIT("[-NaN]") },
    { "n_number_infinity", LIT("[Infinity]") },
    { "n_number_negative_infinity", LIT("[-Infinity]") },
    { "n_number_full_width", LIT("[\xef\xbc\x91]") },
    { "n_number_then_letter", LIT("[1a]") },
    { "n_root_minus_at_end", LIT("-") },
    { "n_root_exponent_at_end", LIT("1e") },
    { "n_word_upper", LIT("[TRUE]") },
    { "n_word_cut", LIT("[tru]") },
    { "n_word_cut_at_end", LIT("fals") },
    { "n_word_longer", LIT("[nullx]") },
    { "n_word_undefined", LIT("[undefined]") },

    { "l_depth_17", LIT("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]") },
    { "l_depth_17_mixed", LIT("[{\"a\":[{\"a\":[{\"a\":[{\"a\":[{\"a\":[{\"a\":[{\"a\":[{\"a\":[]}]}]}]}]}]}]}]}]") },
};
/* clang-format on */
#define CASE_COUNT (sizeof cases / sizeof cases[0])

static postern_err wanted(const char *name)
{
    return name[0] == 'y' ? POSTERN_OK : name[0] == 'l' ? POSTERN_ERR_LIMIT : POSTERN_ERR_MALFORMED;
}

/* Scan a copy in a block of exactly `len` bytes. */
static postern_err scan_copy(postern_json *j, const uint8_t *text, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    postern_err e;

    assert_non_null(copy);
    memcpy(copy, text, len);
    e = postern_json_scan(j, (postern_bytes){ copy, len }, NULL);
    free(copy);
    j->text = POSTERN_BYTES_NONE;
    return e;
}

static void every_case_gets_its_verdict(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };

    (void)state;
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < CASE_COUNT; i++) {
            postern_err e = scan_copy(&j, cases[i].text.ptr, cases[i].text.len);

            if (e != wanted(cases[i].name))
                fail_msg("%s: %s", cases[i].name, postern_err_reason(e));
            if (e != POSTERN_OK && postern_json_type_of(&j, 0) != POSTERN_JSON_NONE)
                fail_msg("%s: refused, and yet there is a root", cases[i].name);
        }
}

static void every_cut_of_a_container_is_refused(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };

    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        size_t len = cases[i].text.len;

        if (cases[i].name[0] != 'y' || cases[i].text.ptr[0] == '"')
            continue;
        while (len > 0 && cases[i].text.ptr[len - 1] != '}' && cases[i].text.ptr[len - 1] != ']')
            len--;
        while (len-- > 0)
            if (scan_copy(&j, cases[i].text.ptr, len) != POSTERN_ERR_MALFORMED)
                fail_msg("%s: accepted when cut to %zu bytes", cases[i].name, len);
    }
}

/* A name that stands twice is found wherever the second one is, with any number of other names
 * around. */
static void a_duplicate_is_found_at_every_place_of_a_large_object(void **state)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(100000);

    (void)state;
    for (int count = 1; count < 40; count++)
        for (int twin = -1; twin < count; twin++) {
            postern_buf_reset(&text);
            for (int i = 0; i < count; i++)
                postern_buf_addf(&text, "%c\"name_of_member_%d\":%d", i == 0 ? '{' : ',',
                                 i * 7 % 41, i);
            if (twin >= 0)
                postern_buf_addf(&text, ",\"name_of_member_%d\":null", twin * 7 % 41);
            postern_buf_add_byte(&text, '}');
            assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&text), NULL),
                             twin < 0 ? POSTERN_OK : POSTERN_ERR_MALFORMED);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gets_its_verdict),
        cmocka_unit_test(every_cut_of_a_container_is_refused),
        cmocka_unit_test(a_duplicate_is_found_at_every_place_of_a_large_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
