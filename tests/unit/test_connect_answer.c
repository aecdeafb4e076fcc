/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/connect_answer.c: the one line of a door that may be hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "connect_answer.h"
#include "tests/support/alloc_fail.h"

/* ---- the line ---- */

static void a_line_is_found_as_soon_as_it_is_whole(void **state)
{
    static const char whole[] = "OK {\"a\":1}\r\nbanner";
    postern_bytes line = POSTERN_BYTES_NONE;
    size_t used = 0;

    (void)state;
    for (size_t len = 0; len < strlen("OK {\"a\":1}\r\n"); len++)
        assert_int_equal(
            connect_answer_find((postern_bytes){ (const uint8_t *)whole, len }, &line, &used, NULL),
            POSTERN_AGAIN);
    assert_int_equal(connect_answer_find(postern_bytes_str(whole), &line, &used, NULL), POSTERN_OK);
    assert_true(postern_bytes_equal_str(line, "OK {\"a\":1}"));
    assert_string_equal(whole + used, "banner");
}

static void another_protocol_is_told_at_its_first_byte(void **state)
{
    static const char *const bad[] = { "S",       "220 ",   "HTTP/1.1 200 OK\r\n",
                                       "ok {}",   "OK\r\n", "OK  {",
                                       "OK [",    "E{",     "ERR\t{",
                                       "\r\n",    "\n",     " OK {",
                                       "ERRR",    "OKAY",   "OK {}\n",
                                       "ERR {}\n" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        postern_bytes line;
        postern_error err = { 0 };
        size_t used;

        if (connect_answer_find(postern_bytes_str(bad[i]), &line, &used, &err) !=
            POSTERN_ERR_DOOR_ANSWER)
            fail_msg("waited for more of: %s", bad[i]);
        assert_int_equal(err.code, POSTERN_ERR_DOOR_ANSWER);
    }
}

static void a_line_has_at_most_4096_bytes(void **state)
{
    static char text[ANSWER_LINE_MAX + 2];
    postern_bytes line;
    size_t used = 0;

    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, "OK {", 4);
    memcpy(text + ANSWER_LINE_MAX - 2, "\r\n", 2);
    assert_int_equal(connect_answer_find((postern_bytes){ (uint8_t *)text, ANSWER_LINE_MAX }, &line,
                                         &used, NULL),
                     POSTERN_OK);
    assert_int_equal(used, ANSWER_LINE_MAX);
    memcpy(text + ANSWER_LINE_MAX - 2, " \r\n", 3);
    assert_int_equal(connect_answer_find((postern_bytes){ (uint8_t *)text, ANSWER_LINE_MAX + 1 },
                                         &line, &used, NULL),
                     POSTERN_ERR_DOOR_ANSWER);
    assert_int_equal(connect_answer_find((postern_bytes){ (uint8_t *)text, ANSWER_LINE_MAX - 1 },
                                         &line, &used, NULL),
                     POSTERN_AGAIN);
    text[ANSWER_LINE_MAX - 1] = ' ';
    assert_int_equal(connect_answer_find((postern_bytes){ (uint8_t *)text, ANSWER_LINE_MAX }, &line,
                                         &used, NULL),
                     POSTERN_ERR_DOOR_ANSWER);
}

/* ---- granted ---- */

static postern_err parse(const char *text, bool is_renewal, struct connect_answer *a)
{
    return connect_answer_parse(postern_bytes_str(text), is_renewal, a, NULL);
}

static void a_grant_holds_a_lease_and_a_session(void **state)
{
    struct connect_answer a;

    (void)state;
    assert_int_equal(parse("OK {\"service\":\"cache\",\"lease_end\":1780000000,\"lease\":300,"
                           "\"session\":\"c2Vj-_.~+/=\",\"ref\":\"R-1\"}",
                           false, &a),
                     POSTERN_OK);
    assert_true(a.is_granted);
    assert_int_equal(a.lease_s, 300);
    assert_string_equal(a.session, "c2Vj-_.~+/=");
    assert_string_equal(a.ref, "R-1");
    connect_answer_wipe(&a);
    assert_false(a.is_granted);
    assert_string_equal(a.session, "");
}

static void a_renewal_names_no_session(void **state)
{
    struct connect_answer a;

    (void)state;
    assert_int_equal(parse("OK {\"lease\":0}", true, &a), POSTERN_OK);
    assert_true(a.is_granted);
    assert_int_equal(parse("OK {\"lease\":60,\"session\":\"other\"}", true, &a), POSTERN_OK);
    assert_string_equal(a.session, "");
    assert_int_equal(parse("OK {\"lease\":60}", false, &a), POSTERN_ERR_DOOR_ANSWER);
}

static void a_broken_grant_is_no_grant(void **state)
{
    static const char *const bad[] = {
        "OK {}",
        "OK {\"lease\":300}",
        "OK {\"session\":\"x\"}",
        "OK {\"lease\":-1,\"session\":\"x\"}",
        "OK {\"lease\":31622401,\"session\":\"x\"}",
        "OK {\"lease\":9007199254740993,\"session\":\"x\"}",
        "OK {\"lease\":1.5,\"session\":\"x\"}",
        "OK {\"lease\":\"300\",\"session\":\"x\"}",
        "OK {\"lease\":true,\"session\":\"x\"}",
        "OK {\"lease\":null,\"session\":\"x\"}",
        "OK {\"lease\":300,\"lease\":300,\"session\":\"x\"}",
        "OK {\"lease\":300,\"session\":\"\"}",
        "OK {\"lease\":300,\"session\":1}",
        "OK {\"lease\":300,\"session\":[\"x\"]}",
        "OK {\"lease\":300,\"session\":\"a b\"}",
        "OK {\"lease\":300,\"session\":\"a\\r\\nRENEW\"}",
        "OK {\"lease\":300,\"session\":\"a\\u0000\"}",
        "OK {\"lease\":300,\"session\":\"\xc3\xa9\"}",
        "OK {\"lease\":300,\"session\":\"x\"}x",
        "OK {\"lease\":300,\"session\":\"x\"}{}",
        "OK {\"lease\":300,\"session\":\"x\",}",
        "OK {\"lease\":300,'session':'x'}",
        "OK {\"lease\":300,\"session\":\"x\",\"ref\":5}",
        "OK [300]",
        "OK 300",
        "OK",
        "OK ",
        "",
        "ok {\"lease\":300,\"session\":\"x\"}",
        "OKAY {\"lease\":300,\"session\":\"x\"}",
        "ERR OK {\"lease\":300,\"session\":\"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct connect_answer a;
        postern_err e = parse(bad[i], false, &a);

        if (e != POSTERN_ERR_DOOR_ANSWER)
            fail_msg("taken: %s", bad[i]);
        if (a.is_granted || a.session[0] != '\0')
            fail_msg("something was kept: %s", bad[i]);
    }
}

static void a_session_has_at_most_256_bytes(void **state)
{
    char text[400], secret[300];
    struct connect_answer a;

    (void)state;
    memset(secret, 'x', sizeof secret);
    secret[ANSWER_SESSION_MAX] = '\0';
    (void)snprintf(text, sizeof text, "OK {\"lease\":300,\"session\":\"%s\"}", secret);
    assert_int_equal(parse(text, false, &a), POSTERN_OK);
    assert_string_equal(a.session, secret);
    secret[ANSWER_SESSION_MAX] = 'x';
    secret[ANSWER_SESSION_MAX + 1] = '\0';
    (void)snprintf(text, sizeof text, "OK {\"lease\":300,\"session\":\"%s\"}", secret);
    assert_int_equal(parse(text, false, &a), POSTERN_ERR_DOOR_ANSWER);
}

/* ---- refused ---- */

static void a_refusal_says_what_to_do(void **state)
{
    static const struct {
        const char *word;
        answer_retry want;
    } cases[] = {
        { "\"new_token\"", ANSWER_RETRY_NEW_TOKEN },
        { "\"more_scope\"", ANSWER_RETRY_MORE_SCOPE },
        { "\"login\"", ANSWER_RETRY_LOGIN },
        { "\"later\"", ANSWER_RETRY_LATER },
        { "\"approval\"", ANSWER_RETRY_APPROVAL },
        { "\"never\"", ANSWER_RETRY_NEVER },
        { "\"Later\"", ANSWER_RETRY_UNSAID },
        { "\"later \"", ANSWER_RETRY_UNSAID },
        { "true", ANSWER_RETRY_UNSAID },
        { "{}", ANSWER_RETRY_UNSAID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        struct connect_answer a;

        (void)snprintf(text, sizeof text, "ERR {\"retry\":%s}", cases[i].word);
        assert_int_equal(parse(text, i % 2 == 0, &a), POSTERN_OK);
        assert_false(a.is_granted);
        if (a.retry != cases[i].want)
            fail_msg("%s", cases[i].word);
    }
}

static void texts_are_kept_and_cut(void **state)
{
    char text[1500], because[1200];
    struct connect_answer a;

    (void)state;
    memset(because, 'b', sizeof because);
    because[sizeof because - 1] = '\0';
    (void)snprintf(
        text, sizeof text,
        "ERR {\"error\":\"invalid_token\",\"reason\":\"expired\",\"scope\":null,\"because\":"
        "\"%s\",\"contact\":\"\\u001b[2J\",\"ref\":\"R-1\",\"retry_after\":7}",
        because);
    assert_int_equal(parse(text, false, &a), POSTERN_OK);
    assert_string_equal(a.error, "invalid_token");
    assert_string_equal(a.reason, "expired");
    assert_string_equal(a.scope, "");
    assert_int_equal(strlen(a.because), sizeof a.because - 1);
    assert_string_equal(a.contact, "\033[2J"); /* escaped when it is printed */
    assert_int_equal(a.retry_after_s, 7);
    assert_true(a.json.len == strlen(text) - 4);
}

static void a_broken_refusal_is_no_answer(void **state)
{
    static const char *const bad[] = { "ERR",
                                       "ERR ",
                                       "ERR []",
                                       "ERR {\"reason\":5}",
                                       "ERR {\"because\":{}}",
                                       "ERR {\"ref\":[]}",
                                       "ERR {\"a\":1,\"a\":2}",
                                       "ERR {" };
    struct connect_answer a;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i], false, &a) != POSTERN_ERR_DOOR_ANSWER)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(parse("ERR {\"retry_after\":-1}", false, &a), POSTERN_OK);
    assert_int_equal(a.retry_after_s, 0);
    assert_int_equal(parse("ERR {\"retry_after\":99999999999}", false, &a), POSTERN_OK);
    assert_int_equal(a.retry_after_s, 0);
}

static postern_err parse_once(void *arg, postern_error *err)
{
    struct connect_answer a;
    postern_err e = connect_answer_parse(postern_bytes_str(arg), false, &a, err);

    if (e != POSTERN_OK && (a.is_granted || a.session[0] != '\0'))
        fail_msg("a failed parse kept something");
    connect_answer_wipe(&a);
    return e;
}

static void running_out_of_memory_is_said(void **state)
{
    static char granted[] = "OK {\"lease\":300,\"session\":\"s\\u0065cret\",\"ref\":\"R\\u002d1\"}";
    static char refused[] = "ERR {\"reason\":\"exp\\u0069red\",\"because\":\"a\\tb\"}";

    (void)state;
    assert_true(alloc_fail_sweep(parse_once, granted, POSTERN_OK) >= 2);
    assert_true(alloc_fail_sweep(parse_once, refused, POSTERN_OK) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_found_as_soon_as_it_is_whole),
        cmocka_unit_test(another_protocol_is_told_at_its_first_byte),
        cmocka_unit_test(a_line_has_at_most_4096_bytes),
        cmocka_unit_test(a_grant_holds_a_lease_and_a_session),
        cmocka_unit_test(a_renewal_names_no_session),
        cmocka_unit_test(a_broken_grant_is_no_grant),
        cmocka_unit_test(a_session_has_at_most_256_bytes),
        cmocka_unit_test(a_refusal_says_what_to_do),
        cmocka_unit_test(texts_are_kept_and_cut),
        cmocka_unit_test(a_broken_refusal_is_no_answer),
        cmocka_unit_test(running_out_of_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
