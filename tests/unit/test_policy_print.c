/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/print.c and warn.c: one spelling, and rules that can never decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/test_policy.h"

static void print(const char *text, char *ret, size_t ret_size)
{
    POSTERN_AUTO(policy) p = test_policy_make(text);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);

    assert_true(postern_policy_print(p, 0, &out));
    assert_false(postern_policy_print(p, 1, &out));
    assert_non_null(postern_buf_cstr(&out));
    (void)snprintf(ret, ret_size, "%s", postern_buf_cstr(&out));
}

static void there_is_one_spelling(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { "# c\nx:\tdeny\n   anyone to *\n", "x: deny anyone to *\n" },
        { "timezone +00:00\n", "timezone UTC\n" },
        { "allow anyone to *\nset $b = \"x\", y*\njudge agent and user\ntimezone -03:30",
          "timezone -03:30\njudge agent and user\nset $b = x,y*\nallow anyone to *\n" },
        { "set $a = x\nallow agent $a, \"c d\", \"to\" for group g to raw:* on \"x:${agent}\", "
          "\"\\*\"",
          "set $a = x\nallow agent $a,\"c d\",\"to\" for group g to raw:* on "
          "\"x:${agent}\",\"\\*\"\n" },
        { "allow anyone to raw:connect,connect on \"a\\\\b\\\"c\\$d\\?e\"",
          "allow anyone to raw:connect on \"a\\\\b\\\"c\\$d\\?e\"\n" },
        { "allow agent a to  im-ap.2:login,login on \"${user}\",b\nexpect deny agent a to x:login",
          "allow agent a to im-ap.2:login on \"${user}\",b\nexpect deny agent a to x:login\n" },
        { "allow anyone to * if not scope has \"a\" and claim.\"a b\".c in (\"x\", y) and chain <= "
          "02 "
          "and auth_age < 60s and time until 2027-01-31 and source in ( 10.0.0.0/8 )",
          "allow anyone to * if not scope has a and claim.\"a b\".c in (x,y) and chain <= 2 and "
          "auth_age < 1m and time until 2027-01-31 and source in (10.0.0.0/8)\n" },
        { "allow anyone to * if time sat-sat 10:00-12:00 and time mon-fri 22:00-06:00",
          "allow anyone to * if time sat 10:00-12:00 and time mon-fri 22:00-06:00\n" },
        { "allow anyone to * with log each and lease 900s because \"a \\\"b\\\"\"",
          "allow anyone to * with lease 15m and log each because \"a \\\"b\\\"\"\n" },
        { "expect deny agent \"a b\" for anyone to raw:connect on c given scope=\"a "
          "b\",acr=x,time=2026-12-01T10:00Z",
          "expect deny agent \"a b\" for anyone to raw:connect on c given scope = \"a b\", "
          "claim.acr = "
          "\"x\", time = \"2026-12-01T10:00Z\"\n" },
        { "allow anyone to mcp:* on 1234567890123456 if arg.x in (\"1234567890123456\", 5, \"5\")\n"
          "expect deny agent a to mcp:x given arg.x=\"1234567890123456\",arg.y=5",
          "allow anyone to mcp:* on 1234567890123456 if arg.x in (\"1234567890123456\",5,\"5\")\n"
          "expect deny agent a to mcp:x given arg.x = \"1234567890123456\", arg.y = 5\n" },
    };
    char once[4096], twice[4096];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print(cases[i].text, once, sizeof once);
        assert_string_equal(once, cases[i].want);
        print(once, twice, sizeof twice);
        assert_string_equal(twice, once);
    }
}

static void each_file_is_printed_by_itself(void **state)
{
    POSTERN_AUTO(policy) p = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "a", "a",
                                        postern_bytes_str("deny agent a to *\n"
                                                          "expect deny agent a to raw:connect"),
                                        NULL),
                     POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "e", "e", POSTERN_BYTES_NONE, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "b", "b", postern_bytes_str("deny agent b to *"), NULL),
                     POSTERN_OK);
    assert_true(postern_policy_print(p, 1, &out));
    assert_int_equal(out.len, 0);
    assert_true(postern_policy_print(p, 2, &out));
    assert_string_equal(postern_buf_cstr(&out), "deny agent b to *\n");
    postern_buf_reset(&out);
    assert_true(postern_policy_print(p, 0, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "deny agent a to *\nexpect deny agent a to raw:connect\n");
    assert_false(postern_policy_print(p, 3, &out));
}

/* ---- warnings ---- */

static void warn(const char *text, char *ret, size_t ret_size)
{
    POSTERN_AUTO(policy) p = test_policy_make(text);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);

    postern_policy_warnings(p, &out);
    assert_non_null(postern_buf_cstr(&out));
    (void)snprintf(ret, ret_size, "%s", postern_buf_cstr(&out));
}

static void a_rule_that_can_never_decide_is_named(void **state)
{
    static const char *const texts[] = {
        "deny anyone to *\ndeny agent a to *",
        "allow anyone to *\nallow agent a to raw:connect on x if scope has y",
        "allow agent a* to *\nallow agent ab,a?c to *",
        "set $s = a,b\nallow agent $s to *\nallow agent b to *",
        "allow agent a to * on x,y\nallow agent a to * on y",
        "allow agent a to * on \"*\"\nallow agent a to * on \"${agent}-x\"",
        "allow agent a to *\nallow agent a for user u to *",
        "allow agent a for anyone to *\nallow agent a for user u to *",
        "allow agent a to * if scope has x\nallow agent a to * if chain = 1 and scope has x",
        "deny agent a to *\nallow agent a to *",
        "judge agent and user\nallow anyone to *\nallow user u to *",
        "allow agent a to imap:login\nallow agent a to imap:login on x",
        "allow agent a to *\nallow agent a to imap:login",
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        warn(texts[i], text, sizeof text);
        if (strstr(text, "is never reached") == NULL)
            fail_msg("no warning: %s", texts[i]);
    }
    warn("x: deny agent a to *\ny: allow agent a to *", text, sizeof text);
    assert_string_equal(text,
                        "policies/t.rules:2:1: warning: t:y is never reached: t:x "
                        "(policies/t.rules:1) always matches before it and says the contrary, "
                        "deny\n");
    warn("deny anyone to *\n\ndeny anyone to *", text, sizeof text);
    assert_string_equal(text, "policies/t.rules:3:1: warning: t:3 is never reached: t:1 "
                              "(policies/t.rules:1) always matches before it\n");
}

static void a_rule_that_may_decide_is_not_named(void **state)
{
    static const char *const texts[] = {
        "deny agent a to *\nallow anyone to *",
        "allow agent a to imap:login\nallow agent a to smtp:login",
        "allow agent a to imap:login\nallow agent a to raw:connect",
        "deny agent a to * if scope has x\nallow agent a to *",
        "allow agent a to raw:connect on x\nallow agent a to raw:connect",
        "allow agent a for user u to *\nallow agent a to *",
        "allow agent a for nobody to *\nallow agent a for anyone to *",
        "allow agent a for anyone to *\nallow agent a for group g to *",
        "allow agent a to *\nallow client a to *",
        "allow agent a? to *\nallow agent a* to *",
        "allow agent \"${user}\" to *\nallow agent \"${agent}\" to *",
        "allow agent a to * if scope has x\nallow agent a to * if scope has y",
        /* each side has a list of its own */
        "judge agent and user\nallow agent a to *\nallow anyone to *",
        "judge agent and user\nallow agent a to *\nallow user u to *",
        "judge agent and user\nallow agent a for nobody to *\nallow issuer i to *",
        /* one list: nothing has to allow twice */
        "judge agent\nallow agent a for nobody to *\nallow user u to *",
        "allow user u to *",
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        warn(texts[i], text, sizeof text);
        if (text[0] != '\0')
            fail_msg("%s: %s", texts[i], text);
    }
}

/* A deny sees an agent whose name is not known and a user's other spellings; an allow does not. */
static void a_deny_that_an_allow_above_leaves_nearly_nothing_is_named(void **state)
{
    static const char *const texts[] = {
        "allow agent a to imap:login on x\ndeny agent a to imap:login on x",
        "allow agent * to raw:connect\ndeny agent a to raw:connect",
        "allow anyone to redis:@read on \"*\"\ndeny anyone to redis:GET on x",
        "hold anyone to redis:@read if chain >= 0\ndeny anyone to redis:GET,MGET if chain >= 0",
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        warn(texts[i], text, sizeof text);
        if (strstr(text, "policies/t.rules:2:1: warning: t:2 contradicts t:1 (policies/t.rules:1), which "
                         "says ") != text)
            fail_msg("%s: %s", texts[i], text);
    }
    /* Not when a rule before it hides it whole: one warning a rule. */
    warn("allow agent a to *\ndeny anyone to *\ndeny agent a to *", text, sizeof text);
    assert_non_null(strstr(text, "t:3 is never reached: t:2"));
    assert_null(strstr(text, "contradicts"));
}

static void tests_that_cannot_all_hold_are_named(void **state)
{
    static const struct {
        const char *text;
        bool is_named;
    } cases[] = {
        { "allow anyone to * if scope has x and not scope has x", true },
        { "allow anyone to * if purpose = a and scope has x and not purpose = a", true },
        { "allow anyone to * if time from 2027-02-01 and time until 2027-01-31", true },
        { "deny anyone to * if time until 2027-01-31 and time from 2027-02-01", true },
        { "allow anyone to * if time from 2027-01-31 and time until 2027-01-31", false },
        { "allow anyone to * if not time from 2027-02-01 and time until 2027-01-31", false },
        /* what is not known makes both of them true */
        { "deny anyone to * if purpose = a and not purpose = a", false },
        { "allow anyone to * if scope has x and not scope has y", false },
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        warn(cases[i].text, text, sizeof text);
        if ((strstr(text, "policies/t.rules:1:1: warning: t:1 never matches: it wants ") == text) !=
            cases[i].is_named)
            fail_msg("%s: %s", cases[i].text, text);
    }
}

/* What is not known counts against the agent: such a rule is for every action without the argument. */
static void what_tests_an_argument_and_names_no_resource_is_named(void **state)
{
    static const struct {
        const char *text, *does; /* NULL: nothing is said */
    } cases[] = {
        { "deny anyone to mcp:tools/call if arg.path under \"/etc\"", "denies" },
        { "deny anyone to mcp:tools/call if scope has x and not args only (a)", "denies" },
        { "hold anyone to mcp:tools/call if arg.amount > 100", "holds" },
        { "deny anyone to mcp:tools/call on read_file if arg.path under \"/etc\"", NULL },
        { "hold anyone to mcp:tools/call on pay if arg.amount > 100", NULL },
        { "allow anyone to mcp:tools/call if arg.path under \"/etc\"", NULL },
        { "deny anyone to mcp:tools/call if scope has x", NULL },
        { "hold anyone to mcp:tools/call if scope has x", NULL },
    };
    char text[4096], want[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(want, sizeof want, "policies/t.rules:1:1: warning: t:1 %s every action that has no such argument",
                       cases[i].does == NULL ? "denies" : cases[i].does);
        warn(cases[i].text, text, sizeof text);
        if ((strstr(text, want) == text) != (cases[i].does != NULL) ||
            (cases[i].does == NULL && strstr(text, "no such argument") != NULL))
            fail_msg("%s: %s", cases[i].text, text);
    }
}

/* What is denied is had with `?x` behind it. */
static void a_deny_of_one_uri_without_a_star_is_named(void **state)
{
    static const struct {
        const char *text;
        bool is_named;
    } cases[] = {
        { "deny anyone to mcp:resources/read on \"https://h/doc\"", true },
        { "deny anyone to mcp:resources/subscribe on \"https://h/*\",\"file:///doc\"", true },
        { "deny anyone to mcp:* on \"https://h/doc\"", true },
        { "deny anyone to mcp:@read on \"https://h/doc\"", true },
        { "deny anyone to * on \"https://h/doc\"", true },
        { "deny anyone to mcp:completion/complete on \"urn:doc\"", true },
        { "deny anyone to mcp:resources/read on \"https://*/doc\"", true },
        { "deny anyone to mcp:resources/read on \"https://h/${user}\"", true },
        { "deny anyone to mcp:resources/read on \"https://h/doc\",\"https://h/doc\\?*\"", true },
        { "deny anyone to mcp:resources/read on \"https://h/doc\",\"https://h/doc#*\"", true },
        { "deny anyone to mcp:resources/read on \"https://h/doc\\?x\",\"https://h/doc\\?x#*\"", true },
        { "set $s = \"https://h/doc\"\ndeny anyone to mcp:resources/read on $s", true },
        { "deny anyone to mcp:resources/read on \"https://h/doc*\"", false },
        { "deny anyone to mcp:resources/read on \"https://h/*\",\"https://h/doc\"", false },
        { "deny anyone to mcp:resources/read on \"*\"", false },
        { "deny anyone to mcp:resources/read on \"https://h/${user}*\"", false },
        { "deny anyone to mcp:resources/read on \"https://h/doc\",\"https://h/doc?*\"", false },
        { "deny anyone to mcp:resources/read on \"https://h/doc\",\"https://h/doc\\?*\",\"https://h/doc#*\"",
          false },
        { "set $s = \"https://h/doc*\"\ndeny anyone to mcp:resources/read on $s,\"https://h/doc\"", false },
        { "deny anyone to mcp:resources/read", false },
        { "deny anyone to mcp:resources/read on doc", false },
        { "deny anyone to mcp:tools/call on \"https://h/doc\"", false },
        { "deny anyone to redis:GET on \"https://h/doc\"", false },
        { "allow anyone to mcp:resources/read on \"https://h/doc\"", false },
        { "hold anyone to mcp:resources/read on \"https://h/doc\"", false },
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        warn(cases[i].text, text, sizeof text);
        if ((strstr(text, "and nothing with a query or a fragment behind it") != NULL) !=
            cases[i].is_named)
            fail_msg("%s: %s", cases[i].text, text);
    }
    warn("a: deny anyone to mcp:resources/read on \"https://h/*\",\"https://h2/doc\",\"x://y\"", text,
         sizeof text);
    assert_string_equal(text, "policies/t.rules:1:1: warning: t:a denies https://h2/doc and nothing with a "
                              "query or a fragment behind it: end it with *\n");
}

static void a_place_knows_the_time_and_its_services(void **state)
{
    static const char *const services[] = { "imap", "ldap" };
    postern_policy_place place = { .size = sizeof place, .now_s = -1 };
    POSTERN_AUTO(policy) p = test_policy_make("timezone +01:00\n"
                                              "allow agent a to raw:connect if time until 2026-11-30\n"
                                              "allow agent a to imap:login on x\n"
                                              "allow agent a to sshd:login on x\n");
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);

    (void)state;
    postern_policy_warnings_at(p, &place, &out);
    assert_int_equal(out.len, 0);
    place.now_s = INT64_C(1796079599); /* 2026-11-30T23:59:59+01:00 */
    postern_policy_warnings_at(p, &place, &out);
    assert_int_equal(out.len, 0);
    place.now_s++;
    place.services = services;
    place.service_count = 2;
    postern_policy_warnings_at(p, &place, &out);
    assert_string_equal(
        postern_buf_cstr(&out),
        "policies/t.rules:2:1: warning: t:2 is over: its `time until` is past\n"
        "policies/t.rules:4:1: warning: t:4 is about nothing: there is no services/sshd.conf\n");
}

static void a_half_that_never_allows_is_named(void **state)
{
#define NOTHING(line, whose)                                                                       \
    "policies/t.rules:" line ":1: warning: the policy allows nothing: no rule of the " whose       \
    "'s list does, and both must\n"
    static const struct {
        const char *rules, *want;
    } cases[] = {
        { "allow agent a to *\njudge agent and user", NOTHING("2", "user") },
        { "judge agent and user\nallow user u to *", NOTHING("1", "agent") },
        { "judge agent and user\nallow user u to *\ndeny agent a to *", NOTHING("1", "agent") },
        { "judge agent and user\ndeny anyone to *", NOTHING("1", "agent") NOTHING("1", "user") },
        { "judge agent and user\nmine: allow agent a for nobody to *\nallow user u to *",
          "policies/t.rules:2:1: warning: t:mine never allows: where there is no human, no rule of "
          "the user's list does\n" },
        { "judge agent and user\nallow agent a for nobody to *\nallow issuer i for anyone to *",
          "policies/t.rules:2:1: warning: t:2 never allows: where there is no human, no rule of the "
          "user's list does\n" },
    };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        warn(cases[i].rules, text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

/* Half a thousand times half a thousand rules with 256 names each, none of which is another's. */
static void rules_that_name_too_much_end_the_comparison(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO_BUF warnings = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO(policy) p = NULL;

    (void)state;
    for (int set = 0; set < 2; set++) {
        postern_buf_addf(&text, "set $s%d = x%d", set, set);
        for (int i = 0; i < 255; i++)
            postern_buf_addf(&text, ",s%d-%d", set, i);
        for (int i = 0; i < 500; i++)
            postern_buf_addf(&text, "\nallow agent $s%d to * on r%d", set, set == 0 ? i : 0);
        postern_buf_add_byte(&text, '\n');
    }
    p = test_policy_make(postern_buf_cstr(&text));
    postern_policy_warnings(p, &warnings);
    assert_non_null(strstr(postern_buf_cstr(&warnings), "too much to compare them all\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_spelling),
        cmocka_unit_test(each_file_is_printed_by_itself),
        cmocka_unit_test(a_rule_that_can_never_decide_is_named),
        cmocka_unit_test(a_rule_that_may_decide_is_not_named),
        cmocka_unit_test(a_deny_that_an_allow_above_leaves_nearly_nothing_is_named),
        cmocka_unit_test(tests_that_cannot_all_hold_are_named),
        cmocka_unit_test(what_tests_an_argument_and_names_no_resource_is_named),
        cmocka_unit_test(a_deny_of_one_uri_without_a_star_is_named),
        cmocka_unit_test(a_place_knows_the_time_and_its_services),
        cmocka_unit_test(a_half_that_never_allows_is_named),
        cmocka_unit_test(rules_that_name_too_much_end_the_comparison),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
