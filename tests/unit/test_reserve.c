/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/reserve.c, with libevent's own allocations counted. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "door/reserve.h"
#include "door_certs.h"

static size_t allocations;
static bool is_out_of_memory;

static void *count_malloc(size_t len)
{
    allocations++;
    return is_out_of_memory ? NULL : malloc(len);
}

static void *count_realloc(void *old, size_t len)
{
    allocations++;
    return is_out_of_memory ? NULL : realloc(old, len);
}

static void never(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Allocations that watching descriptor number `fd` takes. */
static size_t cost_of(struct event_base *base, int fd)
{
    int original = eventfd(0, EFD_CLOEXEC), copy = fcntl(original, F_DUPFD_CLOEXEC, fd);
    struct event e;
    size_t before = allocations, cost;

    assert_int_equal(copy, fd);
    assert_int_equal(event_assign(&e, base, fd, EV_READ, never, NULL), 0);
    assert_int_equal(event_add(&e, NULL), 0);
    cost = allocations - before;
    assert_int_equal(event_del(&e), 0);
    assert_int_equal(close(copy) + close(original), 0);
    return cost;
}

static void reserved_descriptors_cost_nothing_later_and_others_do(void **state)
{
    size_t before = test_count_fds();
    struct event_base *base = event_base_new();

    (void)state;
    assert_int_equal(reserve_descriptors(base, 200, NULL), POSTERN_OK);
    assert_int_equal(cost_of(base, 40), 0);
    assert_int_equal(cost_of(base, 199), 0);
    assert_int_not_equal(cost_of(base, 200), 0);
    assert_int_not_equal(cost_of(base, 700), 0);
    event_base_free(base);
    assert_int_equal(test_count_fds(), before);
}

static void the_limit_of_descriptors_ends_it_without_harm(void **state)
{
    struct event_base *base = event_base_new();
    struct rlimit old, low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 60;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(reserve_descriptors(base, 1000000, NULL), POSTERN_OK);
    assert_int_equal(cost_of(base, 59), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_not_equal(cost_of(base, 60), 0);
    event_base_free(base);
}

static void what_cannot_be_had_is_said(void **state)
{
    struct event_base *base = event_base_new();
    struct rlimit old, low;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(reserve_descriptors(base, 100, &err), POSTERN_ERR_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    is_out_of_memory = true;
    assert_int_equal(reserve_descriptors(base, 100, &err), POSTERN_ERR_NOMEM);
    is_out_of_memory = false;
    assert_int_equal(err.code, POSTERN_ERR_NOMEM);
    assert_int_equal(reserve_descriptors(base, 100, &err), POSTERN_OK);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_descriptors_cost_nothing_later_and_others_do),
        cmocka_unit_test(the_limit_of_descriptors_ends_it_without_harm),
        cmocka_unit_test(what_cannot_be_had_is_said),
    };

    event_set_mem_functions(count_malloc, count_realloc, free);
    return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
