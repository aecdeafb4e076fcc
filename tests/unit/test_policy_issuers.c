/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/issuers.c: where several issuers are trusted, a rule that gives by a name that two of
 * them may give away must say whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"

#define A "\"https://as.example\""

static postern_err check(const char *text, postern_error *err)
{
    postern_policy *p = test_policy_make(text);
    postern_err e = postern_policy_check_issuers(p, err);

    postern_policy_free(p);
    return e;
}

static void a_rule_that_gives_by_an_issuers_name_says_which_issuer(void **state)
{
    static const struct {
        const char *rule;
        bool is_fine;
    } cases[] = {
        { "allow agent bot to *", false },
        { "allow agent bot to * if issuer = " A, true },
        { "allow agent bot to * if issuer in (" A ", \"https://b.example\")", true },
        { "allow agent bot to * if issuer like \"https://*.example\"", true },
        { "allow agent bot to * if chain < 2 and issuer = " A, true },
        { "allow agent bot to * if issuer != " A, false },
        { "allow agent bot to * if not issuer = " A, false },
        { "allow agent bot to * if claim.iss = " A, false }, /* one spelling */
        { "deny agent bot to *", true },                     /* of both: fail-safe */
        { "allow client bot to *", false },
        { "allow client bot to * if issuer = " A, true },
        { "allow group finance to *", false },
        { "allow group finance to * if issuer = " A, true },
        { "allow issuer " A " to *", true },
        { "allow issuer " A " for group finance to *", true },
        { "allow user alice to *", true }, /* a local user is one issuer's alone */
        { "allow anyone to *", true },
        { "allow anyone to * on \"stream:${user}:*\"", true },
        { "allow anyone to * on \"stream:${agent}:*\"", false },
        { "allow anyone to * on a,\"stream:${agent}:*\" if issuer = " A, true },
        { "allow user alice to * if claim.queue = \"q-${agent}\"", false },
        { "allow user alice to * if claim.queue in (a, \"q-${agent}\")", false },
        { "set $mine = x,\"${agent}\"\nallow anyone to * on $mine", false },
        { "set $mine = x,\"${agent}\"\nset $all = y,$mine\nallow user \"a\" to * on $all", false },
        { "allow user \"${agent}\" to *", false },
        { "allow agent bot for user alice to *", false },
        { "allow issuer " A " for user alice to *", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_error err = { 0 };
        postern_err e = check(cases[i].rule, &err);

        if (e != (cases[i].is_fine ? POSTERN_OK : POSTERN_ERR_RULES))
            fail_msg("%s: %s (%s)", cases[i].rule, postern_err_reason(e), err.detail);
    }
}

static void the_rule_is_named_with_its_line(void **state)
{
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(check("deny agent x to *\n\nbots: allow agent bot to *\n", &err),
                     POSTERN_ERR_RULES);
    assert_string_equal(err.detail,
                        "policies/t.rules:3:1: t:bots must say whose agent, client or group it "
                        "means, because several issuers are trusted here: if issuer = "
                        "\"https://...\"");
}

static void a_policy_that_is_not_finished_is_not_checked(void **state)
{
    POSTERN_AUTO(policy) p = NULL;

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    assert_int_equal(postern_policy_check_issuers(p, NULL), POSTERN_ERR_USAGE);
}

/* Each issuer's agent of that name has what its own rule says, and no more. */
static void the_same_name_at_two_issuers_is_two_agents(void **state)
{
    static const char policy[] = "allow agent bot to * if issuer = " A;
    test_question q;

    (void)state;
    test_question_make(&q);
    assert_true(test_policy_allows(policy, &q));
    q.subject.issuer = "https://as.example/";
    assert_false(test_policy_allows(policy, &q));
    q.subject.issuer = "https://b.example";
    assert_false(test_policy_allows(policy, &q));
    test_policy_is_true(&q, "issuer in (" A ", \"https://b.example\")");
    test_policy_is_true(&q, "issuer like \"https://b.*\"");
    test_policy_is_false(&q, "issuer = " A);
    test_policy_is_true(&q, "issuer != " A);
    q.subject.issuer = NULL;
    test_policy_is_unknown(&q, "issuer = " A);
    test_policy_is_unknown(&q, "issuer != " A);
    test_question_end(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_that_gives_by_an_issuers_name_says_which_issuer),
        cmocka_unit_test(the_rule_is_named_with_its_line),
        cmocka_unit_test(a_policy_that_is_not_finished_is_not_checked),
        cmocka_unit_test(the_same_name_at_two_issuers_is_two_agents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
