/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/source_buckets.c: which peers are one source, and how much each may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "../support/alloc_fail.h"
#include "oauth/source_buckets.h"

static struct source_buckets *buckets;

static int set_up(void **state)
{
    (void)state;
    return postern_source_buckets_new((struct source_rate){ POSTERN_SOURCE_BURST, POSTERN_SOURCE_PER_S }, &buckets, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_source_buckets_free(buckets);
    return 0;
}

static bool take(const char *peer, int64_t now_ms)
{
    return postern_source_buckets_take(buckets, peer, now_ms);
}

static void use_up(const char *peer)
{
    for (int i = 0; i < POSTERN_SOURCE_BURST; i++)
        assert_true(take(peer, 1000));
    assert_false(take(peer, 1000));
}

static void peers_with_one_address_are_one_source_whatever_their_spelling(void **state)
{
    static const char *const one[] = { "192.0.2.7",        "192.0.2.7:4711",  "192.0.2.7;4711",
                                       "::ffff:192.0.2.7", "::ffff:c000:207", "[::ffff:192.0.2.7]:4711" };
    static const char *const others[] = { "192.0.2.8", "2001:db8::1", "unix", "", NULL };

    (void)state;
    use_up(one[0]);
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        if (take(one[i], 1000))
            fail_msg("%s is another source", one[i]);
    for (size_t i = 0; i + 1 < sizeof others / sizeof *others; i++)
        if (!take(others[i], 1000))
            fail_msg("%s is the same source", others[i]);
}

static void an_ipv6_host_is_its_network_and_a_nameless_one_is_one_source(void **state)
{
    (void)state;
    use_up("2001:db8:1:2::1");
    assert_false(take("[2001:db8:1:2:3::4]:99", 1000));
    assert_true(take("2001:db8:1:3::1", 1000));
    use_up(NULL);
    assert_false(take("", 1000));
    use_up("a name longer than every address that could stand here, and longer than the room for it");
}

static void what_was_used_up_comes_back_with_time_and_never_more_than_the_burst(void **state)
{
    (void)state;
    use_up("192.0.2.7");
    assert_false(take("192.0.2.7", 500)); /* a clock set back gives nothing */
    assert_true(take("192.0.2.7", 500 + 1000 / POSTERN_SOURCE_PER_S + 1));
    assert_false(take("192.0.2.7", 500 + 1000 / POSTERN_SOURCE_PER_S + 1));
    for (int i = 0; i < POSTERN_SOURCE_BURST; i++)
        assert_true(take("192.0.2.7", 86400000));
    assert_false(take("192.0.2.7", 86400000));
}

/* A table that is full forgets who used least: whoever is refused stays refused. */
static void strangers_do_not_wash_out_the_one_who_was_refused(void **state)
{
    char peer[32];

    (void)state;
    use_up("192.0.2.7");
    for (int i = 0; i < 2 * POSTERN_SOURCES_MAX; i++) {
        (void)snprintf(peer, sizeof peer, "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
        (void)take(peer, 1000);
    }
    assert_false(take("192.0.2.7", 1000));
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct source_buckets *b = NULL;
    postern_err e = postern_source_buckets_new((struct source_rate){ POSTERN_SOURCE_BURST, POSTERN_SOURCE_PER_S }, &b, err);

    (void)arg;
    postern_source_buckets_free(b);
    return e;
}

static void a_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_sweep(make_once, NULL, POSTERN_OK), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_drop_that_was_given_back_is_there_again_and_no_more_than_all(void **state)
{
    (void)state;
    postern_source_buckets_give_back(buckets, "192.0.2.7"); /* nobody knows it */
    use_up("192.0.2.7");
    postern_source_buckets_give_back(buckets, "192.0.2.7:4711");
    assert_true(take("192.0.2.7", 1000));
    assert_false(take("192.0.2.7", 1000));
    assert_true(take("192.0.2.8", 1000));
    for (int i = 0; i < 2 * POSTERN_SOURCE_BURST; i++)
        postern_source_buckets_give_back(buckets, "192.0.2.7");
    use_up("192.0.2.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_drop_that_was_given_back_is_there_again_and_no_more_than_all),
        TEST(peers_with_one_address_are_one_source_whatever_their_spelling),
        TEST(an_ipv6_host_is_its_network_and_a_nameless_one_is_one_source),
        TEST(what_was_used_up_comes_back_with_time_and_never_more_than_the_burst),
        TEST(strangers_do_not_wash_out_the_one_who_was_refused),
        cmocka_unit_test(a_failing_allocation_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
