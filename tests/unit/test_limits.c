/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/limits.c: whose share an address counts for, the shares, and that nothing is lost
 * between threads. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/limits.h"

static void source_of(const char *text, char ret[LIMITS_SOURCE_MAX])
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(4711) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(4711), .sin6_scope_id = 1 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        limits_source_of((struct sockaddr *)&v4, ret);
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    limits_source_of((struct sockaddr *)&v6, ret);
}

static void an_address_counts_for_its_source(void **state)
{
    static const struct {
        const char *address, *want;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "255.255.255.255", "255.255.255.255" },
        { "::ffff:192.0.2.1", "192.0.2.1" }, /* the same machine by a v6 socket */
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
        { "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64" },
        { "2001:db8:1:3::1", "2001:db8:1:3::/64" },
        { "::1", "::/64" },
        { "fe80::1", "fe80::/64" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64" },
    };
    char source[LIMITS_SOURCE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        source_of(cases[i].address, source);
        assert_string_equal(source, cases[i].want);
    }
}

static void unix_sockets_count_together(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/tmp/x" };
    char source[LIMITS_SOURCE_MAX];

    (void)state;
    limits_source_of((struct sockaddr *)&a, source);
    assert_string_equal(source, "unix");
}

static void a_user_of_the_machine_counts_for_himself(void **state)
{
    char source[LIMITS_SOURCE_MAX];

    (void)state;
    limits_source_of_user(0, source);
    assert_string_equal(source, "uid 0");
    limits_source_of_user(1000, source);
    assert_string_equal(source, "uid 1000");
    limits_source_of_user((uid_t)-2, source);
    assert_string_equal(source, "uid 4294967294");
}

static bool is_shared(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return limits_source_is_shared((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return limits_source_is_shared((struct sockaddr *)&v6);
}

static void all_users_of_the_machine_share_its_loopback_address(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)state;
    assert_true(is_shared("127.0.0.1"));
    assert_true(is_shared("::1"));
    assert_true(is_shared("::ffff:127.0.0.1"));
    assert_false(is_shared("127.0.0.2"));
    assert_false(is_shared("192.0.2.1"));
    assert_false(is_shared("::ffff:192.0.2.1"));
    assert_false(is_shared("::127.0.0.1"));
    assert_false(is_shared("2001:db8::1"));
    assert_false(is_shared("::"));
    assert_false(limits_source_is_shared((struct sockaddr *)&a)); /* a user has his own */
}

static struct limits *make(size_t total, size_t per_source)
{
    struct limits *l = NULL;

    assert_int_equal(limits_new(&l, NULL), POSTERN_OK);
    limits_set(l, total, per_source);
    return l;
}

static void a_source_has_its_share_and_no_more(void **state)
{
    struct limits *l = make(100, 3);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limits_take(l, "192.0.2.1"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "192.0.2.1"), LIMITS_REFUSE);
    assert_int_equal(limits_take(l, "192.0.2.1"), LIMITS_REFUSE);
    assert_int_equal(limits_in_use(l), 3); /* a refusal is not counted */
    assert_int_equal(limits_take(l, "192.0.2.2"), LIMITS_ADMIT);
    limits_release(l, "192.0.2.1");
    assert_int_equal(limits_take(l, "192.0.2.1"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "192.0.2.1"), LIMITS_REFUSE);
    limits_free(l);
}

static void beyond_the_total_somebody_must_go(void **state)
{
    struct limits *l = make(2, 2);

    (void)state;
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "b"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "c"), LIMITS_MAKE_ROOM); /* counted: one of them goes */
    assert_int_equal(limits_in_use(l), 3);
    limits_release(l, "a");
    assert_int_equal(limits_take(l, "d"), LIMITS_MAKE_ROOM);
    limits_release(l, "d");
    limits_release(l, "c");
    assert_int_equal(limits_take(l, "d"), LIMITS_ADMIT);
    limits_free(l);
}

static void a_reload_counts_for_the_next(void **state)
{
    struct limits *l = make(10, 4);

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    limits_set(l, 10, 2);
    assert_int_equal(limits_take(l, "a"), LIMITS_REFUSE);
    limits_release(l, "a");
    limits_release(l, "a");
    assert_int_equal(limits_take(l, "a"), LIMITS_REFUSE); /* two are there still */
    limits_release(l, "a");
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    limits_set(l, 10, 8);
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    limits_free(l);
}

static void what_was_not_taken_is_not_given_back(void **state)
{
    struct limits *l = make(2, 2);

    (void)state;
    limits_release(l, "a");
    assert_int_equal(limits_in_use(l), 0);
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    limits_release(l, "b");
    limits_release(l, "a");
    limits_release(l, "a");
    assert_int_equal(limits_in_use(l), 0);
    limits_free(l);
}

/* Before the first configuration nobody comes; who is refused leaves nothing behind. */
static void without_a_configuration_nobody_is_admitted(void **state)
{
    struct limits *l = NULL;

    (void)state;
    assert_int_equal(limits_new(&l, NULL), POSTERN_OK);
    assert_int_equal(limits_take(l, "a"), LIMITS_REFUSE);
    assert_int_equal(limits_in_use(l), 0);
    limits_free(l);
}

static void without_memory_a_new_source_is_refused(void **state)
{
    struct limits *l = make(10, 4);

    (void)state;
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT);
    alloc_fail_arm(1);
    assert_int_equal(limits_take(l, "b"), LIMITS_REFUSE);
    assert_true(alloc_fail_disarm());
    alloc_fail_arm(1);
    assert_int_equal(limits_take(l, "a"), LIMITS_ADMIT); /* needs none */
    assert_false(alloc_fail_disarm());
    assert_int_equal(limits_in_use(l), 2);
    limits_free(l);
}

#define THREADS 4
#define ROUNDS 2000

struct worker {
    pthread_t thread;
    struct limits *limits;
    size_t admitted, over;
};

/* Each thread holds at most one place of each of three sources, so that the share of two is met. */
static void *work(void *arg)
{
    static const char *const names[] = { "192.0.2.1", "2001:db8::/64", "unix" };
    struct worker *w = arg;

    for (size_t i = 0; i < ROUNDS; i++) {
        const char *name = names[i % 3];

        if (limits_take(w->limits, name) == LIMITS_REFUSE)
            continue;
        w->admitted++;
        w->over += limits_in_use(w->limits) > THREADS;
        limits_release(w->limits, name);
    }
    return NULL;
}

static void threads_lose_no_place(void **state)
{
    struct limits *l = make(100, 2);
    struct worker workers[THREADS] = { 0 };

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].limits = l;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_true(workers[i].admitted > 0);
        assert_int_equal(workers[i].over, 0);
    }
    assert_int_equal(limits_in_use(l), 0);
    assert_int_equal(limits_take(l, "unix"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "unix"), LIMITS_ADMIT);
    assert_int_equal(limits_take(l, "unix"), LIMITS_REFUSE);
    limits_free(l);
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct limits *l = NULL;

    (void)arg;
    POSTERN_TRY(limits_new(&l, err));
    limits_free(l);
    return POSTERN_OK;
}

static void without_memory_there_are_no_limits(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(make_once, NULL, POSTERN_OK) > 0);
    limits_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_counts_for_its_source),
        cmocka_unit_test(unix_sockets_count_together),
        cmocka_unit_test(a_user_of_the_machine_counts_for_himself),
        cmocka_unit_test(all_users_of_the_machine_share_its_loopback_address),
        cmocka_unit_test(a_source_has_its_share_and_no_more),
        cmocka_unit_test(beyond_the_total_somebody_must_go),
        cmocka_unit_test(a_reload_counts_for_the_next),
        cmocka_unit_test(what_was_not_taken_is_not_given_back),
        cmocka_unit_test(without_a_configuration_nobody_is_admitted),
        cmocka_unit_test(without_memory_a_new_source_is_refused),
        cmocka_unit_test(threads_lose_no_place),
        cmocka_unit_test(without_memory_there_are_no_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
