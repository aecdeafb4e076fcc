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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expect_that_fails_refuses_the_policy),
        cmocka_unit_test(an_expect_asks_exactly_what_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
