/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/supervisor_line.c: each message reaches its handler and no other, and whatever ends the
 * line drains the role. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "supervisor_line.h"

struct world {
    struct event_base *base;
    struct supervisor_line *line;
    struct channel *other; /* the supervisor's end; NULL: gone */
    int obeyed, taken, drained;
    int64_t number; /* of the last message obeyed */
};

static void on_obey(void *arg)
{
    struct world *w = arg;

    w->obeyed++;
    assert_true(channel_integer(supervisor_line_channel(w->line), "n", &w->number));
}

static void on_take(void *arg, int take_fd)
{
    struct world *w = arg;

    w->taken++;
    assert_int_equal(close(take_fd), 0);
}

static void on_drain(void *arg)
{
    struct world *w = arg;

    w->drained++;
}

static const struct supervisor_message messages[] = {
    { "order", .obey = on_obey },
    { "thing", .take = on_take },
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    int fds[2];

    assert_non_null(w);
    w->base = event_base_new();
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[1], &w->other, NULL), POSTERN_OK);
    assert_int_equal(supervisor_line_new(w->base, fds[0],
                                         (struct supervisor_line_owner){ messages, 2, on_drain, w },
                                         &w->line, NULL),
                     POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    supervisor_line_free(w->line);
    channel_free(w->other);
    event_base_free(w->base);
    free(w);
    return 0;
}

static void spin(struct world *w)
{
    for (int i = 0; i < 5; i++)
        assert_in_range(event_base_loop(w->base, EVLOOP_NONBLOCK), 0, 1);
}

static void say(struct world *w, const char *text, int fd)
{
    assert_int_equal(channel_send(w->other, postern_bytes_str(text), fd, NULL), POSTERN_OK);
}

static void each_message_reaches_the_handler_of_its_type(void **state)
{
    struct world *w = *state;

    say(w, "{\"type\":\"order\",\"n\":1}", -1);
    say(w, "{\"type\":\"thing\"}", STDERR_FILENO);
    say(w, "{\"type\":\"order\",\"n\":2}", -1);
    spin(w);
    assert_int_equal(w->obeyed, 2);
    assert_int_equal(w->number, 2);
    assert_int_equal(w->taken, 1);
    assert_int_equal(w->drained, 0);
}

static void unknown_messages_are_skipped_and_the_line_goes_on(void **state)
{
    struct world *w = *state;

    say(w, "{\"type\":\"orde\"}", -1);
    say(w, "{\"type\":\"orders\"}", STDERR_FILENO);
    say(w, "{\"type\":\"order\",\"n\":3}", -1);
    spin(w);
    assert_int_equal(w->obeyed, 1);
    assert_int_equal(w->taken, 0);
    assert_int_equal(w->drained, 0);
}

static void nothing_is_taken_without_its_descriptor(void **state)
{
    struct world *w = *state;

    say(w, "{\"type\":\"thing\"}", -1);
    spin(w);
    assert_int_equal(w->taken, 0);
    say(w, "{\"type\":\"thing\"}", STDERR_FILENO);
    spin(w);
    assert_int_equal(w->taken, 1);
}

static void drain_is_a_message_of_every_role(void **state)
{
    struct world *w = *state;

    say(w, "{\"type\":\"drain\"}", -1);
    spin(w);
    assert_int_equal(w->drained, 1);
    say(w, "{\"type\":\"order\",\"n\":4}", -1); /* a role that drains is still spoken to */
    spin(w);
    assert_int_equal(w->obeyed, 1);
    assert_false(supervisor_line_is_broken(w->line));
}

static void a_supervisor_that_is_gone_drains_once(void **state)
{
    struct world *w = *state;

    say(w, "{\"type\":\"order\",\"n\":5}", -1);
    channel_free(w->other);
    w->other = NULL;
    spin(w);
    assert_int_equal(w->obeyed, 1); /* what it said before counts */
    assert_int_equal(w->drained, 1);
    assert_false(supervisor_line_is_broken(w->line));
}

static void a_message_that_breaks_the_rules_drains_and_is_remembered(void **state)
{
    struct world *w = *state;

    assert_int_equal(send(channel_fd(w->other), "{\"n\":1,\"type\":\"order\"}", 22, MSG_NOSIGNAL),
                     22);
    spin(w);
    assert_int_equal(w->obeyed, 0);
    assert_int_equal(w->drained, 1);
    assert_true(supervisor_line_is_broken(w->line));
}

static void ready_and_link_are_what_a_role_says(void **state)
{
    struct world *w = *state;

    assert_int_equal(supervisor_line_say_ready(w->line, NULL), POSTERN_OK);
    supervisor_line_want_lines(w->line);
    assert_int_equal(channel_receive(w->other, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(w->other, "ready"));
    assert_int_equal(channel_receive(w->other, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(w->other, "link"));
    supervisor_line_tell(w->line, "retired");
    assert_int_equal(channel_receive(w->other, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(w->other, "retired"));
    channel_free(w->other);
    w->other = NULL;
    assert_int_equal(supervisor_line_say_ready(w->line, NULL), POSTERN_ERR_SYSTEM);
    supervisor_line_want_lines(w->line); /* logged, no more */
    supervisor_line_tell(w->line, "retired"); /* likewise */
    spin(w);
    supervisor_line_tell(w->line, "retired"); /* not even that: nobody waits for it */
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct world *w = arg;
    struct supervisor_line *l = NULL;
    postern_err e;
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    e = supervisor_line_new(w->base, fds[0],
                            (struct supervisor_line_owner){ messages, 2, on_drain, w }, &l, err);
    supervisor_line_free(l);
    assert_int_equal(close(fds[0]), -1); /* it is the line's in every case */
    assert_int_equal(errno, EBADF);
    assert_int_equal(close(fds[1]), 0);
    return e;
}

static void without_memory_there_is_no_line(void **state)
{
    assert_true(alloc_fail_sweep(make_once, *state, POSTERN_OK) > 0);
    supervisor_line_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_message_reaches_the_handler_of_its_type),
        TEST(unknown_messages_are_skipped_and_the_line_goes_on),
        TEST(nothing_is_taken_without_its_descriptor),
        TEST(drain_is_a_message_of_every_role),
        TEST(a_supervisor_that_is_gone_drains_once),
        TEST(a_message_that_breaks_the_rules_drains_and_is_remembered),
        TEST(ready_and_link_are_what_a_role_says),
        TEST(without_memory_there_is_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
