/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/expect.c: a policy is its own test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"

static void an_expect_that_fails_refuses_the_policy(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "expect allow agent a to raw:connect",
          "policies/t.rules:1:1: expected allow, and no rule matches, which is a deny" },
        { "x: allow agent a to *\nexpect deny agent a to raw:connect on c",
          "policies/t.rules:2:1: expected deny, and t:x (policies/t.rules:1) says allow" },
        { "deny agent a to *\n\nexpect allow agent a to raw:connect",
          "policies/t.rules:3:1: expected allow, and t:1 (policies/t.rules:1) says deny" },
        { "judge agent and user\nallow agent a to *\nu: deny user u to *\n"
          "expect allow agent a for user u to raw:connect",
          "policies/t.rules:4:1: expected allow, and t:u (policies/t.rules:3) says deny" },
    };
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(test_policy_try(cases[i].text, &err));
        assert_int_equal(err.code, POSTERN_ERR_RULES_EXPECT);
        assert_string_equal(err.detail, cases[i].want);
    }
}

static void an_expect_asks_exactly_what_it_says(void **state)
{
    static const char *const rules[] = {
        "allow agent a for nobody to * on c\n"
        "expect allow agent a to raw:connect on c\n"
        "expect allow client a to raw:connect on c\n"
        "expect deny agent a for anyone to raw:connect on c\n"
        "expect deny agent a to raw:connect on d\n"
        "expect deny agent a to raw:connect\n"
        "expect deny agent b to raw:connect on c\n"
        "expect deny anyone to raw:connect on c\n",
        "allow client c to *\n"
        "expect allow agent a to raw:connect given client = c\n"
        "expect deny agent a to raw:connect\n",
        "allow agent a for user u to *\nallow agent a for group g to *\nallow group h to *\n"
        "allow issuer i to *\n"
        "expect allow agent a for user u to raw:connect\n"
        "expect deny agent a for user v to raw:connect\n"
        "expect allow agent a for user v to raw:connect given group = x, group = g\n"
        "expect allow agent b for group h to raw:connect\n"
        "expect allow group h to raw:connect\n"
        "expect deny agent b for anyone to raw:connect\n"
        "expect allow issuer i to raw:connect\nexpect allow agent b to raw:connect given issuer = "
        "i\n",
        "deny group contractors to *\nallow agent a to *\n"
        "expect allow agent a for user u to raw:connect\n"
        "expect deny agent a for user u to raw:connect given group = contractors\n",
        "allow agent a to * if scope has s and purpose = p and acr = x and source in (10.0.0.0/8) "
        "and chain <= 1 and auth_age < 5m and claim.n < 3 and claim.r has y and time 10:00-11:00\n"
        "expect allow agent a to raw:connect given scope = \"r s\", purpose = p, acr = x,\n"
        " source = 10.1.2.3, chain = 1, auth_age = 4m, claim.n = 2, claim.r = x, claim.r = y,\n"
        " time = 2026-12-01T10:59:59Z\n"
        "expect deny agent a to raw:connect given scope = \"r s\", purpose = p, acr = x,\n"
        " source = 10.1.2.3, chain = 1, auth_age = 4m, claim.n = 2, claim.r = x, claim.r = y,\n"
        " time = 2026-12-01T11:00:00Z\n"
        "expect deny agent a to raw:connect given scope = \"r s\", purpose = p, acr = x,\n"
        " source = 10.1.2.3, chain = 1, auth_age = 4m, claim.n = 2, claim.r = x,\n"
        " time = 2026-12-01T10:59:59Z\n"
        "expect deny agent a to raw:connect given scope = \"r s\", purpose = p, acr = x,\n"
        " source = 10.1.2.3, chain = 1, auth_age = 4m, claim.n = 2, claim.n = 1, claim.r = y,\n"
        " time = 2026-12-01T10:59:59Z\n",
        "no: deny anyone to imap:login on root\n"
        "allow agent a for anyone to imap:login on \"${user}\" if source in (10.0.0.0/8)\n"
        "expect allow agent a for user u to imap:login on u given source = 10.1.2.3\n"
        "expect deny agent a for user u to imap:login on u\n"
        "expect deny agent a for user u to imap:login on v given source = 10.1.2.3\n"
        "expect deny agent a for user u to smtp:login on u given source = 10.1.2.3\n"
        "expect deny agent a for user root to imap:login on root given source = 10.1.2.3\n"
        "expect deny agent a for user Root to imap:login on Root given source = 10.1.2.3\n"
        "expect deny agent a to imap:login on a given source = 10.1.2.3\n",
        /* a policy loads at night as it does by day */
        "allow agent a to * if time 00:00-24:00\nexpect deny agent a to raw:connect\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        postern_policy_free(test_policy_make(rules[i]));
}

/* ---- what is given to all ---- */

struct given_case {
    const char *text, *given, *more; /* more NULL: none */
    const char *want;                /* a letter for each expect: does it hold? */
};

static postern_policy *with_given(const struct given_case *c, postern_error *err)
{
    POSTERN_AUTO(policy) p = NULL;
    postern_err e;

    assert_int_equal(postern_policy_new(&p, err), POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "t", "t.rules", postern_bytes_str(c->text), err),
                     POSTERN_OK);
    e = postern_policy_given(p, "--given", postern_bytes_str(c->given), err);
    if (e == POSTERN_OK && c->more != NULL)
        e = postern_policy_given(p, "--given", postern_bytes_str(c->more), err);
    if (e != POSTERN_OK)
        return NULL;
    e = postern_policy_finish(p, err);
    assert_int_equal(e, strchr(c->want, 'n') == NULL ? POSTERN_OK : POSTERN_ERR_RULES_EXPECT);
    return POSTERN_STEAL(p);
}

static void check_given(const struct given_case *c)
{
    postern_error err = { 0 };
    postern_policy *p = with_given(c, &err);
    postern_policy_expectation x;
    size_t count = 0;

    if (p == NULL)
        fail_msg("%s: %s", c->given, err.detail);
    for (; postern_policy_expect_at(p, count, &x, NULL); count++)
        if ((x.got.verdict == x.want) != (c->want[count] == 'y'))
            fail_msg("%s: expect %zu of %s", c->given, count, c->text);
    assert_int_equal(count, strlen(c->want));
    postern_policy_free(p);
}

/* Each letter is an expect: y where it holds with what is given, n where not. */
static void what_is_given_to_all_counts_where_an_expect_does_not_say_it(void **state)
{
    static const struct given_case cases[] = {
        { "allow agent a to * if time 10:00-11:00\n"
          "expect allow agent a to raw:connect\n"
          "expect deny agent b to raw:connect\n"
          "expect deny agent a to raw:connect given time = 2026-12-01T11:00Z\n",
          "time = 2026-12-01T10:30Z", NULL, "yyy" },
        { "allow agent a to * if time 10:00-11:00\n"
          "expect allow agent a to raw:connect\n"
          "expect allow agent a to raw:connect given time = 2026-12-01T10:00Z\n",
          "time = 2026-12-01T09:59:59Z", NULL, "ny" },
        { "allow agent a to * if scope has s and purpose = p and source in (10.0.0.0/8)\n"
          "expect allow agent a to raw:connect\n"
          "expect allow agent a to raw:connect given scope = t\n"
          "expect allow agent a to raw:connect given purpose = q\n"
          "expect allow agent a to raw:connect given source = 192.0.2.1\n",
          "scope = \"r s\", purpose = p", "source = 10.1.2.3", "ynnn" },
        { "allow agent a to * if chain <= 1 and auth_age < 5m and acr = x\n"
          "expect allow agent a to raw:connect\n"
          "expect allow agent a to raw:connect given chain = 2\n"
          "expect allow agent a to raw:connect given auth_age = 5m\n"
          "expect allow agent a to raw:connect given claim.acr = y\n",
          "chain = 1, auth_age = 4m, acr = x", NULL, "ynnn" },
        /* by the party that is named, too */
        { "deny group g to *\nallow client c to *\nallow issuer i to *\nallow group h to *\n"
          "expect allow group h to raw:connect\n"
          "expect deny agent a for user u to raw:connect\n"
          "expect allow client c to raw:connect given group = x\n",
          "group = g", NULL, "yyy" },
        { "deny client d to *\ndeny issuer j to *\nallow client c to *\nallow issuer i to *\n"
          "expect allow client c to raw:connect given issuer = k\n"
          "expect deny agent c to raw:connect\n"
          "expect allow issuer i to raw:connect given client = k\n",
          "client = d, issuer = j", NULL, "yyy" },
        /* what is repeated is an array, and an expect that says one of it says all of it */
        { "allow agent a to * if claim.r has y and detail.pay.to = z\n"
          "expect allow agent a to raw:connect\n"
          "expect allow agent a to raw:connect given claim.r = x\n"
          "expect allow agent a to raw:connect given detail.pay.to = x\n"
          "expect allow agent a to raw:connect given detail.pay.at = x\n",
          "claim.r = x, claim.r = y, detail.pay.to = z", NULL, "ynny" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_given(&cases[i]);
}

static void what_is_given_to_all_is_read_as_behind_an_expect(void **state)
{
    static const struct given_case cases[] = {
        { "", "", NULL, "--given:1:1: expected an attribute, found the end of the statement" },
        { "", "# all", NULL, "--given:1:6: expected an attribute, found the end of the statement" },
        { "", "tine = x", NULL, "--given:1:1: \"tine\" is no attribute; did you mean \"time\"?" },
        { "", "time = noon", NULL,
          "--given:1:8: \"noon\" is no time: write 2026-12-01T10:00Z" },
        { "", "scope = s,", NULL,
          "--given:1:11: expected an attribute, found the end of the statement" },
        { "", "scope = s on x", NULL, "--given:1:11: expected a comma, found \"on\"" },
        { "", "scope = s", "scope = t", "--given:1:1: `scope` stands twice" },
        { "", "scope = s\nallow anyone to *", NULL,
          "--given:1:1: it is one line, without tabs" },
        { "", "arg.path = x", NULL,
          "--given:1:1: arguments are those of one action: write them into the expect" },
    };
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(with_given(&cases[i], &err));
        assert_int_equal(err.code, POSTERN_ERR_RULES);
        assert_string_equal(err.detail, cases[i].want);
    }
}

static void no_more_is_given_than_an_expect_may_have(void **state)
{
    POSTERN_AUTO(policy) p = NULL;
    postern_error err;

    (void)state;
    assert_int_equal(postern_policy_new(&p, &err), POSTERN_OK);
    for (int i = 0; i < 32; i++)
        assert_int_equal(postern_policy_given(p, "g", postern_bytes_str("group = g"), &err),
                         POSTERN_OK);
    assert_int_equal(postern_policy_given(p, "g", postern_bytes_str("group = g"), &err),
                     POSTERN_ERR_RULES);
    assert_string_equal(err.detail, "g:1:1: more than 32 pairs");
    assert_int_equal(postern_policy_finish(p, &err), POSTERN_ERR_USAGE);
}

/* Full lists on both sides. */
static void an_expect_of_many_groups_takes_no_other(void **state)
{
#define EIGHT "group = g, group = g, group = g, group = g, group = g, group = g, group = g, group = g"
    static const char full[] = EIGHT ", " EIGHT ", " EIGHT ", " EIGHT;
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096);
    struct given_case c = { .given = full, .want = "yyy" };

    (void)state;
    postern_buf_addf(&text,
                     "deny group h to *\nallow group g to *\n"
                     "expect allow agent a for group h to raw:connect given %s\n"
                     "expect allow agent a for user u to raw:connect\n"
                     "expect deny agent a for group h to raw:connect\n",
                     full);
    c.text = postern_buf_cstr(&text);
    c.want = "nyy"; /* it is of h, too */
    check_given(&c);
}

/* Its expects held in a case that somebody thought of, and no host is in that case always. */
static void a_policy_that_was_given_something_only_denies(void **state)
{
    static const struct given_case c = {
        "allow anyone to *\nexpect allow agent a to raw:connect", "scope = s", NULL, "y"
    };
    POSTERN_AUTO(policy) p = NULL;
    test_question q;
    postern_error err;

    (void)state;
    test_question_make(&q);
    p = with_given(&c, &err);
    assert_non_null(p);
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_DENY);
    assert_true(test_policy_allows(c.text, &q));
    assert_int_equal(postern_policy_given(p, "g", postern_bytes_str("scope = s"), &err),
                     POSTERN_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expect_that_fails_refuses_the_policy),
        cmocka_unit_test(an_expect_asks_exactly_what_it_says),
        cmocka_unit_test(what_is_given_to_all_counts_where_an_expect_does_not_say_it),
        cmocka_unit_test(what_is_given_to_all_is_read_as_behind_an_expect),
        cmocka_unit_test(no_more_is_given_than_an_expect_may_have),
        cmocka_unit_test(an_expect_of_many_groups_takes_no_other),
        cmocka_unit_test(a_policy_that_was_given_something_only_denies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
