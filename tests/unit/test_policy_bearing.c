/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/bearing.c: what can be said of rules while part of the question is open; nobody who
 * can is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/test_policy.h"

static const postern_policy_about nothing_said = { .size = sizeof nothing_said, .now_s = -1 };

static postern_policy_about about_connecting(const char *resource)
{
    postern_policy_about ret = nothing_said;

    ret.protocol = "raw";
    ret.action = "connect";
    ret.resource = postern_bytes_str(resource);
    return ret;
}

static void a_rule_is_told_apart_from_its_words(void **state)
{
    POSTERN_AUTO(policy)
    p = test_policy_make(
        "timezone +01:00\nset $b = b,\"c d\"\n"
        "end: allow agent a,$b for user u to raw:connect on \"c:*\" if scope has x and "
        "time until 2026-11-30 and time until 2026-12-31 with lease 15m because \"so\"\n"
        "deny anyone to imap:login if not time until 2026-11-30\n");
    static const struct {
        postern_policy_part part;
        size_t n;
        const char *want; /* NULL: none */
    } words[] = {
        { POSTERN_POLICY_WHO, 0, "agent a,b,\"c d\" for user u" },
        { POSTERN_POLICY_TARGET, 0, "raw:connect" },
        { POSTERN_POLICY_RESOURCES, 0, "c:*" },
        { POSTERN_POLICY_TEST, 0, "scope has x" },
        { POSTERN_POLICY_TEST, 2, "time until 2026-12-31" },
        { POSTERN_POLICY_TEST, 3, NULL },
        { POSTERN_POLICY_DUTIES, 0, "lease 15m" },
    };
    postern_policy_rule r;

    (void)state;
    assert_true(postern_policy_rule_at(p, 0, &r));
    assert_string_equal(r.rule, "t:end");
    assert_string_equal(r.path, "policies/t.rules");
    assert_int_equal(r.line, 3);
    assert_int_equal(r.verdict, POSTERN_VERDICT_ALLOW);
    assert_string_equal(r.service, "");
    assert_string_equal(r.because, "so");
    assert_int_equal(r.ends_s,
                     INT64_C(1796079600)); /* 2026-12-01T00:00+01:00, the earlier of two */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
        bool is_there = postern_policy_print_part(p, 0, words[i].part, words[i].n, &out);

        if (is_there != (words[i].want != NULL) ||
            (is_there && strcmp(postern_buf_cstr(&out), words[i].want) != 0))
            fail_msg("case %zu: %s", i, postern_buf_cstr(&out));
    }
    assert_true(postern_policy_rule_at(p, 1, &r));
    assert_string_equal(r.service, "imap");
    assert_int_equal(r.ends_s, -1); /* it begins then */
    for (int part = POSTERN_POLICY_RESOURCES; part <= POSTERN_POLICY_DUTIES; part++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
        bool is_there = postern_policy_print_part(p, 1, (postern_policy_part)part, 0, &out);

        assert_true(is_there == (part == POSTERN_POLICY_TEST));
    }
    assert_false(postern_policy_rule_at(p, 2, &r));
    assert_false(postern_policy_print_part(p, 2, POSTERN_POLICY_WHO, 0, NULL));
}

static void an_action_is_known_or_not(void **state)
{
    (void)state;
    assert_true(postern_policy_has_action("raw", "connect"));
    assert_true(postern_policy_has_action("imap", "login"));
    assert_true(postern_policy_has_action("redis", "get"));
    assert_true(postern_policy_has_action("mcp", "new/one")); /* its peers make new ones */
    assert_false(postern_policy_has_action("redis", "GTE"));
    assert_false(postern_policy_has_action("redis", "@read"));
    assert_true(postern_policy_opens_session("redis", "PING"));
    assert_true(postern_policy_opens_session("mcp", "ping"));
    assert_false(postern_policy_opens_session("redis", "GET"));
    assert_false(postern_policy_opens_session("imap", "login"));
    assert_false(postern_policy_has_action("raw", "login"));
    assert_false(postern_policy_has_action("raw", "*"));
    assert_false(postern_policy_has_action("imap", "read"));
    assert_false(postern_policy_has_action("", "login"));
    assert_false(postern_policy_has_action(NULL, NULL));
}

enum { P = POSTERN_POLICY_PERHAPS, N = POSTERN_POLICY_NEVER, A = POSTERN_POLICY_ALWAYS };

static void a_rule_matches_always_never_or_perhaps(void **state)
{
    static const struct {
        const char *rule;
        /* nothing said; raw:connect on "c"; agent a; agent a for user u; connect, by agent a */
        int want[5];
    } cases[] = {
        { "deny anyone to *", { P, A, P, P, A } }, /* not what clients say first */
        { "deny anyone to raw:connect", { P, A, P, P, A } },
        { "deny anyone to imap:login", { P, N, P, P, N } },
        { "deny anyone to * on c", { P, A, P, P, A } },
        { "deny anyone to * on d", { P, N, P, P, N } },
        { "deny anyone to * on \"c${agent}\"", { P, P, P, P, N } },
        { "deny anyone to * on \"d${agent}\"", { P, N, P, P, N } },
        { "deny anyone to * on \"${agent}\"", { P, P, P, P, N } },
        { "deny anyone to * on \"${user}\"", { P, P, P, P, P } },
        { "deny anyone to * if scope has x", { P, P, P, P, P } },
        { "deny agent a to *", { P, P, P, P, A } },
        { "deny agent b to *", { P, P, N, N, N } },
        { "deny client a to *", { P, P, P, P, P } },
        { "deny issuer a to *", { P, P, P, P, P } },
        { "deny user u to *", { P, P, P, P, P } },
        { "deny user v to *", { P, P, P, N, P } },
        { "deny group g to *", { P, P, P, P, P } },
        { "deny agent a for user u to *", { P, P, P, P, P } },
        { "deny agent a for user v to *", { P, P, P, N, P } },
        { "deny agent a for group g to *", { P, P, P, P, P } },
        { "deny agent a for anyone to *", { P, P, P, P, P } },
        { "deny agent a for nobody to *", { P, P, P, N, P } },
        { "deny anyone to imap:login on c", { P, N, P, P, N } },
    };
    postern_policy_about about[5] = { nothing_said, about_connecting("c"), nothing_said,
                                      nothing_said, about_connecting("c") };

    (void)state;
    about[2].agent = about[3].agent = about[4].agent = "a";
    about[3].user = "u";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(policy) p = test_policy_make(cases[i].rule);

        for (size_t j = 0; j < 5; j++)
            if ((int)postern_policy_bears(p, 0, &about[j]) != cases[i].want[j])
                fail_msg("%s: question %zu: %d", cases[i].rule, j,
                         (int)postern_policy_bears(p, 0, &about[j]));
        assert_int_equal(postern_policy_bears(p, 1, &about[0]), N);
    }
}

static void a_rule_whose_time_is_over_never_matches(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make("allow anyone to * if time until 2026-11-30");
    postern_policy_about about = nothing_said;

    (void)state;
    assert_int_equal(postern_policy_bears(p, 0, &about), P);
    about.now_s = INT64_C(1796083199); /* 2026-11-30T23:59:59Z */
    assert_int_equal(postern_policy_bears(p, 0, &about), P);
    about.now_s++;
    assert_int_equal(postern_policy_bears(p, 0, &about), N);
}

static void a_rule_above_takes_all_some_or_nothing(void **state)
{
    static const struct {
        const char *above, *below;
        int want, want_connecting; /* in any question; of raw:connect on "c" */
    } cases[] = {
        { "deny anyone to *", "allow agent a to *", A, A },
        { "deny agent a to *", "allow agent a to raw:connect on c", A, A },
        { "deny agent a to *", "allow agent b to *", N, N },
        { "deny agent a to *", "allow agent a* to *", P, P },
        { "deny agent a* to *", "allow agent ab,ac to *", A, A },
        { "deny agent a to *", "allow client a to *", P, P },
        { "deny agent b* to *", "allow agent a to *", N, N },
        { "deny anyone to * if chain > 2", "allow agent a to *", P, P },
        { "deny agent a to * if chain > 2", "allow agent a to * if scope has x and chain > 2", A,
          A },
        { "deny anyone to raw:connect on c", "allow agent a to raw:connect", P, A },
        { "deny anyone to raw:connect on d", "allow agent a to raw:connect", P, N },
        { "deny anyone to imap:login", "allow agent a to *", P, N },
        { "deny agent a for anyone to *", "allow agent a for nobody to *", N, N },
        { "deny user u to *", "allow agent a for nobody to *", N, N },
        { "deny group g to *", "allow agent a for nobody to *", P, P },
        { "deny agent a for anyone to *", "allow agent a for user u to *", A, A },
        { "deny user u to *", "allow user v to *", P, P }, /* a login's names have spellings */
        { "allow agent a to *", "deny agent a to *", P, P },
        { "allow anyone to *", "deny agent a to *", P, A }, /* which denies what no table has */
        { "allow anyone to raw:connect on c", "deny agent a to raw:connect on c", P, A },
        { "allow agent a to *", "allow agent a to *", A, A },
        { "deny anyone to raw:connect on \"d*\"", "allow anyone to raw:connect on c,e", N, N },
        { "deny anyone to raw:connect on \"*${user}\"", "allow anyone to raw:connect on c", P, P },
        { "deny anyone to * on d", "allow anyone to * on c", P, N },
        { "deny anyone to imap:login", "allow anyone to smtp:login", N, N },
        { "deny anyone to imap:login", "allow anyone to raw:connect", N, N },
        /* both match what is not known */
        { "deny agent a to *", "deny agent b to *", P, P },
        { "deny anyone to raw:connect on d", "deny anyone to raw:connect on c", P, N },
        { "deny anyone to redis:@write", "allow agent a to redis:GET", N, N },
        { "deny anyone to redis:@read", "allow agent a to redis:GET", A, N },
        { "deny anyone to redis:CONFIG", "allow agent a to redis:CONFIG|GET", A, N },
        { "deny anyone to redis:CONFIG|GET", "allow agent a to redis:CONFIG", P, N },
        { "deny anyone to redis:CONFIG*", "allow agent a to redis:GET", N, N },
        { "deny anyone to redis:EVAL*", "allow agent a to redis:EVAL*", A, N },
        { "deny anyone to redis:EVAL", "allow agent a to redis:EVAL*", P, N },
        { "deny anyone to mcp:new/a", "allow agent a to mcp:new/b", P, N },
        { "deny anyone to mcp:tools/call on \"d*\"", "allow agent a to mcp:tools/call on c", N, N },
        /* a URI that may mean another is meant only letter by letter */
        { "deny anyone to mcp:resources/read on \"file:///a/*\"",
          "allow agent a to mcp:resources/read on \"file:///b/../c\"", P, N },
        { "allow agent a to mcp:resources/read on \"file:///a/*\"",
          "allow agent a to mcp:resources/read on \"file:///a/../c\"", P, N },
        { "allow agent a to mcp:resources/read on \"file:///a/*\"",
          "allow agent a to mcp:resources/read on \"file:///a/c\"", A, N },
        { "judge agent and user\ndeny agent a to *", "allow user u to *", N, N },
        { "judge agent and user\ndeny anyone to *", "allow user u to *", A, A },
    };
    postern_policy_about connecting = about_connecting("c");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        POSTERN_AUTO(policy) p = NULL;

        (void)snprintf(text, sizeof text, "%s\n%s\n", cases[i].above, cases[i].below);
        p = test_policy_make(text);
        if ((int)postern_policy_takes(p, 0, 1, &nothing_said) != cases[i].want ||
            (int)postern_policy_takes(p, 0, 1, &connecting) != cases[i].want_connecting)
            fail_msg("%s: %d %d", text, (int)postern_policy_takes(p, 0, 1, &nothing_said),
                     (int)postern_policy_takes(p, 0, 1, &connecting));
        assert_int_equal(postern_policy_takes(p, 1, 0, &nothing_said), N); /* nothing from above */
    }
}

/* ---- nobody who can is left out ---- */

static uint32_t seed = 7;

static uint32_t draw(uint32_t below)
{
    seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return (seed >> 16) % below;
}
#define ONE_OF(words) (words)[draw((uint32_t)(sizeof(words) / sizeof *(words)))]

static const char *const names[] = { "a", "ab", "b", "u", "c" };

static void add_rule(postern_buf *out)
{
    static const char *const verdicts[] = { "allow", "allow", "allow", "deny", "hold" };
    static const char *const parties[] = { "anyone",      "agent a",           "agent a*,b",
                                           "agent \"?\"", "client a",          "agent ab",
                                           "client b",    "user u,a",          "group g",
                                           "issuer i",    "agent \"${user}\"", "agent *" };
    static const char *const humans[] = { "",
                                          "",
                                          " for anyone",
                                          " for nobody",
                                          " for user u",
                                          " for group g",
                                          " for user \"${agent}\"" };
    static const char *const targets[] = { "*",
                                           "raw:connect",
                                           "raw:*",
                                           "imap:login",
                                           "smtp:login",
                                           "redis:@read",
                                           "redis:GET,PING",
                                           "redis:@session",
                                           "redis:CONFIG",
                                           "mcp:tools/call",
                                           "mcp:resources/*",
                                           "mcp:*" };
    static const char *const resources[] = { "",
                                             "",
                                             " on c",
                                             " on b",
                                             " on a,b",
                                             " on \"*\"",
                                             " on \"${agent}\"",
                                             " on ab*",
                                             " on \"${user}\"",
                                             " on \"a${agent}\"",
                                             " on \"file:///a/*\"",
                                             " on \"file:///a/../b\"" };
    static const char *const tests[] = { "",
                                         "",
                                         "",
                                         " if scope has x",
                                         " if not scope has x",
                                         " if purpose = p",
                                         " if chain > 1 and scope has x",
                                         " if time until 2026-11-30",
                                         " if time until 2026-12-31",
                                         " if claim.x = 1",
                                         " if arg.p = x" };
    const char *party = ONE_OF(parties), *verdict = ONE_OF(verdicts), *target = ONE_OF(targets);
    bool is_inspected = strncmp(target, "redis", 5) == 0 || strncmp(target, "mcp", 3) == 0;
    const char *test = ONE_OF(tests);
    bool may_act_for = strncmp(party, "anyone", 6) != 0 && strncmp(party, "user", 4) != 0 &&
                       strncmp(party, "group", 5) != 0;

    if (!is_inspected) { /* these doors neither hold nor see arguments */
        verdict = strcmp(verdict, "hold") == 0 ? "allow" : verdict;
        test = strncmp(test, " if arg", 7) == 0 ? "" : test;
    } else if (strncmp(target, "redis", 5) == 0 && strncmp(test, " if arg", 7) == 0) {
        test = " if arg.0 = x";
    }
    postern_buf_addf(out, "%s %s%s to %s%s%s\n", verdict, party, may_act_for ? ONE_OF(humans) : "",
                     target, ONE_OF(resources), test);
}

static postern_policy *draw_policy(postern_buf *text)
{
    if (draw(3) == 0)
        postern_buf_add_str(text, "judge agent and user\n");
    for (uint32_t i = 2 + draw(7); i != 0; i--)
        add_rule(text);
    return test_policy_make(postern_buf_cstr(text));
}

static void draw_question(test_question *q)
{
    static const char *const actions[][2] = {
        { "raw", "connect" },      { "raw", "connect" },        { "imap", "login" },
        { "smtp", "login" },       { "redis", "GET" },          { "redis", "PING" },
        { "redis", "CONFIG|NEW" }, { "redis", "get" },          { "mcp", "new/one" },
        { "mcp", "ping" },         { "mcp", "resources/read" }, { "mcp", "tools/call" },
    };
    static const char *const uris[] = { "file:///a/b", "file:///a/../b", "file:///b" };
    static const postern_bytes list[] = { { (const uint8_t *)"x", 1 } };
    const char *const *action = ONE_OF(actions);
    static const char *const groups[] = { "g" };
    static const char *const spellings[] = { "A", "a@x", "U@x" };

    test_question_make(q);
    q->question.subject = &q->subject;
    q->subject.agent = draw(8) == 0 ? NULL : ONE_OF(names);
    q->subject.client = draw(4) == 0 ? NULL : ONE_OF(names);
    q->subject.issuer = draw(2) == 0 ? "i" : "j";
    q->subject.user = draw(2) == 0 ? NULL : draw(6) == 0 ? "" : ONE_OF(names);
    q->subject.scope = draw(2) == 0 ? "x" : "";
    q->subject.purpose = draw(2) == 0 ? "p" : NULL;
    q->subject.chain = draw(4);
    q->subject.groups = draw(2) == 0 ? NULL : groups;
    q->subject.group_count = q->subject.groups == NULL ? 0 : draw(2);
    q->question.protocol = action[0];
    q->question.action = action[1];
    q->question.resource = postern_bytes_str(draw(5) == 0   ? ONE_OF(spellings)
                                             : draw(5) == 0 ? ONE_OF(uris)
                                                            : ONE_OF(names));
    if (draw(6) == 0) /* a door that cannot name it */
        q->question.resource = (postern_bytes){ NULL, 0 };
    if (draw(2) == 0)
        q->question.args =
            (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_LIST, .list = list, .count = 1 };
}

/* What somebody may ask about whom this question is one of. */
static postern_policy_about draw_about(const test_question *q)
{
    postern_policy_about ret = nothing_said;

    if (draw(2) == 0) {
        ret.protocol = q->question.protocol;
        ret.action = q->question.action;
    }
    if (draw(2) == 0)
        ret.resource = q->question.resource;
    if (draw(2) == 0)
        ret.agent = q->subject.agent;
    if (draw(2) == 0)
        ret.user = q->subject.user;
    if (draw(2) == 0)
        ret.now_s = q->question.now_s;
    return ret;
}

/* Does what is said of each rule fit what it does? */
static bool is_looked_through(const postern_policy *p, const test_question *q,
                              const postern_policy_about *about)
{
    postern_policy_view v;

    for (size_t i = 0; postern_policy_look(p, &q->question, i, &v); i++) {
        postern_policy_bearing said = postern_policy_bears(p, i, about);

        if (said == POSTERN_POLICY_PERHAPS)
            continue;
        if (v.is_match != (said == POSTERN_POLICY_ALWAYS))
            return false;
    }
    return true;
}

static bool is_listed(const postern_policy *p, const postern_decision *d,
                      const postern_policy_about *about)
{
    bool ret = d->verdict == POSTERN_VERDICT_DENY || d->rule_index != POSTERN_POLICY_NO_RULE ||
               about->action == NULL ||
               postern_policy_opens_session(about->protocol, about->action);

    if (d->rule_index != POSTERN_POLICY_NO_RULE)
        ret = postern_policy_may_decide(p, d->rule_index, POSTERN_POLICY_LIST_AGENT, about);
    if (d->user_rule_index != POSTERN_POLICY_NO_RULE)
        ret = ret &&
              postern_policy_may_decide(p, d->user_rule_index, POSTERN_POLICY_LIST_USER, about);
    return ret;
}

/* A rule that matches is above none that decides, unless it was said that it may take from it. */
static bool is_deny_told(const postern_policy *p, const test_question *q, const postern_decision *d,
                         const postern_policy_about *about)
{
    postern_policy_view v;

    if (d->rule_index == POSTERN_POLICY_NO_RULE || d->user_rule_index != POSTERN_POLICY_NO_RULE)
        return true;
    for (size_t i = d->rule_index + 1; postern_policy_look(p, &q->question, i, &v); i++)
        if (v.is_match && (v.lists & POSTERN_POLICY_LIST_AGENT) != 0 &&
            postern_policy_takes(p, d->rule_index, i, about) == POSTERN_POLICY_NEVER)
            return false;
    return true;
}

static void whoever_can_is_covered_by_a_rule_that_may_decide(void **state)
{
    size_t allowed = 0, denied = 0, hidden = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(65536);
        POSTERN_AUTO(policy) p = draw_policy(&text);

        for (int j = 0; j < 20; j++) {
            test_question q;
            postern_policy_about about;
            postern_decision d;

            draw_question(&q);
            about = draw_about(&q);
            d = test_question_ask(&q, p);
            *(d.verdict == POSTERN_VERDICT_ALLOW ? &allowed : &denied) += 1;
            if (!is_listed(p, &d, &about) || !is_looked_through(p, &q, &about) ||
                !is_deny_told(p, &q, &d, &about))
                fail_msg("round %d, question %d (%s, %s):\n%s", i, j, d.rule, d.user_rule,
                         postern_buf_cstr(&text));
            hidden += !postern_policy_may_decide(p, 1, POSTERN_POLICY_LIST_AGENT, &about);
        }
    }
    /* The test tests something. */
    assert_true(allowed > 2000);
    assert_true(denied > 2000);
    assert_true(hidden > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_told_apart_from_its_words),
        cmocka_unit_test(an_action_is_known_or_not),
        cmocka_unit_test(a_rule_matches_always_never_or_perhaps),
        cmocka_unit_test(a_rule_whose_time_is_over_never_matches),
        cmocka_unit_test(a_rule_above_takes_all_some_or_nothing),
        cmocka_unit_test(whoever_can_is_covered_by_a_rule_that_may_decide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
