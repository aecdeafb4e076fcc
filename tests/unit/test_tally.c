/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/audit/tally.c and tally_read.c: what a door counts is read once, whole, whoever dies; and a door that lies is only lied about. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern/bytes.h>

#include "audit/tally_inner.h"

#define NOW 1764000000000

static const struct tally_of reading = {
    .session = "S-1", .door = "cache", .agent = "agent-7", .human = "alice", .purpose = "invoices",
    .action = "redis:GET", .rule = "cache:read", .user_rule = "cache:staff",
};

struct rig {
    int fd;
    struct tally_memory *door, *audit; /* two mappings, as two processes have */
    struct tally *tally;
};

static int set_up(void **state)
{
    static struct rig r;

    assert_int_equal(tally_memory_make(&r.fd, NULL), POSTERN_OK);
    assert_int_equal(tally_memory_map(r.fd, &r.door, NULL), POSTERN_OK);
    assert_int_equal(tally_memory_map(r.fd, &r.audit, NULL), POSTERN_OK);
    assert_int_equal(tally_new(r.door, 100, &r.tally, NULL), POSTERN_OK);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    tally_free(r->tally);
    tally_memory_free(r->door);
    tally_memory_free(r->audit);
    (void)close(r->fd);
    return 0;
}

static bool take(struct rig *r, struct tally_sum *ret)
{
    struct tally_cursor from_start = { 0 };

    return tally_next(r->audit, &from_start, ret);
}

/* ---- counting ---- */

static void what_was_counted_is_read_with_all_its_names_and_times(void **state)
{
    struct rig *r = *state;
    struct tally_sum s;

    assert_true(tally_add(r->tally, &reading, NOW));
    assert_true(tally_add(r->tally, &reading, NOW + 5));
    assert_true(take(r, &s));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.first_ms, NOW);
    assert_int_equal(s.last_ms, NOW + 5);
    assert_string_equal(s.of.session, "S-1");
    assert_string_equal(s.of.door, "cache");
    assert_string_equal(s.of.agent, "agent-7");
    assert_string_equal(s.of.human, "alice");
    assert_string_equal(s.of.purpose, "invoices");
    assert_string_equal(s.of.action, "redis:GET");
    assert_string_equal(s.of.rule, "cache:read");
    assert_string_equal(s.of.user_rule, "cache:staff");
}

static void what_is_marked_is_not_read_again_and_what_came_meanwhile_is(void **state)
{
    struct rig *r = *state;
    struct tally_sum s;

    assert_true(tally_add(r->tally, &reading, NOW));
    assert_true(take(r, &s));
    assert_true(tally_add(r->tally, &reading, NOW + 1));
    tally_mark(r->audit, &s.place);
    assert_true(take(r, &s));
    assert_int_equal(s.count, 1);
    tally_mark(r->audit, &s.place);
    assert_false(take(r, &s));
    assert_true(tally_add(r->tally, &reading, NOW + 9));
    assert_true(take(r, &s));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.first_ms, NOW + 9);
}

/* The audit child died between write and mark: at least once, never not at all. */
static void what_was_not_marked_is_read_again(void **state)
{
    struct rig *r = *state;
    struct tally_sum first, again;

    assert_true(tally_add(r->tally, &reading, NOW));
    assert_true(take(r, &first));
    tally_memory_free(r->audit);
    assert_int_equal(tally_memory_map(r->fd, &r->audit, NULL), POSTERN_OK);
    assert_true(take(r, &again));
    assert_int_equal(again.count, 1);
    assert_int_equal(again.place.through, first.place.through);
}

static void names_that_differ_anywhere_are_counted_apart(void **state)
{
    struct rig *r = *state;
    const struct tally_of others[] = {
        { "S-2", "cache", "agent-7", "alice", "invoices", "redis:GET", "cache:read", "cache:staff" },
        { "S-1", "cachea", "gent-7", "alice", "invoices", "redis:GET", "cache:read", "cache:staff" },
        { "S-1", "cache", "agent-7", NULL, "invoices", "redis:GET", "cache:read", "cache:staff" },
        { "S-1", "cache", "agent-7", "alice", "invoices", "redis:GET", "cache:read", NULL },
    };
    struct tally_cursor at = { 0 };
    struct tally_sum s;
    size_t count = 0;

    assert_true(tally_add(r->tally, &reading, NOW));
    for (size_t i = 0; i < 4; i++)
        assert_true(tally_add(r->tally, &others[i], NOW));
    for (; tally_next(r->audit, &at, &s); count++)
        assert_int_equal(s.count, 1);
    assert_int_equal(count, 5);
}

static void a_slot_that_is_drained_serves_the_next_and_keeps_nothing_of_the_one_before(void **state)
{
    struct rig *r = *state;
    struct tally_sum s;
    char session[16];

    for (int i = 0; i < 4 * TALLY_SLOTS; i++) {
        struct tally_of of = { .session = session, .action = "redis:GET" };

        assert_true(snprintf(session, sizeof session, "S-%d", i) > 0);
        assert_true(tally_add(r->tally, &of, NOW + i));
        assert_true(take(r, &s));
        assert_string_equal(s.of.session, session);
        assert_string_equal(s.of.agent, "");
        assert_int_equal(s.count, 1);
        tally_mark(r->audit, &s.place);
    }
}

static void a_full_table_refuses_and_loses_nothing(void **state)
{
    struct rig *r = *state;
    struct tally_cursor at = { 0 };
    struct tally_sum s;
    int64_t taken = 0, read = 0;
    char session[16];

    for (int i = 0; i < 2 * TALLY_SLOTS; i++) {
        struct tally_of of = { .session = session, .action = "redis:GET" };

        assert_true(snprintf(session, sizeof session, "S-%d", i) > 0);
        taken += tally_add(r->tally, &of, NOW);
    }
    assert_in_range(taken, TALLY_SLOTS / 2, TALLY_SLOTS);
    while (tally_next(r->audit, &at, &s))
        read += s.count;
    assert_int_equal(read, taken);
}

static void a_name_that_is_too_long_is_not_cut_but_refused(void **state)
{
    struct rig *r = *state;
    char name[TALLY_TEXTS_MAX + 2];
    struct tally_of of = { .agent = name, .action = "x" };
    struct tally_sum s;

    memset(name, 'a', sizeof name);
    name[TALLY_TEXTS_MAX] = '\0';
    assert_false(tally_add(r->tally, &of, NOW)); /* with the action it is one too many */
    name[TALLY_TEXTS_MAX - 1] = '\0';
    assert_true(tally_add(r->tally, &of, NOW));
    assert_true(take(r, &s));
    assert_string_equal(s.of.agent, name);
    assert_string_equal(s.of.action, "x");
}

/* ---- nobody writes ---- */

static void nothing_is_counted_while_nothing_can_be_written(void **state)
{
    struct rig *r = *state;

    assert_false(tally_add(NULL, &reading, NOW));
    tally_set_stuck(r->audit, true);
    assert_false(tally_add(r->tally, &reading, NOW));
    tally_set_stuck(r->audit, false);
    assert_true(tally_add(r->tally, &reading, NOW));
}

static void what_nobody_takes_is_soon_not_counted_any_more(void **state)
{
    struct rig *r = *state;
    struct tally_sum s;

    assert_true(tally_add(r->tally, &reading, NOW));
    assert_true(tally_add(r->tally, &reading, NOW + TALLY_STALE_MS));
    assert_false(tally_add(r->tally, &reading, NOW + TALLY_STALE_MS + 1));
    assert_false(tally_add(r->tally, &reading, NOW - TALLY_STALE_MS - 1)); /* a clock set back */
    assert_true(take(r, &s));
    assert_int_equal(s.count, 2);
    tally_mark(r->audit, &s.place);
    assert_true(tally_add(r->tally, &reading, NOW + TALLY_STALE_MS + 1));
}

/* Under steady load a slot is never found empty; it must not pass for one that nobody takes. */
static void a_slot_that_fills_as_fast_as_it_is_drained_is_not_stale(void **state)
{
    struct rig *r = *state;
    int64_t now = NOW, sum = 0;
    struct tally_sum s;

    assert_true(tally_add(r->tally, &reading, now));
    for (int i = 0; i < 20; i++) {
        now += TALLY_PERIOD_MS;
        assert_true(take(r, &s));
        assert_true(tally_add(r->tally, &reading, now));
        tally_mark(r->audit, &s.place);
        assert_true(now - s.last_ms <= 2 * TALLY_PERIOD_MS);
        sum += s.count;
    }
    assert_int_equal(sum, 20);
}

/* ---- regions ---- */

static void two_doors_and_all_their_loops_have_regions_of_their_own(void **state)
{
    struct rig *r = *state;
    struct tally *all[TALLY_REGIONS] = { NULL }, *none = NULL;

    for (size_t i = 1; i < TALLY_REGIONS; i++) {
        assert_int_equal(tally_new(r->door, (pid_t)(100 + i / 64), &all[i], NULL), POSTERN_OK);
        assert_true(all[i] != NULL);
    }
    assert_int_equal(tally_new(r->door, 200, &none, NULL), POSTERN_ERR_LIMIT);
    assert_null(none);
    for (size_t i = 1; i < TALLY_REGIONS; i++)
        tally_free(all[i]);
}

static void a_dead_doors_region_is_given_back_when_it_is_written_and_not_before(void **state)
{
    struct rig *r = *state;
    struct tally_cursor at = { 0 };
    struct tally_sum s;

    assert_true(tally_add(r->tally, &reading, NOW));
    tally_memory_orphan(r->door, 99); /* another */
    tally_memory_orphan(r->door, 100);
    assert_true(tally_next(r->audit, &at, &s));
    assert_false(tally_next(r->audit, &at, &s));
    assert_true(atomic_load(&r->audit->shared->owner[0]) != 0);
    tally_mark(r->audit, &s.place);
    assert_false(take(r, &s));
    assert_int_equal(atomic_load(&r->audit->shared->owner[0]), 0);
}

static void a_living_doors_region_is_not_given_back(void **state)
{
    struct rig *r = *state;
    struct tally_sum s;

    assert_false(take(r, &s));
    assert_int_equal(atomic_load(&r->audit->shared->owner[0]), OWNER_OF(100));
}

/* ---- a door that is broken into ---- */

static void a_size_or_seals_that_are_not_ours_are_refused(void **state)
{
    int fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct tally_memory *m = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(tally_memory_map(fd, &m, &err), POSTERN_ERR_MALFORMED);
    assert_int_equal(ftruncate(fd, sizeof(struct tally_shared)), 0);
    assert_int_equal(tally_memory_map(fd, &m, &err), POSTERN_ERR_MALFORMED); /* could shrink */
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(tally_memory_map(fd, &m, &err), POSTERN_OK);
    assert_int_not_equal(ftruncate(fd, 4096), 0);
    tally_memory_free(m);
    (void)close(fd);
}

static void texts_that_are_no_texts_are_nobodys_and_the_count_stands(void **state)
{
    static const struct {
        const char *why;
        uint16_t    len, next_len;
        char        byte;
        uint64_t    version;
    } lies[] = {
        { "a length beyond the slot", UINT16_MAX, 0, 'a', 2 },
        { "lengths that are too long together", TALLY_TEXTS_MAX, 1, 'a', 2 },
        { "no UTF-8", 3, 0, '\xff', 2 },
        { "a NUL within", 3, 0, '\0', 2 },
        { "written at this moment", 3, 0, 'a', 3 },
    };
    struct rig *r = *state;
    struct tally_slot *slot = &r->door->shared->slots[0][7];
    struct tally_sum s;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        memset(slot->texts, lies[i].byte, sizeof slot->texts);
        slot->len[0] = lies[i].len;
        slot->len[1] = lies[i].next_len;
        atomic_store(&slot->version, lies[i].version);
        atomic_fetch_add(&slot->count, 3);
        if (!take(r, &s) || s.count != 3 || s.of.session[0] != '\0' || s.of.agent != NULL)
            fail_msg("%s", lies[i].why);
        tally_mark(r->audit, &s.place);
    }
}

static void numbers_that_cannot_be_are_clamped_and_read_once(void **state)
{
    struct rig *r = *state;
    struct tally_slot *slot = &r->door->shared->slots[0][7];
    struct tally_sum s;

    atomic_store(&slot->count, 1);
    atomic_store(&slot->written, 5);
    atomic_store(&slot->first_ms, INT64_MAX);
    atomic_store(&slot->last_ms, INT64_MIN);
    assert_true(take(r, &s));
    assert_int_equal(s.count, 9007199254740991);
    assert_true(s.first_ms <= s.last_ms);
    tally_mark(r->audit, &s.place);
    assert_false(take(r, &s));
}

/* ---- both at one time ---- */

#define ADDS 200000

static void *add_many(void *arg)
{
    struct tally *t = arg;
    int64_t taken = 0;
    char session[16];

    for (int i = 0; i < ADDS; i++) {
        /* the same number thrice: a text of one slot with a name of another would show */
        struct tally_of of = { .session = session, .agent = session, .action = session };
        int n = snprintf(session, sizeof session, "S-%d", i / 7 % 1500);

        taken += n > 0 && tally_add(t, &of, NOW);
    }
    return (void *)(intptr_t)taken;
}

static int64_t drain(struct rig *r)
{
    struct tally_cursor at = { 0 };
    struct tally_sum s;
    int64_t sum = 0;

    while (tally_next(r->audit, &at, &s)) {
        if (strcmp(s.of.session, s.of.agent) != 0 || strcmp(s.of.session, s.of.action) != 0)
            fail_msg("%s %s %s", s.of.session, s.of.agent, s.of.action);
        sum += s.count;
        tally_mark(r->audit, &s.place);
    }
    return sum;
}

static void nothing_is_lost_doubled_or_torn_while_both_sides_work(void **state)
{
    struct rig *r = *state;
    pthread_t door;
    int64_t read = 0;
    void *taken = NULL;
    int is_over;

    assert_int_equal(pthread_create(&door, NULL, add_many, r->tally), 0);
    do {
        is_over = pthread_tryjoin_np(door, &taken);
        read += drain(r);
    } while (is_over != 0);
    assert_int_equal(read, (intptr_t)taken);
    assert_true((intptr_t)taken > TALLY_SLOTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_counted_is_read_with_all_its_names_and_times),
        TEST(what_is_marked_is_not_read_again_and_what_came_meanwhile_is),
        TEST(what_was_not_marked_is_read_again),
        TEST(names_that_differ_anywhere_are_counted_apart),
        TEST(a_slot_that_is_drained_serves_the_next_and_keeps_nothing_of_the_one_before),
        TEST(a_full_table_refuses_and_loses_nothing),
        TEST(a_name_that_is_too_long_is_not_cut_but_refused),
        TEST(nothing_is_counted_while_nothing_can_be_written),
        TEST(what_nobody_takes_is_soon_not_counted_any_more),
        TEST(a_slot_that_fills_as_fast_as_it_is_drained_is_not_stale),
        TEST(two_doors_and_all_their_loops_have_regions_of_their_own),
        TEST(a_dead_doors_region_is_given_back_when_it_is_written_and_not_before),
        TEST(a_living_doors_region_is_not_given_back),
        TEST(a_size_or_seals_that_are_not_ours_are_refused),
        TEST(texts_that_are_no_texts_are_nobodys_and_the_count_stands),
        TEST(numbers_that_cannot_be_are_clamped_and_read_once),
        TEST(nothing_is_lost_doubled_or_torn_while_both_sides_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
