/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/rates.c: never more than COUNT in any PERIOD; the clock is a number. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "../support/alloc_fail.h"
#include "door/rates_memory.h"

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

static void a_rate_that_changed_counts_its_own_period_and_no_more(void **state)
{
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("a", "f:r", 5, 60, 1000000, &wait_ms), POSTERN_OK);
    /* Long over under the rate before, and within the hour that counts now. */
    assert_int_equal(take("a", "f:r", 5, 3600, 1300000, &wait_ms), POSTERN_ERR_RATE);
    /* Nobody looked at it for a day. */
    assert_int_equal(take("a", "f:r", 5, 7200, 90000000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("b", "f:r", 1, 60, 1000000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("b", "f:r", 1, 30, 1040000, &wait_ms), POSTERN_OK); /* 40 s are over 30 */
    assert_int_equal(take("b", "f:r", 1, 20, 1041000, &wait_ms), POSTERN_ERR_RATE);
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

/* The longest unused count for a month: they are all that a newcomer's look would meet. */
static void who_counts_for_long_keeps_nobody_from_a_place_that_is_over(void **state)
{
    enum { LONG = 200, NEW = 100 };
    char name[32];
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < RATES_MAX; i++) {
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(take(name, "f:r", 1, i < LONG ? 30 * 86400 : 60, 0, &wait_ms), POSTERN_OK);
    }
    assert_int_equal(take("new", "f:r", 1, 60, 60000, &wait_ms), POSTERN_ERR_RATE);
    for (int i = 0; i < NEW; i++) {
        snprintf(name, sizeof name, "new%d", i);
        assert_int_equal(take(name, "f:r", 1, 60, 70000, &wait_ms), POSTERN_OK);
    }
    for (int i = 0; i < LONG; i++) {
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(take(name, "f:r", 1, 30 * 86400, 70000, &wait_ms), POSTERN_ERR_RATE);
    }
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

int __real_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl);

static bool has_no_hash;

int __wrap_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl)
{
    return has_no_hash ? 0 : __real_EVP_Digest(data, count, md, size, type, impl);
}

/* Else it would count under a name that nobody has. */
static void a_name_that_cannot_be_made_is_no_leave(void **state)
{
    int64_t wait_ms;

    (void)state;
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
    has_no_hash = true;
    assert_int_equal(take("b", "f:r", 1, 60, 0, &wait_ms), POSTERN_ERR_RATE);
    assert_true(wait_ms > 0);
    assert_int_equal(take("a", "f:r", 2, 60, 0, &wait_ms), POSTERN_OK); /* it has its name */
    has_no_hash = false;
    assert_int_equal(take("b", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK);
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

/* ---- what outlives the door ---- */

static struct rates_memory *memory;

static int set_up_memory(void **state)
{
    return set_up(state) == 0 && rates_memory_new(&memory, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down_memory(void **state)
{
    rates_memory_unref(memory);
    return tear_down(state);
}

/* A door that starts. */
static int start_door(int64_t now_ms)
{
    int fd = -1;

    rates_free(rates);
    rates = NULL;
    assert_int_equal(rates_memory_renew(memory, &fd, NULL), POSTERN_OK);
    assert_int_equal(rates_new(&rates, NULL), POSTERN_OK);
    assert_int_equal(rates_share(rates, fd, now_ms, NULL), POSTERN_OK);
    return fd;
}

/* In a process of its own, which is killed while it lives. */
static void be_killed_behind(int uses, int64_t now_ms)
{
    int fd = -1, status;
    pid_t pid;

    assert_int_equal(rates_memory_renew(memory, &fd, NULL), POSTERN_OK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rates *r = NULL;
        const struct rate_use use = { "f:r", { 3, 60 } };
        int64_t wait_ms;

        if (rates_new(&r, NULL) != POSTERN_OK || rates_share(r, fd, now_ms, NULL) != POSTERN_OK)
            _exit(1);
        for (int i = 0; i < uses; i++)
            if (rates_take(r, "https://sso.example.org", "a", &use, 1, now_ms, &wait_ms, NULL) != POSTERN_OK)
                _exit(1);
        (void)raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_door_that_is_killed_gives_nobody_a_new_budget(void **state)
{
    int64_t wait_ms;

    (void)state;
    be_killed_behind(2, 1000);
    be_killed_behind(0, 1500); /* nor does one that never came to it */
    be_killed_behind(1, 1500);
    (void)start_door(2000);
    assert_int_equal(take("a", "f:r", 3, 60, 2000, &wait_ms), POSTERN_ERR_RATE);
    assert_in_range(wait_ms, 58000, 64000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take("b", "f:r", 3, 60, 2000, &wait_ms), POSTERN_OK); /* another agent */
    assert_int_equal(take("b", "f:r", 3, 60, 2000, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("a", "f:other", 3, 60, 2000, &wait_ms), POSTERN_OK); /* another rule */
    (void)start_door(2000);
    assert_int_equal(take("a", "f:r", 2, 120, 2000, &wait_ms), POSTERN_ERR_RATE); /* or another rate */
    (void)start_door(200000); /* when it is over */
    assert_int_equal(take("a", "f:r", 3, 60, 200000, &wait_ms), POSTERN_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take("b", "f:r", 3, 60, 200000, &wait_ms), POSTERN_OK);
}

static void two_doors_at_one_time_leave_each_other_alone(void **state)
{
    struct rates *draining;
    int64_t wait_ms;

    (void)state;
    (void)start_door(1000);
    assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_OK);
    draining = rates;
    rates = NULL;
    (void)start_door(1000);
    assert_int_equal(take("b", "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_ERR_RATE); /* with the one before */
    rates_free(rates);
    rates = draining;
    assert_int_equal(take("b", "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 3, 60, 1000, &wait_ms), POSTERN_OK);
}

static struct rate_slot *map(int fd)
{
    struct rate_slot *slots = NULL;
    size_t used;

    assert_int_equal(rates_memory_map(fd, &slots, &used, NULL), POSTERN_OK);
    return slots;
}

/* One number at a time is none that a door writes. */
static void numbers_that_no_door_writes_count_for_nobody(void **state)
{
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 9; i++) {
        struct rate_slot *slots = map(start_door(1000)), *w;

        assert_int_equal(take("a", "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
        for (w = slots; w->rate.count == 0; w++)
            ;
        switch (i) {
        case 0: w->rate.count = 0; break;
        case 1: w->rate.count = -1; break;
        case 2: w->rate.period_s = 0; break;
        case 3: w->rate.period_s = -60; break;
        case 4: w->rate.period_s = INT64_MAX; break;
        case 5: w->newest = 1000000; break; /* never over */
        case 6: w->newest = -1; break;
        case 7: w->steps[3] = UINT64_MAX; break;
        default: memset(w->name, 0, sizeof w->name);
        }
        rates_memory_unmap(slots);
        (void)start_door(1000);
        assert_int_equal(take("a", "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
        assert_int_equal(take("a", "f:r", 1, 60, 1000, &wait_ms), POSTERN_ERR_RATE);
        assert_int_equal(take("a", "f:r", 1, 60, 200000, &wait_ms), POSTERN_OK);
        rates_memory_unref(memory);
        assert_int_equal(rates_memory_new(&memory, NULL), POSTERN_OK);
    }
}

static void garbage_takes_nobodys_place_for_ever(void **state)
{
    int64_t wait_ms;

    (void)state;
    srandom(4711);
    for (int i = 0; i < 4; i++) {
        struct rate_slot *slots = map(start_door(1000));
        uint8_t *bytes = (uint8_t *)slots;

        for (size_t k = 0; k < RATES_MAX * sizeof *slots; k++)
            bytes[k] = (uint8_t)(i == 0 ? 0xff : i == 1 ? 1 : random());
        if (i == 3) /* sane, all of them */
            for (size_t k = 0; k < RATES_MAX; k++) {
                memset(&slots[k], 0, sizeof *slots);
                memset(slots[k].name, 7, sizeof slots[k].name);
                memcpy(slots[k].name + RATE_NAME_LEN - sizeof k, &k, sizeof k);
                slots[k].rate = (struct postern_policy_rate){ 1, 60 };
                slots[k].steps[0] = 1;
            }
        rates_memory_unmap(slots);
        (void)start_door(1000);
        if (i == 3) {
            assert_int_equal(take("a", "f:r", 1, 60, 1000, &wait_ms), POSTERN_ERR_RATE); /* no place */
            assert_true(wait_ms > 0);
        }
        assert_int_equal(take("a", "f:r", 1, 60, 100000, &wait_ms), POSTERN_OK);
        assert_int_equal(take("a", "f:r", 1, 60, 100000, &wait_ms), POSTERN_ERR_RATE);
        assert_int_equal(take("b", "f:r", 1, 60, 100000, &wait_ms), POSTERN_OK);
    }
}

static void two_slots_that_are_called_alike_are_one(void **state)
{
    struct rate_slot *slots = map(start_door(1000));
    int64_t wait_ms;

    (void)state;
    assert_int_equal(take("a", "f:r", 2, 60, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(slots[0].rate.count, 2);
    for (size_t i = 1; i < RATES_MAX; i++)
        slots[i] = slots[0];
    rates_memory_unmap(slots);
    slots = map(start_door(1000));
    for (size_t i = 0; i < RATES_MAX - 1; i++)
        assert_int_equal(slots[i].rate.count, 0); /* free */
    rates_memory_unmap(slots);
    assert_int_equal(take("a", "f:r", 2, 60, 1000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a", "f:r", 2, 60, 1000, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("b", "f:r", 2, 60, 1000, &wait_ms), POSTERN_OK);
}

/* Numbers beyond what counts would be nobody's to a third door, and the budget would be new. */
static void what_a_door_makes_of_numbers_the_next_one_takes(void **state)
{
    struct rate_slot *slots = map(start_door(100000));
    int64_t wait_ms;

    (void)state;
    assert_int_equal(take("a", "f:r", 2, 60, 100000, &wait_ms), POSTERN_OK);
    for (size_t i = 0; i <= RATE_STEPS; i++)
        slots[0].steps[i] = UINT64_C(1) << 53;
    rates_memory_unmap(slots);
    (void)start_door(100000);
    assert_int_equal(take("a", "f:r", 2, 90, 100000, &wait_ms), POSTERN_ERR_RATE);
    (void)start_door(100000);
    assert_int_equal(take("a", "f:r", 2, 90, 100000, &wait_ms), POSTERN_ERR_RATE);
}

static void a_full_table_is_full_behind_a_restart(void **state)
{
    char name[24];
    int64_t wait_ms;

    (void)state;
    (void)start_door(1000);
    for (int i = 0; i < RATES_MAX; i++) {
        (void)snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(take(name, "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
    }
    (void)start_door(2000);
    assert_int_equal(take("new", "f:r", 1, 60, 2000, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("a5", "f:r", 1, 60, 2000, &wait_ms), POSTERN_ERR_RATE);
    assert_int_equal(take("new", "f:r", 1, 60, 70000, &wait_ms), POSTERN_OK);
    assert_int_equal(take("a5", "f:r", 1, 60, 70000, &wait_ms), POSTERN_OK);
}

/* Where nearly all is left by another door, its own are nearly all that has a window. */
static void an_action_never_takes_the_place_that_it_just_took(void **state)
{
    const struct rate_use uses[] = { { "f:first", { 1, 60 } }, { "f:second", { 1, 60 } } };
    char name[24];
    int64_t wait_ms;

    (void)state;
    (void)start_door(1000);
    for (int i = 0; i < RATES_MAX - 1; i++) {
        (void)snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(take(name, "f:r", 1, 60, 1000, &wait_ms), POSTERN_OK);
    }
    (void)start_door(2000);
    assert_int_equal(rates_take(rates, "https://sso.example.org", "new", uses, 2, 2000, &wait_ms, NULL), POSTERN_ERR_RATE);
    assert_int_equal(rates_take(rates, "https://sso.example.org", "new", uses, 1, 2000, &wait_ms, NULL), POSTERN_OK);
    assert_int_equal(rates_take(rates, "https://sso.example.org", "new", uses, 2, 70000, &wait_ms, NULL), POSTERN_OK);
}

static void memory_of_another_kind_is_refused(void **state)
{
    int64_t wait_ms;
    int fd = -1, open_fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)state;
    assert_true(open_fd >= 0);
    assert_int_equal(ftruncate(open_fd, sizeof(struct rate_slot) * RATES_MAX), 0);
    assert_int_equal(rates_share(rates, open_fd, 0, NULL), POSTERN_ERR_MALFORMED); /* no seals */
    assert_int_equal(ftruncate(open_fd, 192), 0);
    assert_int_equal(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(rates_share(rates, open_fd, 0, NULL), POSTERN_ERR_MALFORMED); /* no room */
    assert_int_equal(rates_share(rates, -1, 0, NULL), POSTERN_ERR_MALFORMED);
    assert_int_equal(take("a", "f:r", 1, 60, 0, &wait_ms), POSTERN_OK); /* its own stays */
    assert_int_equal(rates_memory_renew(memory, &fd, NULL), POSTERN_OK);
    assert_int_equal(rates_share(rates, fd, 0, NULL), POSTERN_ERR_USAGE); /* too late */
    assert_int_equal(close(open_fd), 0);
}

int main(void)
{
#define M(name) cmocka_unit_test_setup_teardown(name, set_up_memory, tear_down_memory)
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(as_many_as_the_rule_says_and_not_one_more),
        T(other_agents_rules_and_issuers_have_their_own),
        T(no_window_has_more),
        T(one_that_may_not_under_one_rule_counts_under_none),
        T(a_policy_that_changes_the_rate_forgives_nothing),
        T(a_rate_that_changed_counts_its_own_period_and_no_more),
        T(too_many_rules_are_refused),
        T(a_full_table_refuses_whom_it_does_not_know),
        T(who_counts_for_long_keeps_nobody_from_a_place_that_is_over),
        T(no_memory_is_no_leave),
        T(a_name_that_cannot_be_made_is_no_leave),
        T(threads_share_one_count),
        M(a_door_that_is_killed_gives_nobody_a_new_budget),
        M(two_doors_at_one_time_leave_each_other_alone),
        M(numbers_that_no_door_writes_count_for_nobody),
        M(garbage_takes_nobodys_place_for_ever),
        M(two_slots_that_are_called_alike_are_one),
        M(what_a_door_makes_of_numbers_the_next_one_takes),
        M(a_full_table_is_full_behind_a_restart),
        M(an_action_never_takes_the_place_that_it_just_took),
        M(memory_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
