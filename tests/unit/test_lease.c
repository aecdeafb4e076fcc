/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/lease.c by value: every boundary, both clocks, jumps in either direction. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "door/lease.h"

#define NOW_S INT64_C(1800000000)
#define BOOT_MS INT64_C(5000000)

static const struct lease_clock now = { NOW_S, BOOT_MS };

/* `wall_s` and `boot_ms` later than now. */
static struct lease_clock after(int64_t wall_s, int64_t boot_ms)
{
    return (struct lease_clock){ NOW_S + wall_s, BOOT_MS + boot_ms };
}

static void the_earliest_of_the_terms_is_the_end(void **state)
{
    static const struct {
        const char *why;
        int64_t exp_s, skew_s, policy_s, max_s, want_s;
    } cases[] = {
        { "the token", 300, 0, 0, 3600, 300 },
        { "the token and the skew", 300, 60, 0, 3600, 360 },
        { "session_max", 300, 60, 0, 359, 359 },
        { "session_max, at the same moment", 300, 60, 0, 360, 360 },
        { "session_max, a second later", 300, 60, 0, 361, 360 },
        { "the policy", 300, 0, 299, 3600, 299 },
        { "a policy that allows more", 300, 0, 301, 3600, 300 },
        { "the shortest policy", 300, 0, 1, 3600, 1 },
        { "exp is now: nothing is left", 0, 0, 0, 3600, 0 },
        { "exp is past, within the skew", -59, 60, 0, 3600, 1 },
        { "exp is past", -10, 0, 0, 3600, -10 },
        { "exp is past, whatever the policy says", -10, 0, 300, 3600, -10 },
        { "an exp as far as one can be", (INT64_C(1) << 53) - 1 - NOW_S, 300, 0, 604800, 604800 },
        { "an exp at the beginning of time", -NOW_S, 0, 0, 604800, -NOW_S },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_terms t = { NOW_S + cases[i].exp_s, cases[i].skew_s, cases[i].policy_s,
                                 cases[i].max_s };
        struct lease l = lease_begin(&t, now);

        if (l.end_s != NOW_S + cases[i].want_s || l.end_boot_ms != BOOT_MS + cases[i].want_s * 1000 ||
            l.max_boot_ms != BOOT_MS + cases[i].max_s * 1000)
            fail_msg("%s: %lld s", cases[i].why, (long long)(l.end_s - NOW_S));
    }
}

static void a_token_that_is_over_opens_nothing(void **state)
{
    struct lease_terms t = { NOW_S, 0, 0, 3600 };
    struct lease l = lease_begin(&t, now);

    (void)state;
    assert_int_equal(lease_state_at(&l, 0, now), LEASE_OVER);
    assert_int_equal(lease_left_s(&l, now), 0);
    t.exp_s = NOW_S - 100;
    l = lease_begin(&t, now);
    assert_int_equal(lease_state_at(&l, 30, now), LEASE_OVER);
    assert_int_equal(lease_left_s(&l, now), 0);
    t.exp_s = NOW_S + 1;
    l = lease_begin(&t, now);
    assert_int_equal(lease_state_at(&l, 0, now), LEASE_OPEN);
}

/* A lease of 300 s, a grace of 30 s. */
static void a_lease_is_open_then_in_its_grace_then_over(void **state)
{
    static const struct {
        const char *why;
        int64_t wall_s, boot_ms, grace_s, left_s;
        lease_state want;
    } cases[] = {
        { "at once", 0, 0, 30, 300, LEASE_OPEN },
        { "the last second", 299, 299000, 30, 1, LEASE_OPEN },
        { "the last millisecond of the boot clock", 299, 299999, 30, 0, LEASE_OPEN },
        { "the end", 300, 300000, 30, 0, LEASE_GRACE },
        { "the end, without any grace", 300, 300000, 0, 0, LEASE_OVER },
        { "the last of the grace", 329, 329999, 30, 0, LEASE_GRACE },
        { "the end of the grace", 330, 330000, 30, 0, LEASE_OVER },
        { "much later", 100000, 100000000, 30, 0, LEASE_OVER },
        { "a wall clock set forward to the end", 300, 1000, 30, 0, LEASE_GRACE },
        { "a wall clock set forward behind the grace", 330, 1000, 30, 0, LEASE_OVER },
        { "a wall clock set forward, not to the end", 299, 1000, 30, 1, LEASE_OPEN },
        { "a wall clock set back lengthens nothing", -86400, 300000, 30, 0, LEASE_GRACE },
        { "the same at the end of the grace", -86400, 330000, 30, 0, LEASE_OVER },
        { "a wall clock set back, before the end", -86400, 299000, 30, 1, LEASE_OPEN },
        { "suspended: the boot clock went on", 10, 330000, 30, 0, LEASE_OVER },
    };
    struct lease_terms t = { NOW_S + 300, 0, 0, 3600 };
    struct lease l = lease_begin(&t, now);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_clock at = after(cases[i].wall_s, cases[i].boot_ms);
        lease_state is = lease_state_at(&l, cases[i].grace_s, at);
        int64_t left_s = lease_left_s(&l, at);

        if (is != cases[i].want || left_s != cases[i].left_s)
            fail_msg("%s: state %d, %lld s left", cases[i].why, (int)is, (long long)left_s);
    }
}

static void a_renewal_replaces_the_end_and_stays_within_session_max(void **state)
{
    static const struct {
        const char *why;
        int64_t at_s, exp_s, policy_s, want_s;
    } cases[] = { /* begun at 0 with session_max 1000 */
        { "longer", 200, 600, 0, 600 },
        { "shorter: a newer token may say less", 200, 250, 0, 250 },
        { "up to session_max", 200, 1000, 0, 1000 },
        { "not beyond it", 200, 5000, 0, 1000 },
        { "not beyond it a second before its end", 999, 5000, 0, 1000 },
        { "not after its end", 1001, 5000, 0, 1000 },
        { "the policy counts from the renewal", 200, 5000, 300, 500 },
        { "the policy does not reach beyond session_max", 900, 5000, 300, 1000 },
    };
    struct lease_terms t = { NOW_S + 300, 0, 0, 1000 };
    const struct lease begun = lease_begin(&t, now);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* What the settings say now does not matter: 9000. */
        struct lease_terms newer = { NOW_S + cases[i].exp_s, 0, cases[i].policy_s, 9000 };
        struct lease_clock at = after(cases[i].at_s, cases[i].at_s * 1000);
        struct lease l = lease_renew(&begun, &newer, at);

        if (l.end_s != NOW_S + cases[i].want_s || l.end_boot_ms != BOOT_MS + cases[i].want_s * 1000)
            fail_msg("%s: %lld s", cases[i].why, (long long)(l.end_s - NOW_S));
        assert_int_equal(l.max_boot_ms, begun.max_boot_ms);
        assert_int_equal(lease_state_at(&l, 0, at), cases[i].at_s < 1000 ? LEASE_OPEN : LEASE_OVER);
    }
}

/* Both clocks are read a moment after they struck: what is left of session_max is no whole second. */
static void a_renewal_between_two_seconds_loses_none(void **state)
{
    struct lease_terms t = { NOW_S + 9000, 0, 0, 3 };
    struct lease begun = lease_begin(&t, now), l;

    (void)state;
    l = lease_renew(&begun, &t, after(0, 10));
    assert_int_equal(l.end_s, NOW_S + 3);
    assert_int_equal(l.end_boot_ms, BOOT_MS + 3000);
    assert_int_equal(lease_state_at(&l, 0, after(2, 2999)), LEASE_OPEN);
    assert_int_equal(lease_state_at(&l, 0, after(3, 2999)), LEASE_OVER);
    assert_int_equal(lease_state_at(&l, 0, after(2, 3000)), LEASE_OVER);
    t.exp_s = NOW_S + 2; /* a token's end is not rounded */
    l = lease_renew(&begun, &t, after(1, 1700));
    assert_int_equal(l.end_s, NOW_S + 2);
}

static void a_thousand_renewals_do_not_reach_beyond_session_max(void **state)
{
    struct lease_terms t = { NOW_S + 300, 0, 0, 1000 };
    struct lease l = lease_begin(&t, now);

    (void)state;
    for (int64_t s = 0; s < 1000; s++) {
        t.exp_s = NOW_S + s + 300;
        l = lease_renew(&l, &t, after(s, s * 1000));
        assert_true(l.end_boot_ms <= BOOT_MS + 1000000);
        assert_int_equal(lease_state_at(&l, 0, after(s, s * 1000)), LEASE_OPEN);
    }
    assert_int_equal(lease_state_at(&l, 0, after(1000, 1000000)), LEASE_OVER);
}

/* The wall clock set back before a renewal: session_max is counted by the other one. */
static void a_clock_that_is_set_back_does_not_lengthen_by_renewal(void **state)
{
    struct lease_terms t = { NOW_S + 300, 0, 0, 1000 };
    struct lease l = lease_begin(&t, now);

    (void)state;
    t.exp_s = NOW_S + 300;
    l = lease_renew(&l, &t, after(-86400, 900000));
    assert_int_equal(l.end_boot_ms, BOOT_MS + 1000000);
    assert_int_equal(lease_state_at(&l, 0, after(-86400, 999999)), LEASE_OPEN);
    assert_int_equal(lease_state_at(&l, 0, after(-86300, 1000000)), LEASE_OVER);
}

static void a_reload_shortens_at_once_and_lengthens_nothing(void **state)
{
    static const struct {
        const char *why;
        int64_t skew_s, policy_s, max_s, want_s, want_max_s;
    } cases[] = { /* begun at 0: exp 600, skew 60, session_max 1000; now 100 */
        { "the same settings", 60, 0, 1000, 660, 1000 },
        { "a longer session_max", 60, 0, 2000, 660, 2000 },
        { "a shorter one, beyond the end", 60, 0, 700, 660, 700 },
        { "at the end", 60, 0, 660, 660, 660 },
        { "before the end", 60, 0, 500, 500, 500 },
        { "before now", 60, 0, 50, 50, 50 },
        { "a smaller skew", 0, 0, 1000, 600, 1000 },
        { "a larger skew", 300, 0, 1000, 660, 1000 },
        { "a policy with a lease, from now on", 60, 30, 1000, 130, 1000 },
        { "a policy with a long lease", 60, 3600, 1000, 660, 1000 },
    };
    struct lease_terms t = { NOW_S + 600, 60, 0, 1000 };
    const struct lease begun = lease_begin(&t, now);
    const struct lease_clock at = after(100, 100000);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_terms newer = { t.exp_s, cases[i].skew_s, cases[i].policy_s, cases[i].max_s };
        struct lease l = begun;

        lease_limit(&l, BOOT_MS, &newer, at);
        if (l.end_s != NOW_S + cases[i].want_s || l.end_boot_ms != BOOT_MS + cases[i].want_s * 1000 ||
            l.max_boot_ms != BOOT_MS + cases[i].want_max_s * 1000)
            fail_msg("%s: %lld s", cases[i].why, (long long)(l.end_s - NOW_S));
        lease_limit(&l, BOOT_MS, &newer, at); /* twice is once */
        assert_int_equal(l.end_s, NOW_S + cases[i].want_s);
    }
}

/* A shorter session_max holds for every renewal that comes after it. */
static void a_renewal_after_a_reload_stays_within_the_shorter_session_max(void **state)
{
    struct lease_terms t = { NOW_S + 600, 0, 0, 1000 };
    struct lease l = lease_begin(&t, now);

    (void)state;
    t.session_max_s = 700;
    lease_limit(&l, BOOT_MS, &t, after(100, 100000));
    t.exp_s = NOW_S + 5000;
    l = lease_renew(&l, &t, after(200, 200000));
    assert_int_equal(l.end_s, NOW_S + 700);
    t.session_max_s = 150;
    lease_limit(&l, BOOT_MS, &t, after(200, 200000));
    assert_int_equal(lease_state_at(&l, 30, after(200, 200000)), LEASE_OVER);
    l = lease_renew(&l, &t, after(200, 200000));
    assert_int_equal(lease_state_at(&l, 0, after(200, 200000)), LEASE_OVER);
}

/* ---- the issuer's word ---- */

static struct lease begin_with_word(int64_t word_ms, int64_t interval_ms)
{
    const struct lease_terms t = { NOW_S + 300, 60, 0, 3600 };
    struct lease l = lease_begin(&t, now);

    lease_hear(&l, word_ms, interval_ms);
    return l;
}

static void a_word_counts_for_its_interval_and_changes_no_other_end(void **state)
{
    const struct lease l = begin_with_word(BOOT_MS - 500, 30000);

    (void)state;
    assert_false(lease_is_unheard(&l, after(29, 29499)));
    assert_true(lease_is_unheard(&l, after(29, 29500)));
    assert_true(lease_is_unheard(&l, after(0, 29500))); /* whatever the clock on the wall says */
    assert_int_equal(lease_state_at(&l, 30, after(29, 29500)), LEASE_OPEN);
    assert_int_equal(lease_left_s(&l, now), 360);
    assert_false(lease_is_unheard(&(struct lease){ .end_s = NOW_S }, after(9999, 9999999)));
}

static void a_newer_word_counts_for_longer_and_a_renewal_wants_its_own(void **state)
{
    const struct lease_terms t = { NOW_S + 900, 60, 0, 3600 };
    struct lease l = begin_with_word(BOOT_MS, 30000);

    (void)state;
    lease_hear(&l, BOOT_MS + 20000, 30000);
    assert_false(lease_is_unheard(&l, after(49, 49999)));
    assert_true(lease_is_unheard(&l, after(50, 50000)));
    lease_limit(&l, BOOT_MS, &t, after(10, 10000)); /* a reload */
    assert_true(lease_is_unheard(&l, after(50, 50000)));
    l = lease_renew(&l, &t, after(10, 10000));
    assert_int_equal(l.word_end_boot_ms, 0);
}

static void behind_exp_the_last_word_is_the_end_with_its_grace(void **state)
{
    static const struct {
        const char *why;
        int64_t word_ms, want_end_s; /* of the word, of the lease; after now */
    } cases[] = {
        { "said long before", 280000, 310 }, { "said a moment ago", 299000, 329 },
        { "it reaches beyond the skew", 345000, 360 },
    };
    const struct lease_clock at = after(300, 300000);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease l = begin_with_word(BOOT_MS + cases[i].word_ms, 30000);

        lease_hear_no_more(&l, at);
        if (l.end_s != NOW_S + cases[i].want_end_s ||
            l.end_boot_ms != BOOT_MS + cases[i].want_end_s * 1000)
            fail_msg("%s: %lld s", cases[i].why, (long long)(l.end_s - NOW_S));
        assert_false(lease_is_unheard(&l, after(9999, 9999999)));
        assert_int_equal(lease_state_at(&l, 30, after(cases[i].want_end_s, cases[i].want_end_s * 1000)),
                         LEASE_GRACE);
    }
}

static void a_lease_that_is_cut_is_in_its_grace(void **state)
{
    struct lease l = begin_with_word(BOOT_MS, 30000);

    (void)state;
    lease_cut(&l, after(10, 10000));
    assert_int_equal(lease_state_at(&l, 30, after(10, 10000)), LEASE_GRACE);
    assert_int_equal(lease_state_at(&l, 30, after(40, 40000)), LEASE_OVER);
    lease_cut(&l, after(20, 20000)); /* it was over before */
    assert_int_equal(lease_state_at(&l, 30, after(40, 40000)), LEASE_OVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_of_the_terms_is_the_end),
        cmocka_unit_test(a_token_that_is_over_opens_nothing),
        cmocka_unit_test(a_lease_is_open_then_in_its_grace_then_over),
        cmocka_unit_test(a_renewal_replaces_the_end_and_stays_within_session_max),
        cmocka_unit_test(a_renewal_between_two_seconds_loses_none),
        cmocka_unit_test(a_thousand_renewals_do_not_reach_beyond_session_max),
        cmocka_unit_test(a_clock_that_is_set_back_does_not_lengthen_by_renewal),
        cmocka_unit_test(a_reload_shortens_at_once_and_lengthens_nothing),
        cmocka_unit_test(a_renewal_after_a_reload_stays_within_the_shorter_session_max),
        cmocka_unit_test(a_word_counts_for_its_interval_and_changes_no_other_end),
        cmocka_unit_test(a_newer_word_counts_for_longer_and_a_renewal_wants_its_own),
        cmocka_unit_test(behind_exp_the_last_word_is_the_end_with_its_grace),
        cmocka_unit_test(a_lease_that_is_cut_is_in_its_grace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
