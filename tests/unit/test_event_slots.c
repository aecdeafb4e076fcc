/* SPDX-License-Identifier: BSD-2-Clause */
/* Small blocks of libevent have pages of their own, and everything else has not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "door/event_slots.h"

#define PAIRS 64

static void everything_is_of_the_heap_before_it_starts(void **state)
{
    void *block = event_slots_take(EVENT_SLOT_BYTES);

    (void)state;
    assert_non_null(block);
    assert_false(event_slots_has(block));
    assert_true(event_slots_start());
    assert_true(event_slots_start()); /* again does nothing */
    assert_false(event_slots_has(block));
    event_slots_give(block); /* to the heap: a sanitizer would tell */
}

static void small_blocks_are_slots_and_larger_ones_are_not(void **state)
{
    static const struct {
        size_t size;
        bool is_slot;
    } rows[] = { { 1, true },
                 { EVENT_SLOT_BYTES, true },
                 { EVENT_SLOT_BYTES + 1, false },
                 { 4096, false } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *block = event_slots_take(rows[i].size);

        assert_non_null(block);
        assert_int_equal(event_slots_has(block), rows[i].is_slot);
        assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
        memset(block, 0xff, rows[i].size);
        event_slots_give(block);
    }
}

static void two_blocks_do_not_touch_and_what_was_given_back_is_taken_again(void **state)
{
    uint8_t *a = event_slots_take(EVENT_SLOT_BYTES), *b = event_slots_take(EVENT_SLOT_BYTES);

    (void)state;
    assert_true(a >= b + EVENT_SLOT_BYTES || b >= a + EVENT_SLOT_BYTES);
    event_slots_give(a);
    assert_ptr_equal(event_slots_take(8), a);
    event_slots_give(a);
    event_slots_give(b);
}

static void a_block_that_grows_keeps_what_is_in_it(void **state)
{
    uint8_t *block = event_slots_resize(NULL, 8), *grown;

    (void)state;
    assert_true(event_slots_has(block));
    memcpy(block, "12345678", 8);
    assert_ptr_equal(event_slots_resize(block, EVENT_SLOT_BYTES), block);
    grown = event_slots_resize(block, 1000);
    assert_false(event_slots_has(grown));
    assert_memory_equal(grown, "12345678", 8);
    assert_ptr_equal(event_slots_take(8), block); /* it was given back */
    event_slots_give(block);
    grown = event_slots_resize(grown, 2000);
    assert_memory_equal(grown, "12345678", 8);
    event_slots_give(grown);
}

static void no_block_is_given_back_without_harm(void **state)
{
    (void)state;
    event_slots_give(NULL);
    assert_false(event_slots_has(NULL));
}

static void count(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ++*(int *)arg;
}

static void libevent_works_with_them(void **state)
{
    struct event_base *base = event_base_new();
    struct event *events[PAIRS];
    int pipes[PAIRS][2], seen = 0;

    (void)state;
    assert_non_null(base);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        events[i] = event_new(base, pipes[i][0], EV_READ, count, &seen);
        assert_non_null(events[i]);
        assert_int_equal(event_add(events[i], NULL), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
    }
    assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE), 0);
    while (seen < PAIRS)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    for (int i = 0; i < PAIRS; i++) {
        event_free(events[i]);
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_of_the_heap_before_it_starts),
        cmocka_unit_test(small_blocks_are_slots_and_larger_ones_are_not),
        cmocka_unit_test(two_blocks_do_not_touch_and_what_was_given_back_is_taken_again),
        cmocka_unit_test(a_block_that_grows_keeps_what_is_in_it),
        cmocka_unit_test(no_block_is_given_back_without_harm),
        cmocka_unit_test(libevent_works_with_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
