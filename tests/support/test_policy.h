/* SPDX-License-Identifier: BSD-2-Clause */
/* A policy from text, and questions to it in one line. */
#ifndef POSTERN_TESTS_TEST_POLICY_H
#define POSTERN_TESTS_TEST_POLICY_H

#include <postern/policy.h>

#define TEST_POLICY_NOW_S INT64_C(1796119200) /* 2026-12-01T10:00Z, a Tuesday */

/* Reads `text` as policies/t.rules and finishes it; fails the test when that is refused. */
postern_policy *test_policy_make(const char *text);
/* The same, when it may be refused: NULL then, with err. */
postern_policy *test_policy_try(const char *text, postern_error *err);

/* An agent "bot" of issuer "https://as.example" acting for nobody, on "cache", from 192.0.2.7. */
typedef struct test_question {
    postern_policy_subject subject;
    postern_policy_question question;
} test_question;
void test_question_make(test_question *q);
/* Give the subject these claims; test_question_end() frees what they became. */
void test_question_claims(test_question *q, const char *json);
void test_question_end(test_question *q);
postern_decision test_question_ask(const test_question *q, const postern_policy *p);
/* One policy, one question: is it allowed? */
bool test_policy_allows(const char *text, const test_question *q);
/* `allow anyone to * if TEST` allows; `deny anyone to * if TEST`, over an allow for all, denies. */
bool test_policy_allow_if(const test_question *q, const char *test);
bool test_policy_deny_if(const test_question *q, const char *test);
/* What a test (behind `if`) is: true for both verdicts, false for both, or unknown: false for an
 * allow and true for a deny, with and without `not`.  Fails the test when it is not. */
void test_policy_is_true(const test_question *q, const char *test);
void test_policy_is_false(const test_question *q, const char *test);
void test_policy_is_unknown(const test_question *q, const char *test);

#endif
