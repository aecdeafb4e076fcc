/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sasl/error_json.c: the challenge of a failed login, as servers write it and clients read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/oauthbearer.h>

#include "../support/alloc_fail.h"

#define OB POSTERN_MECH_OAUTHBEARER
#define XO POSTERN_MECH_XOAUTH2
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const postern_failure expired = {
    .code = POSTERN_ERR_EXPIRED,
    .ref = "7Q4K",
    .scope = "mail.read",
    .openid_configuration = "https://as.example/.well-known/openid-configuration",
    .resource_metadata = "https://h.example/.well-known/oauth-protected-resource/imap",
    .issuer = "https://as.example",
};

static void each_kind_of_rejection_has_its_status(void **state)
{
    static const struct { postern_mech m; postern_err code; const char *want; } cases[] = {
        { OB, POSTERN_ERR_EXPIRED, "{\"status\":\"invalid_token\"}" },
        { OB, POSTERN_ERR_MESSAGE_MALFORMED, "{\"status\":\"invalid_request\"}" },
        { OB, POSTERN_ERR_TLS_REQUIRED, "{\"status\":\"invalid_request\"}" },
        { OB, POSTERN_ERR_INSUFFICIENT_SCOPE, "{\"status\":\"insufficient_scope\"}" },
        { OB, POSTERN_ERR_AUTHZID, "{\"status\":\"invalid_token\"}" },
        { OB, POSTERN_ERR_NO_TOKEN, "{\"status\":\"invalid_token\"}" }, /* libpq goes on with this word alone */
        { XO, POSTERN_ERR_EXPIRED, "{\"status\":\"401\",\"schemes\":\"bearer\"}" },
        { XO, POSTERN_ERR_MESSAGE_MALFORMED, "{\"status\":\"400\",\"schemes\":\"bearer\"}" },
        { XO, POSTERN_ERR_INSUFFICIENT_SCOPE, "{\"status\":\"403\",\"schemes\":\"bearer\"}" },
        { XO, POSTERN_ERR_NO_TOKEN, "{\"status\":\"401\",\"schemes\":\"bearer\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
        postern_failure f = { .code = cases[i].code };

        assert_int_equal(postern_sasl_error_build(cases[i].m, &f, &out, NULL), POSTERN_OK);
        assert_string_equal(postern_buf_cstr(&out), cases[i].want);
    }
}

static void every_rejection_has_a_challenge_and_nothing_else_has(void **state)
{
    (void)state;
    for (int code = POSTERN_ERR_UNSET; code < POSTERN_ERR_COUNT; code++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
        postern_failure f = { .code = (postern_err)code };
        bool is_challenge = postern_err_outcome(f.code) == POSTERN_REJECTED && postern_err_oauth(f.code) != NULL;

        if (postern_sasl_error_build(OB, &f, &out, NULL) != (is_challenge ? POSTERN_OK : POSTERN_ERR_USAGE))
            fail_msg("%s", postern_err_reason(f.code));
        postern_buf_reset(&out);
        if (postern_sasl_error_build(XO, &f, &out, NULL) != (is_challenge ? POSTERN_OK : POSTERN_ERR_USAGE))
            fail_msg("XOAUTH2: %s", postern_err_reason(f.code));
    }
}

static void what_a_server_writes_is_what_a_client_reads(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    postern_sasl_error got;

    (void)state;
    assert_int_equal(postern_sasl_error_build(OB, &expired, &out, NULL), POSTERN_OK);
    assert_int_equal(postern_sasl_error_parse(postern_buf_bytes(&out), &got, NULL), POSTERN_OK);
    assert_string_equal(got.status, "invalid_token");
    assert_string_equal(got.scope, expired.scope);
    assert_string_equal(got.openid_configuration, expired.openid_configuration);
    assert_string_equal(got.ref, expired.ref);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"resource_metadata\":\"https:"));
    assert_null(strstr(postern_buf_cstr(&out), "\"issuer\""));
}

static void a_blocked_agent_is_told_not_to_come_again_and_whom_to_ask(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    postern_failure f = { .code = POSTERN_ERR_BLOCKED, .ref = "7Q4K", .contact = "ops@example.org", .because = "secret" };

    (void)state;
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"status\":\"invalid_token\",\"ref\":\"7Q4K\",\"retry\":\"never\",\"contact\":\"ops@example.org\"}");
    f.contact[0] = '\0';
    postern_buf_reset(&out);
    assert_int_equal(postern_sasl_error_build(XO, &f, &out, NULL), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"status\":\"401\",\"schemes\":\"bearer\",\"ref\":\"7Q4K\",\"retry\":\"never\"}");
    f = expired; /* anybody else may well come again */
    memcpy(f.contact, "ops", 4);
    postern_buf_reset(&out);
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_null(strstr(postern_buf_cstr(&out), "retry"));
    assert_null(strstr(postern_buf_cstr(&out), "contact"));
}

/* They are written for it; of a block they are the administrators' own, and stay here. */
static void a_denied_agent_is_told_the_words_of_the_rule(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    postern_failure f = { .code = POSTERN_ERR_POLICY, .ref = "7Q4K", .because = "ask \"ops\"" };

    (void)state;
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_string_equal(
        postern_buf_cstr(&out),
        "{\"status\":\"invalid_token\",\"ref\":\"7Q4K\",\"because\":\"ask \\\"ops\\\"\"}");
    f.because[0] = '\0';
    postern_buf_reset(&out);
    assert_int_equal(postern_sasl_error_build(XO, &f, &out, NULL), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"status\":\"401\",\"schemes\":\"bearer\",\"ref\":\"7Q4K\"}");
    memset(f.because, '"', sizeof f.because - 1);
    memset(f.scope, '"', sizeof f.scope - 1);
    memset(f.openid_configuration, '"', sizeof f.openid_configuration - 1);
    memset(f.resource_metadata, '\\', sizeof f.resource_metadata - 1);
    postern_buf_reset(&out);
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_in_range(out.len, 1, POSTERN_ERROR_JSON_MAX);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"because\":"));
}

static void the_longest_block_fits_with_its_advice(void **state)
{
    postern_failure f = { .code = POSTERN_ERR_BLOCKED };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);

    (void)state;
    memset(f.contact, '\x01', sizeof f.contact - 1); /* six bytes each */
    memset(f.scope, '"', sizeof f.scope - 1);
    memset(f.openid_configuration, '"', sizeof f.openid_configuration - 1);
    memset(f.resource_metadata, '\\', sizeof f.resource_metadata - 1);
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_in_range(out.len, 1, POSTERN_ERROR_JSON_MAX);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"retry\":\"never\""));
}

/* Quotes and controls double or sextuple: the longest failure must still give a challenge that SMTP can carry. */
static void the_longest_failure_fits_by_leaving_members_out(void **state)
{
    postern_failure f = { .code = POSTERN_ERR_EXPIRED };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    postern_sasl_error got;

    (void)state;
    memset(f.ref, 'R', sizeof f.ref - 1);
    memset(f.scope, 's', sizeof f.scope - 1);
    memset(f.openid_configuration, '"', sizeof f.openid_configuration - 1);
    memset(f.resource_metadata, '\\', sizeof f.resource_metadata - 1);
    assert_int_equal(postern_sasl_error_build(OB, &f, &out, NULL), POSTERN_OK);
    assert_in_range(out.len, 1, POSTERN_ERROR_JSON_MAX);
    assert_int_equal(postern_sasl_error_parse(postern_buf_bytes(&out), &got, NULL), POSTERN_OK);
    assert_string_equal(got.ref, f.ref);
    assert_string_equal(got.scope, f.scope);
}

static void challenges_of_other_servers_are_read(void **state)
{
    static const struct { const char *json, *status, *scope; } cases[] = {
        { "{\"status\":\"401\",\"schemes\":\"bearer mac\",\"scope\":\"https://mail.google.com/\"}", "401", "https://mail.google.com/" },
        { " { \"status\" : \"invalid_\\u0074oken\" , \"x\" : [1,{}] } ", "invalid_token", "" },
        { "{\"status\":\"invalid_token\",\"scope\":null}", "invalid_token", "" },
        { "{\"status\":\"invalid_token\",\"scope\":\"a\\nb\"}", "invalid_token", "" },
        { "{\"status\":\"invalid_token\",\"scope\":\"\xc3\xb8\"}", "invalid_token", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_error got;

        if (postern_sasl_error_parse(postern_bytes_str(cases[i].json), &got, NULL) != POSTERN_OK)
            fail_msg("%s", cases[i].json);
        assert_string_equal(got.status, cases[i].status);
        assert_string_equal(got.scope, cases[i].scope);
    }
}

static void what_is_no_challenge_is_refused(void **state)
{
    static const char *const cases[] = {
        "", "x", "[]", "\"status\"", "{}", "{\"status\":400}", "{\"status\":\"\"}", "{\"status\":null}",
        "{\"Status\":\"invalid_token\"}", "{\"status\":\"a\"", "{\"status\":\"a\"}x", "{\"status\":\"a\",\"status\":\"b\"}",
        "{'status':'a'}", "{\"status\":\"a\\nb\"}",
        "{\"status\":\"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"}", /* 64 bytes: one too many */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_error got = { .ref = "kept" };
        postern_error err = { 0 };

        if (postern_sasl_error_parse(postern_bytes_str(cases[i]), &got, &err) != POSTERN_ERR_MESSAGE_MALFORMED)
            fail_msg("%s: %s", cases[i], postern_err_reason(err.code));
        assert_string_equal(got.ref, "kept");
    }
}

static void an_overlong_challenge_is_refused(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(65536);
    postern_sasl_error got;

    (void)state;
    postern_buf_add_str(&text, "{\"status\":\"invalid_token\",\"x\":\"");
    for (int i = 0; i < 8192; i++)
        postern_buf_add_byte(&text, 'x');
    postern_buf_add_str(&text, "\"}");
    assert_int_equal(postern_sasl_error_parse(postern_buf_bytes(&text), &got, NULL), POSTERN_ERR_LIMIT);
}

static postern_err build_and_parse(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    postern_sasl_error got;

    (void)arg;
    POSTERN_TRY(postern_sasl_error_build(OB, &expired, &out, err));
    return postern_sasl_error_parse(postern_buf_bytes(&out), &got, err);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    assert_in_range(alloc_fail_sweep(build_and_parse, NULL, POSTERN_OK), 2, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_rejection_has_its_status),
        cmocka_unit_test(every_rejection_has_a_challenge_and_nothing_else_has),
        cmocka_unit_test(what_a_server_writes_is_what_a_client_reads),
        cmocka_unit_test(a_denied_agent_is_told_the_words_of_the_rule),
        cmocka_unit_test(a_blocked_agent_is_told_not_to_come_again_and_whom_to_ask),
        cmocka_unit_test(the_longest_block_fits_with_its_advice),
        cmocka_unit_test(the_longest_failure_fits_by_leaving_members_out),
        cmocka_unit_test(challenges_of_other_servers_are_read),
        cmocka_unit_test(what_is_no_challenge_is_refused),
        cmocka_unit_test(an_overlong_challenge_is_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
