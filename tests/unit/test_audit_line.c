/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/audit/line.c against the real audit child and against one that the test plays: each record that was taken ends in one
 * call, in whatever order records, lines, cancellations and time-outs come.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/line.h"

#include "../support/alloc_fail.h"
#include "../support/audit_child.h"

struct world {
    struct event_base *base;
    struct audit_child child;
    struct audit_line *line;
    int wish_count, idle_count;
};

struct waiter {
    struct world *world;
    int call_count;
    postern_err e;
    char detail[128];
    bool sends_again; /* one more record, from within the call */
    const void *cancels;
};

static void count_wish(void *arg)
{
    ((struct world *)arg)->wish_count++;
}

static void count_idle(void *arg)
{
    ((struct world *)arg)->idle_count++;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->base = event_base_new();
    assert_non_null(w->base);
    audit_child_start(&w->child, w->base);
    assert_int_equal(audit_line_new(w->base, (struct audit_line_owner){ .want_line = count_wish, .idle = count_idle, .arg = w }, &w->line, NULL),
                     POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_line_free(w->line);
    audit_child_stop(&w->child);
    event_base_free(w->base);
    free(w);
    return 0;
}

static void spin(struct world *w)
{
    audit_child_spin(w->base);
}

/* What nobody waits for goes out by a timer. */
static void spin_until_idle(struct world *w)
{
    while (!audit_line_is_idle(w->line))
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
}

static void on_done(void *arg, postern_err e, const postern_error *err);

static postern_err send_record(struct world *w, struct waiter *who)
{
    const struct audit_record r = { .time_ms = 1, .event = "login", .agent = "agent-7", .code = POSTERN_OK };

    return audit_line_send(w->line, &r, who == NULL ? NULL : on_done, who, NULL);
}

static void on_done(void *arg, postern_err e, const postern_error *err)
{
    struct waiter *who = arg;

    who->call_count++;
    who->e = e;
    if (e != POSTERN_OK)
        (void)snprintf(who->detail, sizeof who->detail, "%.100s", err->detail);
    if (who->cancels != NULL)
        audit_line_cancel(who->world->line, who->cancels);
    if (who->sends_again) {
        who->sends_again = false;
        who->e = send_record(who->world, who);
    }
}

/* The test is the audit child. */
static int hold_line(struct world *w)
{
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    audit_line_set(w->line, fds[0]);
    return fds[1];
}

static void say(int fd, const char *message)
{
    assert_int_equal(send(fd, message, strlen(message), MSG_NOSIGNAL), (ssize_t)strlen(message));
}

/* Records that came, in whatever messages. */
static int count_records(int fd)
{
    static uint8_t room[CHANNEL_MESSAGE_MAX];
    POSTERN_AUTO_JSON j = { 0 };
    int count = 0;
    ssize_t got;

    while ((got = recv(fd, room, sizeof room, MSG_DONTWAIT)) > 0) {
        uint32_t list;

        assert_int_equal(postern_json_scan(&j, (postern_bytes){ room, (size_t)got }, NULL), POSTERN_OK);
        list = postern_json_member(&j, 0, "records");
        count += list == POSTERN_JSON_ABSENT ? 1 : (int)j.nodes[list].child_count;
    }
    return count;
}

static void confirm_up_to(int fd, int first, int last)
{
    char message[64];

    for (int i = first; i <= last; i++) {
        assert_in_range(snprintf(message, sizeof message, "{\"type\":\"done\",\"id\":%d}", i), 1, sizeof message - 1);
        say(fd, message);
    }
}

/* The line's clock goes on when a test says so: a stream lasts for 50 ms, and a busy machine stands still for longer. */
static int64_t clock_ms = 1000000;

int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
    return clock_ms;
}

static int64_t mono_ms(void)
{
    return clock_ms;
}

/* ---- records ---- */

static void a_record_is_confirmed_by_the_child(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    char text[AUDIT_LINE_MAX];

    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(a.call_count, 0);
    assert_false(audit_line_is_idle(w->line));
    spin(w);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(a.e, POSTERN_OK);
    assert_true(audit_line_is_idle(w->line));
    assert_int_equal(w->idle_count, 1);
    assert_true(audit_child_line(&w->child, text));
    assert_non_null(strstr(text, "\"agent\":\"agent-7\""));
}

static void without_a_line_no_record_is_taken_and_none_is_asked_for_yet(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };

    assert_false(audit_line_is_set(w->line));
    assert_int_equal(send_record(w, &a), POSTERN_ERR_AUDIT);
    spin(w);
    assert_int_equal(a.call_count, 0);
    assert_int_equal(w->wish_count, 0);
    assert_true(audit_line_is_idle(w->line));
}

static void a_failure_is_told_with_its_words(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    say(fd, "{\"type\":\"failed\",\"id\":1,\"detail\":\"No space left\"}");
    say(fd, "{\"type\":\"failed\",\"id\":2}");
    spin(w);
    assert_int_equal(a.e, POSTERN_ERR_AUDIT);
    assert_string_equal(a.detail, "No space left");
    assert_int_equal(b.e, POSTERN_ERR_AUDIT);
    assert_int_equal(a.call_count + b.call_count, 2);
    (void)close(fd);
}

static void more_than_the_socket_takes_waits_in_order(void **state)
{
    struct world *w = *state;
    struct waiter *all = calloc(AUDIT_IN_FLIGHT_MAX, sizeof *all), late = { .world = w };
    int fd = hold_line(w), seen;

    assert_non_null(all);
    for (int i = 0; i < AUDIT_IN_FLIGHT_MAX; i++)
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
    assert_int_equal(send_record(w, &late), POSTERN_ERR_AUDIT);
    seen = count_records(fd);
    assert_in_range(seen, 10, AUDIT_IN_FLIGHT_MAX / 2); /* the others wait here */
    for (int round = 0; round < 1000 && seen < AUDIT_IN_FLIGHT_MAX; round++) {
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        seen += count_records(fd);
    }
    assert_int_equal(seen, AUDIT_IN_FLIGHT_MAX);
    for (int i = 1; i <= AUDIT_IN_FLIGHT_MAX; i += 64) {
        confirm_up_to(fd, i, i + 63);
        for (int k = 0; k < 64; k++)
            (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    for (int i = 0; i < AUDIT_IN_FLIGHT_MAX; i++)
        assert_true(all[i].call_count == 1 && all[i].e == POSTERN_OK);
    assert_int_equal(late.call_count, 0);
    assert_int_equal(send_record(w, &late), POSTERN_OK);
    free(all);
    audit_line_cancel(w->line, &late);
    (void)close(fd);
}

static void thousands_of_records_arrive_once_each(void **state)
{
    struct world *w = *state;
    struct waiter *all = calloc(3000, sizeof *all);
    char text[AUDIT_LINE_MAX];
    int lines = 0;

    assert_non_null(all);
    audit_line_set(w->line, audit_child_writer(&w->child));
    for (int i = 0; i < 3000; i++)
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
    for (int i = 0; i < 2000 && !audit_line_is_idle(w->line); i++)
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    for (int i = 0; i < 3000; i++)
        assert_true(all[i].call_count == 1 && all[i].e == POSTERN_OK);
    while (audit_child_line(&w->child, text))
        lines++;
    assert_int_equal(lines, 3000);
    free(all);
}

/* ---- time ---- */

static void a_record_that_nobody_confirms_fails_after_its_time_and_not_before(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);
    int64_t before = mono_ms();

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    audit_line_expire(w->line, before + AUDIT_CONFIRM_MS - 1);
    assert_int_equal(a.call_count, 0);
    audit_line_expire(w->line, mono_ms() + AUDIT_CONFIRM_MS);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(a.e, POSTERN_ERR_AUDIT);
    assert_int_equal(w->idle_count, 1);
    confirm_up_to(fd, 1, 1); /* too late */
    spin(w);
    assert_int_equal(a.call_count, 1);
    assert_true(audit_line_is_set(w->line));
    (void)close(fd);
}

static void a_confirmation_nobody_waits_for_is_ignored(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    say(fd, "{\"type\":\"done\",\"id\":0}");
    say(fd, "{\"type\":\"done\",\"id\":-1}");
    say(fd, "{\"type\":\"done\",\"id\":2}");
    spin(w);
    assert_int_equal(a.call_count, 0);
    confirm_up_to(fd, 1, 1);
    confirm_up_to(fd, 1, 1); /* twice */
    spin(w);
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
}

/* What waits here cannot have been written. */
static void a_confirmation_of_what_was_not_sent_is_no_confirmation(void **state)
{
    struct world *w = *state;
    struct waiter *all = calloc(2000, sizeof *all);
    int fd = hold_line(w);

    assert_non_null(all);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
    confirm_up_to(fd, 2000, 2000);
    spin(w);
    assert_int_equal(all[1999].call_count, 0);
    (void)close(fd);
    spin(w);
    assert_int_equal(all[1999].e, POSTERN_ERR_AUDIT);
    free(all);
}

/* ---- lines ---- */

static void a_line_that_ends_fails_what_is_on_its_way_and_is_asked_for(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    (void)close(fd);
    spin(w);
    assert_int_equal(a.e, POSTERN_ERR_AUDIT);
    assert_int_equal(b.e, POSTERN_ERR_AUDIT);
    assert_int_equal(w->wish_count, 1);
    assert_false(audit_line_is_set(w->line));
    assert_int_equal(send_record(w, &a), POSTERN_ERR_AUDIT);
    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 2);
    assert_int_equal(a.e, POSTERN_OK);
    assert_int_equal(b.call_count, 1);
}

static void a_line_with_nonsense_on_it_is_left(void **state)
{
    static const char *const bad[] = { "x", "{\"type\":\"done\"}", "{\"type\":\"ready\"}", "{\"type\":\"failed\",\"id\":1.5}" };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct waiter a = { .world = w };
        int fd = hold_line(w);

        assert_int_equal(send_record(w, &a), POSTERN_OK);
        say(fd, bad[i]);
        spin(w);
        assert_int_equal(a.e, POSTERN_ERR_AUDIT);
        assert_false(audit_line_is_set(w->line));
        assert_int_equal(w->wish_count, (int)i + 1);
        (void)close(fd);
    }
}

static void a_new_line_fails_what_was_on_the_one_before(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w, .sends_again = true };
    int old = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    audit_line_set(w->line, audit_child_writer(&w->child)); /* in the call, another goes on the new one */
    assert_int_equal(a.call_count, 1);
    assert_int_equal(a.e, POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 2);
    assert_int_equal(a.e, POSTERN_OK);
    assert_int_equal(w->wish_count, 0);
    assert_int_equal(count_records(old), 1);
    (void)close(old);
}

static void a_line_that_is_gone_already_takes_no_record(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);

    (void)close(fd);
    assert_int_equal(send_record(w, &a), POSTERN_ERR_AUDIT); /* before the loop has seen its end */
    spin(w);
    assert_int_equal(a.call_count, 0);
    assert_int_equal(w->wish_count, 1);
}

/* ---- who waits ---- */

static void who_cancels_is_not_called_and_the_record_is_written(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    char text[AUDIT_LINE_MAX];

    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    audit_line_cancel(w->line, &a);
    spin(w);
    assert_int_equal(a.call_count, 0);
    assert_int_equal(b.call_count, 1);
    assert_true(audit_child_line(&w->child, text));
    assert_true(audit_child_line(&w->child, text));
}

static void one_that_is_called_may_cancel_the_next(void **state)
{
    struct world *w = *state;
    struct waiter b = { .world = w }, a = { .world = w, .cancels = &b };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    (void)close(fd);
    spin(w);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(b.call_count, 0);
}

static void nobody_need_wait(void **state)
{
    struct world *w = *state;
    int fd;

    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    spin_until_idle(w);
    fd = hold_line(w);
    assert_int_equal(send_record(w, NULL), POSTERN_OK); /* and when it fails that is logged */
    (void)close(fd);
    spin(w);
    assert_true(audit_line_is_idle(w->line));
}

/* Until a decision goes, or the timer; then before it, in the order in which it all happened. */
static void what_nobody_waits_for_is_sent_with_the_next_decision(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    static const char several[] = "{\"type\":\"records\",\"id\":1,\"records\":[{";
    int fd = hold_line(w);
    char room[AUDIT_LINE_MAX + 256];
    ssize_t got;

    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    spin(w);
    assert_int_equal(count_records(fd), 0);
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    got = recv(fd, room, sizeof room, MSG_PEEK | MSG_DONTWAIT); /* all in one message */
    assert_true(got > (ssize_t)sizeof several);
    assert_memory_equal(room, several, sizeof several - 1);
    assert_int_equal(count_records(fd), 3);
    assert_int_equal(count_records(fd), 0);
    say(fd, "{\"type\":\"done\",\"from\":1,\"id\":3}");
    spin(w);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(a.e, POSTERN_OK);
    assert_true(audit_line_is_idle(w->line));
    assert_int_equal(send_record(w, NULL), POSTERN_OK); /* alone: by the timer */
    while (count_records(fd) == 0)
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(count_records(fd), 1); /* and not once more */
    (void)close(fd);
}

/* As many as a message holds, then the next; and the child takes them as it takes single ones. */
static void hundreds_that_nobody_waits_for_arrive_once_each(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    char text[AUDIT_LINE_MAX], want[32];
    int fd = hold_line(w);

    for (int i = 0; i < 2 * AUDIT_MESSAGE_RECORDS_MAX; i++)
        assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    for (int i = 0; i < 3; i++)
        assert_true(recv(fd, text, sizeof text, MSG_DONTWAIT) > 0);
    assert_int_equal(count_records(fd), 0); /* 16 and 16 and one */
    audit_line_set(w->line, audit_child_writer(&w->child)); /* facts go again, the decision fails */
    spin(w);
    for (int i = 0; i < 400; i++)
        assert_int_equal(send_record(w, i % 100 == 99 ? &a : NULL), POSTERN_OK);
    spin_until_idle(w);
    assert_int_equal(a.call_count, 5);
    for (int i = 0; i < 432; i++) {
        assert_true(audit_child_line(&w->child, text));
        assert_in_range(snprintf(want, sizeof want, "\"seq\":%d,", i + 2), 1, sizeof want - 1);
        assert_non_null(strstr(text, want));
    }
    assert_false(audit_child_line(&w->child, text));
    (void)close(fd);
}

static void a_run_that_is_none_is_nonsense(void **state)
{
    struct world *w = *state;
    static const char *const cases[] = {
        "{\"type\":\"done\",\"from\":2,\"id\":1}",
        "{\"type\":\"done\",\"from\":-9007199254740991,\"id\":9007199254740991}",
        "{\"type\":\"done\",\"from\":1,\"id\":9007199254740991}",
        "{\"type\":\"done\",\"from\":1}",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct waiter a = { .world = w };
        int fd = hold_line(w);

        assert_int_equal(send_record(w, &a), POSTERN_OK);
        say(fd, cases[i]);
        spin(w);
        assert_int_equal(a.e, POSTERN_ERR_AUDIT);
        assert_false(audit_line_is_set(w->line));
        (void)close(fd);
    }
}

/* The end of a session is no decision that could be refused. */
static void what_has_happened_is_kept_without_a_line_and_sent_on_the_next(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    char text[AUDIT_LINE_MAX];
    int fd, lines = 0;

    assert_int_equal(send_record(w, NULL), POSTERN_OK); /* no line yet */
    fd = hold_line(w);
    spin(w);
    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(count_records(fd), 3);
    audit_line_expire(w->line, mono_ms() + AUDIT_CONFIRM_MS); /* not confirmed: the decision fails */
    assert_int_equal(a.e, POSTERN_ERR_AUDIT);
    confirm_up_to(fd, 1, 1);
    spin(w);
    (void)close(fd);
    assert_int_equal(send_record(w, NULL), POSTERN_OK); /* before the loop has seen the end */
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_false(audit_line_is_idle(w->line));
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    while (audit_child_line(&w->child, text))
        lines++;
    assert_int_equal(lines, 2); /* the second and the last; the decision that failed is not sent again */
    assert_int_equal(a.call_count, 1);
}

static void what_has_happened_takes_no_decision_s_place_and_has_a_bound(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);

    for (int i = 0; i < AUDIT_FACTS_MAX; i++)
        assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_int_equal(send_record(w, NULL), POSTERN_ERR_AUDIT);
    for (int i = 0; i < AUDIT_IN_FLIGHT_MAX; i++)
        assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &a), POSTERN_ERR_AUDIT);
    audit_line_cancel(w->line, &a);
    (void)close(fd);
}

static void freeing_calls_nobody(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    audit_line_free(w->line);
    w->line = NULL;
    spin(w);
    assert_int_equal(a.call_count, 0);
    (void)close(fd);
}

/* ---- streams ---- */

static void send_and_confirm(struct world *w, int fd, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        struct waiter a = { .world = w };

        assert_int_equal(send_record(w, &a), POSTERN_OK);
        spin(w);
        assert_int_equal(a.call_count, 0); /* not before it is written */
        confirm_up_to(fd, i, i);
        spin(w);
        assert_true(a.call_count == 1 && a.e == POSTERN_OK);
    }
    (void)count_records(fd);
}

/* The next id is AUDIT_STREAM_AFTER + 1. */
static int hold_stream(struct world *w)
{
    int fd = hold_line(w);

    send_and_confirm(w, fd, 1, AUDIT_STREAM_AFTER);
    return fd;
}

#define NEXT (AUDIT_STREAM_AFTER + 1)

static void pause_stream(void)
{
    clock_ms += AUDIT_STREAM_MS + 20;
}

/* The message that came, "" for none. */
static const char *read_message(int fd)
{
    static char room[CHANNEL_MESSAGE_MAX];
    ssize_t got = recv(fd, room, sizeof room - 1, MSG_DONTWAIT);

    room[got < 0 ? 0 : got] = '\0';
    return room;
}

static void in_a_stream_a_decision_is_released_when_it_is_on_its_way(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(a.call_count, 0); /* not within the call */
    assert_non_null(strstr(read_message(fd), "\"patient\":true"));
    spin(w);
    assert_true(a.call_count == 1 && a.e == POSTERN_OK);
    assert_false(audit_line_is_idle(w->line)); /* it is not written */
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    spin(w);
    assert_int_equal(b.call_count, 1);
    say(fd, "{\"type\":\"done\",\"from\":17,\"id\":18}");
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    assert_int_equal(a.call_count + b.call_count, 2);
    (void)close(fd);
}

static void a_line_without_streams_has_none(void **state)
{
    struct world *w = *state;
    struct audit_line_owner strict = { .want_line = count_wish, .idle = count_idle, .arg = w, .has_no_streams = true };
    int fd;

    audit_line_free(w->line);
    assert_int_equal(audit_line_new(w->base, strict, &w->line, NULL), POSTERN_OK);
    fd = hold_line(w);
    send_and_confirm(w, fd, 1, 3 * AUDIT_STREAM_AFTER);
    (void)close(fd);
}

static void before_a_stream_and_after_a_pause_everything_is_waited_for(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w);

    send_and_confirm(w, fd, 1, AUDIT_STREAM_AFTER - 1);
    pause_stream();
    send_and_confirm(w, fd, AUDIT_STREAM_AFTER, AUDIT_STREAM_AFTER); /* the number begins anew */
    pause_stream();
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_null(strstr(read_message(fd), "patient"));
    spin(w);
    assert_int_equal(a.call_count, 0);
    confirm_up_to(fd, 2 * AUDIT_STREAM_AFTER, 2 * AUDIT_STREAM_AFTER);
    spin(w);
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
}

/* The audit child hangs: what it has confirmed last is 50 ms old, and nobody is released any more. */
static void a_stream_whose_records_are_not_written_is_none(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 1);
    pause_stream();
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    spin(w);
    assert_int_equal(b.call_count, 0);
    audit_line_expire(w->line, mono_ms() + AUDIT_CONFIRM_MS);
    assert_true(b.call_count == 1 && b.e == POSTERN_ERR_AUDIT);
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
}

/* In its time, again and again until it is written; and nobody is released before. */
static void what_was_released_and_could_not_be_written_is_tried_again(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(count_records(fd), 1);
    say(fd, "{\"type\":\"failed\",\"id\":17,\"detail\":\"No space left\"}");
    spin(w);
    assert_int_equal(a.call_count, 1); /* it was told already */
    assert_int_equal(count_records(fd), 0);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    spin(w);
    assert_int_equal(b.call_count, 0);
    say(fd, "{\"type\":\"failed\",\"id\":18,\"detail\":\"No space left\"}");
    spin(w);
    assert_true(b.call_count == 1 && b.e == POSTERN_ERR_AUDIT); /* a decision that waited fails, and is not tried again */
    assert_int_equal(count_records(fd), 1);
    while (count_records(fd) == 0) /* AUDIT_RETRY_MS */
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    say(fd, "{\"type\":\"failed\",\"id\":17}");
    spin(w);
    assert_false(audit_line_is_idle(w->line));
    assert_int_equal(send_record(w, &b), POSTERN_OK); /* and this one is written: there is room */
    spin(w);
    assert_int_equal(count_records(fd), 1);
    confirm_up_to(fd, 19, 19);
    spin(w);
    assert_int_equal(b.call_count, 2);
    assert_int_equal(count_records(fd), 1); /* so it comes at once */
    confirm_up_to(fd, 17, 17);
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
}

static void many_that_could_not_be_written_follow_each_other_when_there_is_room(void **state)
{
    enum { COUNT = 3 * AUDIT_MESSAGE_RECORDS_MAX + 1 };
    struct world *w = *state;
    struct waiter all[COUNT] = { 0 };
    int fd = hold_stream(w), rounds = 0;
    char message[96];

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
    spin(w);
    assert_int_equal(count_records(fd), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(snprintf(message, sizeof message, "{\"type\":\"failed\",\"id\":%d}", NEXT + i), 1, sizeof message - 1);
        say(fd, message);
        spin(w);
    }
    while (!audit_line_is_idle(w->line)) {
        const char *said = read_message(fd);
        int id = said[0] == '\0' ? 0 : atoi(strstr(said, "\"id\":") + 5);
        int count = strstr(said, "\"records\"") != NULL ? AUDIT_MESSAGE_RECORDS_MAX : 1;

        if (id != 0) {
            rounds++;
            confirm_up_to(fd, id, id + count - 1);
        }
        assert_in_range(event_base_loop(w->base, id != 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE), 0, 1);
    }
    assert_int_equal(rounds, 4);
    for (int i = 0; i < COUNT; i++)
        assert_true(all[i].call_count == 1 && all[i].e == POSTERN_OK);
    (void)close(fd);
}

static void what_was_refused_is_not_tried_again(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_int_equal(count_records(fd), 1);
    while (count_records(fd) == 0)
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    say(fd, "{\"type\":\"refused\",\"id\":17,\"detail\":\"no record\"}");
    say(fd, "{\"type\":\"refused\",\"id\":18,\"detail\":\"no record\"}");
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    (void)close(fd);
}

static void what_was_released_is_sent_again_on_the_next_line(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    char text[AUDIT_LINE_MAX];
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 1);
    (void)close(fd); /* kill -9: whether it is written nobody knows */
    spin(w);
    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_int_equal(send_record(w, &b), POSTERN_OK); /* and a new line is no stream */
    assert_int_equal(b.call_count, 0);
    spin_until_idle(w);
    assert_true(b.call_count == 1 && b.e == POSTERN_OK);
    assert_int_equal(a.call_count, 1);
    assert_true(audit_child_line(&w->child, text));
    assert_true(audit_child_line(&w->child, text));
    assert_false(audit_child_line(&w->child, text));
}

/* The end of the line is heard before whoever waits was told: it fails, and nothing was released. */
static void what_is_about_to_be_released_fails_with_its_line(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    audit_line_set(w->line, audit_child_writer(&w->child));
    assert_true(a.call_count == 1 && a.e == POSTERN_ERR_AUDIT);
    spin(w);
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
}

static void only_so_many_are_released_before_they_are_written(void **state)
{
    struct world *w = *state;
    struct waiter *all = calloc(AUDIT_STREAM_MAX + 1, sizeof *all);
    int fd = hold_stream(w), released = 0, seen = 0;

    assert_non_null(all);
    for (int i = 0; i < AUDIT_STREAM_MAX + 1; i++) {
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        seen += count_records(fd);
    }
    spin(w);
    for (int i = 0; i < AUDIT_STREAM_MAX + 1; i++)
        released += all[i].call_count;
    assert_int_equal(released, AUDIT_STREAM_MAX);
    assert_int_equal(all[AUDIT_STREAM_MAX].call_count, 0);
    assert_int_equal(seen, AUDIT_STREAM_MAX + 1);
    free(all);
    audit_line_free(w->line);
    w->line = NULL;
    (void)close(fd);
}

/* Also of those that come before anybody was told. */
static void only_so_many_are_released_in_one_round(void **state)
{
    enum { COUNT = AUDIT_STREAM_MAX + 100 };
    struct world *w = *state;
    struct waiter *all = calloc(COUNT, sizeof *all);
    int fd = hold_stream(w), released = 0;

    assert_non_null(all);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
        assert_int_equal(count_records(fd), 1);
    }
    spin(w);
    for (int i = 0; i < COUNT; i++)
        released += all[i].call_count;
    assert_int_equal(released, AUDIT_STREAM_MAX);
    assert_int_equal(all[AUDIT_STREAM_MAX].call_count, 0);
    free(all);
    audit_line_free(w->line);
    w->line = NULL;
    (void)close(fd);
}

static void send_one_more(evutil_socket_t fd, short what, void *arg)
{
    struct waiter *who = arg;

    (void)fd;
    (void)what;
    assert_int_equal(send_record(who->world, who), POSTERN_OK);
}

/* Decided in the same round of the loop in which the failure is heard, and before it. */
static void what_was_not_told_yet_waits_when_one_before_it_fails(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w }, b = { .world = w };
    struct event *decides = event_new(w->base, -1, 0, send_one_more, &b);
    int fd = hold_stream(w);

    assert_non_null(decides);
    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 1);
    say(fd, "{\"type\":\"failed\",\"id\":17,\"detail\":\"No space left\"}");
    event_active(decides, EV_TIMEOUT, 0);
    spin(w);
    assert_int_equal(count_records(fd), 2);
    assert_int_equal(b.call_count, 0);
    say(fd, "{\"type\":\"failed\",\"id\":18,\"detail\":\"No space left\"}");
    spin(w);
    assert_true(b.call_count == 1 && b.e == POSTERN_ERR_AUDIT);
    event_free(decides);
    (void)close(fd);
}

static void what_is_refused_does_not_keep_others_from_being_tried_again(void **state)
{
    enum { COUNT = AUDIT_MESSAGE_RECORDS_MAX + 1 };
    struct world *w = *state;
    struct waiter all[COUNT + 1] = { 0 };
    int fd = hold_stream(w);
    char message[96];

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(send_record(w, &all[i]), POSTERN_OK);
    spin(w);
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(snprintf(message, sizeof message, "{\"type\":\"failed\",\"id\":%d}", NEXT + i), 1, sizeof message - 1);
        say(fd, message);
        spin(w);
    }
    assert_int_equal(send_record(w, &all[COUNT]), POSTERN_OK);
    assert_int_equal(count_records(fd), COUNT + 1);
    confirm_up_to(fd, NEXT + COUNT, NEXT + COUNT);
    spin(w);
    assert_int_equal(count_records(fd), AUDIT_MESSAGE_RECORDS_MAX);
    for (int i = 0; i < AUDIT_MESSAGE_RECORDS_MAX; i++) {
        assert_in_range(snprintf(message, sizeof message, "{\"type\":\"refused\",\"id\":%d}", NEXT + i), 1, sizeof message - 1);
        say(fd, message);
        spin(w);
    }
    while (count_records(fd) == 0) /* AUDIT_RETRY_MS */
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    confirm_up_to(fd, NEXT + AUDIT_MESSAGE_RECORDS_MAX, NEXT + AUDIT_MESSAGE_RECORDS_MAX);
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    (void)close(fd);
}

/* A process that is to end waits for another line, if one is to be had. */
static void what_was_released_and_not_written_is_not_idle_without_a_line(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 1);
    (void)close(fd);
    spin(w);
    assert_false(audit_line_is_set(w->line));
    assert_false(audit_line_is_idle(w->line));
    audit_line_set(w->line, audit_child_writer(&w->child));
    spin_until_idle(w);
    (void)close(hold_line(w)); /* and what has happened, as ever, is kept and not waited for */
    spin(w);
    assert_int_equal(send_record(w, NULL), POSTERN_OK);
    assert_true(audit_line_is_idle(w->line));
}

/* Answers leave in the order of the decisions. */
static void nobody_is_released_before_one_who_waits(void **state)
{
    struct world *w = *state;
    struct waiter first = { .world = w }, second = { .world = w };
    int fd = hold_line(w);

    assert_int_equal(send_record(w, &first), POSTERN_OK); /* id 1: strict, and not written for long */
    for (int i = 2; i < 2 + AUDIT_STREAM_AFTER; i++) {
        struct waiter a = { .world = w };

        assert_int_equal(send_record(w, &a), POSTERN_OK);
        confirm_up_to(fd, i, i);
        spin(w);
        assert_int_equal(a.call_count, 1);
    }
    assert_int_equal(send_record(w, &second), POSTERN_OK);
    spin(w);
    assert_int_equal(first.call_count + second.call_count, 0);
    confirm_up_to(fd, 1, 1);
    spin(w);
    assert_int_equal(first.call_count, 1);
    audit_line_cancel(w->line, &second);
    (void)close(fd);
}

static void who_cancels_in_a_stream_is_not_called_and_the_record_is_kept(void **state)
{
    struct world *w = *state;
    struct waiter b = { .world = w }, a = { .world = w, .cancels = &b };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    assert_int_equal(send_record(w, &b), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(b.call_count, 0);
    assert_int_equal(count_records(fd), 2);
    (void)close(fd);
    spin(w);
    fd = hold_line(w);
    spin(w);
    assert_int_equal(count_records(fd), 2); /* both may have been acted on */
    (void)close(fd);
}

static void who_is_released_may_send_the_next(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w, .sends_again = true };
    int fd = hold_stream(w);

    assert_int_equal(send_record(w, &a), POSTERN_OK);
    spin(w);
    assert_int_equal(a.call_count, 2);
    assert_int_equal(count_records(fd), 2);
    (void)close(fd);
}

/* A record that this process cannot keep is waited for. */
static void without_memory_a_stream_releases_nothing_that_is_not_kept(void **state)
{
    struct world *w = *state;
    int fd = hold_stream(w), waited = 0;

    for (unsigned n = 1; n < 100; n++) {
        struct waiter a = { .world = w };
        bool was_short;
        postern_err e;

        alloc_fail_arm(n);
        e = send_record(w, &a);
        was_short = alloc_fail_disarm();
        spin(w);
        waited += e == POSTERN_OK && a.call_count == 0;
        if (e == POSTERN_OK && a.call_count == 0)
            assert_null(strstr(read_message(fd), "patient"));
        audit_line_cancel(w->line, &a);
        (void)count_records(fd);
        if (!was_short)
            break;
        audit_line_free(w->line);
        assert_int_equal(audit_line_new(w->base, (struct audit_line_owner){ .want_line = count_wish, .idle = count_idle, .arg = w }, &w->line, NULL), POSTERN_OK);
        (void)close(fd);
        fd = hold_stream(w);
    }
    assert_in_range(waited, 1, 10);
    (void)close(fd);
}

/* ---- memory ---- */

static void without_memory_a_record_is_refused(void **state)
{
    struct world *w = *state;
    struct waiter a = { .world = w };
    int fd = hold_line(w), refused = 0, sent = 0;

    assert_int_equal(send_record(w, NULL), POSTERN_OK); /* the first has to be kept with it */
    for (unsigned n = 1;; n++) {
        postern_err e;

        alloc_fail_arm(n);
        e = send_record(w, &a);
        sent += e == POSTERN_OK; /* also when the text was made at the second attempt */
        if (!alloc_fail_disarm())
            break;
        refused += e == POSTERN_ERR_AUDIT;
        assert_true(e == POSTERN_OK || e == POSTERN_ERR_AUDIT);
    }
    assert_in_range(refused, 2, 100);
    assert_int_equal(count_records(fd), sent + 1);
    assert_int_equal(a.call_count, 0);
    confirm_up_to(fd, 1, 1 + refused + sent); /* some were numbered before they were refused */
    spin(w);
    assert_int_equal(a.call_count, sent);
    assert_true(audit_line_is_idle(w->line));
    (void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_confirmed_by_the_child),
        TEST(without_a_line_no_record_is_taken_and_none_is_asked_for_yet),
        TEST(a_failure_is_told_with_its_words),
        TEST(more_than_the_socket_takes_waits_in_order),
        TEST(thousands_of_records_arrive_once_each),
        TEST(a_record_that_nobody_confirms_fails_after_its_time_and_not_before),
        TEST(a_confirmation_nobody_waits_for_is_ignored),
        TEST(a_confirmation_of_what_was_not_sent_is_no_confirmation),
        TEST(a_line_that_ends_fails_what_is_on_its_way_and_is_asked_for),
        TEST(a_line_with_nonsense_on_it_is_left),
        TEST(a_new_line_fails_what_was_on_the_one_before),
        TEST(a_line_that_is_gone_already_takes_no_record),
        TEST(who_cancels_is_not_called_and_the_record_is_written),
        TEST(one_that_is_called_may_cancel_the_next),
        TEST(nobody_need_wait),
        TEST(what_nobody_waits_for_is_sent_with_the_next_decision),
        TEST(hundreds_that_nobody_waits_for_arrive_once_each),
        TEST(a_run_that_is_none_is_nonsense),
        TEST(what_has_happened_is_kept_without_a_line_and_sent_on_the_next),
        TEST(what_has_happened_takes_no_decision_s_place_and_has_a_bound),
        TEST(freeing_calls_nobody),
        TEST(in_a_stream_a_decision_is_released_when_it_is_on_its_way),
        TEST(a_line_without_streams_has_none),
        TEST(before_a_stream_and_after_a_pause_everything_is_waited_for),
        TEST(a_stream_whose_records_are_not_written_is_none),
        TEST(what_was_released_and_could_not_be_written_is_tried_again),
        TEST(many_that_could_not_be_written_follow_each_other_when_there_is_room),
        TEST(what_was_refused_is_not_tried_again),
        TEST(what_was_released_is_sent_again_on_the_next_line),
        TEST(what_is_about_to_be_released_fails_with_its_line),
        TEST(only_so_many_are_released_before_they_are_written),
        TEST(only_so_many_are_released_in_one_round),
        TEST(what_was_not_told_yet_waits_when_one_before_it_fails),
        TEST(what_is_refused_does_not_keep_others_from_being_tried_again),
        TEST(what_was_released_and_not_written_is_not_idle_without_a_line),
        TEST(nobody_is_released_before_one_who_waits),
        TEST(who_cancels_in_a_stream_is_not_called_and_the_record_is_kept),
        TEST(who_is_released_may_send_the_next),
        TEST(without_memory_a_stream_releases_nothing_that_is_not_kept),
        TEST(without_memory_a_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
