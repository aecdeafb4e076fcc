/* SPDX-License-Identifier: BSD-2-Clause */
/* The error table: reason codes are distinct, lower case and stable; outcomes fail closed; details
 * are harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <postern/bytes.h>

static const struct {
    postern_err code;
    const char *identifier;
} all[] = {
#define ROW(code, reason, class, oauth, source, text) { POSTERN_ERR_##code, #code },
    POSTERN_ERR_LIST(ROW)
#undef ROW
};
#define ALL_COUNT (sizeof all / sizeof all[0])

static void every_reason_is_its_identifier_in_lower_case(void **state)
{
    (void)state;
    assert_int_equal(ALL_COUNT, POSTERN_ERR_COUNT - POSTERN_AGAIN - 1);
    for (size_t i = 0; i < ALL_COUNT; i++) {
        const char *reason = postern_err_reason(all[i].code);

        assert_int_equal(strlen(reason), strlen(all[i].identifier));
        for (size_t k = 0; reason[k] != '\0'; k++)
            assert_int_equal(reason[k], tolower((unsigned char)all[i].identifier[k]));
    }
}

static void every_reason_is_distinct_and_leads_back_to_its_code(void **state)
{
    (void)state;
    for (unsigned a = 0; a < POSTERN_ERR_COUNT; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(postern_err_reason(a), postern_err_reason(b));
    for (size_t i = 0; i < ALL_COUNT; i++)
        assert_int_equal(postern_err_from_reason(postern_err_reason(all[i].code)), all[i].code);
}

static void every_code_has_a_sentence_and_a_source(void **state)
{
    (void)state;
    for (unsigned e = 0; e < POSTERN_ERR_COUNT; e++) {
        assert_true(postern_err_text(e)[0] != '\0');
        assert_true(postern_err_source(e)[0] != '\0');
    }
}

/* A refusal can be looked up: in an RFC (or OpenID Connect), or in what this machine was told. */
static void every_refusal_has_a_section_or_a_setting(void **state)
{
    static const char *const ours[] = { "deny_users",     "allowed_clients", "policy",
                                        "postern block", "postern-raw(7)",
                                        "postern login",  "postern-helper(7)",
                                        "doc/design/limits.md" };

    (void)state;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        const char *source = postern_err_source(all[i].code);
        bool is_ours = false;

        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            is_ours = is_ours || strcmp(source, ours[k]) == 0;
        if (postern_err_outcome(all[i].code) != POSTERN_REJECTED || is_ours)
            continue;
        if ((strncmp(source, "RFC ", 4) != 0 && strncmp(source, "OpenID Connect ", 15) != 0) ||
            strstr(source, "\xc2\xa7") == NULL)
            fail_msg("%s: \"%s\" is no section", all[i].identifier, source);
    }
}

static void no_word_from_a_wire_becomes_a_yes(void **state)
{
    static const char *const words[] = { "ok", "again",         "unset",         "",
                                         "OK", "Bad_signature", "bad_signature " };

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(postern_err_from_reason(words[i]), POSTERN_ERR_UNSET);
    assert_int_equal(postern_err_from_reason(NULL), POSTERN_ERR_UNSET);
}

static void only_ok_is_proved(void **state)
{
    (void)state;
    assert_int_equal(postern_err_outcome(POSTERN_OK), POSTERN_PROVED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_UNSET), POSTERN_UNDECIDED);
    assert_int_equal(postern_err_outcome(POSTERN_AGAIN), POSTERN_UNDECIDED);
    for (size_t i = 0; i < ALL_COUNT; i++)
        assert_int_not_equal(postern_err_outcome(all[i].code), POSTERN_PROVED);
}

static void rejected_and_undecided_follow_the_class(void **state)
{
    (void)state;
    assert_int_equal(postern_err_outcome(POSTERN_ERR_BAD_SIGNATURE), POSTERN_REJECTED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_INSUFFICIENT_SCOPE), POSTERN_REJECTED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_AUTHZID), POSTERN_REJECTED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_POLICY), POSTERN_REJECTED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_TLS_REQUIRED), POSTERN_REJECTED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_HELPER_UNAVAILABLE), POSTERN_UNDECIDED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_NOMEM), POSTERN_UNDECIDED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_CONFIG_VALUE), POSTERN_UNDECIDED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_USAGE), POSTERN_UNDECIDED);
    assert_int_equal(postern_err_outcome(POSTERN_ERR_INTERNAL), POSTERN_UNDECIDED);
    assert_string_equal(postern_outcome_name(POSTERN_PROVED), "proved");
    assert_string_equal(postern_outcome_name(POSTERN_REJECTED), "rejected");
    assert_string_equal(postern_outcome_name(POSTERN_UNDECIDED), "undecided");
    assert_string_equal(postern_outcome_name((postern_outcome)77), "undecided");
}

static void a_number_that_is_no_code_reads_as_unset(void **state)
{
    (void)state;
    assert_string_equal(postern_err_reason((postern_err)POSTERN_ERR_COUNT), "unset");
    assert_string_equal(postern_err_reason((postern_err)-1), "unset");
    assert_int_equal(postern_err_outcome((postern_err)9999), POSTERN_UNDECIDED);
    assert_null(postern_err_oauth((postern_err)9999));
}

static void undecided_codes_have_no_oauth_word_and_rejections_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        if (postern_err_outcome(all[i].code) == POSTERN_UNDECIDED)
            assert_null(postern_err_oauth(all[i].code));
        else if (all[i].code != POSTERN_ERR_TOKEN_REFUSED && /* the server's own word is passed on */
                 all[i].code != POSTERN_ERR_LOGIN_NEEDED)    /* nobody is told but who asked */
            assert_non_null(postern_err_oauth(all[i].code));
    }
}

static void a_failure_records_code_place_and_detail(void **state)
{
    postern_error err = { .code = POSTERN_ERR_UNSET };
    int line = __LINE__ + 1;
    postern_err e = POSTERN_FAIL(&err, EXPIRED, "exp was %d s ago", 7);

    (void)state;
    assert_int_equal(e, POSTERN_ERR_EXPIRED);
    assert_int_equal(err.code, POSTERN_ERR_EXPIRED);
    assert_int_equal(err.line, line);
    assert_non_null(strstr(err.file, "test_error.c"));
    assert_string_equal(err.detail, "exp was 7 s ago");
    assert_int_equal(POSTERN_FAIL(NULL, NOMEM, "nobody listens"), POSTERN_ERR_NOMEM);
}

static void a_detail_keeps_to_printable_ascii_and_its_room(void **state)
{
    postern_error err;
    char longer[1000];

    (void)state;
    (void)POSTERN_FAIL(&err, SYSTEM, "a\nb\x1b[2J\t\x7f\xc3\xa4");
    assert_string_equal(err.detail, "a?b?[2J????");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)POSTERN_FAIL(&err, SYSTEM, "%s", longer);
    assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
}

static void a_detail_may_quote_the_detail_before_it(void **state)
{
    postern_error err;

    (void)state;
    (void)POSTERN_FAIL(&err, SYSTEM, "no such file");
    (void)POSTERN_FAIL(&err, CONFIG_FILE, "imap.conf: %s", err.detail);
    assert_string_equal(err.detail, "imap.conf: no such file");
}

static void a_quote_escapes_and_stops_after_64_bytes(void **state)
{
    char room[260];
    uint8_t in[100];

    (void)state;
    assert_string_equal(postern_error_quote("a\\b\n\xff", 5, room, sizeof room),
                        "a\\x5cb\\x0a\\xff");
    assert_string_equal(postern_error_quote(NULL, 0, room, sizeof room), "");
    memset(in, 0x01, sizeof in);
    assert_int_equal(strlen(postern_error_quote(in, 64, room, sizeof room)), 64 * 4);
    assert_int_equal(strlen(postern_error_quote(in, 65, room, sizeof room)), 64 * 4 + 3);
    assert_string_equal(room + 64 * 4, "...");
}

static void a_quote_never_overruns_a_small_room(void **state)
{
    char room[12];

    (void)state;
    for (size_t size = 0; size < 10; size++) {
        memset(room, '#', sizeof room);
        (void)postern_error_quote("\x01\x02zz\x03", 5, room, size);
        if (size > 0)
            assert_non_null(memchr(room, '\0', size));
        assert_int_equal(room[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_its_identifier_in_lower_case),
        cmocka_unit_test(every_reason_is_distinct_and_leads_back_to_its_code),
        cmocka_unit_test(every_code_has_a_sentence_and_a_source),
        cmocka_unit_test(every_refusal_has_a_section_or_a_setting),
        cmocka_unit_test(no_word_from_a_wire_becomes_a_yes),
        cmocka_unit_test(only_ok_is_proved),
        cmocka_unit_test(rejected_and_undecided_follow_the_class),
        cmocka_unit_test(a_number_that_is_no_code_reads_as_unset),
        cmocka_unit_test(undecided_codes_have_no_oauth_word_and_rejections_do),
        cmocka_unit_test(a_failure_records_code_place_and_detail),
        cmocka_unit_test(a_detail_keeps_to_printable_ascii_and_its_room),
        cmocka_unit_test(a_detail_may_quote_the_detail_before_it),
        cmocka_unit_test(a_quote_escapes_and_stops_after_64_bytes),
        cmocka_unit_test(a_quote_never_overruns_a_small_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
