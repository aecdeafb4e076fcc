/* SPDX-License-Identifier: BSD-2-Clause */
/* The nth-allocation-fails sweep over lib/policy, and that a decision allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_policy.h"

static const char rules[] =
    "timezone +01:00\njudge agent and user\nset $a = x,\"y z\"\n"
    "l: allow agent $a,bot for anyone to raw:connect on \"${user}\",c* if scope has x and source "
    "in "
    "(10.0.0.0/8) and claim.a.\"b c\" like \"*\" and time mon-fri 07:00-19:00 with lease 5m "
    "because \"w\"\n"
    "allow user alice to *\n"
    "expect deny agent bot to raw:connect on c given scope = x, claim.a = b, group = g\n";

static postern_err load(void *arg, postern_error *err)
{
    POSTERN_AUTO(policy) p = NULL;

    POSTERN_TRY(postern_policy_new(&p, err));
    POSTERN_TRY(postern_policy_add(p, "t", "t.rules", postern_bytes_str(arg), err));
    POSTERN_TRY(postern_policy_add(p, "u", "u.rules", POSTERN_BYTES_NONE, err));
    POSTERN_TRY(postern_policy_given(p, "g", postern_bytes_str("purpose = p, group = h"), err));
    return postern_policy_finish(p, err);
}

static void loading_survives_every_failing_allocation(void **state)
{
    char text[sizeof rules];
    size_t count;
    char *long_text = calloc(1, 65536), *end = long_text;

    (void)state;
    memcpy(text, rules, sizeof rules);
    count = alloc_fail_sweep(load, text, POSTERN_OK);
    assert_true(count >= 3);
    assert_non_null(long_text);
    for (int i = 0; i < 500; i++) /* more than one block of the arena */
        end = stpcpy(end, "allow agent a to * on b if claim.x = y\n");
    assert_true(alloc_fail_sweep(load, long_text, POSTERN_OK) > count);
    free(long_text);
}

static postern_err prepare(void *arg, postern_error *err)
{
    POSTERN_AUTO_POLICY_SUBJECT s = { .claims = postern_bytes_str(arg) };

    return postern_policy_subject_prepare(&s, err);
}

static void preparing_a_subject_survives_every_failing_allocation(void **state)
{
    char claims[] = "{\"groups\":[\"a\",\"\\u0062\"],\"x\":\"\\u0061\",\"y\":1}";

    (void)state;
    assert_true(alloc_fail_sweep(prepare, claims, POSTERN_OK) >= 5);
}

static void a_decision_needs_no_memory(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make(rules);
    test_question q;

    (void)state;
    test_question_make(&q);
    q.subject.user = "alice";
    q.subject.scope = "x";
    q.question.source = "10.1.1.1";
    test_question_claims(&q, "{\"a\":{\"b c\":\"\\u0061\"}}");
    alloc_fail_arm(1);
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_ALLOW);
    assert_false(alloc_fail_disarm());
    test_question_end(&q);
}

/* What a reason says is for people; that there is one is not. */
static void a_look_without_memory_still_says_that_nothing_matches(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make("deny agent a to *");
    postern_policy_view v;
    test_question q;

    (void)state;
    test_question_make(&q);
    q.question.subject = &q.subject;
    alloc_fail_arm(1);
    assert_true(postern_policy_look(p, &q.question, 0, &v));
    assert_true(alloc_fail_disarm());
    assert_false(v.is_match);
    assert_string_equal(v.why, "does not match");
}

static void texts_without_memory_are_failed_and_not_short(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make("deny anyone to *\ndeny anyone to *");
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1000), warnings = POSTERN_BUF_INIT(1000);

    (void)state;
    alloc_fail_arm(1);
    assert_true(postern_policy_print(p, 0, &text));
    assert_true(alloc_fail_disarm());
    assert_true(text.failed);
    alloc_fail_arm(1);
    postern_policy_warnings(p, &warnings);
    assert_true(alloc_fail_disarm());
    assert_true(warnings.failed);
}

static postern_err warn(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1000);

    postern_policy_warnings(arg, &out);
    return out.failed ? POSTERN_FAIL(err, NOMEM, "warnings") : POSTERN_OK;
}

static void warnings_survive_every_failing_allocation(void **state)
{
    POSTERN_AUTO(policy)
    p = test_policy_make("allow agent a* to redis:GET on \"*k\" if scope has x\n"
                         "allow agent a to imap:login on k if scope has x and chain = 1");

    (void)state;
    assert_true(alloc_fail_sweep(warn, p, POSTERN_OK) >= 8);
}

static void parts_without_memory_are_failed_and_not_short(void **state)
{
    POSTERN_AUTO(policy)
    p = test_policy_make("allow agent a to redis:GET on k if scope has x with log each\n"
                         "expect deny agent a to redis:GET");
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1000);
    postern_policy_expectation x;

    (void)state;
    for (int part = POSTERN_POLICY_WHO; part <= POSTERN_POLICY_DUTIES; part++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1000);

        alloc_fail_arm(1);
        (void)postern_policy_print_part(p, 0, (postern_policy_part)part, 0, &out);
        assert_true(alloc_fail_disarm());
        assert_true(out.failed);
    }
    alloc_fail_arm(1);
    assert_true(postern_policy_expect_at(p, 0, &x, &text));
    assert_true(alloc_fail_disarm());
    assert_true(text.failed);
    assert_int_equal(x.got.verdict, POSTERN_VERDICT_DENY);
}

static void what_may_decide_needs_no_memory(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make("deny agent b to *\nallow agent a to *");
    const postern_policy_about about = { .size = sizeof about, .agent = "a", .now_s = -1 };

    (void)state;
    alloc_fail_arm(1);
    assert_true(postern_policy_may_decide(p, 1, POSTERN_POLICY_LIST_AGENT, &about));
    assert_int_equal(postern_policy_takes(p, 0, 1, &about), POSTERN_POLICY_NEVER);
    assert_false(alloc_fail_disarm());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_survives_every_failing_allocation),
        cmocka_unit_test(preparing_a_subject_survives_every_failing_allocation),
        cmocka_unit_test(a_decision_needs_no_memory),
        cmocka_unit_test(a_look_without_memory_still_says_that_nothing_matches),
        cmocka_unit_test(texts_without_memory_are_failed_and_not_short),
        cmocka_unit_test(warnings_survive_every_failing_allocation),
        cmocka_unit_test(parts_without_memory_are_failed_and_not_short),
        cmocka_unit_test(what_may_decide_needs_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
