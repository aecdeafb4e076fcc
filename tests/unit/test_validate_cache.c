/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/validate.c with a token that was proved before: the proof alone is spared, and every
 * other question is asked again, with the same answer as the first time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "oauth/key_file.h"
#include "oauth/context_inner.h"

static test_login t;
static char *token;
static postern_request rq;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    token = test_login_token(&t, NULL, NULL);
    rq = test_login_request(token);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(token);
    test_login_remove(&t);
    return 0;
}

static struct cache_counts counts(void)
{
    return postern_cache_counts(postern_context_cache(t.context));
}

static void assert_verdict(const char *why, postern_err got, postern_err want)
{
    if (got != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want),
                 postern_err_reason(got), t.err.detail);
}

/* Log in; `is_found`: the proof was spared. */
static void assert_login(const char *why, postern_err want, bool is_found)
{
    uint64_t before = counts().found;

    assert_verdict(why, test_login_run(&t, &rq, NULL), want);
    if ((counts().found != before) != is_found)
        fail_msg("%s: the proof was %s", why, is_found ? "made again" : "spared");
}

static void prove_once(void)
{
    assert_login("first", POSTERN_OK, false);
    assert_int_equal(counts().kept, 1);
}

static void the_second_login_has_the_same_grant_as_the_first(void **state)
{
    POSTERN_AUTO(grant) first = NULL;
    POSTERN_AUTO(grant) second = NULL;
    postern_bytes a, b;

    (void)state;
    free(token);
    token = test_login_token(&t, "act", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"\\u0061-8\"}}");
    rq = test_login_request(token);
    assert_verdict("first", test_login_run(&t, &rq, &first), POSTERN_OK);
    assert_verdict("second", test_login_run(&t, &rq, &second), POSTERN_OK);
    assert_int_equal(counts().found, 1);
    assert_string_equal(t.events, "");
    assert_int_equal(postern_grant_origin(second), POSTERN_ORIGIN_LOCAL_PROOF);
    assert_string_equal(postern_grant_service(second), postern_grant_service(first));
    assert_string_equal(postern_grant_issuer(second), postern_grant_issuer(first));
    assert_string_equal(postern_grant_subject(second), postern_grant_subject(first));
    assert_string_equal(postern_grant_client_id(second), postern_grant_client_id(first));
    assert_string_equal(postern_grant_user(second), postern_grant_user(first));
    assert_string_equal(postern_grant_audience(second), postern_grant_audience(first));
    assert_string_equal(postern_grant_jti(second), postern_grant_jti(first));
    assert_string_equal(postern_grant_scope(second), postern_grant_scope(first));
    assert_string_equal(postern_grant_act(second, 1), "a-8");
    assert_int_equal(postern_grant_exp_s(second), postern_grant_exp_s(first));
    assert_int_equal(postern_grant_iat_s(second), postern_grant_iat_s(first));
    a = postern_grant_claims(first), b = postern_grant_claims(second);
    assert_true(postern_bytes_equal(a, b));
}

/* One bit of any part makes it another token, which has to be proved. */
static void a_token_that_differs_in_a_byte_is_not_that_token(void **state)
{
    char *dot = strrchr(token, '.');

    (void)state;
    prove_once();
    dot[5] = dot[5] == 'A' ? 'B' : 'A';
    assert_login("signature", POSTERN_ERR_BAD_SIGNATURE, false);
    token[strlen(token) - 1] = '!';
    assert_login("not base64url", POSTERN_ERR_MALFORMED, false);
    *dot = '\0';
    rq.token = postern_bytes_str(token);
    assert_login("no signature", POSTERN_ERR_MALFORMED, false);
    assert_int_equal(counts().tokens, 1);
}

static void a_token_that_expires_between_two_logins_is_refused(void **state)
{
    (void)state;
    free(token);
    token = test_login_token(&t, "exp", "1800000010");
    rq = test_login_request(token);
    prove_once();
    t.now_s += 9;
    assert_login("alive", POSTERN_OK, true);
    t.now_s += 60; /* the wall clock alone: exp and clock_skew */
    assert_login("last second", POSTERN_OK, true);
    t.now_s += 1;
    assert_login("expired", POSTERN_ERR_EXPIRED, true);
    t.mono_ms += 10000;
    assert_login("expired, and its entry gone", POSTERN_ERR_EXPIRED, false);
}

static void a_clock_that_is_set_back_finds_the_token_not_yet_valid(void **state)
{
    (void)state;
    prove_once();
    t.now_s -= 61;
    assert_login("iat is ahead", POSTERN_ERR_NOT_YET_VALID, true);
    t.now_s += 1;
    assert_login("within clock_skew", POSTERN_OK, true);
}

static void a_minute_later_the_token_is_proved_again(void **state)
{
    (void)state;
    prove_once();
    t.mono_ms += POSTERN_CACHE_KEEP_MS - 1;
    assert_login("within", POSTERN_OK, true);
    t.mono_ms += 1;
    assert_login("after", POSTERN_OK, false);
    assert_login("again", POSTERN_OK, true);
}

/* Within clock_skew behind exp it is accepted, but a proof is never kept past exp. */
static void what_has_expired_already_is_not_kept(void **state)
{
    (void)state;
    free(token);
    token = test_login_token(&t, "exp", "1800000000");
    rq = test_login_request(token);
    assert_login("first", POSTERN_OK, false);
    assert_login("second", POSTERN_OK, false);
    assert_int_equal(counts().kept, 0);
}

static void a_client_that_is_removed_between_two_logins_is_refused(void **state)
{
    (void)state;
    prove_once();
    assert_verdict("another client's",
                   postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-8", t.now_s, NULL),
                   POSTERN_OK);
    assert_login("another's removal", POSTERN_OK, true);
    assert_verdict("removal",
                   postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", t.now_s, NULL),
                   POSTERN_OK);
    assert_login("removed", POSTERN_ERR_REVOKED, true);
    assert_string_equal(t.failure.agent, "agent-7");
    assert_string_equal(t.failure.human, "alice@example.org"); /* the issuer's name of him */
}

static void revocations_that_are_awaited_leave_it_undecided(void **state)
{
    (void)state;
    prove_once();
    assert_verdict("expect", postern_context_expect_revocations(t.context, TEST_ISSUER, NULL),
                   POSTERN_OK);
    assert_login("awaited", POSTERN_ERR_REVOCATIONS_UNKNOWN, true);
    assert_verdict("ready", postern_context_revocations_ready(t.context, TEST_ISSUER, NULL),
                   POSTERN_OK);
    assert_login("ready", POSTERN_OK, true);
    postern_context_expect_blocks(t.context);
    assert_login("blocks awaited", POSTERN_ERR_REVOCATIONS_UNKNOWN, true);
}

static void an_agent_that_is_blocked_between_two_logins_is_refused(void **state)
{
    const postern_block block = { .agent = "agent-7", .reason = "too busy", .contact = "ops" };
    const postern_block other = { .agent = "agent-8" };

    (void)state;
    prove_once();
    assert_verdict("set", postern_context_set_blocks(t.context, &other, 1, NULL), POSTERN_OK);
    assert_login("another's block", POSTERN_OK, true);
    assert_verdict("set", postern_context_set_blocks(t.context, &block, 1, NULL), POSTERN_OK);
    assert_login("blocked", POSTERN_ERR_BLOCKED, true);
    assert_string_equal(t.failure.because, "too busy");
    assert_string_equal(t.failure.contact, "ops");
    assert_verdict("clear", postern_context_set_blocks(t.context, NULL, 0, NULL), POSTERN_OK);
    assert_login("unblocked", POSTERN_OK, true);
}

/* A word that comes while a token is being proved: the verdict of then is not kept for later. */
static void a_proof_is_not_kept_across_a_revocation_or_a_block(void **state)
{
    POSTERN_AUTO(op) op = NULL;
    POSTERN_AUTO(op) other = NULL;

    (void)state;
    assert_verdict("start", postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_OK);
    assert_verdict("start", postern_validate_start(t.context, &rq, &other, &t.err), POSTERN_OK);
    assert_verdict("removal",
                   postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-8", t.now_s, NULL),
                   POSTERN_OK);
    assert_verdict("first", postern_op_run(op, &t.err), POSTERN_OK);
    assert_int_equal(counts().kept, 0);
    assert_int_equal(counts().refused, 1);
    assert_verdict("set", postern_context_set_blocks(t.context, NULL, 0, NULL), POSTERN_OK);
    assert_verdict("second", postern_op_run(other, &t.err), POSTERN_OK);
    assert_int_equal(counts().kept, 0);
    prove_once();
}

static void a_key_that_left_the_set_proves_nothing_any_more(void **state)
{
    test_key *other = test_key_new("P-256");

    (void)state;
    prove_once();
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS - 1;
    test_login_put_key(&t, other, "a");
    assert_login("not looked at yet", POSTERN_OK, true);
    t.mono_ms += 1;
    assert_verdict("another key under that kid", test_login_run(&t, &rq, NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    assert_string_equal(t.events, "keys.loaded ");
    test_login_put_key(&t, t.key, "b");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_verdict("no such kid", test_login_run(&t, &rq, NULL), POSTERN_ERR_UNKNOWN_KID);
    test_login_put_key(&t, t.key, "a");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_verdict("back", test_login_run(&t, &rq, NULL), POSTERN_OK);
    assert_int_equal(counts().kept, 2); /* proved anew: those are other keys than then */
    assert_login("found", POSTERN_OK, true);
    test_key_free(other);
}

static void keys_that_are_withdrawn_leave_it_undecided(void **state)
{
    (void)state;
    prove_once();
    test_folder_put(&t.folder, "keys.json", "{");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login("stale", POSTERN_OK, true);
    assert_string_equal(t.events, "keys.unusable ");
    for (int64_t i = 0; i < POSTERN_KEYRING_STALE_MS - 30000; i += 30000) {
        t.mono_ms += 30000; /* never a minute without it */
        assert_verdict("stale still", test_login_run(&t, &rq, NULL), POSTERN_OK);
    }
    t.mono_ms += 30000;
    assert_verdict("dropped", test_login_run(&t, &rq, NULL), POSTERN_ERR_KEYS_UNAVAILABLE);
    assert_string_equal(t.events, "keys.dropped ");
}

static void another_service_proves_for_itself(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "services/ldap.conf",
                    "audience: https://ldap.example.org/ldap\nhelper_peers: 0\n");
    test_folder_put(&t.folder, "services/smtp.conf",
                    "audience: https://smtp.example.org/smtp " TEST_AUDIENCE
                    "\nhelper_peers: 0\nshared_audience: yes\nrequired_scopes: mail.send\n");
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nshared_audience: yes\nhelper_peers: 0\n"
                    "username_strip_domain: example.org\nrequired_scopes: mail.read\n");
    test_login_reload(&t);
    prove_once();
    rq.service = "ldap";
    assert_login("wrong audience", POSTERN_ERR_AUD, false);
    rq.service = "smtp";
    assert_login("another service's scopes", POSTERN_ERR_INSUFFICIENT_SCOPE, false);
    rq.service = "imap";
    assert_login("its own", POSTERN_OK, true);
    rq.service = "pop";
    assert_login("no service", POSTERN_ERR_SERVICE_UNKNOWN, false);
}

static void another_issuer_proves_for_itself(void **state)
{
    char *text = test_printf("issuer: https://other.example.org\njwks_file: %s\n",
                             test_folder_at(&t.folder, "keys.json"));

    (void)state;
    test_folder_put(&t.folder, "issuers/other.conf", text);
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nissuers: sso\n"
                    "username_strip_domain: example.org\n");
    test_folder_put(&t.folder, "services/smtp.conf",
                    "audience: https://smtp.example.org/smtp\nhelper_peers: 0\nissuers: other\n");
    test_login_reload(&t);
    free(text);
    prove_once();
    rq.service = "smtp";
    assert_login("the same key, another issuer", POSTERN_ERR_ISS, false);
    assert_int_equal(counts().tokens, 1);
}

/* A reload makes another context, with nothing in it. */
static void a_proof_is_of_one_configuration(void **state)
{
    (void)state;
    prove_once();
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: https://other.example.org/imap\nhelper_peers: 0\n");
    test_login_reload(&t);
    assert_login("another audience", POSTERN_ERR_AUD, false);
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nrequired_scopes: mail.read\n"
                    "username_strip_domain: example.org\n");
    test_login_reload(&t);
    assert_login("the first audience", POSTERN_OK, false);
}

static void a_request_may_want_more_than_the_one_before(void **state)
{
    static const char *const held[] = { "mail.write", NULL }, *const lacking[] = { "admin", NULL },
                             *const part[] = { "mail", NULL };

    (void)state;
    prove_once();
    rq.extra_scopes = held;
    assert_login("a scope it has", POSTERN_OK, true);
    rq.extra_scopes = lacking;
    assert_login("a scope it lacks", POSTERN_ERR_INSUFFICIENT_SCOPE, true);
    assert_string_equal(t.failure.scope, "mail.read admin");
    rq.extra_scopes = part;
    assert_login("a beginning of one", POSTERN_ERR_INSUFFICIENT_SCOPE, true);
}

static void a_request_may_want_to_be_somebody_else(void **state)
{
    (void)state;
    prove_once();
    rq.authzid = "alice";
    assert_login("herself", POSTERN_OK, true);
    rq.authzid = "bob";
    assert_login("another", POSTERN_ERR_AUTHZID, true);
    rq.authzid = "Alice";
    assert_login("in other letters", POSTERN_ERR_AUTHZID, true);
}

static void a_request_may_come_by_another_channel(void **state)
{
    (void)state;
    prove_once();
    rq.tls = POSTERN_TLS_NONE;
    assert_login("without TLS", POSTERN_ERR_TLS_REQUIRED, false);
    rq.tls = POSTERN_TLS_UNKNOWN;
    assert_login("nobody knows", POSTERN_ERR_TLS_REQUIRED, false);
    rq.tls = POSTERN_TLS_ON;
    assert_login("with TLS", POSTERN_OK, true);
}

/* Only what became a grant is kept: not a token of a key that counts but with something wrong. */
static void what_was_refused_is_not_kept(void **state)
{
    static const struct {
        const char *name, *json;
        postern_err want;
    } cases[] = {
        { "aud", "\"https://other.example.org\"", POSTERN_ERR_AUD },
        { "iss", "\"https://other.example.org\"", POSTERN_ERR_ISS },
        { "exp", "1700000000", POSTERN_ERR_EXPIRED },
        { "scope", "\"mail.write\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "cnf", "{\"jkt\":\"x\"}", POSTERN_ERR_CNF },
        { "sub", "\"root@example.org\"", POSTERN_ERR_USER_DENIED },
        { "at_hash", "\"x\"", POSTERN_ERR_TYP },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *bad = test_login_token(&t, cases[i].name, cases[i].json);

        rq = test_login_request(bad);
        assert_login(cases[i].name, cases[i].want, false);
        assert_login(cases[i].name, cases[i].want, false);
        free(bad);
    }
    assert_int_equal(counts().kept, 0);
}

static void a_bound_token_is_asked_for_its_proof_at_each_login(void **state)
{
    char *bound = test_login_token(&t, "cnf",
                                   "{\"x5t#S256\":\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\"}");

    (void)state;
    rq = test_login_request(bound);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    assert_login("its certificate", POSTERN_OK, false);
    assert_login("once more", POSTERN_OK, true);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBC");
    assert_login("another", POSTERN_ERR_CNF, true);
    rq.client_cert_sha256 = POSTERN_BYTES_NONE;
    assert_login("none", POSTERN_ERR_CNF, true);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    assert_login("its own again", POSTERN_OK, true);
    free(bound);
}

/* A login succeeds whether its proof can be kept or not. */
static void want_of_memory_for_the_cache_refuses_nobody(void **state)
{
    bool was_kept = false;
    unsigned nth;

    (void)state;
    test_login_run(&t, &rq, NULL); /* keys and workspace */
    for (nth = 1;; nth++) {
        postern_err e;
        bool was_refused;

        t.mono_ms += POSTERN_CACHE_KEEP_MS;
        alloc_fail_arm(nth);
        e = test_login_run(&t, &rq, NULL);
        was_refused = alloc_fail_disarm();
        if (!was_refused) {
            assert_verdict("with memory", e, POSTERN_OK);
            break;
        }
        if (e == POSTERN_OK)
            was_kept |= counts().tokens == 0; /* the one that failed was the entry's */
        else
            assert_verdict("without", e, POSTERN_ERR_NOMEM);
    }
    assert_true(was_kept);
    assert_true(nth > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_login_has_the_same_grant_as_the_first),
        TEST(a_token_that_differs_in_a_byte_is_not_that_token),
        TEST(a_token_that_expires_between_two_logins_is_refused),
        TEST(a_clock_that_is_set_back_finds_the_token_not_yet_valid),
        TEST(a_minute_later_the_token_is_proved_again),
        TEST(what_has_expired_already_is_not_kept),
        TEST(a_client_that_is_removed_between_two_logins_is_refused),
        TEST(revocations_that_are_awaited_leave_it_undecided),
        TEST(an_agent_that_is_blocked_between_two_logins_is_refused),
        TEST(a_proof_is_not_kept_across_a_revocation_or_a_block),
        TEST(a_key_that_left_the_set_proves_nothing_any_more),
        TEST(keys_that_are_withdrawn_leave_it_undecided),
        TEST(another_service_proves_for_itself),
        TEST(another_issuer_proves_for_itself),
        TEST(a_proof_is_of_one_configuration),
        TEST(a_request_may_want_more_than_the_one_before),
        TEST(a_request_may_want_to_be_somebody_else),
        TEST(a_request_may_come_by_another_channel),
        TEST(what_was_refused_is_not_kept),
        TEST(a_bound_token_is_asked_for_its_proof_at_each_login),
        TEST(want_of_memory_for_the_cache_refuses_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
