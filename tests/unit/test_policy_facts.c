/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/facts.c: what claims say, and the subject of a grant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"
#include "grant/grant.h"

static test_question q;

static int set_up(void **state)
{
    (void)state;
    test_question_make(&q);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_question_end(&q);
    return 0;
}

static bool allows(const char *text)
{
    return test_policy_allows(text, &q);
}

static void is_true(const char *test)
{
    test_policy_is_true(&q, test);
}

static void is_false(const char *test)
{
    test_policy_is_false(&q, test);
}

static void is_unknown(const char *test)
{
    test_policy_is_unknown(&q, test);
}

/* ---- look-ups ---- */

static void claims_are_typed(void **state)
{
    (void)state;
    test_question_claims(&q, "{\"s\":\"x\",\"esc\":\"\\u0061b\",\"n\":5,\"f\":0.5,\"t\":true,"
                             "\"a\":[\"x\",\"\\u0079\"],\"mixed\":[\"x\",1],\"empty\":[],"
                             "\"o\":{\"s\":{\"z\":\"deep\"}},\"null\":null,\"d.t\":\"dot\","
                             "\"acr\":\"high\"}");
    is_true("claim.s = x");
    is_false("claim.s = y");
    is_true("claim.s in (a, x)");
    is_true("claim.esc = ab");
    is_true("claim.esc like a?");
    is_true("claim.n = 5");
    is_true("claim.n < 6");
    is_false("claim.n > 5");
    is_true("claim.t = true");
    is_true("claim.t != false");
    is_true("claim.a has x");
    is_true("claim.a has y");
    is_false("claim.a has z");
    is_true("claim.mixed has x");
    is_unknown("claim.mixed has z");
    is_false("claim.empty has x");
    is_true("claim.o.s.z = deep");
    is_true("claim.\"d.t\" = dot");
    is_true("acr = high");
    is_false("acr in (low, mid)");
    is_unknown("claim.s < 5");
    is_unknown("claim.s has x");
    is_unknown("claim.f < 1");
    is_unknown("claim.f != 1");
    is_unknown("claim.null = x");
    is_unknown("claim.null != x");
    is_unknown("claim.a = x");
    is_unknown("claim.o = x");
    is_unknown("claim.o.s = x");
    is_unknown("claim.s.x = x");
    is_unknown("claim.gone = x");
    is_unknown("claim.gone != x");
    is_unknown("claim.gone has x");
    is_unknown("claim.gone like \"*\"");
}

static void claims_that_were_not_prepared_are_not_known(void **state)
{
    (void)state;
    q.subject.claims = postern_bytes_str("{\"s\":\"x\",\"acr\":\"a\",\"auth_time\":1}");
    is_unknown("claim.s = x");
    is_unknown("claim.s has x");
    is_unknown("claim.s < 1");
    is_unknown("acr = a");
    is_unknown("auth_age <= 5m");
}

static void the_age_of_a_login_is_measured(void **state)
{
    char json[64];

    (void)state;
    (void)snprintf(json, sizeof json, "{\"auth_time\":%lld}", (long long)TEST_POLICY_NOW_S - 300);
    test_question_claims(&q, json);
    is_true("auth_age <= 5m");
    is_false("auth_age < 5m");
    is_false("auth_age > 5m");
    q.question.now_s = TEST_POLICY_NOW_S - 600; /* a login 300 s ahead is a clock that differs */
    is_true("auth_age <= 5m");
    q.question.now_s = TEST_POLICY_NOW_S - 601; /* more is no login that was */
    is_unknown("auth_age <= 5m");
    q.question.now_s = -1;
    is_unknown("auth_age > 5m");
    test_question_end(&q);
    test_question_make(&q);
    test_question_claims(&q, "{\"auth_time\":\"1\"}");
    is_unknown("auth_age <= 5m");
}

/* ---- subjects of grants ---- */

static postern_bytes bytes(const char *text)
{
    return postern_bytes_str(text);
}

static postern_grant *make_grant(const char *sub, const char *client, const char *act,
                                 const char *user, const char *claims)
{
    struct postern_grant_facts facts = {
        .issuer = bytes("https://as.example"),
        .subject = bytes(sub),
        .client_id = bytes(client),
        .user = bytes(user),
        .scope = bytes("a b"),
        .purpose = bytes("p"),
        .act = { bytes(act), bytes("inner") },
        .act_depth = act == NULL ? 0 : 2,
        .exp_s = 1,
        .claims = bytes(claims),
    };
    postern_grant *g = NULL;

    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    return g;
}

static void a_grant_says_who_acts_for_whom(void **state)
{
    static const struct {
        const char *sub, *client, *act, *user, *want_agent, *want_user;
    } cases[] = {
        { "bot", "bot", NULL, "bot", "bot", NULL },
        { "alice", "bot", NULL, "alice", "bot", "alice" },
        { "alice@x", "bot", NULL, "alice", "bot", "alice" },
        { "bot", "bot", "other", "bot", "other", "bot" }, /* an actor acts for somebody */
        { "alice", "app", "bot", "alice", "bot", "alice" },
        { "alice", NULL, NULL, "alice", NULL, "alice" },
        { "alice", "bot", NULL, NULL, "bot", "" }, /* no mapping: a human without a name */
        { NULL, "bot", NULL, "bot", "bot", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(grant)
        g = make_grant(cases[i].sub, cases[i].client, cases[i].act, cases[i].user, "{}");
        POSTERN_AUTO_POLICY_SUBJECT s;

        assert_int_equal(postern_policy_subject_of(g, &s, NULL), POSTERN_OK);
        assert_true((s.agent == NULL) == (cases[i].want_agent == NULL));
        assert_true((s.user == NULL) == (cases[i].want_user == NULL));
        assert_string_equal(s.agent == NULL ? "" : s.agent,
                            cases[i].want_agent == NULL ? "" : cases[i].want_agent);
        assert_string_equal(s.user == NULL ? "" : s.user,
                            cases[i].want_user == NULL ? "" : cases[i].want_user);
        assert_string_equal(s.scope, "a b");
        assert_string_equal(s.purpose, "p");
        assert_string_equal(s.issuer, "https://as.example");
        assert_int_equal(s.chain, cases[i].act == NULL ? 0 : 2);
        assert_null(s.groups);
    }
}

/* RFC 8693 §4.1: nested actors are history. */
static void an_inner_actor_never_grants(void **state)
{
    POSTERN_AUTO(grant) g = make_grant("alice", "app", "bot", "alice", "{}");
    POSTERN_AUTO_POLICY_SUBJECT s;

    (void)state;
    assert_int_equal(postern_policy_subject_of(g, &s, NULL), POSTERN_OK);
    q.subject = s;
    assert_true(allows("allow agent bot to *"));
    assert_false(allows("allow agent inner to *"));
    assert_false(allows("allow user inner to *"));
    is_true("chain = 2");
    q.subject = (postern_policy_subject){ 0 };
}

static void groups_come_from_an_array_of_strings(void **state)
{
    static const struct {
        const char *claims;
        int count; /* -1: not known */
    } cases[] = {
        { "{\"groups\":[\"a\",\"\\u0062\"]}", 2 },
        { "{\"groups\":[]}", 0 },
        { "{}", -1 },
        { "{\"groups\":\"a\"}", -1 },
        { "{\"groups\":[\"a\",1]}", -1 },
        { "{\"groups\":null}", -1 },
        { "{\"groups\":{\"a\":1}}", -1 },
        { "{\"x\":{\"groups\":[\"a\"]}}", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(grant) g = make_grant("alice", "bot", NULL, "alice", cases[i].claims);
        POSTERN_AUTO_POLICY_SUBJECT s;

        assert_int_equal(postern_policy_subject_of(g, &s, NULL), POSTERN_OK);
        assert_int_equal(s.groups == NULL ? -1 : (int)s.group_count, cases[i].count);
        if (cases[i].count == 2)
            assert_string_equal(s.groups[1], "b");
    }
}

static void too_many_groups_are_not_known(void **state)
{
    char text[4096] = "{\"groups\":[\"g\"";
    char *end = text + strlen(text);
    postern_policy_subject s = { 0 };

    (void)state;
    for (int i = 1; i < 256; i++)
        end = stpcpy(end, ",\"g\"");
    (void)stpcpy(end, "]}");
    s.claims = bytes(text);
    assert_int_equal(postern_policy_subject_prepare(&s, NULL), POSTERN_OK);
    assert_int_equal(s.group_count, 256);
    postern_policy_subject_clear(&s);
    (void)stpcpy(end, ",\"g\"]}");
    s.claims = bytes(text);
    assert_int_equal(postern_policy_subject_prepare(&s, NULL), POSTERN_OK);
    assert_null(s.groups);
    postern_policy_subject_clear(&s);
}

static void claims_that_are_no_object_are_refused(void **state)
{
    static const char *const bad[] = { "[]", "1", "{", "{\"a\":1,\"a\":2}", "{} x" };
    postern_policy_subject s = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s.claims = bytes(bad[i]);
        assert_int_equal(postern_policy_subject_prepare(&s, NULL), POSTERN_ERR_MALFORMED);
        assert_null(s.facts);
    }
    s.claims = POSTERN_BYTES_NONE;
    assert_int_equal(postern_policy_subject_prepare(&s, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_subject_prepare(&s, NULL), POSTERN_ERR_USAGE);
    postern_policy_subject_clear(&s);
    assert_null(s.facts);
    postern_policy_subject_clear(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claims_are_typed),
        TEST(claims_that_were_not_prepared_are_not_known),
        TEST(the_age_of_a_login_is_measured),
        TEST(a_grant_says_who_acts_for_whom),
        TEST(an_inner_actor_never_grants),
        TEST(groups_come_from_an_array_of_strings),
        TEST(too_many_groups_are_not_known),
        TEST(claims_that_are_no_object_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
