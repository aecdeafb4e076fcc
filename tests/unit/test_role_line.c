/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/role_line.c: order and completeness of answers when the other end does not read, and
 * the ways in which a line ends. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/role_line.h"

struct world {
    struct event_base *base;
    struct role_line *line;
    int other;           /* the other end */
    size_t messages, gone;
    size_t answers;      /* to each message */
    size_t answer_bytes; /* of each answer, about */
    size_t sent, lost;
    bool breaks_rules;
};

static bool answer(struct world *w)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);

    postern_buf_addf(&out, "{\"type\":\"done\",\"id\":%zu,\"pad\":\"", w->sent++);
    for (size_t i = 0; i < w->answer_bytes; i++)
        postern_buf_add_byte(&out, 'x');
    postern_buf_add_str(&out, "\"}");
    assert_false(out.failed);
    return role_line_send(w->line, postern_buf_bytes(&out));
}

static bool on_message(void *arg, struct role_line *l)
{
    struct world *w = arg;
    int64_t id = -1;

    assert_ptr_equal(l, w->line);
    if (w->breaks_rules)
        return false;
    assert_true(channel_integer(role_line_channel(l), "id", &id));
    assert_int_equal(id, (int64_t)w->messages);
    w->messages++;
    for (size_t i = 0; i < w->answers; i++)
        w->lost += !answer(w);
    return true;
}

static void on_gone(void *arg, struct role_line *l)
{
    struct world *w = arg;

    assert_ptr_equal(l, w->line);
    w->line = NULL;
    w->gone++;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    int fds[2];

    assert_non_null(w);
    w->base = event_base_new();
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    w->other = fds[1];
    assert_int_equal(role_line_new(w->base, fds[0], "test",
                                   (struct role_line_owner){ on_message, on_gone, w }, &w->line,
                                   NULL),
                     POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    role_line_free(w->line);
    event_base_free(w->base);
    if (w->other >= 0)
        assert_int_equal(close(w->other), 0);
    free(w);
    return 0;
}

static void spin(struct world *w)
{
    for (int i = 0; i < 20; i++)
        assert_in_range(event_base_loop(w->base, EVLOOP_NONBLOCK), 0, 1);
}

static bool ask(struct world *w, size_t id)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"type\":\"q\",\"id\":%zu}", id);

    return send(w->other, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

/* The next answer's number; -1: none is there now. */
static int64_t hear(struct world *w)
{
    static char room[CHANNEL_MESSAGE_MAX + 1];
    ssize_t n = recv(w->other, room, sizeof room - 1, MSG_DONTWAIT);
    int64_t id = -1;

    if (n <= 0)
        return -1;
    room[n] = '\0';
    assert_int_equal(sscanf(room, "{\"type\":\"done\",\"id\":%ld,", &id), 1);
    return id;
}

static void assert_other_end_sees_the_end(struct world *w)
{
    char c;

    while (hear(w) >= 0)
        ;
    assert_int_equal(recv(w->other, &c, 1, MSG_DONTWAIT), 0);
}

static void each_message_is_answered_in_order(void **state)
{
    struct world *w = *state;

    w->answers = 1;
    for (size_t i = 0; i < 100; i++)
        assert_true(ask(w, i));
    spin(w);
    assert_int_equal(w->messages, 100);
    for (int64_t i = 0; i < 100; i++)
        assert_int_equal(hear(w), i);
    assert_int_equal(hear(w), -1);
}

/* Asked far more than sockets hold, by somebody who reads late: what is not read stays in the socket,
 * in memory there are the answers to one turn at most, and in the end each answer came once. */
static void who_reads_late_gets_all_of_it_in_order(void **state)
{
    enum { QUESTIONS = 5000 };
    struct world *w = *state;
    size_t asked = 0;
    int64_t next = 0;

    w->answers = 2;
    w->answer_bytes = 300;
    while (next < 2 * QUESTIONS) {
        int64_t id;

        while (asked < QUESTIONS && ask(w, asked))
            asked++;
        spin(w);
        while ((id = hear(w)) >= 0)
            assert_int_equal(id, next++);
    }
    assert_int_equal(w->messages, QUESTIONS);
    assert_int_equal(w->lost, 0);
    assert_int_equal(w->gone, 0);
}

static void while_an_answer_waits_no_question_is_taken(void **state)
{
    struct world *w = *state;
    size_t asked = 0, taken;

    w->answers = 1;
    w->answer_bytes = 30000;
    while (ask(w, asked))
        asked++;
    spin(w);
    taken = w->messages;
    assert_in_range(taken, 1, asked - 1);
    spin(w);
    assert_int_equal(w->messages, taken);
    assert_int_equal(hear(w), 0);
    assert_int_equal(hear(w), 1);
    while (hear(w) >= 0) /* a socket is writable again when most of it was read */
        ;
    spin(w);
    assert_true(w->messages > taken);
}

/* Revocations are judged together and acknowledged together: thousands at one time. */
static void thousands_of_answers_at_one_time_are_kept(void **state)
{
    enum { ANSWERS = 20000 };
    struct world *w = *state;
    int64_t next = 0;

    for (size_t i = 0; i < ANSWERS; i++)
        assert_true(answer(w));
    while (next < ANSWERS) {
        int64_t id;

        spin(w);
        while ((id = hear(w)) >= 0)
            assert_int_equal(id, next++);
    }
    assert_int_equal(w->gone, 0);
}

/* Memory is bounded: the line ends, so that the other end knows that it has not heard everything. */
static void who_never_reads_loses_the_line_and_not_an_answer_of_it(void **state)
{
    struct world *w = *state;
    size_t sent = 0;

    w->answer_bytes = 60000;
    while (answer(w))
        assert_true(++sent < 10000);
    assert_true(sent > 100);
    assert_int_equal(w->gone, 0); /* not while somebody uses the line */
    assert_false(answer(w));
    spin(w);
    assert_int_equal(w->gone, 1);
    assert_null(w->line);
    assert_other_end_sees_the_end(w);
}

static void an_answer_lost_to_memory_ends_the_line(void **state)
{
    struct world *w = *state;
    size_t in_socket = 0;

    w->answer_bytes = 60000;
    for (; in_socket < 20; in_socket++) /* until one waits */
        assert_true(answer(w));
    alloc_fail_arm(1);
    assert_false(role_line_send(w->line, POSTERN_BYTES_LIT("{\"type\":\"done\"}")));
    assert_true(alloc_fail_disarm());
    spin(w);
    assert_int_equal(w->gone, 1);
    assert_other_end_sees_the_end(w);
}

static void a_message_that_breaks_the_rules_ends_the_line(void **state)
{
    struct world *w = *state;

    w->breaks_rules = true;
    assert_true(ask(w, 0));
    spin(w);
    assert_int_equal(w->gone, 1);
    assert_other_end_sees_the_end(w);
}

static void what_is_no_message_ends_the_line(void **state)
{
    static const char *const bad[] = { "x", "[]", "{\"id\":1}", "{\"type\":\"q\",\"type\":\"q\"}" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world *w;
        void *own = NULL;

        assert_int_equal(set_up(&own), 0);
        w = own;
        assert_int_equal(send(w->other, bad[i], strlen(bad[i]), MSG_NOSIGNAL),
                         (ssize_t)strlen(bad[i]));
        spin(w);
        assert_int_equal(w->gone, 1);
        assert_int_equal(w->messages, 0);
        assert_int_equal(tear_down(&own), 0);
    }
}

static void the_other_end_may_go_at_any_time(void **state)
{
    struct world *w = *state;

    w->answers = 1;
    w->answer_bytes = 30000;
    for (size_t i = 0; ask(w, i); i++)
        ;
    spin(w); /* answers wait */
    assert_int_equal(close(w->other), 0);
    w->other = -1;
    spin(w);
    assert_int_equal(w->gone, 1);
}

static void messages_before_the_end_are_taken(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < 100; i++)
        assert_true(ask(w, i));
    assert_int_equal(close(w->other), 0);
    w->other = -1;
    spin(w);
    assert_int_equal(w->messages, 100);
    assert_int_equal(w->gone, 1);
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct world *w = arg;
    struct role_line *l = NULL;
    int fds[2];
    postern_err e;

    POSTERN_TRY(channel_pair(fds, err));
    e = role_line_new(w->base, fds[0], "test", (struct role_line_owner){ on_message, on_gone, w }, &l,
                      err);
    (void)close(fds[1]);
    role_line_free(l);
    assert_int_equal(recv(fds[0], fds, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EBADF); /* it is the line's in every case */
    return e;
}

static void without_memory_there_is_no_line(void **state)
{
    assert_true(alloc_fail_sweep(make_once, *state, POSTERN_OK) > 0);
    role_line_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_message_is_answered_in_order),
        TEST(who_reads_late_gets_all_of_it_in_order),
        TEST(while_an_answer_waits_no_question_is_taken),
        TEST(thousands_of_answers_at_one_time_are_kept),
        TEST(who_never_reads_loses_the_line_and_not_an_answer_of_it),
        TEST(an_answer_lost_to_memory_ends_the_line),
        TEST(a_message_that_breaks_the_rules_ends_the_line),
        cmocka_unit_test(what_is_no_message_ends_the_line),
        TEST(the_other_end_may_go_at_any_time),
        TEST(messages_before_the_end_are_taken),
        TEST(without_memory_there_is_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
