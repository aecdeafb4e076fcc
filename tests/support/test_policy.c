/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "test_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

postern_policy *test_policy_try(const char *text, postern_error *err)
{
    POSTERN_AUTO(policy) p = NULL;

    if (postern_policy_new(&p, err) != POSTERN_OK ||
        postern_policy_add(p, "t", "policies/t.rules", postern_bytes_str(text), err) !=
            POSTERN_OK ||
        postern_policy_finish(p, err) != POSTERN_OK)
        return NULL;
    return POSTERN_STEAL(p);
}

postern_policy *test_policy_make(const char *text)
{
    postern_error err = { 0 };
    postern_policy *p = test_policy_try(text, &err);

    if (p == NULL)
        fail_msg("%s: %s", postern_err_reason(err.code), err.detail);
    return p;
}

void test_question_make(test_question *q)
{
    *q = (test_question){
        .subject = { .agent = "bot", .client = "bot", .issuer = "https://as.example", .scope = "" },
        .question = { .size = sizeof q->question,
                      .source = "192.0.2.7",
                      .protocol = "raw",
                      .action = "connect",
                      .resource = postern_bytes_str("cache"),
                      .now_s = TEST_POLICY_NOW_S },
    };
}

void test_question_claims(test_question *q, const char *json)
{
    postern_error err = { 0 };

    q->subject.claims = postern_bytes_str(json);
    if (postern_policy_subject_prepare(&q->subject, &err) != POSTERN_OK)
        fail_msg("%s: %s", json, err.detail);
}

void test_question_end(test_question *q)
{
    postern_policy_subject_clear(&q->subject);
}

postern_decision test_question_ask(const test_question *q, const postern_policy *p)
{
    postern_policy_question question = q->question;
    postern_decision d;

    question.subject = &q->subject;
    postern_policy_decide(p, &question, &d);
    return d;
}

bool test_policy_allows(const char *text, const test_question *q)
{
    postern_policy *p = test_policy_make(text);
    postern_decision d = test_question_ask(q, p);

    postern_policy_free(p);
    return d.verdict == POSTERN_VERDICT_ALLOW;
}

bool test_policy_allow_if(const test_question *q, const char *test)
{
    char text[640];

    (void)snprintf(text, sizeof text, "allow anyone to * if %s", test);
    return test_policy_allows(text, q);
}

bool test_policy_deny_if(const test_question *q, const char *test)
{
    char text[640];

    (void)snprintf(text, sizeof text, "deny anyone to * if %s\nallow anyone to *", test);
    return !test_policy_allows(text, q);
}

/* What an allow, a deny and both under `not` make of a test. */
struct judged {
    bool allow, deny, allow_not, deny_not;
};

static struct judged judge(const test_question *q, const char *test)
{
    char not_test[512];

    (void)snprintf(not_test, sizeof not_test, "not %s", test);
    return (struct judged){ test_policy_allow_if(q, test), test_policy_deny_if(q, test),
                            test_policy_allow_if(q, not_test), test_policy_deny_if(q, not_test) };
}

void test_policy_is_true(const test_question *q, const char *test)
{
    struct judged j = judge(q, test);

    if (!j.allow || !j.deny || j.allow_not || j.deny_not)
        fail_msg("%s is not true", test);
}

void test_policy_is_false(const test_question *q, const char *test)
{
    struct judged j = judge(q, test);

    if (j.allow || j.deny || !j.allow_not || !j.deny_not)
        fail_msg("%s is not false", test);
}

void test_policy_is_unknown(const test_question *q, const char *test)
{
    struct judged j = judge(q, test);

    if (j.allow || !j.deny || j.allow_not || !j.deny_not)
        fail_msg("%s does not count against the agent", test);
}
