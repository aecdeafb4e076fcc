/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/holds.c: an approval is for one request, by the right person, once. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/holds.h"

#define RULES                                                                                      \
    "plain:  hold agent a* to redis:SET on \"k:*\"\n"                                              \
    "oncall: hold agent a* to redis:SET on \"o:*\" with approver group oncall\n"                   \
    "boss:   hold agent a* to redis:SET on \"b:*\" with approver user boss and wait 30s\n"

static struct holds *holds;
static postern_policy *policy;
static struct door door = { .name = "cache" };
static int refs;
static char settings_of_now, settings_of_then;
#define NOW  ((struct door_settings *)(void *)&settings_of_now)
#define THEN ((struct door_settings *)(void *)&settings_of_then)

struct door_settings *__wrap_settings_ref(struct door_settings *s);
void __wrap_settings_unref(struct door_settings *s);

struct door_settings *__wrap_settings_ref(struct door_settings *s)
{
    refs++;
    return s;
}

void __wrap_settings_unref(struct door_settings *s)
{
    (void)s;
    refs--;
}

static int set_up(void **state)
{
    postern_error err = { 0 };

    (void)state;
    refs = 0;
    if (postern_policy_new(&policy, &err) != POSTERN_OK ||
        postern_policy_add(policy, "f", "f.rules", postern_bytes_str(RULES), &err) != POSTERN_OK ||
        postern_policy_finish(policy, &err) != POSTERN_OK || holds_new(&holds, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    door.policy = policy;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    holds_free(holds);
    postern_policy_free(policy);
    assert_int_equal(refs, 0);
    return 0;
}

/* What the policy says of SET on that key. */
static postern_decision decide(const char *key)
{
    const postern_policy_subject s = { .agent = "agent-7" };
    const postern_policy_question q = { .size = sizeof q,
                                        .subject = &s,
                                        .protocol = "redis",
                                        .action = "SET",
                                        .resource = postern_bytes_str(key),
                                        .now_s = 1 };
    postern_decision d;

    postern_policy_decide(policy, &q, &d);
    assert_int_equal(d.verdict, POSTERN_VERDICT_HOLD);
    return d;
}

static struct hold_request request(const postern_decision *held)
{
    return (struct hold_request){ .issuer = "https://sso.example.org",
                                  .client = "app",
                                  .agent = "agent-7",
                                  .human = "alice",
                                  .user = "alice",
                                  .session = "S-1",
                                  .action = "redis:SET",
                                  .digest = "digest",
                                  .resource = "k:a",
                                  .settings = NOW,
                                  .door = &door,
                                  .held = held,
                                  .held_count = 1 };
}

static hold_state ask(const struct hold_request *rq, int64_t now_ms, struct hold_answer *ret)
{
    return holds_ask(holds, rq, now_ms, ret);
}

static hold_state take(const char *ref, const struct door_settings *s, int64_t now_ms, struct hold_answer *ret)
{
    hold_state seen = holds_look(holds, ref, s, now_ms, ret);

    assert_int_equal(holds_look(holds, ref, s, now_ms, ret), seen); /* looking changes nothing */
    assert_int_equal(holds_take(holds, ref, s, now_ms, NULL, NULL, ret), seen);
    return seen;
}

static bool settle(const char *ref, bool is_approved, int64_t now_ms)
{
    return holds_settle(holds, ref, is_approved, "boss", "because", now_ms);
}

static void an_approved_request_passes_once(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a, b;

    (void)state;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    assert_true(a.is_new);
    assert_int_equal(a.wait_ms, HOLDS_WAIT_S * 1000);
    assert_int_equal(ask(&rq, 1, &b), HOLD_WAITS);
    assert_false(b.is_new);
    assert_string_equal(a.ref, b.ref);
    assert_true(settle(a.ref, true, 2));
    assert_false(settle(a.ref, true, 2)); /* twice */
    assert_int_equal(ask(&rq, 3, &b), HOLD_APPROVED);
    assert_string_equal(b.approver, "boss");
    assert_int_equal(ask(&rq, 4, &b), HOLD_WAITS);
    assert_string_not_equal(a.ref, b.ref);
}

/* Each of these is another request. */
static void nothing_else_passes_for_it(void **state)
{
    postern_decision d = decide("k:a"), other = decide("o:a");
    struct hold_request good = request(&d), rq;
    struct hold_answer a, b;

    (void)state;
    assert_int_equal(ask(&good, 0, &a), HOLD_WAITS);
    assert_true(settle(a.ref, true, 0));
#define OTHER(member, value)                                                                       \
    rq = good;                                                                                     \
    rq.member = value;                                                                             \
    assert_int_equal(ask(&rq, 0, &b), HOLD_WAITS);                                                 \
    assert_true(b.is_new)
    OTHER(issuer, "https://other.example.org");
    OTHER(client, "app2");
    OTHER(agent, "agent-8");
    OTHER(human, "bob");
    OTHER(human, NULL);
    OTHER(user, "bob");
    OTHER(action, "redis:DEL");
    OTHER(digest, "digest2");
    OTHER(database, "3");
    OTHER(settings, THEN);
    OTHER(held, &other);
#undef OTHER
    assert_int_equal(ask(&good, 0, &b), HOLD_APPROVED);
}

static void what_is_denied_stays_denied_for_its_time(void **state)
{
    postern_decision d = decide("b:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;

    (void)state;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    assert_int_equal(a.wait_ms, 30000);
    assert_true(settle(a.ref, false, 1));
    for (int i = 2; i < 5; i++) {
        assert_int_equal(ask(&rq, i, &a), HOLD_DENIED);
        assert_string_equal(a.reason, "because");
    }
    assert_int_equal(ask(&rq, 30000, &a), HOLD_WAITS); /* a new one */
}

static void nothing_waits_longer_than_its_rule_says(void **state)
{
    postern_decision d = decide("b:a");
    struct hold_request rq = request(&d);
    struct hold_answer a, b;

    (void)state;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    assert_false(settle(a.ref, true, 30000));
    assert_int_equal(ask(&rq, 30000, &b), HOLD_WAITS);
    assert_string_not_equal(a.ref, b.ref);
    assert_true(settle(b.ref, true, 30001));
    assert_int_equal(ask(&rq, 60000, &a), HOLD_WAITS); /* an approval has its time, too */
}

static postern_err judge(const char *ref, const char *user, const char *group, bool is_admin)
{
    const struct hold_approver who = { user, &group, group != NULL, is_admin };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8192);
    postern_json_writer w = { &out, false };
    postern_err e;

    postern_json_open_object(&w, NULL);
    e = holds_judge(holds, ref, &who, (struct lease_clock){ 1000, 0 }, &w, NULL);
    postern_json_close_object(&w);
    return e;
}

static void the_rule_says_who_may_approve(void **state)
{
    postern_decision plain = decide("k:a"), oncall = decide("o:a"), boss = decide("b:a");
    struct hold_request rq = request(&plain);
    struct hold_answer a;

    (void)state;
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "root", NULL, true), POSTERN_OK);
    assert_int_equal(judge(a.ref, "boss", "oncall", false), POSTERN_ERR_PEER_NOT_ALLOWED);
    rq = request(&oncall);
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "carol", "oncall", false), POSTERN_OK);
    assert_int_equal(judge(a.ref, "carol", "oncal", false), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(judge(a.ref, "oncall", NULL, false), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(judge(a.ref, "root", "root", true), POSTERN_ERR_PEER_NOT_ALLOWED);
    rq = request(&boss);
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "boss", NULL, false), POSTERN_OK);
    assert_int_equal(judge(a.ref, "root", NULL, true), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(judge(a.ref, "", NULL, true), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(judge("R-none", "boss", NULL, true), POSTERN_ERR_HANDLE);
    assert_true(settle(a.ref, true, 0));
    assert_int_equal(judge(a.ref, "boss", NULL, false), POSTERN_ERR_HANDLE); /* settled */
}

/* Held by two rules: each has its say. */
static void each_rule_that_holds_wants_its_own(void **state)
{
    postern_decision both[] = { decide("o:a"), decide("b:a") };
    struct hold_request rq = request(both);
    struct hold_answer a;

    (void)state;
    rq.held_count = 2;
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "boss", "oncall", false), POSTERN_OK);
    assert_int_equal(judge(a.ref, "boss", "staff", false), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(judge(a.ref, "carol", "oncall", false), POSTERN_ERR_PEER_NOT_ALLOWED);
}

static void nobody_approves_his_own_request(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;

    (void)state;
    rq.user = "al";
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "alice", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "al", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "agent-7", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "app", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "Alice", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "alice@corp", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "alic", NULL, true), POSTERN_OK);
    assert_int_equal(judge(a.ref, "alice2", NULL, true), POSTERN_OK);
    assert_int_equal(judge(a.ref, "bob", NULL, true), POSTERN_OK);
}

/* The subject of a token is seldom written as the name on this machine. */
static void the_subject_of_a_token_may_be_the_one_who_approves(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;

    (void)state;
    rq.human = "Alice@Example.ORG";
    rq.user = ""; /* login_as: agent */
    (void)ask(&rq, 0, &a);
    assert_int_equal(judge(a.ref, "alice", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "alice@example.org", NULL, true), POSTERN_ERR_AUTHZID);
    assert_int_equal(judge(a.ref, "example.org", NULL, true), POSTERN_OK);
    assert_int_equal(judge(a.ref, "@example.org", NULL, true), POSTERN_OK);
}

static void one_agent_does_not_fill_the_list(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;
    char digest[32];

    (void)state;
    rq.digest = digest;
    for (int i = 0; i < HOLDS_AGENT_MAX; i++) {
        snprintf(digest, sizeof digest, "%d", i);
        assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    }
    snprintf(digest, sizeof digest, "one more");
    assert_int_equal(ask(&rq, 0, &a), HOLD_REFUSED);
    rq.agent = "agent-8";
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    rq.agent = "agent-7";
    assert_int_equal(ask(&rq, HOLDS_WAIT_S * 1000, &a), HOLD_WAITS); /* those are over */
    rq.held_count = HOLDS_RULES_MAX + 1;
    snprintf(digest, sizeof digest, "many rules");
    assert_int_equal(ask(&rq, 0, &a), HOLD_REFUSED);
    rq.held_count = 0;
    assert_int_equal(ask(&rq, 0, &a), HOLD_REFUSED);
}

/* Two alike that wait in their sessions are two, and neither is passed by trying again. */
static void what_is_waited_for_is_settled_for_itself(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a, b, c;

    (void)state;
    rq.is_waited_for = true;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    assert_int_equal(ask(&rq, 0, &b), HOLD_WAITS);
    assert_string_not_equal(a.ref, b.ref);
    assert_int_equal(take(a.ref, NOW, 1, &c), HOLD_WAITS);
    assert_true(settle(a.ref, true, 1));
    rq.is_waited_for = false;
    assert_int_equal(ask(&rq, 1, &c), HOLD_WAITS);
    assert_true(c.is_new);
    assert_int_equal(take(a.ref, NOW, 2, &c), HOLD_APPROVED);
    assert_int_equal(take(a.ref, NOW, 2, &c), HOLD_REFUSED); /* once */
    assert_true(settle(b.ref, true, 2));
    assert_int_equal(take(b.ref, THEN, 2, &c), HOLD_REFUSED); /* other settings */
    assert_int_equal(take(b.ref, NOW, 2, &c), HOLD_REFUSED);
    holds_drop(holds, "R-none");
}

static bool may_now;

static bool count_use(void *arg)
{
    ++*(int *)arg;
    return may_now;
}

/* Too often for now: the approval is no leave for that, and is not lost for it either. */
static void an_approval_that_may_not_be_used_yet_is_kept_for_one_use(void **state)
{
    postern_decision d = decide("b:a"); /* 30 s */
    struct hold_request rq = request(&d);
    struct hold_answer a, b;
    int uses = 0;

    (void)state;
    rq.use = count_use;
    rq.use_arg = &uses;
    may_now = false;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    assert_int_equal(uses, 0); /* nothing is taken for what is not approved */
    assert_true(settle(a.ref, true, 1));
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ask(&rq, i, &b), HOLD_APPROVED);
        assert_true(b.is_kept);
        assert_int_equal(uses, i);
    }
    may_now = true;
    assert_int_equal(ask(&rq, 5, &b), HOLD_APPROVED);
    assert_false(b.is_kept);
    assert_int_equal(ask(&rq, 6, &b), HOLD_WAITS); /* it passed once */
    assert_string_not_equal(a.ref, b.ref);
    assert_int_equal(uses, 4);
    may_now = false;
    assert_true(settle(b.ref, true, 7));
    assert_int_equal(ask(&rq, 8, &a), HOLD_APPROVED);
    may_now = true;
    assert_int_equal(ask(&rq, 6 + 30000, &a), HOLD_WAITS); /* it has its time, kept or not */
}

/* Of a call that waited in its session and was refused for its rate: whoever tries it again has the
 * approval, once. */
static void an_approval_of_a_call_that_waited_is_kept_for_its_next_try(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a, b;
    int uses = 0;

    (void)state;
    rq.is_waited_for = true;
    rq.use = count_use;
    rq.use_arg = &uses;
    assert_int_equal(ask(&rq, 0, &a), HOLD_WAITS);
    may_now = false;
    assert_int_equal(holds_take(holds, a.ref, NOW, 1, count_use, &uses, &b), HOLD_WAITS);
    assert_int_equal(uses, 0);
    assert_true(settle(a.ref, true, 1));
    assert_int_equal(holds_take(holds, a.ref, NOW, 1, count_use, &uses, &b), HOLD_APPROVED);
    assert_true(b.is_kept);
    may_now = true;
    rq.digest = "other";
    assert_int_equal(ask(&rq, 2, &b), HOLD_WAITS); /* another call is another call */
    rq.digest = "digest";
    rq.agent = "agent-8";
    assert_int_equal(ask(&rq, 2, &b), HOLD_WAITS); /* and another agent is one */
    rq.agent = "agent-7";
    assert_int_equal(ask(&rq, 2, &b), HOLD_APPROVED);
    assert_false(b.is_kept);
    assert_int_equal(holds_take(holds, a.ref, NOW, 2, count_use, &uses, &b), HOLD_REFUSED);
    assert_int_equal(ask(&rq, 3, &b), HOLD_WAITS);
    assert_int_equal(uses, 2);
}

static bool is_listed(const char *ref)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);
    postern_json_writer w = { &out, false };

    postern_json_open_object(&w, NULL);
    holds_list(holds, "", 50, (struct lease_clock){ 1000, 0 }, &w);
    postern_json_close_object(&w);
    assert_false(out.failed);
    return strstr(postern_buf_cstr(&out), ref) != NULL;
}

static void what_is_wanted_no_more_is_gone_for_everybody(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a, b, c;

    (void)state;
    rq.is_waited_for = true;
    (void)ask(&rq, 0, &a);
    (void)ask(&rq, 0, &b);
    assert_true(is_listed(a.ref));
    holds_withdraw(holds, a.ref, 1);
    assert_false(is_listed(a.ref));
    assert_true(is_listed(b.ref)); /* nobody else's */
    assert_int_equal(judge(a.ref, "root", NULL, true), POSTERN_ERR_HANDLE);
    assert_false(settle(a.ref, true, 1));
    assert_int_equal(take(a.ref, NOW, 1, &c), HOLD_REFUSED);
    assert_true(settle(b.ref, true, 1)); /* approved first, and withdrawn before it was used */
    holds_withdraw(holds, b.ref, 1);
    assert_int_equal(take(b.ref, NOW, 1, &c), HOLD_REFUSED);
    rq.is_waited_for = false;
    assert_int_equal(ask(&rq, 1, &c), HOLD_WAITS);
    assert_true(c.is_new);
    assert_int_equal(refs, 1); /* the others keep no settings */
    holds_withdraw(holds, "R-none", 1);
    holds_withdraw(holds, a.ref, 1);
}

/* Each has its records: an agent that asks and cancels all day has no more of them than one that
 * waits. */
static void who_asks_and_cancels_is_refused_before_long(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;

    (void)state;
    rq.is_waited_for = true;
    for (int i = 0; i < HOLDS_AGENT_MAX; i++) {
        assert_int_equal(ask(&rq, i, &a), HOLD_WAITS);
        holds_withdraw(holds, a.ref, i);
    }
    assert_int_equal(ask(&rq, HOLDS_GONE_S * 1000 - 1, &a), HOLD_REFUSED);
    rq.agent = "agent-8";
    assert_int_equal(ask(&rq, 16, &a), HOLD_WAITS);
    rq.agent = "agent-7";
    assert_int_equal(ask(&rq, HOLDS_GONE_S * 1000, &a), HOLD_WAITS); /* the first counts no more */
    assert_int_equal(ask(&rq, HOLDS_GONE_S * 1000, &a), HOLD_REFUSED);
}

static void the_list_is_given_in_pages(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);
    postern_json_writer w = { &out, false };
    struct hold_answer first, a;

    (void)state;
    (void)ask(&rq, 0, &first);
    rq.digest = "2";
    (void)ask(&rq, 0, &a);
    rq.digest = "3";
    rq.database = "7";
    (void)ask(&rq, 0, &a);
    postern_json_open_object(&w, NULL);
    holds_list(holds, first.ref, 1, (struct lease_clock){ 1000, 500 }, &w);
    postern_json_close_object(&w);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"args_digest\":\"2\""));
    assert_null(strstr(postern_buf_cstr(&out), "\"args_digest\":\"3\""));
    assert_null(strstr(postern_buf_cstr(&out), first.ref));
    assert_non_null(strstr(postern_buf_cstr(&out), "\"asked\":1000,\"until\":1599"));
    assert_non_null(strstr(postern_buf_cstr(&out), "\"more\":true"));
    assert_null(strstr(postern_buf_cstr(&out), "\"database\"")); /* the first has no name */
    postern_buf_reset(&out);
    postern_json_open_object(&w, NULL);
    holds_list(holds, first.ref, 2, (struct lease_clock){ 1000, 500 }, &w);
    postern_json_close_object(&w);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"args_digest\":\"3\",\"database\":\"7\""));
    holds_withdraw(holds, first.ref, 500); /* between two pages: they go on where they were */
    holds_withdraw(holds, a.ref, 500);
    postern_buf_reset(&out);
    w.needs_comma = false;
    postern_json_open_object(&w, NULL);
    holds_list(holds, first.ref, 50, (struct lease_clock){ 1000, 500 }, &w);
    postern_json_close_object(&w);
    assert_non_null(strstr(postern_buf_cstr(&out), "\"args_digest\":\"2\""));
    assert_null(strstr(postern_buf_cstr(&out), "\"args_digest\":\"3\""));
    assert_non_null(strstr(postern_buf_cstr(&out), "\"more\":false"));
}

static void no_memory_is_no_approval(void **state)
{
    postern_decision d = decide("k:a");
    struct hold_request rq = request(&d);
    struct hold_answer a;

    (void)state;
    alloc_fail_arm(1);
    assert_int_equal(ask(&rq, 0, &a), HOLD_REFUSED);
    assert_true(alloc_fail_disarm());
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_approved_request_passes_once),
        T(nothing_else_passes_for_it),
        T(what_is_denied_stays_denied_for_its_time),
        T(nothing_waits_longer_than_its_rule_says),
        T(the_rule_says_who_may_approve),
        T(each_rule_that_holds_wants_its_own),
        T(nobody_approves_his_own_request),
        T(the_subject_of_a_token_may_be_the_one_who_approves),
        T(one_agent_does_not_fill_the_list),
        T(what_is_waited_for_is_settled_for_itself),
        T(an_approval_that_may_not_be_used_yet_is_kept_for_one_use),
        T(an_approval_of_a_call_that_waited_is_kept_for_its_next_try),
        T(what_is_wanted_no_more_is_gone_for_everybody),
        T(who_asks_and_cancels_is_refused_before_long),
        T(the_list_is_given_in_pages),
        T(no_memory_is_no_approval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
