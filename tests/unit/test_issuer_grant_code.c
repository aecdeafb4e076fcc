/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/grant_code.c: RFC 7636, OAuth 2.1 §4.1.3 and §7.5.2, through routes_answer(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grants_fixture.h"

#define CODE "grant_type=authorization_code&code=c1&redirect_uri=" REDIRECT
#define GOOD CODE "&code_verifier=" VERIFIER

/* agent-7 is public, service-9 keeps a secret; alice allowed each mail and directory for an hour. */
static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", "mail.read mail.write", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "agent-8", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "service-9", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_allow(g, "g1", "agent-7", "mail.read mail.write", FIXTURE_IMAP, 3600, "c1");
}

static bool stands(struct grants_fixture *g, const char *id)
{
    struct grant_record r;
    bool is_found = false;

    assert_int_equal(store_grant_find(g->f->is.store, id, &is_found, &r, NULL), POSTERN_OK);
    return is_found && r.ended_s == 0;
}

static void a_code_is_redeemed_for_a_token_of_the_person(void **state)
{
    struct grants_fixture *g = *state;
    struct grant_record r = { .id = "g2", .user = "alice", .client = "agent-7", .scopes = "mail.read",
                              .resources = FIXTURE_IMAP, .purpose = "sort \"my\" mail",
                              .details = "[{\"type\":\"imap_access\",\"actions\":[\"read\"]}]" };
    char *token;

    allow(g);
    r.created_s = g->f->now_s;
    r.auth_time_s = g->f->now_s - 7;
    r.ends_s = g->f->now_s + 3600;
    grants_allow_record(g, &r, "c2");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=authorization_code&code=c2&code_verifier=" VERIFIER);
    assert_status(g->f, 200);
    assert_text(g->f, "token_type", "Bearer");
    assert_text(g->f, "scope", "mail.read");
    assert_text(g->f, "sub", "alice"); /* for whom, so that nobody looks into the token */
    assert_string_equal(g->f->answer.cache_control, "no-store");
    assert_absent(g->f, "issued_token_type");
    token = grants_take(g, "refresh_token");
    assert_int_equal(strlen(token), 43); /* 256 bits */
    free(token);
    token = grants_take(g, "access_token");
    assert_claim_is(token, "sub", "\"alice\"");
    assert_claim_is(token, "client_id", "\"agent-7\"");
    assert_claim_is(token, "aud", "\"" FIXTURE_IMAP "\"");
    assert_claim_is(token, "act", "");
    assert_claim_is(token, "grant_id", "\"g2\"");
    assert_claim_is(token, "purpose", "\"sort \\\"my\\\" mail\"");
    assert_claim_is(token, "authorization_details", "[{\"type\":\"imap_access\",\"actions\":[\"read\"]}]");
    assert_claim_is(token, "derived_from", "");
    assert_int_equal(grants_number(token, "auth_time"), FIXTURE_NOW_S - 7);
    assert_int_equal(grants_number(token, "exp"), FIXTURE_NOW_S + 300);
    free(token);
}

static void a_token_ends_with_its_grant(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    grants_allow(g, "g2", "agent-7", "mail.read", FIXTURE_IMAP, 100, "c2");
    grants_redeem(g, "agent-7", "c2", &token, NULL);
    assert_int_equal(grants_number(token, "exp"), FIXTURE_NOW_S + 100);
    free(token);
    g->f->now_s += 59;
    grants_allow(g, "g3", "agent-7", "mail.read", FIXTURE_IMAP, 1, "c3");
    g->f->now_s += 1;
    grants_post(g, "/oauth/token", "agent-7", "grant_type=authorization_code&code=c3&code_verifier=" VERIFIER);
    assert_error(g->f, 400, "invalid_grant"); /* the grant is over before its code */
}

static void a_code_lives_for_its_time(void **state)
{
    struct grants_fixture *g = *state;

    allow(g);
    g->f->now_s += 60;
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_error(g->f, 400, "invalid_grant");
    assert_true(stands(g, "g1"));
    g->f->now_s -= 1;
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_status(g->f, 200);
}

static void what_is_wrong_does_not_use_the_code_up(void **state)
{
    static const struct { const char *why, *client, *body, *error; } bad[] = {
        { "no code", "agent-7", "grant_type=authorization_code&code_verifier=" VERIFIER, "invalid_request" },
        { "unknown code", "agent-7", "grant_type=authorization_code&code=c9&code_verifier=" VERIFIER, "invalid_grant" },
        { "PKCE downgrade: no verifier", "agent-7", CODE, "invalid_grant" },
        { "PKCE downgrade: plain", "agent-7",
          CODE "&code_challenge_method=plain&code_verifier=1RZKJnsFrIT-OSJCI8iJr3DI9eB-vQgLSYTsUpDqqqU", "invalid_grant" },
        { "another verifier", "agent-7", CODE "&code_verifier=" VERIFIER "x", "invalid_grant" },
        { "verifier of 42", "agent-7", CODE "&code_verifier=012345678901234567890123456789012345678901", "invalid_grant" },
        { "verifier with a blank", "agent-7", CODE "&code_verifier=01234567890123456789012345678901234567890123+x", "invalid_grant" },
        { "two verifiers", "agent-7", GOOD "&code_verifier=" VERIFIER, "invalid_request" },
        { "another public client", "agent-8", GOOD, "invalid_grant" },
        { "another client with a secret", "service-9", GOOD, "invalid_grant" },
        { "another redirect", "agent-7",
          "grant_type=authorization_code&code=c1&code_verifier=" VERIFIER "&redirect_uri=http://127.0.0.1:7778/cb", "invalid_grant" },
        { "a scope beyond", "agent-7", GOOD "&scope=mail.read+admin", "invalid_scope" },
        { "a resource beyond", "agent-7", GOOD "&resource=" FIXTURE_LDAP, "invalid_target" },
        { "two resources", "agent-7", GOOD "&resource=" FIXTURE_IMAP "&resource=" FIXTURE_IMAP, "invalid_target" },
    };
    struct grants_fixture *g = *state;

    allow(g);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        g->f->mono_ms += 60000; /* failures are rated */
        grants_post(g, "/oauth/token", bad[i].client, "%s", bad[i].body);
        if (g->f->answer.status != 400)
            fail_msg("%s: status %d", bad[i].why, g->f->answer.status);
        assert_error(g->f, 400, bad[i].error);
    }
    assert_int_equal(g->told_count, 0);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_status(g->f, 200);
}

static void a_verifier_of_43_and_128_characters_is_one(void **state)
{
    struct grants_fixture *g = *state;
    char verifier[131];

    allow(g);
    for (size_t len = 42; len <= 129; len += len == 43 ? 85 : 1) {
        memset(verifier, 'a', len);
        verifier[len] = '\0';
        g->f->mono_ms += 60000;
        grants_post(g, "/oauth/token", "agent-7", CODE "&code_verifier=%s", verifier);
        assert_error(g->f, 400, "invalid_grant");
        if (len == 43 || len == 128)
            assert_text(g->f, "error_description", "the code is unknown, used, expired, or not for this request");
        else
            assert_text(g->f, "error_description", "code_verifier is not 43 to 128 unreserved characters");
    }
}

static void a_second_redemption_ends_the_grant_and_is_told(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh;

    allow(g);
    grants_post(g, "/oauth/token", "agent-7", GOOD "&resource=" WHOAMI);
    assert_status(g->f, 200);
    token = grants_take(g, "access_token");
    refresh = grants_take(g, "refresh_token");
    grants_whoami(g, token);
    assert_status(g->f, 200);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_error(g->f, 400, "invalid_grant");
    assert_false(stands(g, "g1"));
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].kind, POSTERN_REVOCATION_GRANT);
    assert_string_equal(g->told[0].name, "g1");
    grants_whoami(g, token);
    assert_error(g->f, 401, "invalid_token");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", refresh);
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 1);
    free(token);
    free(refresh);
}

static void a_replay_without_the_verifier_or_by_a_stranger_ends_nothing(void **state)
{
    struct grants_fixture *g = *state;

    allow(g);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_status(g->f, 200);
    grants_post(g, "/oauth/token", "agent-7", CODE "&code_verifier=" VERIFIER "x");
    assert_error(g->f, 400, "invalid_grant");
    grants_post(g, "/oauth/token", "agent-8", "%s", GOOD);
    assert_error(g->f, 400, "invalid_grant");
    assert_true(stands(g, "g1"));
    assert_int_equal(g->told_count, 0);
}

static void a_code_of_an_ended_grant_is_void(void **state)
{
    struct grants_fixture *g = *state;
    bool is_found = false;

    allow(g);
    assert_int_equal(store_grant_end(g->f->is.store, "g1", g->f->now_s, g->f->now_s + 9, &is_found, NULL), POSTERN_OK);
    assert_true(is_found);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_error(g->f, 400, "invalid_grant");
}

static void a_removed_clients_code_is_void_also_when_it_is_added_again(void **state)
{
    struct grants_fixture *g = *state;
    struct clients_refusal refusal = { 0 };
    int64_t removed_s = 0;

    allow(g);
    assert_int_equal(clients_remove(&g->f->is, "agent-7", &removed_s, &refusal, NULL), CLIENTS_DONE);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_error(g->f, 401, "invalid_client");
    grants_client(g, "agent-7", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_NOTHING, 0);
    g->f->now_s++;
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_error(g->f, 400, "invalid_grant");
}

static void a_public_client_may_use_nothing_that_needs_a_secret(void **state)
{
    struct grants_fixture *g = *state;

    allow(g);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_error(g->f, 400, "unauthorized_client");
    grants_post(g, "/oauth/token", "agent-7", EXCHANGE "&subject_token=x&subject_token_type=" ACCESS);
    assert_error(g->f, 400, "unauthorized_client");
    fixture_ask(g->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded",
        .body = POSTERN_BYTES_LIT("grant_type=client_credentials&client_id=service-9") });
    assert_error(g->f, 401, "invalid_client"); /* its name is not enough */
    fixture_ask(g->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded",
        .body = POSTERN_BYTES_LIT(GOOD "&client_id=agent-7&client_secret=") });
    assert_status(g->f, 200); /* an empty secret is none */
    grants_post(g, "/oauth/token", "agent-7", "%s&client_secret=x", GOOD);
    assert_error(g->f, 401, "invalid_client"); /* it has none */
}

static void guesses_under_a_public_clients_name_do_not_hold_it_up(void **state)
{
    struct grants_fixture *g = *state;
    int refused = 0;

    allow(g);
    while (refused < 1000 && g->f->answer.status != 429) {
        grants_post(g, "/oauth/token", "agent-7", "grant_type=authorization_code&code=x%d&code_verifier=" VERIFIER, refused++);
        assert_true(g->f->answer.status == 400 || g->f->answer.status == 429);
    }
    assert_int_equal(refused, 11);
    grants_post(g, "/oauth/token", "agent-7", "%s", GOOD);
    assert_status(g->f, 200);
}

static void use_of_a_client_is_noted_once_an_hour(void **state)
{
    struct grants_fixture *g = *state;
    struct client_record c;
    bool is_found = false;

    allow(g);
    grants_post(g, "/oauth/token", "service-9", "grant_type=client_credentials");
    assert_error(g->f, 400, "invalid_target");
    assert_int_equal(store_client_find(g->f->is.store, "service-9", &is_found, &c, NULL), POSTERN_OK);
    assert_int_equal(c.used_s, 0);
    free(grants_own_token(g, "service-9"));
    g->f->now_s += 3599;
    free(grants_own_token(g, "service-9"));
    assert_int_equal(store_client_find(g->f->is.store, "service-9", &is_found, &c, NULL), POSTERN_OK);
    assert_int_equal(c.used_s, FIXTURE_NOW_S);
    g->f->now_s += 1;
    free(grants_own_token(g, "service-9"));
    assert_int_equal(store_client_find(g->f->is.store, "service-9", &is_found, &c, NULL), POSTERN_OK);
    assert_int_equal(c.used_s, FIXTURE_NOW_S + 3600);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_code_is_redeemed_for_a_token_of_the_person),
        TEST(a_token_ends_with_its_grant),
        TEST(a_code_lives_for_its_time),
        TEST(what_is_wrong_does_not_use_the_code_up),
        TEST(a_verifier_of_43_and_128_characters_is_one),
        TEST(a_second_redemption_ends_the_grant_and_is_told),
        TEST(a_replay_without_the_verifier_or_by_a_stranger_ends_nothing),
        TEST(a_code_of_an_ended_grant_is_void),
        TEST(a_removed_clients_code_is_void_also_when_it_is_added_again),
        TEST(a_public_client_may_use_nothing_that_needs_a_secret),
        TEST(guesses_under_a_public_clients_name_do_not_hold_it_up),
        TEST(use_of_a_client_is_noted_once_an_hour),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
