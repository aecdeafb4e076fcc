/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/match.c and pattern.c: when a rule matches, and that what is not known counts against
 * the agent.  Attacks are named. */
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

/* ---- who ---- */

static void parties_are_matched_by_name_and_glob(void **state)
{
    q.subject.agent = "worker-3";
    q.subject.client = "pool";
    q.subject.user = "alice";
    (void)state;
    assert_true(allows("allow agent worker-* to *"));
    assert_true(allows("allow agent a,worker-? to *"));
    assert_false(allows("allow agent worker- to *"));
    assert_false(allows("allow agent Worker-3 to *"));
    assert_false(allows("allow agent \"worker-\\*\" to *"));
    assert_true(allows("allow client pool to *"));
    assert_false(allows("allow client worker-3 to *"));
    assert_true(allows("allow user alice to *"));
    assert_false(allows("allow user alic to *"));
    assert_true(allows("allow issuer \"https://as.example\" to *"));
    assert_false(allows("allow issuer \"https://as.example/\" to *"));
    assert_true(allows("set $a = x,worker-*\nset $b = y,$a\nallow agent $b to *"));
    assert_false(allows("set $a = x\nset $b = y,$a\nallow agent $b to *"));
}

static void for_says_which_human(void **state)
{
    static const struct {
        const char *rule;
        bool nobody, alice, somebody;
    } cases[] = {
        { "allow agent bot to *", true, true, true },
        { "allow agent bot for nobody to *", true, false, false },
        { "allow agent bot for anyone to *", false, true, true },
        { "allow agent bot for user alice to *", false, true, false },
        { "allow agent bot for user bob to *", false, false, false },
        { "allow agent bot for user * to *", false, true, false },
        { "allow user alice to *", false, true, false },
        { "deny agent bot for user alice to *\nallow anyone to *", true, false, false },
        { "deny agent bot for user bob to *\nallow anyone to *", true, true, false },
        { "deny agent bot for nobody to *\nallow anyone to *", false, true, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        q.subject.user = NULL;
        assert_int_equal(allows(cases[i].rule), cases[i].nobody);
        q.subject.user = "alice";
        assert_int_equal(allows(cases[i].rule), cases[i].alice);
        q.subject.user = ""; /* some human whose name is not known */
        assert_int_equal(allows(cases[i].rule), cases[i].somebody);
    }
}

static void a_name_that_is_not_known_counts_against_the_agent(void **state)
{
    (void)state;
    q.subject.agent = NULL;
    assert_false(allows("allow agent * to *"));
    assert_false(allows("deny agent evil to *\nallow anyone to *"));
    q.subject.agent = "";
    assert_false(allows("allow agent * to *"));
    q.subject.client = NULL;
    assert_false(allows("deny client evil to *\nallow anyone to *"));
    q.subject.issuer = NULL;
    assert_false(allows("deny issuer evil to *\nallow anyone to *"));
    assert_false(allows("allow issuer * to *"));
}

/* Entra ID leaves `groups` out of the token when there are too many. */
static void groups_that_the_token_does_not_tell_count_against_the_agent(void **state)
{
    static const char *const none[] = { "x" };
    static const char *const both[] = { "x", "contractors" };

    (void)state;
    q.subject.user = "alice";
    assert_false(allows("deny group contractors to *\nallow anyone to *"));
    assert_false(allows("allow group x to *"));
    q.subject.groups = none;
    q.subject.group_count = 1;
    assert_true(allows("deny group contractors to *\nallow anyone to *"));
    assert_true(allows("allow group x to *"));
    assert_true(allows("allow agent bot for group y,x to *"));
    assert_false(allows("allow agent bot for group y to *"));
    q.subject.groups = both;
    q.subject.group_count = 2;
    assert_false(allows("deny group contractors to *\nallow anyone to *"));
    q.subject.group_count = 0;
    assert_true(allows("deny group contractors to *\nallow anyone to *"));
}

static void groups_of_an_agent_without_a_human_only_count_against_it(void **state)
{
    static const char *const groups[] = { "ops" };

    (void)state;
    assert_true(allows("deny group ops to *\nallow anyone to *")); /* it has none */
    q.subject.groups = groups;
    q.subject.group_count = 1;
    assert_false(allows("allow group ops to *"));
    assert_false(allows("allow agent bot for group ops to *"));
    assert_false(allows("deny group ops to *\nallow anyone to *"));
    assert_true(allows("deny group dev to *\nallow anyone to *"));
}

/* ---- to what ---- */

static void resources_are_matched_and_unknown_ones_counted_against(void **state)
{
    (void)state;
    assert_true(allows("allow agent bot to raw:connect on cache"));
    assert_true(allows("allow agent bot to * on \"c*\",x"));
    assert_false(allows("allow agent bot to raw:connect on cach,Cache"));
    assert_true(allows("allow agent bot to raw:* on \"?ache\""));
    q.question.resource = (postern_bytes){ 0 };
    assert_true(allows("allow agent bot to raw:connect"));
    assert_false(allows("allow agent bot to raw:connect on *"));
    assert_false(allows("deny agent bot to raw:connect on ssh\nallow anyone to *"));
}

static void a_name_in_a_template_is_no_pattern(void **state)
{
    (void)state;
    q.question.resource = postern_bytes_str("stream:bot:jobs");
    assert_true(allows("allow anyone to * on \"stream:${agent}:*\""));
    q.subject.agent = "bo";
    assert_false(allows("allow anyone to * on \"stream:${agent}:*\""));
    q.subject.agent = "*"; /* an agent that named itself like a glob */
    assert_false(allows("allow anyone to * on \"stream:${agent}:*\""));
    assert_false(allows("allow anyone to * on \"${agent}\""));
    q.question.resource = postern_bytes_str("*");
    assert_true(allows("allow anyone to * on \"${agent}\""));
    q.subject.agent = "${user}";
    q.subject.user = "*";
    assert_false(allows("allow anyone to * on \"${agent}\""));
    assert_true(allows("allow anyone to * on \"${user}\""));
}

static void a_template_without_its_name_counts_against_the_agent(void **state)
{
    (void)state;
    assert_false(allows("allow anyone to * on \"*${user}*\""));
    q.question.resource = postern_bytes_str("home-bob");
    assert_false(allows("deny anyone to * on \"home-${user}\"\nallow anyone to *"));
    q.question.resource = postern_bytes_str("cache"); /* which no user's name can make of it */
    assert_true(allows("deny anyone to * on \"home-${user}\"\nallow anyone to *"));
    q.subject.user = "alice";
    q.question.resource = postern_bytes_str("home-alice");
    assert_false(allows("deny anyone to * on \"home-${user}\"\nallow anyone to *"));
    q.question.resource = postern_bytes_str("cache");
    assert_true(allows("deny anyone to * on \"home-${user}\"\nallow anyone to *"));
    assert_true(allows("allow anyone to * on x,\"home-${user}\",cache"));
}

static void stars_find_their_way_back(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        { "a*b*c", "aXbXbXc", true },
        { "a*b*c", "aXbXbX", false },
        { "*", "x", true },
        { "**?", "x", true },
        { "?*?", "x", false },
        { "*ab", "aab", true },
        { "*aab", "aaab", true },
        { "a?c",
          "a\xc3\xa5"
          "c",
          true },
        { "a??c",
          "a\xc3\xa5"
          "c",
          false },
        { "a*", "b", false },
        { "*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false },
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "allow anyone to * on \"%s\"", cases[i].pattern);
        q.question.resource = postern_bytes_str(cases[i].text);
        if (allows(text) != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
    }
}

/* ---- tests ---- */

static void scopes_are_whole_words(void **state)
{
    (void)state;
    q.subject.scope = "mail.read mail admin:x";
    is_true("scope has mail");
    is_true("scope has admin:x");
    is_false("scope has mail.");
    is_false("scope has admin");
    is_false("scope has MAIL");
    is_true("scope = \"admin:x mail mail.read\"");
    is_false("scope = \"mail mail.read\"");
    is_true("scope != mail");
    q.subject.scope = "";
    is_false("scope has mail");
    is_false("scope = mail");
    q.subject.scope = NULL;
    is_unknown("scope has mail");
    is_unknown("scope != mail");
}

static void texts_are_compared_whole_or_by_pattern(void **state)
{
    (void)state;
    q.subject.purpose = "invoice-7";
    is_true("purpose = invoice-7");
    is_false("purpose = invoice");
    is_true("purpose != x");
    is_true("purpose like invoice-*");
    is_false("purpose like *-8");
    is_true("purpose in (a, invoice-?)");
    is_false("purpose in (a, b)");
    q.subject.purpose = "bot";
    is_true("purpose = \"${agent}\"");
    is_unknown("purpose = \"${user}\"");
    q.subject.purpose = NULL;
    is_unknown("purpose = x");
    is_unknown("purpose != x");
    is_unknown("purpose in (x)");
    is_unknown("purpose like \"*\"");
}

static void sources_are_networks(void **state)
{
    (void)state;
    is_true("source in (10.0.0.0/8, 192.0.2.0/24)");
    is_false("source in (10.0.0.0/8, 192.0.3.0/24)");
    is_true("source = 192.0.2.7");
    is_true("source != 192.0.2.8");
    is_true("source in (0.0.0.0/0)");
    is_false("source in (::/0)");
    q.question.source = "::ffff:192.0.2.7"; /* IPv4 through an IPv6 socket */
    is_true("source in (192.0.2.0/24)");
    is_false("source in (::/0)");
    q.question.source = "2001:db8::1";
    is_true("source in (2001:db8::/33)");
    is_false("source in (2001:db8:8000::/33)");
    is_false("source in (0.0.0.0/0)");
    q.question.source = NULL;
    is_unknown("source in (0.0.0.0/0)");
    is_unknown("source != 10.0.0.1");
    q.question.source = "cache.example.org";
    is_unknown("source in (0.0.0.0/0, ::/0)");
    q.question.source = "192.0.2.7:4711";
    is_unknown("source = 192.0.2.7");
}

static void chains_are_counted(void **state)
{
    (void)state;
    q.subject.chain = 2;
    is_true("chain = 2");
    is_true("chain <= 2");
    is_false("chain < 2");
    is_false("chain > 2");
    is_true("chain >= 2");
    is_false("chain != 2");
    q.subject.chain = SIZE_MAX;
    is_unknown("chain <= 2");
    is_unknown("chain > 2");
}

static void times_are_in_the_zone_of_the_file(void **state)
{
    (void)state; /* Tuesday, 10:00 UTC */
    is_true("time 10:00-10:01");
    is_false("time 09:00-10:00");
    is_true("time mon-fri 07:00-19:00");
    is_false("time sat-mon 07:00-19:00");
    is_true("time tue 00:00-24:00");
    is_true("time until 2026-12-01");
    is_false("time until 2026-11-30");
    is_true("time from 2026-12-01");
    is_false("time from 2026-12-02");
    assert_true(allows("timezone +02:00\nallow anyone to * if time 12:00-12:01"));
    assert_false(allows("timezone +02:00\nallow anyone to * if time 10:00-10:01"));
    assert_true(allows("timezone +14:00\nallow anyone to * if time wed 00:00-00:01"));
    assert_true(allows("timezone -10:30\nallow anyone to * if time until 2026-11-30"));
    q.question.now_s = -1;
    is_unknown("time 00:00-24:00");
    is_unknown("time until 2026-12-01");
    q.question.now_s = INT64_MAX;
    is_unknown("time from 2026-12-02");
}

static void a_span_over_midnight_belongs_to_the_day_it_began(void **state)
{
    (void)state;
    q.question.now_s = TEST_POLICY_NOW_S + 13 * 3600; /* Tuesday 23:00 */
    is_true("time tue 22:00-06:00");
    is_false("time wed 22:00-06:00");
    q.question.now_s += 6 * 3600; /* Wednesday 05:00 */
    is_true("time tue 22:00-06:00");
    is_false("time wed 22:00-06:00");
    q.question.now_s += 3600; /* Wednesday 06:00 */
    is_false("time tue 22:00-06:00");
    is_false("time 22:00-06:00");
}

static void all_tests_must_hold(void **state)
{
    (void)state;
    q.subject.scope = "a";
    q.subject.chain = 1;
    is_true("scope has a and chain = 1");
    assert_false(test_policy_allow_if(&q, "scope has a and chain = 2"));
    assert_false(test_policy_allow_if(&q, "scope has b and chain = 1"));
    assert_false(test_policy_deny_if(&q, "purpose = x and chain = 2")); /* not known, and not so */
    assert_true(test_policy_deny_if(&q, "purpose = x and chain = 1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parties_are_matched_by_name_and_glob),
        TEST(for_says_which_human),
        TEST(a_name_that_is_not_known_counts_against_the_agent),
        TEST(groups_that_the_token_does_not_tell_count_against_the_agent),
        TEST(groups_of_an_agent_without_a_human_only_count_against_it),
        TEST(resources_are_matched_and_unknown_ones_counted_against),
        TEST(a_name_in_a_template_is_no_pattern),
        TEST(a_template_without_its_name_counts_against_the_agent),
        TEST(stars_find_their_way_back),
        TEST(scopes_are_whole_words),
        TEST(texts_are_compared_whole_or_by_pattern),
        TEST(sources_are_networks),
        TEST(chains_are_counted),
        TEST(times_are_in_the_zone_of_the_file),
        TEST(a_span_over_midnight_belongs_to_the_day_it_began),
        TEST(all_tests_must_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
