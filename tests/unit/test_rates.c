/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/rates.c: never more than COUNT in any PERIOD; the clock is a number. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/rates.h"

static struct rates *rates;

static int set_up(void **state)
{
    (void)state;
    return rates_new(&rates, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rates_free(rates);
    return 0;
}

static postern_err take(const char *agent, const char *rule, int64_t count, int64_t period_s,
                        int64_t now_ms, int64_t *ret_wait_ms)
{
    const struct rate_use use = { rule, { count, period_s } };

    return rates_take(rates, "https://sso.example.org", agent, &use, 1, now_ms, ret_wait_ms, NULL);
}

static void as_many_as_the_rule_says_and_not_one_more(void **state)
{
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_ERR_RATE);
    assert_in_range(wait_ms, 60000, 64000);
    assert_int_equal(take("a", "f:r", 3, 60, 1000 + wait_ms - 1, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("a", "f:r", 3, 60, 1000 + 64000, &wait_ms), POSTERN_OK);
}

static void other_agents_rules_and_issuers_have_their_own(void **state)
{
    const struct rate_use use = { "f:r", { 1, 60 } };
    int64_t wait_ms;

    (void)state;
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("b", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:s", 1, 60, 0, &wait_ms), POSTERN_OK);
    assert_int_equal(rates_take(rates, "https://other.example.org", "a", &use, 1, 0, &wait_ms, NULL),
                     POSTERN_OK);
    /* Parts that run into each other are not the same. */
    assert_int_equal(take("af", ":r", 1, 60, 0, &wait_ms), POSTERN_OK);
}

/* Whatever the rhythm: in each window of a period there are no more than the rule says. */
static void no_window_has_more(void **state)
{
    enum { COUNT = 7, PERIOD_MS = 7000, TRIES = 4000 };
    static int64_t granted[TRIES];
    size_t n = 0;
    int64_t now_ms = 12345, wait_ms;

    (void)state;
    for (unsigned i = 0; i < TRIES; i++) {
        now_ms += (i * 2654435761u >> 7) % 1500;
        if (take("a", "f:r", COUNT, PERIOD_MS / 1000, now_ms, &wait_ms) == POSTERN_OK)
            granted[n++] = now_ms;
    }
    assert_true(n > TRIES / 20);
    for (size_t i = COUNT; i < n; i++)
        if (granted[i] - granted[i - COUNT] < PERIOD_MS)
            fail_msg("%u within %lld ms", COUNT + 1, (long long)(granted[i] - granted[i - COUNT]));
}

static void one_that_may_not_under_one_rule_counts_under_none(void **state)
{
    const struct rate_use both[] = { { "f:wide", { 10, 60 } }, { "f:tight", { 1, 60 } } };
    int64_t wait_ms;

    (void)state;
    assert_int_equal(rates_take(rates, "i", "a", both, 2, 0, &wait_ms, NULL), POSTERN_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(rates_take(rates, "i", "a", both, 2, 0, &wait_ms, NULL), POSTERN_ERR_RATE);
    for (int i = 0; i < 9; i++)
        assert_int_equal(rates_take(rates, "i", "a", both, 1, 0, &wait_ms, NULL), POSTERN_OK);
    assert_int_equal(rates_take(rates, "i", "a", both, 1, 0, &wait_ms, NULL), POSTERN_ERR_RATE);
}

static void a_policy_that_changes_the_rate_forgives_nothing(void **state)
{
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("a", "f:r", 5, 60, 0, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 5, 30, 1000, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("a", "f:r", 6, 30, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 0, 30, 1000, &wait_ms), POSTERN_ERR_RATE);
}

static void too_many_rules_are_refused(void **state)
{
    struct rate_use uses[RATES_PER_ACTION_MAX + 1];
    int64_t wait_ms;

    (void)state;
    for (size_t i = 0; i <= RATES_PER_ACTION_MAX; i++)
        uses[i] = (struct rate_use){ "f:r", { 100, 1 } };
    assert_int_equal(rates_take(rates, "i", "a", uses, RATES_PER_ACTION_MAX + 1, 0, &wait_ms, NULL),
                     POSTERN_ERR_RATE);
}

static void a_full_table_refuses_whom_it_does_not_know(void **state)
{
    char name[32];
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < RATES_MAX; i++) {
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(take(name, "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
    }
    assert_int_equal(take("new", "f:r", 1, 60, 1000, &wait_ms), POSTERN_ERR_RATE);
    assert_true(wait_ms > 0);
    assert_int_equal(take("a5", "f:r", 1, 60, 1000, &wait_ms), POSTERN_ERR_RATE); /* counted still */
    assert_int_equal(take("new", "f:r", 1, 60, 70000, &wait_ms), POSTERN_OK); /* they are over */
}

static void no_memory_is_no_leave(void **state)
{
    int64_t wait_ms;

    (void)state;
    alloc_fail_arm(1);
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_ERR_RATE);
    assert_true(alloc_fail_disarm());
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
}

static _Atomic int granted;

static void *take_often(void *arg)
{
    int64_t wait_ms;

    (void)arg;
    for (int i = 0; i < 1000; i++)
        if (take("a", "f:r", 500, 60, 1000 + i, &wait_ms) == POSTERN_OK)
            atomic_fetch_add(&granted, 1);
    return NULL;
}

static void threads_share_one_count(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_often, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&granted), 500);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(as_many_as_the_rule_says_and_not_one_more),
        T(other_agents_rules_and_issuers_have_their_own),
        T(no_window_has_more),
        T(one_that_may_not_under_one_rule_counts_under_none),
        T(a_policy_that_changes_the_rate_forgives_nothing),
        T(too_many_rules_are_refused),
        T(a_full_table_refuses_whom_it_does_not_know),
        T(no_memory_is_no_leave),
        T(threads_share_one_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
