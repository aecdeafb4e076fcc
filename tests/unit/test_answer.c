/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/answer.c: what an agent reads of a grant and a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern-private/json.h>

#include "adapters/answer.h"
#include "../support/alloc_fail.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Every code that a door can say no with: a new one must be added here, with what an agent does next. */
static const struct { postern_err code; const char *retry, *error; } expected[] = {
#define ROW(code, retry, error) { POSTERN_ERR_##code, retry, error },
#define TOKEN(code) ROW(code, "new_token", "invalid_token")
#define ISSUER(code) ROW(code, "never", "invalid_token")
#define UNDECIDED(code) ROW(code, "later", "temporarily_unavailable")
    ISSUER(LIMIT) TOKEN(MALFORMED) ISSUER(ALG_NOT_ALLOWED) ISSUER(CRIT) TOKEN(TYP) ISSUER(ALG_KEY_MISMATCH)
    ISSUER(KEY_NOT_FOR_SIG) TOKEN(UNKNOWN_KID) ISSUER(WEAK_KEY) TOKEN(BAD_SIGNATURE) TOKEN(ISS) TOKEN(AUD)
    TOKEN(EXPIRED) ROW(NOT_YET_VALID, "later", "invalid_token") ISSUER(CLAIM_MISSING) ISSUER(MALFORMED_CLAIM)
    ISSUER(UNSAFE_IDENTITY) TOKEN(CNF) ISSUER(ACTOR_UNCLEAR) TOKEN(REVOKED) ROW(NO_TOKEN, "new_token", "invalid_request")
    ROW(MESSAGE_MALFORMED, "never", "invalid_request") ROW(MESSAGE_SERVER, "never", "invalid_request")
    ROW(INSUFFICIENT_SCOPE, "more_scope", "insufficient_scope") ROW(AUTHZID, "never", "access_denied")
    ISSUER(ACTOR_NOT_ALLOWED) TOKEN(TOKEN_AGE) TOKEN(INACTIVE) TOKEN(HANDLE) ROW(CLIENT_NOT_ALLOWED, "never", "access_denied")
    ROW(ACR, "login", "insufficient_user_authentication")
    ROW(AUTH_AGE, "login", "insufficient_user_authentication")
    ROW(NO_MAPPING, "never", "access_denied") ROW(EMAIL_UNVERIFIED, "never", "access_denied")
    ROW(USER_DENIED, "never", "access_denied")
    ROW(POLICY, "never", "access_denied") ROW(BLOCKED, "never", "access_denied")
    ROW(HELD, "approval", "access_denied") ROW(RATE, "later", "access_denied")
    ROW(RENEWAL, "never", "access_denied") ROW(TLS_REQUIRED, "never", "invalid_request")
    UNDECIDED(KEYS_UNAVAILABLE) UNDECIDED(REVOCATIONS_UNKNOWN) UNDECIDED(ISSUER_UNREACHABLE)
    UNDECIDED(ISSUER_UNTRUSTED) UNDECIDED(ISSUER_ANSWER) TOKEN(TOKEN_REFUSED) TOKEN(LOGIN_NEEDED) UNDECIDED(HELPER_UNAVAILABLE)
    UNDECIDED(HELPER_UNTRUSTED) UNDECIDED(HELPER_PROTOCOL) UNDECIDED(TIMEOUT) UNDECIDED(NOMEM) UNDECIDED(BUSY)
    UNDECIDED(AGENT_BUSY)
    UNDECIDED(SYSTEM) UNDECIDED(AUDIT) UNDECIDED(PEER_NOT_ALLOWED) UNDECIDED(SERVICE_UNKNOWN)
    UNDECIDED(CONFIG_SYNTAX) UNDECIDED(CONFIG_KEY) UNDECIDED(CONFIG_VALUE) UNDECIDED(CONFIG_MISSING)
    UNDECIDED(CONFIG_CONFLICT) UNDECIDED(CONFIG_FILE) UNDECIDED(USAGE) UNDECIDED(INTERNAL)
    UNDECIDED(BACKEND) UNDECIDED(DOOR_UNREACHABLE) UNDECIDED(DOOR_UNTRUSTED) UNDECIDED(DOOR_ANSWER)
    UNDECIDED(RULES) UNDECIDED(RULES_EXPECT)
#undef ROW
#undef TOKEN
#undef ISSUER
#undef UNDECIDED
};

static const char *refusal(const struct adapter_denied *d, const char *sentence, postern_buf *out)
{
    postern_buf_reset(out);
    answer_put_refusal(d, sentence, out);
    return postern_buf_cstr(out);
}

static void every_code_says_what_to_do_next(void **state)
{
    (void)state;
    for (int code = POSTERN_AGAIN + 1; code < POSTERN_ERR_COUNT; code++) {
        size_t i = 0;

        while (i < COUNT(expected) && expected[i].code != (postern_err)code)
            i++;
        if (i == COUNT(expected))
            fail_msg("%s is not in this table", postern_err_reason((postern_err)code));
        if (answer_retry_of((postern_err)code) == ANSWER_RETRY_UNSET ||
            strcmp(answer_retry_name(answer_retry_of((postern_err)code)), expected[i].retry) != 0)
            fail_msg("%s: retry %s", postern_err_reason((postern_err)code), answer_retry_name(answer_retry_of((postern_err)code)));
        if (strcmp(answer_error_word((postern_err)code), expected[i].error) != 0)
            fail_msg("%s: error %s", postern_err_reason((postern_err)code), answer_error_word((postern_err)code));
    }
}

static void every_class_has_a_word_that_fits_its_outcome(void **state)
{
    bool seen[POSTERN_CLASS_USAGE + 1] = { false };

    (void)state;
    for (int code = 0; code < POSTERN_ERR_COUNT; code++) {
        postern_err e = (postern_err)code;
        bool is_later = answer_retry_of(e) == ANSWER_RETRY_LATER;

        seen[postern_err_class(e)] = true;
        assert_int_not_equal(answer_retry_of(e), ANSWER_RETRY_UNSET);
        assert_int_equal(answer_retry_of(e) == ANSWER_RETRY_MORE_SCOPE, postern_err_class(e) == POSTERN_CLASS_SCOPE);
        if (postern_err_outcome(e) != POSTERN_REJECTED)
            assert_true(is_later); /* nothing was decided: the token may be good */
        if (e == POSTERN_ERR_HELD || e == POSTERN_ERR_RATE)
            continue; /* the policy says: not now */
        if (postern_err_class(e) == POSTERN_CLASS_POLICY || postern_err_class(e) == POSTERN_CLASS_IDENTITY)
            assert_int_equal(answer_retry_of(e), ANSWER_RETRY_NEVER);
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        if (!seen[i])
            fail_msg("no code is of class %zu", i);
}

/* Zeroed memory, a success by mistake, a number that is no code: never anything that reads as a yes. */
static void what_is_no_refusal_reads_as_a_failure_of_ours(void **state)
{
    static const int codes[] = { POSTERN_ERR_UNSET, POSTERN_OK, POSTERN_AGAIN, POSTERN_ERR_COUNT, 9999, -1 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        postern_failure f = { .code = (postern_err)codes[i] };
        struct adapter_denied d = { .failure = &f };
        const char *text = refusal(&d, NULL, &out);

        assert_non_null(strstr(text, "\"error\":\"temporarily_unavailable\""));
        assert_non_null(strstr(text, "\"retry\":\"later\""));
    }
    assert_string_equal(answer_retry_name(ANSWER_RETRY_UNSET), "later");
    assert_string_equal(answer_retry_name((answer_retry)77), "later");
}

/* RFC 6749 §5.2: what stands in an error_description, here and in an HTTP header. */
static void every_sentence_can_stand_between_quotes(void **state)
{
    (void)state;
    for (int code = 0; code < POSTERN_ERR_COUNT; code++) {
        const char *text = postern_err_text((postern_err)code);

        assert_true(postern_bytes_is_printable(postern_bytes_str(text)));
        assert_null(strpbrk(text, "\"\\"));
        assert_in_range(strlen(text), 1, ANSWER_SENTENCE_MAX - 1);
    }
}

static void a_grant_says_service_lease_session_and_ref(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct adapter_granted g = { "cache", 1780000000, 300, POSTERN_BYTES_LIT("c2Vj-_cmV0"), "R-7Q2M4XKD90" };

    (void)state;
    answer_put_grant(&g, &out);
    assert_string_equal(postern_buf_cstr(&out), "{\"service\":\"cache\",\"lease_end\":1780000000,\"lease\":300,"
                                                "\"session\":\"c2Vj-_cmV0\",\"ref\":\"R-7Q2M4XKD90\"}");
}

static void a_renewal_has_no_secret(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct adapter_granted g = { "cache", 1780000000, 0, POSTERN_BYTES_NONE, "" };

    (void)state;
    answer_put_grant(&g, &out);
    assert_string_equal(postern_buf_cstr(&out), "{\"service\":\"cache\",\"lease_end\":1780000000,\"lease\":0}");
}

static const postern_failure narrow = {
    .code = POSTERN_ERR_INSUFFICIENT_SCOPE,
    .ref = "R-7Q2M4XKD90",
    .scope = "cache.read cache.write",
    .openid_configuration = "https://as.example/.well-known/openid-configuration",
    .resource_metadata = "https://h.example/.well-known/oauth-protected-resource/cache",
    .issuer = "https://as.example",
};

static void a_refusal_has_every_member_that_there_is(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct adapter_denied d = { &narrow, "agents write at night only", "platform@example.org", 0 };

    (void)state;
    assert_string_equal(refusal(&d, NULL, &out),
                        "{\"error\":\"insufficient_scope\",\"error_description\":\"required scope is missing\","
                        "\"reason\":\"insufficient_scope\",\"scope\":\"cache.read cache.write\","
                        "\"openid-configuration\":\"https://as.example/.well-known/openid-configuration\","
                        "\"resource_metadata\":\"https://h.example/.well-known/oauth-protected-resource/cache\","
                        "\"ref\":\"R-7Q2M4XKD90\",\"retry\":\"more_scope\",\"because\":\"agents write at night only\","
                        "\"contact\":\"platform@example.org\"}");
}

static void empty_members_are_left_out(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    postern_failure f = { .code = POSTERN_ERR_POLICY };
    struct adapter_denied d = { &f, "", NULL, 0 };

    (void)state;
    assert_string_equal(refusal(&d, "", &out), "{\"error\":\"access_denied\",\"error_description\":\"policy does not allow this\","
                                               "\"reason\":\"policy\",\"retry\":\"never\"}");
}

static void later_says_how_much_later(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    postern_failure busy = { .code = POSTERN_ERR_BUSY }, expired = { .code = POSTERN_ERR_EXPIRED };

    (void)state;
    assert_non_null(strstr(refusal(&(struct adapter_denied){ &busy, NULL, NULL, 0 }, NULL, &out), "\"retry_after\":6}"));
    assert_non_null(strstr(refusal(&(struct adapter_denied){ &busy, NULL, NULL, 60 }, NULL, &out), "\"retry_after\":60}"));
    assert_null(strstr(refusal(&(struct adapter_denied){ &busy, NULL, NULL, -1 }, NULL, &out), "-1"));
    assert_null(strstr(refusal(&(struct adapter_denied){ &expired, NULL, NULL, 0 }, NULL, &out), "retry_after"));
    assert_int_equal(ANSWER_RETRY_AFTER_S, 6);
}

/* Row 12: whatever a policy file or a metadata URL holds, one reading of the object is possible. */
static void row_12_hostile_texts_stay_inside_their_member(void **state)
{
    static const char *const texts[] = {
        "\",\"retry\":\"later\",\"x\":\"", "a\r\nOK {\"service\":\"cache\"}", "back\\slash", "\xC0\xAF\xFF", "\xED\xA0\x80", "\x7F\x1B[2J",
        "\xE2\x80\xA8 line separator", "\xE2\x80\xAE right to left",
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        POSTERN_AUTO_JSON j = { 0 };
        postern_failure f = { .code = POSTERN_ERR_POLICY };
        struct adapter_denied d = { &f, texts[i], texts[i], 0 };
        const char *text;

        (void)snprintf(f.scope, sizeof f.scope, "%s", texts[i]);
        text = refusal(&d, NULL, &out);
        assert_null(strpbrk(text, "\r\n\x1B\x7F"));
        assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK); /* strict: no name twice */
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "retry"), "never"));
        assert_int_equal(postern_json_member(&j, 0, "x"), POSTERN_JSON_ABSENT);
        assert_int_equal(postern_json_member(&j, 0, "service"), POSTERN_JSON_ABSENT);
    }
}

static char *long_text(char c, size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

static void fill(char *field, size_t size, char c)
{
    memset(field, c, size - 1);
    field[size - 1] = '\0';
}

static void what_does_not_fit_is_left_out_and_the_most_useful_stays(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    postern_failure f = { .code = POSTERN_ERR_POLICY };
    char *because = long_text('b', 500), *contact = long_text('c', 200);
    struct adapter_denied d = { &f, because, contact, 60 };
    const char *text;

    (void)state;
    fill(f.ref, sizeof f.ref, 'R');
    fill(f.scope, sizeof f.scope, 's');
    fill(f.openid_configuration, sizeof f.openid_configuration, '"'); /* doubles */
    fill(f.resource_metadata, sizeof f.resource_metadata, 'm');
    text = refusal(&d, NULL, &out);
    assert_in_range(out.len, 1000, ANSWER_JSON_MAX);
    assert_non_null(strstr(text, f.scope));
    assert_non_null(strstr(text, contact));
    assert_non_null(strstr(text, because));
    assert_null(strstr(text, "openid-configuration"));
    assert_null(strstr(text, "resource_metadata"));
    assert_non_null(strstr(text, "\"retry_after\":60"));
    d.because = NULL; /* then there is room for the smaller of the two */
    text = refusal(&d, NULL, &out);
    assert_null(strstr(text, "openid-configuration"));
    assert_non_null(strstr(text, "resource_metadata"));
    free(because);
    free(contact);
}

static void the_longest_texts_leave_what_every_refusal_has(void **state)
{
    char *huge = long_text('\x01', 20000), *sentence = long_text('x', ANSWER_SENTENCE_MAX - 1);

    (void)state;
    for (int code = 0; code < POSTERN_ERR_COUNT; code++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ANSWER_JSON_MAX);
        postern_failure f = { .code = (postern_err)code };
        struct adapter_denied d = { &f, huge, huge, INT64_MAX };
        const char *text;

        fill(f.ref, sizeof f.ref, '\x01');
        fill(f.scope, sizeof f.scope, '\x01');
        fill(f.openid_configuration, sizeof f.openid_configuration, '\x01');
        fill(f.resource_metadata, sizeof f.resource_metadata, '\x01');
        text = refusal(&d, sentence, &out);
        assert_non_null(text);
        assert_non_null(strstr(text, "\"retry\":\""));
        assert_non_null(strstr(text, "\"reason\":\""));
        assert_non_null(strstr(text, "\"ref\":\""));
        assert_non_null(strstr(text, sentence));
    }
    free(huge);
    free(sentence);
}

/* Without memory the answer fails or is a shorter one: never half of one. */
static void without_memory_there_is_no_half_answer(void **state)
{
    struct adapter_denied d = { &narrow, "because", "contact", 0 };
    bool has_fired = true;
    unsigned nth = 1;

    (void)state;
    for (; has_fired; nth++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
        POSTERN_AUTO_JSON j = { 0 };

        alloc_fail_arm(nth);
        answer_put_refusal(&d, NULL, &out);
        has_fired = alloc_fail_disarm();
        if (out.failed)
            continue;
        assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "retry"), "more_scope"));
    }
    assert_in_range(nth, 4, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_says_what_to_do_next),
        cmocka_unit_test(every_class_has_a_word_that_fits_its_outcome),
        cmocka_unit_test(what_is_no_refusal_reads_as_a_failure_of_ours),
        cmocka_unit_test(every_sentence_can_stand_between_quotes),
        cmocka_unit_test(a_grant_says_service_lease_session_and_ref),
        cmocka_unit_test(a_renewal_has_no_secret),
        cmocka_unit_test(a_refusal_has_every_member_that_there_is),
        cmocka_unit_test(empty_members_are_left_out),
        cmocka_unit_test(later_says_how_much_later),
        cmocka_unit_test(row_12_hostile_texts_stay_inside_their_member),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_the_most_useful_stays),
        cmocka_unit_test(the_longest_texts_leave_what_every_refusal_has),
        cmocka_unit_test(without_memory_there_is_no_half_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
