/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/username.c: the name of a token's user, out of one claim or a template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "oauth/username.h"

/* Claims, template: the name, or why there is none. */
static const struct {
    const char *text, *claims;
    postern_err want;
    const char *name;
} cases[] = {
    { "sub", "{\"sub\":\"alice\"}", POSTERN_OK, "alice" },
    { "${sub}", "{\"sub\":\"\\u0061lice\"}", POSTERN_OK, "alice" },
    { "ext.login.name", "{\"ext\":{\"login\":{\"name\":\"al\"}}}", POSTERN_OK, "al" },
    { "https://example.org/name", "{\"https://example.org/name\":\"al\"}", POSTERN_OK, "al" },
    { "email", "{\"email\":\"a@x\",\"email_verified\":true}", POSTERN_OK, "a@x" },
    { "${email}", "{\"email\":\"a@x\",\"email_verified\":true}", POSTERN_OK, "a@x" },
    { "user.email", "{\"user\":{\"email\":\"a@x\",\"email_verified\":true}}", POSTERN_OK, "a@x" },
    { "agent.${sub}", "{\"sub\":\"alice\"}", POSTERN_OK, "agent.alice" },
    { "${sub}@x", "{\"sub\":\"alice\"}", POSTERN_OK, "alice@x" },
    { "${azp}/${a.b}-z", "{\"azp\":\"c\",\"a\":{\"b\":\"\\u0064\"}}", POSTERN_OK, "c/d-z" },
    { "${a}.${b}", "{\"a\":\"x\",\"b\":\"y.z\"}", POSTERN_OK, "x.y.z" },
    { "${a}.${b}", "{\"a\":\"x.y\",\"b\":\"z\"}", POSTERN_ERR_NO_MAPPING, NULL },
    { "${a}::${b}", "{\"a\":\"x::\",\"b\":\"z\"}", POSTERN_ERR_NO_MAPPING, NULL },
    /* A separator that begins in one claim and ends behind it: "x" and "-y" are x---y too. */
    { "${a}--${b}", "{\"a\":\"x-\",\"b\":\"y\"}", POSTERN_ERR_NO_MAPPING, NULL },
    { "${a}--${b}", "{\"a\":\"x\",\"b\":\"-y\"}", POSTERN_OK, "x---y" },
    { "${a}-+-${b}", "{\"a\":\"x-+\",\"b\":\"y\"}", POSTERN_ERR_NO_MAPPING, NULL },
    { "${a}-+${b}", "{\"a\":\"x-\",\"b\":\"y\"}", POSTERN_OK, "x--+y" },
    { "email", "{\"email\":\"a@x\",\"email_verified\":false}", POSTERN_ERR_EMAIL_UNVERIFIED, NULL },
    { "email", "{\"email\":\"a@x\",\"email_verified\":\"true\"}", POSTERN_ERR_EMAIL_UNVERIFIED,
      NULL },
    { "email", "{\"email\":\"a@x\",\"email_verified\":1}", POSTERN_ERR_EMAIL_UNVERIFIED, NULL },
    { "email", "{\"email\":\"a@x\"}", POSTERN_ERR_EMAIL_UNVERIFIED, NULL },
    { "${sub}.${email}", "{\"sub\":\"a\",\"email\":\"a@x\"}", POSTERN_ERR_EMAIL_UNVERIFIED, NULL },
    { "user.email", "{\"user\":{\"email\":\"a@x\"},\"email_verified\":true}",
      POSTERN_ERR_EMAIL_UNVERIFIED, NULL },
    { "email", "{\"sub\":\"a\",\"email_verified\":true}", POSTERN_ERR_NO_MAPPING, NULL },
    { "preferred_username", "{\"sub\":\"a\"}", POSTERN_ERR_NO_MAPPING, NULL },
    { "${sub}.${x}", "{\"sub\":\"a\"}", POSTERN_ERR_NO_MAPPING, NULL },
    { "ext.login.name", "{\"ext\":{\"login\":\"al\"}}", POSTERN_ERR_NO_MAPPING, NULL },
    { "ext.login.name", "{\"ext\":[]}", POSTERN_ERR_NO_MAPPING, NULL },
    { "sub", "{\"sub\":7}", POSTERN_ERR_MALFORMED_CLAIM, NULL },
    { "sub", "{\"sub\":\"\"}", POSTERN_ERR_MALFORMED_CLAIM, NULL },
    { "x${sub}", "{\"sub\":\"\"}", POSTERN_ERR_MALFORMED_CLAIM, NULL },
    { "sub", "{\"sub\":\"a\\nb\"}", POSTERN_ERR_UNSAFE_IDENTITY, NULL },
    { "${sub}.${azp}", "{\"sub\":\"a\",\"azp\":\"a\\u0085b\"}", POSTERN_ERR_UNSAFE_IDENTITY, NULL },
};

struct one {
    const char *text, *claims;
    char name[1200];
};

static postern_err name_user(void *arg, postern_error *err)
{
    postern_arena arena = POSTERN_ARENA_INIT(1 << 16);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 16);
    POSTERN_AUTO_JSON j = { 0 };
    struct username_template t;
    struct one *one = arg;
    postern_bytes name = POSTERN_BYTES_NONE;
    postern_err e = postern_json_scan(&j, postern_bytes_str(one->claims), err);

    if (e == POSTERN_OK)
        e = postern_username_parse(&arena, one->text, &t, err);
    if (e == POSTERN_OK && !postern_username_is_plain(&t))
        e = postern_claims_reserve(&j, &scratch, err);
    if (e == POSTERN_OK)
        e = postern_claims_username(&t, &j, &scratch, &name, err);
    if (name.len != 0)
        memcpy(one->name, name.ptr, name.len);
    one->name[name.len] = '\0';
    postern_arena_free(&arena);
    return e;
}

static void a_token_names_one_user_or_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct one one = { cases[i].text, cases[i].claims, "" };
        postern_error err = { 0 };
        postern_err e;

        if (postern_username_fault(one.text) != NULL)
            fail_msg("%s: %s", one.text, postern_username_fault(one.text));
        e = name_user(&one, &err);
        if (e != cases[i].want || (e == POSTERN_OK && strcmp(one.name, cases[i].name) != 0))
            fail_msg("%s of %s: %s \"%s\" %s", one.text, one.claims, postern_err_reason(e),
                     one.name, err.detail);
    }
}

static void a_joined_name_has_at_most_1024_bytes(void **state)
{
    char claims[1200] = "{\"sub\":\"";
    struct one one = { "x${sub}", claims, "" };
    postern_error err = { 0 };
    size_t at = strlen(claims);

    (void)state;
    memset(claims + at, 'a', 1023);
    memcpy(claims + at + 1023, "\"}", 3);
    assert_int_equal(name_user(&one, &err), POSTERN_OK);
    assert_int_equal(strlen(one.name), 1024);
    memset(claims + at, 'a', 1024);
    memcpy(claims + at + 1024, "\"}", 3);
    assert_int_equal(name_user(&one, &err), POSTERN_ERR_UNSAFE_IDENTITY);
}

static void a_setting_is_a_path_or_a_template_with_text_between(void **state)
{
    static const char *const good[] = { "sub", "a.b", "${sub}", "a${b}c${d}e", "${a}-${b}-${c}-${d}",
                                        "${https://x/y}" };
    static const char *const bad[] = {
        "",       ".a",     "a.",    "a..b",       "a b",     "$",    "$sub",
        "${}",    "${sub",  "${a}${b}", "${a}{b}", "a}${b}",  "${a} x", "${.a}",
        "${a}-${b}-${c}-${d}-${e}", "$${a}", "${a$}", "x$", "\xc3\xa4${a}", "a\tb", "${a\tb}",
    };
    char path[258];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (postern_username_fault(good[i]) != NULL)
            fail_msg("%s: %s", good[i], postern_username_fault(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (postern_username_fault(bad[i]) == NULL)
            fail_msg("\"%s\" was taken", bad[i]);
    memset(path, 'a', sizeof path - 1);
    path[257] = '\0';
    assert_non_null(postern_username_fault(path));
    path[256] = '\0';
    assert_null(postern_username_fault(path));
}

/* Nobody compiles a setting that config_check.c has refused; if somebody does, it is no rule. */
static void a_setting_with_a_fault_is_not_compiled(void **state)
{
    static const char *const bad[] = { "${sub", "${}", "$", "${a}-${b}-${c}-${d}-${e}" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        postern_arena arena = POSTERN_ARENA_INIT(1 << 16);
        struct username_template template = { 0 };

        if (postern_username_parse(&arena, bad[i], &template, NULL) != POSTERN_ERR_CONFIG_VALUE)
            fail_msg("%s", bad[i]);
        assert_null(template.text);
        postern_arena_free(&arena);
    }
}

static void a_name_is_joined_only_where_room_was_made(void **state)
{
    postern_arena arena = POSTERN_ARENA_INIT(1 << 16);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 16);
    POSTERN_AUTO_JSON j = { 0 };
    struct username_template template;
    postern_bytes name = POSTERN_BYTES_NONE;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_json_scan(&j, POSTERN_BYTES_LIT("{\"sub\":\"alice\"}"), NULL),
                     POSTERN_OK);
    assert_int_equal(postern_username_parse(&arena, "x-${sub}", &template, NULL), POSTERN_OK);
    assert_int_equal(postern_claims_username(&template, &j, &scratch, &name, &err),
                     POSTERN_ERR_INTERNAL); /* it would move what views into it stand in */
    assert_string_equal(err.detail, "no room was made for a name");
    assert_int_equal(name.len, 0);
    postern_arena_free(&arena);
}

/* However little memory there is for rules: out of memory, or the whole template. */
static void a_template_is_compiled_whole_or_not_at_all(void **state)
{
    postern_err e = POSTERN_ERR_NOMEM;
    size_t failures = 0;

    (void)state;
    for (size_t max = 0; e != POSTERN_OK && max < 4096; max += 8) {
        postern_arena arena = POSTERN_ARENA_INIT(max);
        struct username_template template = { 0 };

        e = postern_username_parse(&arena, "x-${azp}.${sub}@y", &template, NULL);
        if (e == POSTERN_OK)
            assert_string_equal(template.after, "@y");
        else
            assert_int_equal(e, POSTERN_ERR_NOMEM);
        failures += e != POSTERN_OK;
        postern_arena_free(&arena);
    }
    assert_int_equal(e, POSTERN_OK);
    assert_true(failures >= 4);
}

static void every_failing_allocation_says_so(void **state)
{
    struct one one = { "x${sub}.${azp}", "{\"sub\":\"\\u0061\",\"azp\":\"b\"}", "" };

    (void)state;
    assert_true(alloc_fail_sweep(name_user, &one, POSTERN_OK) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_one_user_or_none),
        cmocka_unit_test(a_joined_name_has_at_most_1024_bytes),
        cmocka_unit_test(a_setting_is_a_path_or_a_template_with_text_between),
        cmocka_unit_test(a_setting_with_a_fault_is_not_compiled),
        cmocka_unit_test(a_name_is_joined_only_where_room_was_made),
        cmocka_unit_test(a_template_is_compiled_whole_or_not_at_all),
        cmocka_unit_test(every_failing_allocation_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
