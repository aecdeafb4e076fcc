/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/decide.c: which rule decides, what a decision tells, and two lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"

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

static postern_decision ask(const char *text)
{
    postern_policy *p = test_policy_make(text);
    postern_decision d = test_question_ask(&q, p);

    postern_policy_free(p);
    return d;
}

/* ---- the list ---- */

static void the_end_of_the_list_is_a_deny(void **state)
{
    postern_decision d = ask("");

    (void)state;
    assert_int_equal(d.verdict, POSTERN_VERDICT_DENY);
    assert_string_equal(d.rule, "");
    assert_true(d.rule_index == POSTERN_POLICY_NO_RULE);
    assert_false(allows("allow agent other to *"));
    assert_false(allows("deny anyone to *"));
    assert_true(allows("allow anyone to *"));
}

static void the_first_match_decides(void **state)
{
    (void)state;
    assert_false(allows("deny agent bot to *\nallow agent bot to *"));
    assert_true(allows("allow agent bot to *\ndeny agent bot to *"));
    assert_true(allows("deny agent b to *\nallow agent bo to *\nallow agent bot to *"));
}

static void a_decision_names_its_rule(void **state)
{
    postern_decision d =
        ask("# c\nx: deny agent a to *\nmine: allow agent bot to * with lease 15m\n");

    (void)state;
    assert_int_equal(d.verdict, POSTERN_VERDICT_ALLOW);
    assert_string_equal(d.rule, "t:mine");
    assert_string_equal(d.user_rule, "");
    assert_int_equal(d.rule_index, 1);
    assert_int_equal(d.lease_s, 900);
    assert_string_equal(d.because, "");
    d = ask("\n\ndeny agent bot to * because \"ask \\\"ops\\\"\"\n");
    assert_int_equal(d.verdict, POSTERN_VERDICT_DENY);
    assert_string_equal(d.rule, "t:3");
    assert_string_equal(d.because, "ask \"ops\"");
    assert_int_equal(d.lease_s, 0);
}

static void files_are_one_list(void **state)
{
    postern_policy *p = NULL;

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    assert_int_equal(
        postern_policy_add(p, "guard", "g", postern_bytes_str("no: deny agent bot to *"), NULL),
        POSTERN_OK);
    assert_int_equal(
        postern_policy_add(p, "cache", "c", postern_bytes_str("yes: allow agent bot to *"), NULL),
        POSTERN_OK);
    assert_int_equal(postern_policy_finish(p, NULL), POSTERN_OK);
    assert_string_equal(test_question_ask(&q, p).rule, "guard:no");
    q.subject.agent = "other";
    assert_string_equal(test_question_ask(&q, p).rule, "");
    postern_policy_free(p);
}

static void a_policy_that_is_not_finished_or_broken_denies(void **state)
{
    postern_policy *p = NULL;
    postern_bytes all = postern_bytes_str("allow anyone to *");

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "a", "a", all, NULL), POSTERN_OK);
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_DENY);
    assert_int_equal(postern_policy_add(p, "b", "b", postern_bytes_str("x"), NULL),
                     POSTERN_ERR_RULES);
    assert_int_equal(postern_policy_finish(p, NULL), POSTERN_ERR_USAGE);
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_DENY);
    postern_policy_free(p);
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    all = postern_bytes_str("allow anyone to *\nexpect deny anyone to raw:connect");
    assert_int_equal(postern_policy_add(p, "a", "a", all, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_finish(p, NULL), POSTERN_ERR_RULES_EXPECT);
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_DENY);
    postern_policy_free(p);
}

static void an_action_that_nobody_knows_is_denied(void **state)
{
    static const char *const actions[][2] = { { "raw", "conn" },   { "raw", "" },
                                              { "raw", NULL },     { "", "connect" },
                                              { NULL, "connect" }, { "*", "connect" },
                                              { "RAW", "connect" }, { "raw", "login" },
                                              { "imap", "Login" },   { "imap", "login " },
                                              { "imap", NULL },      { "imap", "" },
                                              { "", "login" },       { NULL, "login" },
                                              { "*", "login" },      { "im*", "login" },
                                              { "a b", "login" },    { "imap/", "login" } };

    (void)state;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        q.question.protocol = actions[i][0];
        q.question.action = actions[i][1];
        assert_false(allows("allow anyone to *"));
    }
}

/* SERVICE:login is of that service and no other, whatever it is called. */
static void a_login_is_of_its_service(void **state)
{
    static const struct {
        const char *rules;
        bool imap, smtp;
    } cases[] = {
        { "allow anyone to imap:login", true, false },
        { "allow anyone to imap:login,login", true, false },
        { "allow anyone to IMAP:login", false, false },
        { "allow anyone to imap-2:login", false, false },
        { "allow anyone to raw:*", false, false },
        { "allow anyone to *", true, true },
        { "deny anyone to imap:login\nallow anyone to *", false, true },
        { "allow anyone to smtp:login on cache", false, true },
        { "allow anyone to smtp:login on \"${agent}\"", false, false },
        { "allow anyone to imap:login on other,ca?he", true, false },
    };

    (void)state;
    q.question.action = "login";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        q.question.protocol = "imap";
        assert_int_equal(allows(cases[i].rules), cases[i].imap);
        q.question.protocol = "smtp";
        assert_int_equal(allows(cases[i].rules), cases[i].smtp);
    }
    q.question.protocol = "raw";
    q.question.action = "connect";
    assert_false(allows("allow anyone to imap:login"));
}

static void an_account_that_is_not_known_counts_against_the_agent(void **state)
{
    (void)state;
    q.question.protocol = "imap";
    q.question.action = "login";
    q.question.resource = (postern_bytes){ 0 };
    assert_false(allows("allow anyone to imap:login on *"));
    assert_false(allows("deny anyone to imap:login on root\nallow anyone to *"));
    assert_true(allows("allow anyone to imap:login"));
}

static void a_question_of_another_version_is_denied(void **state)
{
    (void)state;
    assert_true(allows("allow anyone to *"));
    q.question.size--;
    assert_false(allows("allow anyone to *"));
    q.question.size = 0;
    assert_false(allows("allow anyone to *"));
}

/* ---- missing scopes ---- */

static void a_refusal_for_a_scope_alone_names_it(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "allow agent bot to * if scope has cache.read", "cache.read" },
        { "allow agent bot to * if scope has a and scope has b and chain = 0", "a b" },
        { "allow agent bot to * if scope has a and scope has a", "a" },
        { "allow agent bot to * if scope has a\ndeny anyone to *", "a" },
        { "allow agent bot to * if scope has a\nallow agent bot to * if scope has b", "a" },
        { "deny anyone to *\nallow agent bot to * if scope has a", "" },
        { "allow agent bot to * if scope has a and chain = 1", "" },
        { "allow agent bot to * if chain = 1 and scope has a", "" },
        { "allow agent bot to * if scope has a and purpose = x", "" },
        { "allow agent bot to * if not scope has have and scope has a", "" },
        { "allow agent other to * if scope has a", "" },
        { "allow agent bot for anyone to * if scope has a", "" },
        { "allow agent bot to * on ssh if scope has a", "" },
        { "allow agent bot to * if scope = a", "" },
        { "allow agent bot to * if scope has have", "" },
        { "", "" },
    };

    (void)state;
    q.subject.scope = "have";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(ask(cases[i].text).missing_scope, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].text, ask(cases[i].text).missing_scope);
    q.subject.scope = NULL; /* not known is not missing */
    assert_string_equal(ask(cases[0].text).missing_scope, "");
}

static void half_a_list_of_scopes_is_not_told(void **state)
{
    char text[1024] = "allow agent bot to * if scope has a";
    char *end = text + strlen(text);

    (void)state;
    memset(end, 'a', 200);
    (void)snprintf(end + 200, 700, " and scope has b");
    assert_int_equal(strlen(ask(text).missing_scope), 203);
    end = text + strlen(text);
    memset(end, 'b', 60);
    end[60] = '\0';
    assert_string_equal(ask(text).missing_scope, "");
}

/* ---- two lists ---- */

static void both_lists_must_allow(void **state)
{
    static const char rules[] = "judge agent and user\n"
                                "a: allow agent bot to * with lease 1h\n"
                                "u: allow user alice to * with lease 15m\n";
    postern_decision d;

    (void)state;
    assert_false(allows(rules)); /* for nobody, no rule of the user's list matches */
    q.subject.user = "alice";
    d = ask(rules);
    assert_int_equal(d.verdict, POSTERN_VERDICT_ALLOW);
    assert_string_equal(d.rule, "t:a");
    assert_string_equal(d.user_rule, "t:u");
    assert_int_equal(d.lease_s, 900);
    assert_int_equal(d.refusing_lists, 0);
    q.subject.user = "bob";
    d = ask(rules);
    assert_int_equal(d.verdict, POSTERN_VERDICT_DENY);
    assert_string_equal(d.rule, "t:a");
    assert_string_equal(d.user_rule, "");
    assert_int_equal(d.refusing_lists, POSTERN_POLICY_LIST_USER);
    assert_int_equal(d.lease_s, 0);
    q.subject.user = "alice";
    q.subject.agent = "other";
    d = ask(rules);
    assert_int_equal(d.verdict, POSTERN_VERDICT_DENY);
    assert_int_equal(d.refusing_lists, POSTERN_POLICY_LIST_AGENT);
    q.subject.user = "bob";
    assert_int_equal(ask(rules).refusing_lists,
                     POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER);
    assert_int_equal(ask("deny anyone to *").refusing_lists, POSTERN_POLICY_LIST_AGENT);
}

/* The agent's list may allow it all: there is no human whose right it could use. */
static void an_agent_for_itself_has_no_right_of_a_user(void **state)
{
    static const char *const refused[] = {
        "judge agent and user\nallow agent bot to *\nallow user * to *",
        "judge agent and user\nallow agent bot for nobody to *\nallow group * to *",
        "judge agent and user\nallow agent bot to *\nallow user alice to *\nallow user bot to *",
    };
    static const char *const allowed[] = {
        /* What is said of anyone is said of nobody too. */
        "judge agent and user\nallow agent bot for nobody to *\nallow anyone to *",
        "judge agent and user\nallow agent bot for nobody to *\nallow issuer * to *",
    };
    static const char *const groups[] = { "staff" };

    (void)state;
    q.subject.user = NULL;
    q.subject.groups = groups; /* the agent's own: no human's */
    q.subject.group_count = 1;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        postern_decision d = ask(refused[i]);

        assert_int_equal(d.verdict, POSTERN_VERDICT_DENY);
        assert_int_equal(d.refusing_lists, POSTERN_POLICY_LIST_USER);
    }
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_true(allows(allowed[i]));
    q.subject.user = ""; /* somebody whose name is not known is not anybody in particular */
    assert_false(allows(refused[0]));
}

/* RFC 8693 §4.1: only the outermost actor counts; the others are a number. */
static void former_actors_grant_nothing(void **state)
{
    static const char rules[] = "judge agent and user\nallow agent planner to *\n"
                                "allow user alice to *";
    static const postern_bytes claims = POSTERN_BYTES_LIT(
        "{\"act\":{\"sub\":\"bot\",\"act\":{\"sub\":\"planner\"}},\"client_id\":\"bot\"}");

    (void)state;
    q.subject.user = "alice";
    q.subject.agent = "bot";
    q.subject.chain = 2;
    q.subject.claims = claims;
    assert_false(allows(rules));
    q.subject.agent = "planner";
    assert_true(allows(rules));
}

static void a_rule_for_anyone_stands_in_both_lists(void **state)
{
    (void)state;
    q.subject.user = "alice";
    assert_true(allows("judge agent and user\nallow anyone to *"));
    assert_false(allows("judge agent and user\nallow user alice to *"));
    assert_false(allows("judge agent and user\nallow agent bot to *"));
    assert_false(allows("judge agent and user\nallow client bot to *"));
    assert_true(allows("judge agent and user\nallow client bot to *\nallow user alice to *"));
    assert_true(allows("judge agent and user\nallow issuer \"https://as.example\" to *"));
    assert_true(allows("judge agent and user\nallow agent bot to *\nallow user alice to *\n"
                       "deny anyone to *"));
    assert_false(allows("judge agent and user\nallow agent bot to *\ndeny anyone to *\n"
                        "allow user alice to *"));
}

static void scopes_that_both_lists_want_are_named_together(void **state)
{
    postern_decision d;

    (void)state;
    q.subject.user = "alice";
    d = ask("judge agent and user\nallow agent bot to * if scope has a\n"
            "allow user alice to * if scope has b");
    assert_string_equal(d.missing_scope, "a b");
    d = ask("judge agent and user\nallow agent bot to *\nallow user alice to * if scope has b");
    assert_string_equal(d.missing_scope, "b");
    d = ask("judge agent and user\nallow agent bot to * if scope has a\nallow user bob to *");
    assert_string_equal(d.missing_scope, "");
}

/* ---- one rule alone ---- */

static void a_look_says_why_a_rule_does_not_match(void **state)
{
    static const struct {
        const char *rule, *want;
    } cases[] = {
        { "allow agent a,c* to *", "not agent a,c*" },
        { "allow group g to *", "not group g" },
        { "allow agent bot for anyone to *", "does not act for anyone" },
        { "allow agent bot to * on ssh", "\"cache\" is not among ssh" },
        { "allow agent bot to * on \"${user}\"",
          "\"cache\" against \"${user}\" is not known, and that counts against the agent" },
        { "allow agent bot to * if scope has x", "not so: scope has x" },
        { "allow agent bot to * if not chain = 0", "not so: not chain = 0" },
        { "allow agent bot to * if purpose = x",
          "purpose = x is not known, and that counts against the agent" },
        { "allow agent bot to * if not purpose = x",
          "not purpose = x is not known, and that counts against the agent" },
    };
    postern_policy_view v;

    (void)state;
    q.question.subject = &q.subject;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(policy) p = test_policy_make(cases[i].rule);

        assert_true(postern_policy_look(p, &q.question, 0, &v));
        assert_false(v.is_match);
        assert_string_equal(v.why, cases[i].want);
        assert_string_equal(v.rule, "t:1");
        assert_string_equal(v.path, "policies/t.rules");
        assert_int_equal(v.line, 1);
        assert_false(postern_policy_look(p, &q.question, 1, &v));
    }
}

static void a_look_says_in_which_lists_a_rule_stands(void **state)
{
    static const unsigned want[] = { 1, 1, 2, 2, 3, 3 };
    POSTERN_AUTO(policy)
    p = test_policy_make("judge agent and user\nallow agent a to *\n"
                         "allow client a to *\nallow user a to *\n"
                         "allow group a to *\nallow anyone to *\n"
                         "allow issuer a to *\n");
    POSTERN_AUTO(policy) one = test_policy_make("allow user a to *");
    postern_policy_view v;

    (void)state;
    q.question.subject = &q.subject;
    assert_int_equal(postern_policy_lists(p), 3);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(postern_policy_look(p, &q.question, i, &v));
        assert_int_equal(v.lists, want[i]);
    }
    assert_int_equal(postern_policy_lists(one), 1);
    assert_true(postern_policy_look(one, &q.question, 0, &v));
    assert_int_equal(v.lists, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- the clock ---- */

static uint64_t clock_of(const postern_policy *p, int64_t now_s)
{
    return postern_policy_clock(p, &q.subject, now_s);
}

static void the_clock_is_another_when_a_test_on_it_says_something_else(void **state)
{
    static const struct { const char *rules; int64_t later_s; bool is_another; } cases[] = {
        { "allow anyone to * if time 10:00-10:01", 59, false }, { "allow anyone to * if time 10:00-10:01", 60, true },
        { "allow anyone to * if time 09:00-12:00\nallow anyone to * if not time 10:00-10:01", 60, true },
        { "allow anyone to * if time until 2026-12-01", 50399, false }, { "allow anyone to * if time until 2026-12-01", 50400, true },
        { "deny anyone to * if auth_age > 10m", 300, false }, { "deny anyone to * if auth_age > 10m", 301, true },
        { "allow anyone to * if scope has a", 100000000, false }, { "", 100000000, false },
    };

    (void)state;
    test_question_claims(&q, "{\"auth_time\":1796118900}"); /* five minutes ago */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_policy *p = test_policy_make(cases[i].rules);
        uint64_t before = clock_of(p, TEST_POLICY_NOW_S);

        if ((clock_of(p, TEST_POLICY_NOW_S + cases[i].later_s) != before) != cases[i].is_another)
            fail_msg("%s, %lld s later", cases[i].rules, (long long)cases[i].later_s);
        if ((before == 0) != (i >= 7))
            fail_msg("%s: is there a clock?", cases[i].rules);
        postern_policy_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_clock_is_another_when_a_test_on_it_says_something_else),
        TEST(the_end_of_the_list_is_a_deny),
        TEST(the_first_match_decides),
        TEST(a_decision_names_its_rule),
        TEST(files_are_one_list),
        TEST(a_policy_that_is_not_finished_or_broken_denies),
        TEST(an_action_that_nobody_knows_is_denied),
        TEST(a_login_is_of_its_service),
        TEST(an_account_that_is_not_known_counts_against_the_agent),
        TEST(a_question_of_another_version_is_denied),
        TEST(a_refusal_for_a_scope_alone_names_it),
        TEST(half_a_list_of_scopes_is_not_told),
        TEST(both_lists_must_allow),
        TEST(an_agent_for_itself_has_no_right_of_a_user),
        TEST(former_actors_grant_nothing),
        TEST(a_rule_for_anyone_stands_in_both_lists),
        TEST(scopes_that_both_lists_want_are_named_together),
        TEST(a_look_says_why_a_rule_does_not_match),
        TEST(a_look_says_in_which_lists_a_rule_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
