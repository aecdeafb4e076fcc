/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/blocks.c and what a context makes of it: whom a block means, how long, and what the
 * blocked are told.  TSan is the judge of the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "oauth/blocks.h"

#define NOW_S TEST_NOW_S

static struct blocks *b;
static test_login t;
static postern_error err;
static postern_failure failure;

static int make_blocks(void **state)
{
    (void)state;
    memset(&failure, 0, sizeof failure);
    return postern_blocks_new(&b, &err) == POSTERN_OK ? 0 : -1;
}

static int free_blocks(void **state)
{
    (void)state;
    postern_blocks_free(b);
    return 0;
}

static postern_block make_block(const char *agent, int64_t until_s, const char *reason)
{
    postern_block block = { .until_s = until_s, .contact = "ops@example.org" };

    assert_true(strlen(agent) < sizeof block.agent && strlen(reason) < sizeof block.reason);
    memcpy(block.agent, agent, strlen(agent));
    memcpy(block.reason, reason, strlen(reason));
    return block;
}

static void set_one(const char *agent, int64_t until_s)
{
    postern_block block = make_block(agent, until_s, "because");

    assert_int_equal(postern_blocks_set(b, &block, 1, &err), POSTERN_OK);
}

static postern_err check_bytes(const char *agent, size_t len)
{
    return postern_blocks_check(b, (postern_bytes){ (const uint8_t *)agent, len }, NOW_S, &failure,
                                &err);
}

static postern_err check(const char *agent)
{
    return check_bytes(agent, strlen(agent));
}

static void only_the_very_name_is_blocked(void **state)
{
    (void)state;
    set_one("agent-7", 0);
    assert_int_equal(check("agent-7"), POSTERN_ERR_BLOCKED);
    assert_string_equal(err.detail, "agent \"agent-7\" is blocked");
    assert_int_equal(check("agent-"), POSTERN_OK);
    assert_int_equal(check("agent-77"), POSTERN_OK);
    assert_int_equal(check("agent-6"), POSTERN_OK);
    assert_int_equal(check("agent-8"), POSTERN_OK);
    assert_int_equal(check("Agent-7"), POSTERN_OK);
    assert_int_equal(check(" agent-7"), POSTERN_OK);
    assert_int_equal(check(""), POSTERN_OK);
    assert_int_equal(check_bytes("agent-7\0", 8), POSTERN_OK);
    assert_int_equal(check_bytes("agent-7\0x", 9), POSTERN_OK);
    assert_int_equal(check_bytes("agent\0-7", 8), POSTERN_OK);
    assert_int_equal(check_bytes(NULL, 0), POSTERN_OK);
}

static void names_are_compared_as_bytes(void **state)
{
    (void)state;
    set_one("caf\xc3\xa9", 0);
    assert_int_equal(check("caf\xc3\xa9"), POSTERN_ERR_BLOCKED);
    assert_int_equal(check("cafe"), POSTERN_OK);
    assert_int_equal(check("cafe\xcc\x81"), POSTERN_OK); /* the same letter, decomposed */
    assert_int_equal(check("caf\xc3"), POSTERN_OK);
}

static void the_longest_name_of_a_token_can_be_blocked(void **state)
{
    char name[POSTERN_AGENT_MAX];

    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    set_one(name, 0);
    assert_int_equal(check(name), POSTERN_ERR_BLOCKED);
    name[sizeof name - 2] = '\0';
    assert_int_equal(check(name), POSTERN_OK);
    name[255] = '\0';
    assert_int_equal(check(name), POSTERN_OK);
}

static void an_empty_name_blocks_nobody(void **state)
{
    (void)state;
    set_one("", 0);
    assert_int_equal(check(""), POSTERN_OK);
    assert_int_equal(check("a"), POSTERN_OK);
}

static void a_block_ends_on_its_second(void **state)
{
    static const struct {
        int64_t until_s;
        postern_err want;
    } cases[] = {
        { NOW_S + 1, POSTERN_ERR_BLOCKED },
        { NOW_S, POSTERN_OK },
        { NOW_S - 1, POSTERN_OK },
        { 1, POSTERN_OK },
        { -1, POSTERN_OK },
        { INT64_MIN, POSTERN_OK },
        { 0, POSTERN_ERR_BLOCKED },
        { INT64_MAX, POSTERN_ERR_BLOCKED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_one("a", cases[i].until_s);
        assert_int_equal(check("a"), cases[i].want);
    }
}

static void of_several_blocks_of_one_agent_the_longest_counts(void **state)
{
    static const int64_t orders[][3] = {
        { NOW_S - 5, NOW_S + 5, NOW_S + 9 }, { NOW_S + 9, NOW_S + 5, NOW_S - 5 },
        { NOW_S + 5, NOW_S + 9, NOW_S },     { 0, NOW_S - 5, NOW_S + 9 },
        { NOW_S - 5, 0, NOW_S - 9 },
    };
    static const char *const reasons[] = { "first", "second", "third" };
    static const char *const want[] = { "third", "first", "second", "first", "second" };

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        postern_block list[5];

        list[0] = make_block("0", 0, "other");
        list[4] = make_block("b", 0, "other");
        for (size_t j = 0; j < 3; j++)
            list[1 + j] = make_block("a", orders[i][j], reasons[j]);
        assert_int_equal(postern_blocks_set(b, list, 5, &err), POSTERN_OK);
        assert_int_equal(check("a"), POSTERN_ERR_BLOCKED);
        assert_string_equal(failure.because, want[i]);
    }
    set_one("a", NOW_S - 1);
    assert_int_equal(check("a"), POSTERN_OK);
}

static void the_blocked_are_told_why_and_whom_to_ask(void **state)
{
    postern_block block = make_block("a", 0, "");

    (void)state;
    memset(block.reason, 'r', sizeof block.reason - 1);
    memset(block.contact, 'c', sizeof block.contact - 1);
    assert_int_equal(postern_blocks_set(b, &block, 1, &err), POSTERN_OK);
    assert_int_equal(check("b"), POSTERN_OK);
    assert_string_equal(failure.because, "");
    assert_string_equal(failure.contact, "");
    assert_int_equal(check("a"), POSTERN_ERR_BLOCKED);
    assert_string_equal(failure.because, block.reason);
    assert_string_equal(failure.contact, block.contact);
    assert_int_equal(postern_blocks_check(b, postern_bytes_str("a"), NOW_S, NULL, NULL),
                     POSTERN_ERR_BLOCKED);
}

static void until_the_list_came_nothing_is_decided(void **state)
{
    (void)state;
    assert_int_equal(check("a"), POSTERN_OK); /* nobody keeps blocks here */
    postern_blocks_expect(b);
    assert_int_equal(check("a"), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(check(""), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_err_class(POSTERN_ERR_REVOCATIONS_UNKNOWN), POSTERN_CLASS_REMOTE);
    assert_int_equal(postern_blocks_set(b, NULL, 0, &err), POSTERN_OK);
    assert_int_equal(check("a"), POSTERN_OK);
    set_one("a", 0);
    assert_int_equal(check("a"), POSTERN_ERR_BLOCKED);
    postern_blocks_expect(b); /* once told, it is told */
    assert_int_equal(check("b"), POSTERN_OK);
}

static void a_new_list_replaces_the_old_one(void **state)
{
    (void)state;
    set_one("a", 0);
    set_one("b", 0);
    assert_int_equal(check("a"), POSTERN_OK);
    assert_int_equal(check("b"), POSTERN_ERR_BLOCKED);
    assert_int_equal(postern_blocks_set(b, NULL, 0, &err), POSTERN_OK);
    assert_int_equal(check("b"), POSTERN_OK);
}

static void a_list_that_is_too_long_or_broken_changes_nothing(void **state)
{
    postern_block *list = calloc(POSTERN_BLOCKS_MAX + 1, sizeof *list);
    postern_block broken = make_block("a", 0, "");
    char name[32];

    (void)state;
    assert_non_null(list);
    set_one("kept", 0);
    for (size_t i = 0; i <= POSTERN_BLOCKS_MAX; i++)
        assert_true(snprintf(list[i].agent, sizeof list[i].agent, "agent-%zu", i) > 0);
    assert_int_equal(postern_blocks_set(b, list, POSTERN_BLOCKS_MAX + 1, &err), POSTERN_ERR_LIMIT);
    assert_int_equal(check("kept"), POSTERN_ERR_BLOCKED);
    assert_int_equal(check("agent-0"), POSTERN_OK);
    memset(broken.agent, 'a', sizeof broken.agent);
    assert_int_equal(postern_blocks_set(b, &broken, 1, &err), POSTERN_ERR_USAGE);
    broken = make_block("a", 0, "");
    memset(broken.reason, 'a', sizeof broken.reason);
    assert_int_equal(postern_blocks_set(b, &broken, 1, &err), POSTERN_ERR_USAGE);
    broken = make_block("a", 0, "");
    memset(broken.contact, 'a', sizeof broken.contact);
    assert_int_equal(postern_blocks_set(b, &broken, 1, &err), POSTERN_ERR_USAGE);
    assert_int_equal(check("kept"), POSTERN_ERR_BLOCKED);
    assert_int_equal(postern_blocks_set(b, list, POSTERN_BLOCKS_MAX, &err), POSTERN_OK);
    free(list);
    for (size_t i = 0; i <= POSTERN_BLOCKS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "agent-%zu", i) > 0);
        assert_int_equal(check(name), i == POSTERN_BLOCKS_MAX ? POSTERN_OK : POSTERN_ERR_BLOCKED);
    }
}

static postern_err set_and_check(void *arg, postern_error *e)
{
    struct blocks *fresh = NULL;
    postern_block list[] = { make_block("a", 0, ""), make_block("b", 0, "") };
    postern_err verdict = postern_blocks_new(&fresh, e);

    (void)arg;
    if (verdict == POSTERN_OK)
        verdict = postern_blocks_set(fresh, list, 2, e);
    if (verdict == POSTERN_OK)
        verdict = postern_blocks_check(fresh, postern_bytes_str("c"), NOW_S, NULL, e);
    postern_blocks_free(fresh);
    return verdict;
}

static void blocks_survive_every_failing_allocation(void **state)
{
    postern_block list[] = { make_block("a", 0, "") };

    (void)state;
    assert_true(alloc_fail_sweep(set_and_check, NULL, POSTERN_OK) >= 2);
    set_one("kept", 0);
    alloc_fail_arm(1);
    assert_int_equal(postern_blocks_set(b, list, 1, &err), POSTERN_ERR_NOMEM);
    assert_true(alloc_fail_disarm());
    assert_int_equal(check("kept"), POSTERN_ERR_BLOCKED);
    postern_blocks_free(NULL);
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS  2000

/* The number of verdicts that no list of these gives: "always" is in each, "never" in none. */
static void *check_often(void *arg)
{
    postern_failure f;
    intptr_t wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        memset(&f, 0, sizeof f);
        wrong += postern_blocks_check(arg, postern_bytes_str("always"), NOW_S, &f, NULL) !=
                     POSTERN_ERR_BLOCKED ||
                 strcmp(f.because, "reason") != 0;
        wrong +=
            postern_blocks_check(arg, postern_bytes_str("never"), NOW_S, &f, NULL) != POSTERN_OK;
    }
    return (void *)wrong;
}

static void threads_check_while_the_list_is_replaced(void **state)
{
    postern_block list[] = { make_block("always", 0, "reason"), make_block("a", 0, ""),
                             make_block("z", 0, "") };
    pthread_t threads[THREADS];
    void *wrong;

    (void)state;
    assert_int_equal(postern_blocks_set(b, list, 1, &err), POSTERN_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, b), 0);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(postern_blocks_set(b, list, 1 + i % 3, &err), POSTERN_OK);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_int_equal((intptr_t)wrong, 0);
    }
}

/* ---- at a login ---- */

static int make_login(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    return 0;
}

static int remove_login(void **state)
{
    (void)state;
    test_login_remove(&t);
    return 0;
}

static void block(const char *agent, int64_t until_s)
{
    postern_block one = make_block(agent, until_s, "it deleted the mail");

    assert_int_equal(postern_context_set_blocks(t.context, &one, 1, &t.err), POSTERN_OK);
}

static void every_name_of_who_acts_is_looked_up(void **state)
{
    static const struct {
        const char *blocked, *claim, *json;
        postern_err want;
    } cases[] = {
        { "agent-7", NULL, NULL, POSTERN_ERR_BLOCKED }, /* client_id */
        { "agent-9", "act", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-8\"}}",
          POSTERN_ERR_BLOCKED }, /* who acts */
        { "agent-7", "act", "{\"sub\":\"agent-9\"}", POSTERN_ERR_BLOCKED },
        { "agent-8", "act", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-8\"}}", POSTERN_OK },
        { "alice@example.org", NULL, NULL, POSTERN_OK }, /* for whom */
        { "alice", NULL, NULL, POSTERN_OK },
        { "t-1", NULL, NULL, POSTERN_OK },
        { "agent", NULL, NULL, POSTERN_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        block(cases[i].blocked, 0);
        assert_int_equal(test_login_try(&t, cases[i].claim, cases[i].json), cases[i].want);
    }
}

static void the_name_that_agent_claim_prefers_does_not_hide_the_registered_one(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: keys.json\nagent_claim: azp\n");
    test_login_reload(&t);
    block("portal", 0);
    assert_int_equal(test_login_try(&t, "azp", "\"portal\""), POSTERN_ERR_BLOCKED);
    block("agent-7", 0);
    assert_int_equal(test_login_try(&t, "azp", "\"portal\""), POSTERN_ERR_BLOCKED);
    block("agent-8", 0);
    assert_int_equal(test_login_try(&t, "azp", "\"portal\""), POSTERN_OK);
}

static void only_a_blocked_login_is_told_why(void **state)
{
    (void)state;
    block("agent-7", 0);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_BLOCKED);
    assert_int_equal(t.failure.code, POSTERN_ERR_BLOCKED);
    assert_string_equal(t.failure.because, "it deleted the mail");
    assert_string_equal(t.failure.contact, "ops@example.org");
    assert_string_equal(t.failure.issuer, TEST_ISSUER);
    assert_string_equal(t.failure.agent, "agent-7"); /* its token was proved */
    assert_int_equal(postern_err_class(POSTERN_ERR_BLOCKED), POSTERN_CLASS_POLICY);
    assert_int_equal(test_login_try(&t, "sub", "\"root\""), POSTERN_ERR_BLOCKED);
    assert_int_equal(test_login_try(&t, "aud", "\"x\""), POSTERN_ERR_AUD); /* not ours to tell */
    assert_string_equal(t.failure.because, "");
    assert_string_equal(t.failure.agent, ""); /* nor is he named whose claims were not looked at */
    assert_string_equal(t.failure.contact, "");
}

static void a_block_at_a_login_ends_by_the_context_s_clock(void **state)
{
    (void)state;
    block("agent-7", TEST_NOW_S + 60);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_BLOCKED);
    t.now_s = TEST_NOW_S + 59;
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_BLOCKED);
    t.now_s = TEST_NOW_S + 60;
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
}

static void a_context_that_expects_blocks_decides_nothing_before_them(void **state)
{
    (void)state;
    postern_context_expect_blocks(t.context);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_set_blocks(t.context, NULL, POSTERN_BLOCKS_MAX + 1, &t.err),
                     POSTERN_ERR_LIMIT);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_set_blocks(t.context, NULL, 0, &t.err), POSTERN_OK);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, make_blocks, free_blocks)
#define LOGIN(name) cmocka_unit_test_setup_teardown(name, make_login, remove_login)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_very_name_is_blocked),
        TEST(names_are_compared_as_bytes),
        TEST(the_longest_name_of_a_token_can_be_blocked),
        TEST(an_empty_name_blocks_nobody),
        TEST(a_block_ends_on_its_second),
        TEST(of_several_blocks_of_one_agent_the_longest_counts),
        TEST(the_blocked_are_told_why_and_whom_to_ask),
        TEST(until_the_list_came_nothing_is_decided),
        TEST(a_new_list_replaces_the_old_one),
        TEST(a_list_that_is_too_long_or_broken_changes_nothing),
        TEST(blocks_survive_every_failing_allocation),
        TEST(threads_check_while_the_list_is_replaced),
        LOGIN(every_name_of_who_acts_is_looked_up),
        LOGIN(the_name_that_agent_claim_prefers_does_not_hide_the_registered_one),
        LOGIN(only_a_blocked_login_is_told_why),
        LOGIN(a_block_at_a_login_ends_by_the_context_s_clock),
        LOGIN(a_context_that_expects_blocks_decides_nothing_before_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
