/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/judge.c: a grant that was proved once, asked again: what has been taken back since, and
 * what the settings of now would say.  And doors at a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/reply.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "grant/grant.h"

#define DOOR_AUDIENCE "https://cache.example.org/cache"
#define ISSUER        "issuer: " TEST_ISSUER "\njwks_file: keys.json\n"
#define DOOR                                                                                       \
    "protocol: raw\npolicy: cache\nlisten: 127.0.0.1:6380\nbackend: 127.0.0.1:6379\n"              \
    "username_strip_domain: example.org\n"
#define OUR_DOOR DOOR "audience: " DOOR_AUDIENCE "\nrequired_scopes: mail.read\n"

static test_login t;
static postern_grant *g;
static postern_failure failure;

/* A grant for door "cache" of a token with one more claim. */
static postern_grant *log_in(const char *name, const char *json)
{
    char *more = name == NULL ? test_printf("\"" DOOR_AUDIENCE "\"")
                              : test_printf("\"" DOOR_AUDIENCE "\",\"%s\":%s", name, json);
    char *token = test_login_token(&t, "aud", more);
    postern_request rq = test_login_request(token);
    postern_grant *grant = NULL;

    rq.service = "cache";
    if (test_login_run(&t, &rq, &grant) != POSTERN_OK)
        fail_msg("%s", t.err.detail);
    free(token);
    free(more);
    return grant;
}

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_folder_put(&t.folder, "issuers/sso.conf", ISSUER);
    test_folder_put(&t.folder, "doors/cache.conf", OUR_DOOR);
    test_login_reload(&t);
    g = log_in("purpose", "\"nightly report\"");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    postern_grant_free(g);
    test_login_remove(&t);
    return 0;
}

static void assert_again(const char *why, postern_err want)
{
    postern_err e;

    memset(&failure, 0xAA, sizeof failure);
    memset(&t.err, 0, sizeof t.err);
    e = postern_context_judge_again(t.context, g, &failure, &t.err);
    if (e != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want), postern_err_reason(e),
                 t.err.detail);
    assert_int_equal(failure.code, want);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), want);
}

static void nothing_has_changed_and_the_grant_is_still_good(void **state)
{
    (void)state;
    assert_again("the same context", POSTERN_OK);
    test_login_reload(&t);
    assert_again("the same files", POSTERN_OK);
    assert_string_equal(failure.because, "");
}

static void a_removed_client_loses_its_grant(void **state)
{
    (void)state;
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-8", TEST_NOW_S, &t.err),
        POSTERN_OK);
    assert_again("another client", POSTERN_OK);
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S - 1, &t.err),
        POSTERN_OK);
    assert_again("before the token was issued", POSTERN_OK);
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S, &t.err),
        POSTERN_OK);
    assert_again("this client", POSTERN_ERR_REVOKED);
    assert_string_equal(failure.issuer, TEST_ISSUER);
}

/* A live session keeps the claims of its token: what they name can end it. */
static void a_revoked_parent_or_an_ended_authorization_takes_the_grant_back(void **state)
{
    static const struct {
        postern_revocation_kind kind;
        const char *other, *name;
    } cases[] = {
        { POSTERN_REVOCATION_JTI, "t-2", "t-0" },
        { POSTERN_REVOCATION_JTI, "t-00", "t-1" },
        { POSTERN_REVOCATION_GRANT, "t-0", "g-1" },
        { POSTERN_REVOCATION_CLIENT, "g-1", "planner" },
    };

    (void)state;
    postern_grant_free(g);
    g = log_in("derived_from", "[\"t-0\"],\"grant_id\":\"g-1\","
                               "\"act\":{\"sub\":\"agent-7\",\"act\":{\"sub\":\"planner\"}}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_login_reload(&t);
        assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, cases[i].kind,
                                                cases[i].other, TEST_NOW_S, &t.err),
                         POSTERN_OK);
        assert_again(cases[i].other, POSTERN_OK);
        assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, cases[i].kind,
                                                cases[i].name, TEST_NOW_S, &t.err),
                         POSTERN_OK);
        assert_again(cases[i].name, POSTERN_ERR_REVOKED);
    }
}

static void what_is_not_known_yet_is_neither_yes_nor_no(void **state)
{
    (void)state;
    assert_int_equal(postern_context_expect_revocations(t.context, TEST_ISSUER, &t.err),
                     POSTERN_OK);
    assert_again("revocations", POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_revocations_ready(t.context, TEST_ISSUER, &t.err), POSTERN_OK);
    assert_again("revocations told", POSTERN_OK);
    postern_context_expect_blocks(t.context);
    assert_again("blocks", POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_set_blocks(t.context, NULL, 0, &t.err), POSTERN_OK);
    assert_again("blocks told", POSTERN_OK);
}

static void block(const char *agent, int64_t until_s)
{
    postern_block one = { .reason = "it looped", .contact = "ops", .until_s = until_s };

    memcpy(one.agent, agent, strlen(agent));
    assert_int_equal(postern_context_set_blocks(t.context, &one, 1, &t.err), POSTERN_OK);
}

static void a_blocked_agent_loses_its_grant_and_is_told_why(void **state)
{
    (void)state;
    block("agent-8", 0);
    assert_again("another", POSTERN_OK);
    block("agent-7", 0);
    assert_again("this one", POSTERN_ERR_BLOCKED);
    assert_string_equal(failure.because, "it looped");
    assert_string_equal(failure.contact, "ops");
    postern_grant_free(g);
    block("agent-8", 0);
    g = log_in("act", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-8\"}}");
    assert_again("who acted before", POSTERN_OK);
    block("agent-9", 0);
    assert_again("who acts", POSTERN_ERR_BLOCKED);
}

/* Else a block would wait for the issuer, and a removal for control. */
static void what_one_list_is_certain_of_does_not_wait_for_the_other(void **state)
{
    (void)state;
    assert_int_equal(postern_context_expect_revocations(t.context, TEST_ISSUER, &t.err),
                     POSTERN_OK);
    block("agent-8", 0);
    assert_again("another is blocked", POSTERN_ERR_REVOCATIONS_UNKNOWN);
    block("agent-7", 0);
    assert_again("blocked, removals not known", POSTERN_ERR_BLOCKED);
    assert_string_equal(failure.contact, "ops");
    postern_grant_free(g);
    block("agent-8", 0);
    assert_int_equal(postern_context_revocations_ready(t.context, TEST_ISSUER, &t.err), POSTERN_OK);
    g = log_in("act", "{\"sub\":\"agent-9\"}");
    test_login_reload(&t);
    postern_context_expect_blocks(t.context);
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-9", TEST_NOW_S, &t.err),
        POSTERN_OK);
    assert_again("the second name removed, blocks not known", POSTERN_ERR_REVOKED);
}

/* A token's life and a block's have nothing to do with each other. */
static void a_block_is_judged_by_the_clock_of_now(void **state)
{
    (void)state;
    block("agent-7", TEST_NOW_S + 400);
    t.now_s = TEST_NOW_S + 399; /* the token has expired */
    assert_again("behind the token's end", POSTERN_ERR_BLOCKED);
    t.now_s = TEST_NOW_S + 400;
    assert_again("the block is over", POSTERN_OK);
    block("agent-7", TEST_NOW_S - 400);
    t.now_s = TEST_NOW_S - 401; /* set back to before the token was issued */
    assert_again("before the token's begin", POSTERN_ERR_BLOCKED);
    t.now_s = TEST_NOW_S - 400;
    assert_again("over, before the begin", POSTERN_OK);
}

static void the_end_of_the_token_is_the_lease_s_business(void **state)
{
    static const int64_t clocks[] = {
        TEST_NOW_S + 299,
        TEST_NOW_S + 300,
        TEST_NOW_S + 359,
        TEST_NOW_S + 360,
        TEST_NOW_S - 61,
        TEST_NOW_S - 100000,
        0,
        (int64_t)1 << 53,
    };

    (void)state;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        t.now_s = clocks[i];
        assert_again("a clock", POSTERN_OK);
    }
}

/* "Not before" lay ahead of "issued at", and behind the login. */
static void a_clock_set_back_makes_no_proved_token_too_young(void **state)
{
    (void)state;
    postern_grant_free(g);
    t.now_s = TEST_NOW_S + 250;
    g = log_in("nbf", "1800000280");
    t.now_s = TEST_NOW_S;
    assert_again("before nbf", POSTERN_OK);
    test_folder_put(&t.folder, "issuers/sso.conf", ISSUER "clock_skew: 0s\n");
    test_login_reload(&t);
    assert_again("without tolerance", POSTERN_OK);
}

static const struct {
    const char *why, *file, *text; /* NULL: no such file any more */
    postern_err want;
} changes[] = {
    { "another audience", "doors/cache.conf", DOOR "audience: x\n", POSTERN_ERR_AUD },
    { "one more audience", "doors/cache.conf", DOOR "audience: x " DOOR_AUDIENCE "\n", POSTERN_OK },
    { "its audience at another door", "doors/cache.conf", DOOR "audience: " DOOR_AUDIENCE "/2\n",
      POSTERN_ERR_AUD },
    { "another issuer", "issuers/sso.conf", "issuer: https://other.example\njwks_file: k\n",
      POSTERN_ERR_ISS },
    { "almost the same issuer", "issuers/sso.conf", "issuer: " TEST_ISSUER "/\njwks_file: k\n",
      POSTERN_ERR_ISS },
    { "another key set", "issuers/sso.conf", "issuer: " TEST_ISSUER "\njwks_file: none.json\n",
      POSTERN_OK },
    { "another scope", "doors/cache.conf", OUR_DOOR "session_max: 1h\n", POSTERN_OK },
    { "one more scope", "doors/cache.conf",
      DOOR "audience: " DOOR_AUDIENCE "\nrequired_scopes: mail.read cache.use\n",
      POSTERN_ERR_INSUFFICIENT_SCOPE },
    { "a scope it has", "doors/cache.conf",
      DOOR "audience: " DOOR_AUDIENCE "\nrequired_scopes: mail.write\n", POSTERN_OK },
    { "the user denied", "doors/cache.conf", OUR_DOOR "deny_users: root bob alice\n",
      POSTERN_ERR_USER_DENIED },
    { "others denied", "doors/cache.conf", OUR_DOOR "deny_users: bob ali\n", POSTERN_OK },
    { "characters that it has not", "doors/cache.conf", OUR_DOOR "username_chars: b-z\n",
      POSTERN_ERR_NO_MAPPING },
    { "another user", "issuers/sso.conf", ISSUER "username_claim: client_id\n",
      POSTERN_ERR_AUTHZID },
    { "no user", "issuers/sso.conf", ISSUER "username_claim: login\n", POSTERN_ERR_NO_MAPPING },
    { "another agent", "issuers/sso.conf", ISSUER "agent_claim: sub\n", POSTERN_ERR_AUTHZID },
    { "no agent", "issuers/sso.conf", ISSUER "agent_claim: azp\n", POSTERN_ERR_AUTHZID },
    { "another purpose", "issuers/sso.conf", ISSUER "purpose_claim: jti\n", POSTERN_ERR_AUTHZID },
    { "no purpose", "issuers/sso.conf", ISSUER "purpose_claim: why\n", POSTERN_ERR_AUTHZID },
    { "one more claim", "issuers/sso.conf", ISSUER "required_claims: sub acr\n",
      POSTERN_ERR_CLAIM_MISSING },
    { "another client wanted", "doors/cache.conf", OUR_DOOR "allowed_clients: agent-9\n",
      POSTERN_ERR_CLIENT_NOT_ALLOWED },
    { "its client wanted", "doors/cache.conf", OUR_DOOR "allowed_clients: agent-9 agent-7\n",
      POSTERN_OK },
    { "one of two scopes", "doors/cache.conf", OUR_DOOR "required_scopes_any: x mail.write\n",
      POSTERN_OK },
    { "one of two others", "doors/cache.conf", OUR_DOOR "required_scopes_any: x y\n",
      POSTERN_ERR_INSUFFICIENT_SCOPE },
    { "a way of authentication", "doors/cache.conf", OUR_DOOR "required_acr: 2\n",
      POSTERN_ERR_ACR },
    { "a time of authentication", "doors/cache.conf", OUR_DOOR "max_auth_age: 1h\n",
      POSTERN_ERR_AUTH_AGE },
    { "tokens of a second's age", "issuers/sso.conf", ISSUER "max_token_age: 1s\n", POSTERN_OK },
    { "tokens of a second's life", "issuers/sso.conf", ISSUER "max_token_lifetime: 1s\n",
      POSTERN_ERR_TOKEN_AGE },
    { "the door is gone", "doors/cache.conf", NULL, POSTERN_ERR_SERVICE_UNKNOWN },
};

static void a_grant_is_judged_by_the_settings_of_now(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        test_folder_put(&t.folder, "issuers/sso.conf", ISSUER);
        test_folder_put(&t.folder, "doors/cache.conf", OUR_DOOR);
        if (changes[i].text == NULL)
            test_folder_drop(&t.folder, changes[i].file);
        else
            test_folder_put(&t.folder, changes[i].file, changes[i].text);
        test_login_reload(&t);
        assert_again(changes[i].why, changes[i].want);
    }
    assert_string_equal(failure.issuer, ""); /* of a door that is gone */
}

/* The proof was made on the session's own connection, which is still the same. */
static void a_bound_token_s_session_keeps_its_proof(void **state)
{
    char *token = test_login_token(
        &t, "aud",
        "\"" DOOR_AUDIENCE "\",\"cnf\":{\"x5t#S256\":"
        "\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\"}");
    postern_request rq = test_login_request(token);

    (void)state;
    postern_grant_free(g);
    g = NULL;
    rq.service = "cache";
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_ERR_CNF);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_true(postern_bytes_equal(postern_grant_bound_cert(g), rq.client_cert_sha256));
    assert_again("with what was shown", POSTERN_OK);
    test_login_reload(&t);
    assert_again("after a reload", POSTERN_OK);
    postern_grant_free(g);
    g = log_in("purpose", "\"nightly report\"");
    assert_int_equal(postern_grant_bound_cert(g).len, 0);
    free(token);
}

static void without_its_domain_cut_off_the_user_is_another(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "doors/cache.conf",
                    "protocol: raw\npolicy: cache\nlisten: 127.0.0.1:6380\nbackend: h:1\n"
                    "audience: " DOOR_AUDIENCE "\n");
    test_login_reload(&t);
    assert_again("alice@example.org", POSTERN_ERR_AUTHZID);
}

/* Another file took the name of the door that is gone. */
static void a_service_that_answers_to_a_door_s_name_is_not_that_door(void **state)
{
    (void)state;
    test_folder_drop(&t.folder, "doors/cache.conf");
    test_folder_put(&t.folder, "services/redis.conf",
                    "audience: " DOOR_AUDIENCE "\nhelper_peers: 0\nservice_names: cache\n"
                    "username_strip_domain: example.org\n");
    test_login_reload(&t);
    assert_again("a name among others", POSTERN_ERR_SERVICE_UNKNOWN);
}

static void a_refusal_says_where_to_go(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "doors/cache.conf",
                    DOOR "audience: " DOOR_AUDIENCE "\nrequired_scopes: cache.use\n");
    test_login_reload(&t);
    assert_again("scope", POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(failure.scope, "cache.use");
    assert_string_equal(failure.issuer, TEST_ISSUER);
    assert_string_equal(failure.openid_configuration,
                        TEST_ISSUER "/.well-known/openid-configuration");
    assert_string_equal(failure.resource_metadata,
                        "https://cache.example.org/.well-known/oauth-protected-resource/cache");
}

static void a_helper_s_grant_holds_no_claims_to_judge(void **state)
{
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(1 << 16);
    postern_grant *copy = NULL;

    (void)state;
    failure = (postern_failure){ .ref = "R-0123456789ABC" };
    postern_reply_write(g, &failure, POSTERN_BYTES_LIT("n"), "cache", &reply);
    assert_false(reply.failed);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&reply), POSTERN_BYTES_LIT("n"),
                                              "cache", &copy, &failure, &t.err),
                     POSTERN_OK);
    postern_grant_free(g);
    g = copy;
    assert_again("a helper's", POSTERN_ERR_USAGE);
    test_folder_drop(&t.folder, "doors/cache.conf");
    test_login_reload(&t);
    assert_again("a helper's, of nothing", POSTERN_ERR_USAGE);
}

static void a_child_process_may_not_use_its_parent_s_context(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(postern_context_judge_again(t.context, g, NULL, NULL) == POSTERN_ERR_USAGE ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static postern_err judge_once(void *arg, postern_error *err)
{
    postern_failure f;

    (void)arg;
    return postern_context_judge_again(t.context, g, &f, err);
}

static void judging_again_survives_every_failing_allocation(void **state)
{
    (void)state;
    postern_grant_free(g);
    g = log_in("purpose", "\"\\u0061\""); /* with an escape, for the scratch */
    assert_true(alloc_fail_sweep(judge_once, NULL, POSTERN_OK) >= 2);
}

/* ---- a door at a login ---- */

static postern_err try_door(const char *service, postern_tls tls, const char *aud)
{
    char *token = test_login_token(&t, "aud", aud);
    postern_request rq = test_login_request(token);
    postern_err e;

    rq.service = service;
    rq.tls = tls;
    e = test_login_run(&t, &rq, NULL);
    free(token);
    return e;
}

static void a_door_takes_a_bearer_token_under_tls_or_on_this_machine_alone(void **state)
{
    (void)state;
    assert_int_equal(try_door("cache", POSTERN_TLS_ON, "\"" DOOR_AUDIENCE "\""), POSTERN_OK);
    assert_int_equal(try_door("cache", POSTERN_TLS_LOCAL, "\"" DOOR_AUDIENCE "\""), POSTERN_OK);
    assert_int_equal(try_door("cache", POSTERN_TLS_NONE, "\"" DOOR_AUDIENCE "\""),
                     POSTERN_ERR_TLS_REQUIRED);
    assert_int_equal(try_door("cache", POSTERN_TLS_UNKNOWN, "\"" DOOR_AUDIENCE "\""),
                     POSTERN_ERR_TLS_REQUIRED);
}

static void a_token_for_a_service_opens_no_door_and_the_other_way_round(void **state)
{
    (void)state;
    assert_int_equal(try_door("cache", POSTERN_TLS_ON, "\"" TEST_AUDIENCE "\""), POSTERN_ERR_AUD);
    assert_int_equal(try_door("imap", POSTERN_TLS_ON, "\"" DOOR_AUDIENCE "\""), POSTERN_ERR_AUD);
    assert_int_equal(try_door("imap", POSTERN_TLS_ON, "\"" TEST_AUDIENCE "\""), POSTERN_OK);
    assert_int_equal(try_door("Cache", POSTERN_TLS_ON, "\"" DOOR_AUDIENCE "\""),
                     POSTERN_ERR_SERVICE_UNKNOWN);
    assert_int_equal(try_door("cach", POSTERN_TLS_ON, "\"" DOOR_AUDIENCE "\""),
                     POSTERN_ERR_SERVICE_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_has_changed_and_the_grant_is_still_good),
        TEST(a_removed_client_loses_its_grant),
        TEST(a_revoked_parent_or_an_ended_authorization_takes_the_grant_back),
        TEST(what_is_not_known_yet_is_neither_yes_nor_no),
        TEST(a_blocked_agent_loses_its_grant_and_is_told_why),
        TEST(what_one_list_is_certain_of_does_not_wait_for_the_other),
        TEST(a_block_is_judged_by_the_clock_of_now),
        TEST(the_end_of_the_token_is_the_lease_s_business),
        TEST(a_clock_set_back_makes_no_proved_token_too_young),
        TEST(a_grant_is_judged_by_the_settings_of_now),
        TEST(a_bound_token_s_session_keeps_its_proof),
        TEST(without_its_domain_cut_off_the_user_is_another),
        TEST(a_service_that_answers_to_a_door_s_name_is_not_that_door),
        TEST(a_refusal_says_where_to_go),
        TEST(a_helper_s_grant_holds_no_claims_to_judge),
        TEST(a_child_process_may_not_use_its_parent_s_context),
        TEST(judging_again_survives_every_failing_allocation),
        TEST(a_door_takes_a_bearer_token_under_tls_or_on_this_machine_alone),
        TEST(a_token_for_a_service_opens_no_door_and_the_other_way_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
