/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/form.c: bodies of the token endpoint and HTTP Basic components, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern-private/form.h>

#include "tests/support/alloc_fail.h"

static postern_form *parse(const char *body)
{
    postern_form *f = NULL;
    postern_error err = { 0 };

    if (postern_form_parse(postern_bytes_str(body), &f, &err) != POSTERN_OK)
        fail_msg("%s: %s", body, err.detail);
    return f;
}

static void fields_are_decoded(void **state)
{
    static const struct {
        const char *body, *name, *want;
    } cases[] = {
        { "grant_type=client_credentials", "grant_type", "client_credentials" },
        { "a=1&b=2", "b", "2" },
        { "scope=mail.read+mail.write", "scope", "mail.read mail.write" },
        { "scope=mail.read%20mail.write", "scope", "mail.read mail.write" },
        { "resource=https%3A%2F%2Fx.example%2fimap", "resource", "https://x.example/imap" },
        { "a=b=c", "a", "b=c" },
        { "a%3Db=c", "a=b", "c" },
        { "n=%C3%A9", "n", "\xc3\xa9" },
        { "n=\xc3\xa9", "n", "\xc3\xa9" },
        { "&&a=1&&", "a", "1" },
        { "plus=%2B", "plus", "+" },
        { "=v", "", "v" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_form *f = parse(cases[i].body);

        assert_string_equal(postern_form_value(f, cases[i].name), cases[i].want);
        assert_int_equal(postern_form_count(f, cases[i].name), 1);
        postern_form_free(f);
    }
}

static void an_empty_value_counts_as_absent(void **state)
{
    static const char *const bodies[] = {
        "", "scope=", "scope", "scope=&scope", "&", "xscope=1&scopex=2&Scope=3"
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        postern_form *f = parse(bodies[i]);

        assert_null(postern_form_value(f, "scope"));
        assert_int_equal(postern_form_count(f, "scope"), 0);
        postern_form_free(f);
    }
}

static void a_repeated_name_is_kept_and_counted(void **state)
{
    postern_form *f = parse("resource=a&x=1&resource=&resource=b&resource=b");
    (void)state;
    assert_int_equal(postern_form_count(f, "resource"), 3);
    assert_string_equal(postern_form_value(f, "resource"), "a");
    assert_string_equal(postern_form_value_at(f, "resource", 1), "b");
    assert_string_equal(postern_form_value_at(f, "resource", 2), "b");
    assert_null(postern_form_value_at(f, "resource", 3));
    postern_form_free(f);
}

static void what_two_readers_could_read_differently_is_malformed(void **state)
{
    static const struct {
        const char *why;
        postern_bytes body;
    } cases[] = {
        { "percent at the end", POSTERN_BYTES_LIT("a=%") },
        { "one digit at the end", POSTERN_BYTES_LIT("a=%4") },
        { "no hex digits", POSTERN_BYTES_LIT("a=%zz") },
        { "second is no hex digit", POSTERN_BYTES_LIT("a=%4g") },
        { "cut by the separator", POSTERN_BYTES_LIT("a=%4&b=1") },
        { "encoded NUL in a value", POSTERN_BYTES_LIT("a=b%00c") },
        { "encoded NUL in a name", POSTERN_BYTES_LIT("a%00=b") },
        { "raw NUL", POSTERN_BYTES_LIT("a=b\0c") },
        { "overlong UTF-8", POSTERN_BYTES_LIT("a=%C0%80") },
        { "surrogate", POSTERN_BYTES_LIT("a=%ED%A0%80") },
        { "cut UTF-8", POSTERN_BYTES_LIT("a=%C3") },
        { "UTF-8 across name and value", POSTERN_BYTES_LIT("a%C3=%A9") },
        { "broken name with an empty value", POSTERN_BYTES_LIT("%=") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_form *f = NULL;
        postern_error err = { 0 };
        postern_err e = postern_form_parse(cases[i].body, &f, &err);

        if (e != POSTERN_ERR_MALFORMED)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
        assert_null(f);
        assert_int_equal(err.code, POSTERN_ERR_MALFORMED);
    }
}

static postern_err parse_filled(size_t len, const char *unit)
{
    char *body = malloc(len + 1);
    size_t unit_len = strlen(unit);
    postern_form *f = NULL;
    postern_err e;

    assert_non_null(body);
    for (size_t i = 0; i < len; i++)
        body[i] = unit[i % unit_len];
    e = postern_form_parse((postern_bytes){ (uint8_t *)body, len }, &f, NULL);
    postern_form_free(f);
    free(body);
    return e;
}

static void limits_hold_by_value(void **state)
{
    (void)state;
    assert_int_equal(parse_filled(POSTERN_FORM_BODY_MAX, "a"), POSTERN_OK);
    assert_int_equal(parse_filled(POSTERN_FORM_BODY_MAX, "&"), POSTERN_OK);
    assert_int_equal(parse_filled(POSTERN_FORM_BODY_MAX + 1, "a"), POSTERN_ERR_LIMIT);
    assert_int_equal(parse_filled(POSTERN_FORM_FIELDS_MAX * 4 - 1, "a=b&"), POSTERN_OK);
    assert_int_equal(parse_filled(POSTERN_FORM_FIELDS_MAX * 4 + 3, "a=b&"), POSTERN_ERR_LIMIT);
    assert_int_equal(parse_filled(POSTERN_FORM_FIELDS_MAX * 2, "a&"), POSTERN_OK);
}

static void encoding_keeps_the_safe_set_and_escapes_the_rest(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        { "AZaz09*-._", "AZaz09*-._" },     { " ", "+" }, { "+&=%~/:", "%2B%26%3D%25%7E%2F%3A" },
        { "\xc3\xa9\r\n", "%C3%A9%0D%0A" }, { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(256);

        postern_form_encode(postern_bytes_str(cases[i].in), &out);
        assert_string_equal(postern_buf_cstr(&out), cases[i].want);
    }
}

/* RFC 6749 appendix B's own example: U+0020 % & + U+00A3 U+20AC. */
static void rfc_6749_appendix_b_example_goes_both_ways(void **state)
{
    static const char raw[] = " %&+\xc2\xa3\xe2\x82\xac";
    static const char encoded[] = "+%25%26%2B%C2%A3%E2%82%AC";
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(256);
    (void)state;
    postern_form_encode(postern_bytes_str(raw), &out);
    assert_string_equal(postern_buf_cstr(&out), encoded);
    postern_buf_reset(&out);
    assert_int_equal(postern_form_decode(postern_bytes_str(encoded), &out, NULL), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&out), raw);
}

static void adding_fields_makes_a_body_that_parses_back(void **state)
{
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(256);
    postern_form *f;
    (void)state;
    postern_form_add(&body, "grant_type", POSTERN_BYTES_LIT("client_credentials"));
    postern_form_add(&body, "a&b", POSTERN_BYTES_LIT("c=d e"));
    assert_string_equal(postern_buf_cstr(&body), "grant_type=client_credentials&a%26b=c%3Dd+e");
    f = parse(postern_buf_cstr(&body));
    assert_string_equal(postern_form_value(f, "a&b"), "c=d e");
    postern_form_free(f);
}

static void decoding_one_component_judges_it_like_a_body(void **state)
{
    static const struct {
        const char *in;
        size_t max;
        postern_err want;
    } cases[] = {
        { "agent-7", 7, POSTERN_OK },
        { "agent%2D7", 7, POSTERN_OK },
        { "agent-78", 7, POSTERN_ERR_LIMIT },
        { "agent%", 64, POSTERN_ERR_MALFORMED },
        { "agent%00", 64, POSTERN_ERR_MALFORMED },
        { "agent%FF", 64, POSTERN_ERR_MALFORMED },
        { "", 64, POSTERN_OK },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(cases[i].max);

        assert_int_equal(postern_form_decode(postern_bytes_str(cases[i].in), &out, NULL),
                         cases[i].want);
    }
}

static postern_err parse_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(form) f = NULL;

    return postern_form_parse(postern_bytes_str(arg), &f, err);
}

static postern_err decode_once(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);

    return postern_form_decode(postern_bytes_str(arg), &out, err);
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    char body[] =
        "grant_type=client_credentials&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=a+b";
    (void)state;
    assert_true(alloc_fail_sweep(parse_once, body, POSTERN_OK) > 1);
    assert_true(alloc_fail_sweep(decode_once, body, POSTERN_OK) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_decoded),
        cmocka_unit_test(an_empty_value_counts_as_absent),
        cmocka_unit_test(a_repeated_name_is_kept_and_counted),
        cmocka_unit_test(what_two_readers_could_read_differently_is_malformed),
        cmocka_unit_test(limits_hold_by_value),
        cmocka_unit_test(encoding_keeps_the_safe_set_and_escapes_the_rest),
        cmocka_unit_test(rfc_6749_appendix_b_example_goes_both_ways),
        cmocka_unit_test(adding_fields_makes_a_body_that_parses_back),
        cmocka_unit_test(decoding_one_component_judges_it_like_a_body),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
