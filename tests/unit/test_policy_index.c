/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/policy/index.c and what must be true of any policy: the index finds what looking at every rule
 * finds, a deny more allows no more, an allow less allows no more, rules about others change nothing,
 * and what is printed reads as the same.  Policies and questions come from a generator with a fixed
 * seed, over names so few that most rules are near to most questions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern-private/json.h>

#include "../support/effort.h"
#include "../support/policy_lines.h"
#include "../support/test_policy.h"

#define QUESTIONS 300 /* of each policy: 48,000 together, or 126,000 */
static size_t policies;

/* ---- questions ---- */

#define CLAIM_KINDS 4
static postern_policy_subject prepared[CLAIM_KINDS];
static postern_json arguments[3];

static int set_up(void **state)
{
    static const char *const claims[CLAIM_KINDS] = {
        "{}",
        "{\"groups\":[\"g\"],\"t\":\"u\",\"n\":5}",
        "{\"groups\":[\"\",\"hh\"],\"n\":\"x\",\"authorization_details\":[{\"type\":\"pay\",\"to\":"
        "\"acme\",\"amount\":5}]}",
        "{\"groups\":[],\"authorization_details\":[{\"type\":\"pay\",\"to\":\"acme\"},{\"type\":\"pay\","
        "\"to\":\"b\"}]}",
    };
    static const char *const texts[] = { "{\"path\":\"/srv/a\",\"n\":5}",
                                         "{\"path\":\"/srv/../etc\",\"x\":1}", "{\"n\":\"5\"}" };

    (void)state;
    policies = test_effort(160, 420);
    test_chance_start();
    for (size_t i = 0; i < CLAIM_KINDS; i++) {
        prepared[i] = (postern_policy_subject){ .claims = postern_bytes_str(claims[i]) };
        assert_int_equal(postern_policy_subject_prepare(&prepared[i], NULL), POSTERN_OK);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(postern_json_scan(&arguments[i], postern_bytes_str(texts[i]), NULL),
                         POSTERN_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLAIM_KINDS; i++)
        postern_policy_subject_clear(&prepared[i]);
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        postern_json_free(&arguments[i]);
    return 0;
}

struct asked {
    postern_policy_subject subject;
    postern_policy_question question;
    postern_bytes list[3];
};

static void pick_arguments(struct asked *a)
{
    static const char *const words[] = { "k", "5", "6", "x", "" };
    postern_policy_args *args = &a->question.args;

    args->kind = (postern_policy_args_kind)test_chance(3);
    args->json = &arguments[test_chance(3)];
    args->object = test_chance(4) == 0 ? POSTERN_JSON_ABSENT : 0;
    args->list = a->list;
    args->count = test_chance(4);
    for (size_t i = 0; i < 3; i++)
        a->list[i] = postern_bytes_str(TEST_PICK(words));
}

static void make_question(struct asked *ret)
{
    static const char *const agents[] = { "a", "ab", "bot", "worker-1", "*", "", NULL, "c" };
    static const char *const users[] = { "al", "bo", "a", "root@x", "Al", "@x", "", NULL, NULL };
    static const char *const scopes[] = { "", "x", "x y", NULL };
    static const char *const actions[][2] = {
        { "redis", "GET" },      { "redis", "set" },       { "redis", "DEL" },
        { "redis", "GET" },      { "mcp", "tools/call" },  { "mcp", "tools/call" },
        { "redis", "PING" },     { "redis", "CONFIG|GET" }, { "redis", "CONFIG|NEW" },
        { "redis", "FT.X" },     { "redis", "connect" },   { "mcp", "tools/call" },
        { "mcp", "ping" },       { "mcp", "new/method" },  { "mcp", "resources/read" },
        { "mcp", "prompts/get" }, { "raw", "connect" },    { "imap", "login" },
        { "smtp", "login" },
    };
    static const char *const resources[] = {
        "k",   "k:1", "k:al:1", "a:1", "x", "t",  "file:///a/b", "file:///a/../b", "",
        "root", "Root@b@c", "@x", "al", "a long key that begins like another one which is longer than "
        "sixty-four bytes:1", "a long key that begins like another one which is longer than 64 bytes",
    };
    size_t action = test_chance(sizeof actions / sizeof *actions);

    *ret = (struct asked){ .subject = prepared[test_chance(CLAIM_KINDS)] };
    ret->subject.agent = TEST_PICK(agents);
    ret->subject.user = TEST_PICK(users);
    ret->subject.client = test_chance(2) == 0 ? "bot" : "";
    ret->subject.issuer = test_chance(4) == 0 ? NULL : "i";
    ret->subject.scope = TEST_PICK(scopes);
    ret->subject.purpose = test_chance(2) == 0 ? NULL : "p";
    ret->subject.chain = test_chance(3);
    ret->question = (postern_policy_question){ .size = sizeof ret->question,
                                               .source = test_chance(2) == 0 ? NULL : "10.1.1.1",
                                               .protocol = actions[action][0],
                                               .action = actions[action][1],
                                               .now_s = test_chance(4) == 0 ? -1 : TEST_POLICY_NOW_S,
                                               .is_preview = test_chance(4) == 0 };
    if (test_chance(6) != 0)
        ret->question.resource = postern_bytes_str(TEST_PICK(resources));
    pick_arguments(ret);
}

static postern_decision decide(const postern_policy *p, struct asked *a)
{
    postern_decision d;

    a->question.subject = &a->subject;
    postern_policy_decide(p, &a->question, &d);
    return d;
}

/* ---- the oracle: every rule, one after the other ---- */

static size_t walk(const postern_policy *p, const postern_policy_question *q, unsigned list)
{
    size_t held = POSTERN_POLICY_NO_RULE;
    postern_policy_view v;

    for (size_t i = 0; postern_policy_look(p, q, i, &v); i++) {
        if ((v.lists & list) == 0)
            continue;
        if (v.is_match)
            return v.verdict == POSTERN_VERDICT_ALLOW && held < i ? held : i;
        if (v.may_hold && held > i)
            held = i;
    }
    return postern_policy_opens_session(q->protocol, q->action) ? held : POSTERN_POLICY_NO_RULE;
}

static void the_index_finds_what_looking_at_every_rule_finds(void **state)
{
    static struct policy_lines lines;
    size_t matched = 0;

    (void)state;
    for (size_t i = 0; i < policies; i++) {
        POSTERN_AUTO(policy) p = NULL;

        policy_lines_make(&lines);
        p = policy_lines_read(&lines);
        for (int k = 0; k < QUESTIONS; k++) {
            struct asked a;
            postern_decision d;
            size_t first;

            make_question(&a);
            d = decide(p, &a);
            first = walk(p, &a.question, POSTERN_POLICY_LIST_AGENT);
            if (d.rule_index != first)
                fail_msg("policy %zu, question %d: rule %zu, and the walk says %zu", i, k, d.rule_index,
                         first);
            if (lines.is_both && d.user_rule_index != walk(p, &a.question, POSTERN_POLICY_LIST_USER))
                fail_msg("policy %zu, question %d: the user's list differs", i, k);
            matched += first != POSTERN_POLICY_NO_RULE;
        }
    }
    assert_in_range(matched, policies * QUESTIONS / 5, policies * QUESTIONS * 9 / 10);
}

/* The order of the enum is not that of strictness. */
static int freedom(postern_verdict v)
{
    return v == POSTERN_VERDICT_ALLOW ? 2 : v == POSTERN_VERDICT_HOLD ? 1 : 0;
}

enum change { DENY_MORE, ALLOW_LESS };

/* False when there is nothing to take away. */
static bool change_lines(enum change change, struct policy_lines *lines)
{
    char rule[POLICY_LINE_MAX];
    size_t at = test_chance((uint32_t)lines->count + 1);

    if (change == DENY_MORE) {
        policy_lines_rule("deny", rule);
        policy_lines_insert(lines, at, rule);
        return true;
    }
    for (size_t i = 0; i < lines->count; i++)
        if (strncmp(lines->text[i], "allow", 5) == 0 && test_chance(2) == 0) {
            policy_lines_remove(lines, i);
            return true;
        }
    return false;
}

static void check_change(enum change change)
{
    static struct policy_lines lines;
    size_t changed = 0;

    for (size_t i = 0; i < policies / 2; i++) {
        POSTERN_AUTO(policy) before = NULL;
        POSTERN_AUTO(policy) after = NULL;

        policy_lines_make(&lines);
        before = policy_lines_read(&lines);
        if (!change_lines(change, &lines))
            continue;
        after = policy_lines_read(&lines);
        for (int k = 0; k < QUESTIONS; k++) {
            struct asked a;
            int was, is;

            make_question(&a);
            was = freedom(decide(before, &a).verdict);
            is = freedom(decide(after, &a).verdict);
            assert_true(is <= was);
            changed += is != was;
        }
    }
    assert_true(changed > 100); /* or nothing was shown */
}

static void a_deny_more_never_allows_more(void **state)
{
    (void)state;
    check_change(DENY_MORE);
}

static void an_allow_less_never_allows_more(void **state)
{
    (void)state;
    check_change(ALLOW_LESS);
}

static void rules_about_others_change_nothing(void **state)
{
    static const char *const others[] = {
        "deny anyone to other:login\n",
        "allow agent * to other:login on \"*\"\n",
        "deny user \"*\" to other:login if not scope has x\n",
    };
    static struct policy_lines lines;

    (void)state;
    for (size_t i = 0; i < policies / 4; i++) {
        POSTERN_AUTO(policy) before = NULL;
        POSTERN_AUTO(policy) after = NULL;

        policy_lines_make(&lines);
        before = policy_lines_read(&lines);
        policy_lines_insert(&lines, test_chance((uint32_t)lines.count + 1), TEST_PICK(others));
        after = policy_lines_read(&lines);
        for (int k = 0; k < QUESTIONS; k++) {
            struct asked a;
            postern_decision x, y;

            make_question(&a);
            x = decide(before, &a);
            y = decide(after, &a);
            assert_int_equal(x.verdict, y.verdict);
            assert_int_equal(x.refusing_lists, y.refusing_lists);
            assert_int_equal(x.lease_s, y.lease_s);
            assert_int_equal(x.rate.count, y.rate.count);
            assert_string_equal(x.missing_scope, y.missing_scope);
        }
    }
}

static void what_is_printed_reads_as_the_same(void **state)
{
    static struct policy_lines lines;

    (void)state;
    for (size_t i = 0; i < policies; i++) {
        POSTERN_AUTO(policy) p = NULL;
        POSTERN_AUTO(policy) again = NULL;
        POSTERN_AUTO_BUF once = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
        POSTERN_AUTO_BUF twice = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

        policy_lines_make(&lines);
        p = policy_lines_read(&lines);
        assert_true(postern_policy_print(p, 0, &once));
        again = test_policy_make(postern_buf_cstr(&once));
        assert_true(postern_policy_print(again, 0, &twice));
        assert_string_equal(postern_buf_cstr(&once), postern_buf_cstr(&twice));
        for (int k = 0; k < 20; k++) {
            struct asked a;
            postern_decision x, y;

            make_question(&a);
            x = decide(p, &a);
            y = decide(again, &a);
            assert_int_equal(x.verdict, y.verdict);
            assert_true(x.rule_index == y.rule_index && x.user_rule_index == y.user_rule_index);
        }
    }
}

/* ---- many rules ---- */

/* 16,384 rules: by agent, by key, by user, by a set; and the last one for all. */
static void the_largest_policy_decides_by_its_last_rule(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    postern_policy *p;
    struct asked a;
    postern_decision d;

    (void)state;
    for (int i = 0; i < POSTERN_POLICY_RULES_MAX - 1; i++)
        switch (i % 4) {
        case 0:
            postern_buf_addf(&text, "l%d: deny agent bot-%d to redis:*\n", i, i);
            break;
        case 1:
            postern_buf_addf(&text, "deny anyone to redis:GET on \"team-%d:*\"\n", i);
            break;
        case 2:
            postern_buf_addf(&text, "deny user u%d to *\n", i);
            break;
        default:
            postern_buf_addf(&text, "deny agent x,y to mcp:tools/call on tool_%d\n", i);
        }
    postern_buf_add_str(&text, "last: allow anyone to redis:@read\n");
    p = test_policy_make(postern_buf_cstr(&text));
    make_question(&a);
    a.subject = (postern_policy_subject){ .agent = "bot-2", .client = "c", .issuer = "i", .user = "al" };
    a.question.protocol = "redis";
    a.question.action = "GET";
    a.question.resource = postern_bytes_str("team-2:x");
    a.subject.groups = (const char *const[]){ "g" };
    d = decide(p, &a);
    assert_int_equal(d.verdict, POSTERN_VERDICT_ALLOW);
    assert_string_equal(d.rule, "t:last");
    a.question.resource = postern_bytes_str("team-4001:x");
    assert_int_equal(decide(p, &a).rule_index, 4001);
    a.subject.agent = "bot-4000";
    assert_string_equal(decide(p, &a).rule, "t:l4000");
    postern_policy_free(p);
}

/* More rules of full lists than the index takes by name are still found. */
static void full_lists_are_found_too(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    postern_policy *p;
    struct asked a;

    (void)state;
    postern_buf_add_str(&text, "set $many = n0");
    for (int i = 1; i < 256; i++)
        postern_buf_addf(&text, ",n%d", i);
    for (int i = 0; i < 4000; i++)
        postern_buf_addf(&text, "\ndeny agent $many for user $many to redis:GET on $many if chain = %d",
                         i + 10);
    postern_buf_add_str(&text, "\nlast: allow agent n255 to redis:GET on n3\n");
    p = test_policy_make(postern_buf_cstr(&text));
    make_question(&a);
    a.subject = (postern_policy_subject){ .agent = "n255", .client = "c", .issuer = "i", .user = "n9" };
    a.question.protocol = "redis";
    a.question.action = "GET";
    a.question.resource = postern_bytes_str("n3");
    assert_string_equal(decide(p, &a).rule, "t:last");
    a.subject.chain = 2009;
    assert_int_equal(decide(p, &a).rule_index, 1999);
    a.subject.agent = "n256";
    assert_int_equal(decide(p, &a).verdict, POSTERN_VERDICT_DENY);
    postern_policy_free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_index_finds_what_looking_at_every_rule_finds),
        TEST(a_deny_more_never_allows_more),
        TEST(an_allow_less_never_allows_more),
        TEST(rules_about_others_change_nothing),
        TEST(what_is_printed_reads_as_the_same),
        TEST(the_largest_policy_decides_by_its_last_rule),
        TEST(full_lists_are_found_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
