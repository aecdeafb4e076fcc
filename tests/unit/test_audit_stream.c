/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/audit/line.c with dice: records, cancellations, answers, full disks, lost and replaced lines and pauses come in any order,
 * and each decision still has one answer, in the order of the decisions, with its record written or on its way.  The audit child is
 * played, and time is the test's own: clock and timers stand still until it moves them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/line.h"
#include "channel.h"

/* ---- time ---- */

int64_t __wrap_clock_mono_ms(void);
bool __wrap_timer_start(struct event *timer, int64_t ms);

#define TIMERS 8
static int64_t now_ms;
static struct {
    struct event *event;
    int64_t due_ms;
} timers[TIMERS];

int64_t __wrap_clock_mono_ms(void)
{
    return now_ms;
}

/* Pending, as a timer is, and never due. */
bool __wrap_timer_start(struct event *timer, int64_t ms)
{
    static const struct timeval never = { .tv_sec = 1000000 };
    size_t i = 0;

    while (i < TIMERS - 1 && timers[i].event != NULL && timers[i].event != timer)
        i++;
    assert_true(timers[i].event == NULL || timers[i].event == timer);
    timers[i].event = timer;
    timers[i].due_ms = now_ms + ms;
    return event_add(timer, &never) == 0;
}

static void fire_timers(void)
{
    for (size_t i = 0; i < TIMERS; i++)
        if (timers[i].event != NULL && timers[i].due_ms <= now_ms && event_pending(timers[i].event, EV_TIMEOUT, NULL))
            event_active(timers[i].event, EV_TIMEOUT, 0);
}

/* ---- the model ---- */

#define RECORDS    1024
#define STEPS      700
#define QUEUE_ROOM 65536

struct world;

struct record {
    struct world *world;
    bool is_fact, is_taken, is_cancelled;
    int call_count;
    postern_err e;
    bool is_sent, is_written, is_refused; /* it reached the audit child's queue; its file; its waste bin */
    bool sends_again;
    struct record *cancels;
};

struct world {
    struct event_base *base;
    struct audit_line *line;
    uint64_t dice;
    struct record records[RECORDS];
    int count, last_ok;
    int fd; /* the audit child's end; -1: none */
    struct {
        int64_t id;
        int record;
    } queue[QUEUE_ROOM]; /* what it has read and not answered */
    size_t first, end;
    bool is_full; /* the disk */
    int streak;   /* as the line counts it, or more */
    bool has_failed; /* since all was heard */
    int since_failure;
    int64_t said_ms; /* when one was last confirmed */
    int64_t trouble_ms; /* of this line: when a record failed first */
    int idle_count, released_count;
};

static unsigned roll(struct world *w, unsigned sides)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->dice >> 33) % sides;
}

static void ignore_wish(void *arg)
{
    (void)arg;
}

static void note_idle(void *arg)
{
    ((struct world *)arg)->idle_count++;
}

static int number_of(const postern_json *j, uint32_t record)
{
    uint32_t agent = postern_json_member(j, record, "agent");
    postern_bytes text = postern_json_raw(j, agent);

    assert_true(text.len > 2);
    return atoi((const char *)text.ptr + 1);
}

static void queue_record(struct world *w, int64_t id, int number)
{
    assert_in_range(number, 0, w->count - 1);
    assert_true(w->end < QUEUE_ROOM);
    w->queue[w->end].id = id;
    w->queue[w->end++].record = number;
    w->records[number].is_sent = true;
}

/* False: nothing more is in the socket. */
static bool take_message(struct world *w)
{
    static uint8_t room[CHANNEL_MESSAGE_MAX];
    POSTERN_AUTO_JSON j = { 0 };
    uint32_t list, at;
    int64_t id;
    ssize_t got = w->fd < 0 ? -1 : recv(w->fd, room, sizeof room, MSG_DONTWAIT);

    if (got <= 0)
        return false;
    assert_int_equal(postern_json_scan(&j, (postern_bytes){ room, (size_t)got }, NULL), POSTERN_OK);
    assert_true(postern_json_integer(&j, postern_json_member(&j, 0, "id"), &id));
    list = postern_json_member(&j, 0, "records");
    if (list == POSTERN_JSON_ABSENT) {
        queue_record(w, id, number_of(&j, postern_json_member(&j, 0, "record")));
        return true;
    }
    for (at = postern_json_first(&j, list); at != POSTERN_JSON_ABSENT; at = postern_json_next(&j, at))
        queue_record(w, id++, number_of(&j, at));
    return true;
}

static void take_all(struct world *w)
{
    while (take_message(w))
        ;
}

/* ---- decisions ---- */

static void on_done(void *arg, postern_err e, const postern_error *err);

static void send_record(struct world *w, bool is_fact, bool is_together)
{
    struct record *r = &w->records[w->count];
    char number[16];
    struct audit_record a = { .time_ms = 1, .event = "action", .agent = number, .code = POSTERN_OK };
    postern_err e;

    if (w->count == RECORDS)
        return;
    *r = (struct record){ .world = w, .is_fact = is_fact };
    assert_in_range(snprintf(number, sizeof number, "%d", w->count++), 1, sizeof number - 1);
    if (roll(w, 8) == 0)
        r->sends_again = true;
    if (roll(w, 8) == 0)
        r->cancels = &w->records[roll(w, (unsigned)w->count)];
    e = (is_together ? audit_line_send_together : audit_line_send)(w->line, &a, is_fact ? NULL : on_done, r, NULL);
    assert_int_equal(r->call_count, 0);
    r->is_taken = e == POSTERN_OK;
}

static void cancel(struct world *w, struct record *r)
{
    audit_line_cancel(w->line, r);
    r->is_cancelled |= r->call_count == 0;
}

static void on_done(void *arg, postern_err e, const postern_error *err)
{
    struct record *r = arg;
    struct world *w = r->world;

    assert_true(e == POSTERN_OK || err != NULL);
    assert_true(r->is_taken && !r->is_cancelled && !r->is_fact);
    assert_int_equal(r->call_count++, 0);
    r->e = e;
    if (e == POSTERN_OK) {
        take_all(w);
        assert_true(r->is_sent);
        assert_true(r - w->records > w->last_ok); /* in the order of the decisions */
        w->last_ok = (int)(r - w->records);
        if (!r->is_written) {
            w->released_count++;
            assert_true(w->streak >= AUDIT_STREAM_AFTER);
            assert_true(now_ms - w->said_ms <= AUDIT_STREAM_MS);
        }
    }
    if (r->cancels != NULL)
        cancel(w, r->cancels);
    if (r->sends_again)
        send_record(w, roll(w, 4) == 0, roll(w, 2) == 0);
}

/* ---- turns ---- */

/* All that is there is heard. */
static void spin(struct world *w)
{
    for (int i = 0; i < 40; i++)
        assert_in_range(event_base_loop(w->base, EVLOOP_NONBLOCK), 0, 1);
    if (w->has_failed)
        w->streak = w->since_failure;
    w->has_failed = false;
}

static void move_time(struct world *w, int64_t ms)
{
    spin(w);
    now_ms += ms;
    fire_timers();
    spin(w);
}

/* ---- the audit child ---- */

static void say(struct world *w, const char *type, int64_t from, int64_t id)
{
    char text[96];
    int len = from == id ? snprintf(text, sizeof text, "{\"type\":\"%s\",\"id\":%d}", type, (int)id)
                         : snprintf(text, sizeof text, "{\"type\":\"%s\",\"from\":%d,\"id\":%d}", type, (int)from, (int)id);

    assert_in_range(len, 1, sizeof text - 1);
    assert_int_equal(send(w->fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

static void note_confirmed(struct world *w, int count)
{
    if (now_ms - w->said_ms > AUDIT_STREAM_MS)
        w->streak = 0;
    w->said_ms = now_ms;
    w->streak += count;
    w->since_failure += count;
}

/* The first that waits, and perhaps those behind it in one message. */
static void answer(struct world *w)
{
    int64_t from = w->queue[w->first].id, id = from - 1;
    bool is_run = roll(w, 2) == 0;

    if (w->is_full || roll(w, 100) == 0) {
        bool is_refused = !w->is_full && roll(w, 2) == 0;

        w->records[w->queue[w->first].record].is_refused |= is_refused;
        say(w, is_refused ? "refused" : "failed", from, from);
        w->first++;
        w->has_failed = true;
        w->since_failure = 0;
        if (w->trouble_ms == 0)
            w->trouble_ms = now_ms;
        return;
    }
    do {
        w->records[w->queue[w->first++].record].is_written = true;
        id++;
    } while (is_run && w->first < w->end && w->queue[w->first].id == id + 1);
    note_confirmed(w, (int)(id - from + 1));
    say(w, "done", from, id);
}

/* Some take a handful of messages only. */
static void make_line(struct world *w, int fds[2])
{
    int size = 4096;

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    if (roll(w, 2) == 0)
        assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
}

static void give_line(struct world *w)
{
    int fds[2];

    make_line(w, fds);
    w->streak = 0;
    w->trouble_ms = 0;
    w->first = w->end = 0;
    audit_line_set(w->line, fds[0]);
    w->fd = fds[1];
}

/* kill -9: some of what it has read is written, and nobody is told. */
static void lose_line(struct world *w)
{
    take_all(w);
    for (; w->first < w->end && roll(w, 4) != 0; w->first++)
        w->records[w->queue[w->first].record].is_written = true;
    w->first = w->end = 0;
    (void)close(w->fd);
    w->fd = -1;
    spin(w);
    w->streak = 0;
}

/* The supervisor made it anew: what came on the one before is read to its end. */
static void replace_line(struct world *w)
{
    int before = w->fd, fds[2];

    make_line(w, fds);
    take_all(w);
    w->fd = -1; /* nothing that is answered now came on the new one */
    w->streak = 0;
    w->trouble_ms = 0;
    audit_line_set(w->line, fds[0]);
    for (; w->first < w->end; w->first++)
        w->records[w->queue[w->first].record].is_written = true;
    w->first = w->end = 0;
    (void)close(before);
    w->fd = fds[1];
}

/* ---- what must be so at any time ---- */

static bool is_open(const struct record *r)
{
    return r->is_taken && !r->is_fact && !r->is_cancelled && r->call_count == 0;
}

/* It has happened, or may have. */
static bool is_owed(const struct record *r)
{
    return r->is_taken && !r->is_written && !r->is_refused &&
           (r->is_fact || (r->call_count == 1 && r->e == POSTERN_OK));
}

static void check(const struct world *w)
{
    bool may_be_given_up = w->fd < 0 || (w->trouble_ms != 0 && now_ms - w->trouble_ms >= AUDIT_GIVE_UP_MS);

    if (!audit_line_is_idle(w->line))
        return;
    for (int i = 0; i < w->count; i++) {
        assert_false(is_open(&w->records[i]));
        if (!may_be_given_up)
            assert_false(is_owed(&w->records[i]));
    }
}

static void step(struct world *w)
{
    unsigned what = roll(w, 200);

    if (what < 80) {
        send_record(w, false, roll(w, 2) == 0);
    } else if (what < 90) {
        send_record(w, true, false);
    } else if (what < 95 && w->count != 0) {
        cancel(w, &w->records[roll(w, (unsigned)w->count)]);
    } else if (what < 150) {
        for (unsigned i = roll(w, 4); i > 0; i--)
            (void)take_message(w);
        for (unsigned i = roll(w, 6); i > 0 && w->fd >= 0 && w->first < w->end; i--)
            answer(w);
    } else if (what < 180) {
        spin(w);
    } else if (what < 194) {
        move_time(w, 1 + roll(w, 12));
    } else if (what < 196) {
        move_time(w, roll(w, 4) == 0 ? AUDIT_CONFIRM_MS : AUDIT_STREAM_MS + 1);
    } else if (what < 197) {
        w->is_full = !w->is_full;
    } else if (what < 198 && w->fd >= 0) {
        if (roll(w, 2) == 0)
            lose_line(w);
        else
            replace_line(w);
    } else if (w->fd < 0) {
        give_line(w);
    }
    check(w);
}

/* Somebody writes again: all that was taken is, and nothing is left over. */
static void settle(struct world *w)
{
    w->is_full = false;
    if (w->fd < 0)
        give_line(w);
    for (int i = 0; i < 5000 && (i < AUDIT_RETRY_MS / AUDIT_FACT_WAIT_MS || !audit_line_is_idle(w->line)); i++) {
        spin(w);
        take_all(w);
        while (w->first < w->end) {
            answer(w);
            spin(w);
        }
        move_time(w, AUDIT_FACT_WAIT_MS);
    }
    assert_true(audit_line_is_idle(w->line));
    for (int i = 0; i < w->count; i++) {
        assert_false(is_open(&w->records[i]));
        assert_false(is_owed(&w->records[i]));
    }
}

static void on_counted(void *arg, postern_err e, const postern_error *err)
{
    (void)err;
    *(int *)arg += e == POSTERN_OK;
}

/* No number has gone wrong on the way: it is a stream after sixteen, and as long as ever. */
static void check_numbers(struct world *w)
{
    static const struct audit_record a = { .time_ms = 1, .event = "action", .agent = "0", .code = POSTERN_OK };
    int count = 0;

    for (int i = 0; i < AUDIT_STREAM_AFTER; i++) {
        assert_int_equal(audit_line_send(w->line, &a, on_counted, &count, NULL), POSTERN_OK);
        spin(w);
        take_all(w);
        w->records[0].is_written = true;
        say(w, "done", w->queue[w->end - 1].id, w->queue[w->end - 1].id);
        spin(w);
        assert_int_equal(count, i + 1);
    }
    w->first = w->end;
    for (int i = 0; i < AUDIT_STREAM_MAX + 1; i++) {
        assert_int_equal(audit_line_send(w->line, &a, on_counted, &count, NULL), POSTERN_OK);
        take_all(w);
    }
    spin(w);
    assert_int_equal(count, AUDIT_STREAM_AFTER + AUDIT_STREAM_MAX);
    say(w, "done", w->queue[w->first].id, w->queue[w->end - 1].id);
    spin(w);
    assert_int_equal(count, AUDIT_STREAM_AFTER + AUDIT_STREAM_MAX + 1);
    assert_true(audit_line_is_idle(w->line));
}

/* ---- life ---- */

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    memset(timers, 0, sizeof timers);
    now_ms = 1000;
    w->base = event_base_new();
    assert_non_null(w->base);
    w->fd = w->last_ok = -1;
    assert_int_equal(audit_line_new(w->base, (struct audit_line_owner){ .want_line = ignore_wish, .idle = note_idle, .arg = w },
                                    &w->line, NULL),
                     POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_line_free(w->line);
    if (w->fd >= 0)
        (void)close(w->fd);
    event_base_free(w->base);
    free(w);
    return 0;
}

/* ---- tests ---- */

static void whatever_comes_each_decision_has_one_answer_and_its_record(void **state)
{
    int released = 0, seeds = 40;

    for (int seed = 1; seed <= seeds; seed++) {
        struct world *w;

        (void)tear_down(state);
        (void)set_up(state);
        w = *state;
        w->dice = (uint64_t)seed;
        give_line(w);
        for (int i = 0; i < STEPS; i++)
            step(w);
        settle(w);
        if (w->count != 0)
            check_numbers(w);
        released += w->released_count;
    }
    assert_true(released > 10 * seeds); /* else there were no streams to speak of */
}

/* Sixteen that were written, and one that was released. */
static void make_stream(struct world *w)
{
    give_line(w);
    while (w->count < AUDIT_STREAM_AFTER + 1) {
        struct record *r = &w->records[w->count];

        send_record(w, false, false);
        r->sends_again = false;
        r->cancels = NULL;
        spin(w);
        take_all(w);
        if (w->count > AUDIT_STREAM_AFTER)
            break;
        r->is_written = true;
        note_confirmed(w, 1);
        say(w, "done", w->queue[w->end - 1].id, w->queue[w->end - 1].id);
        spin(w);
    }
    assert_int_equal(w->released_count, 1);
    assert_false(audit_line_is_idle(w->line));
}

static void what_was_released_is_waited_for_without_a_line_for_so_long(void **state)
{
    struct world *w = *state;

    make_stream(w);
    lose_line(w);
    assert_false(audit_line_is_idle(w->line));
    move_time(w, AUDIT_GIVE_UP_MS - 1);
    assert_false(audit_line_is_idle(w->line));
    assert_int_equal(w->idle_count, AUDIT_STREAM_AFTER);
    move_time(w, AUDIT_WANT_MS);
    assert_true(audit_line_is_idle(w->line));
    assert_true(w->idle_count > AUDIT_STREAM_AFTER); /* whoever waits for it hears */
    give_line(w);
    assert_false(audit_line_is_idle(w->line)); /* and it was not forgotten */
    settle(w);
}

static void what_was_released_is_waited_for_on_a_full_disk_for_so_long(void **state)
{
    struct world *w = *state;

    make_stream(w);
    w->is_full = true;
    w->first = w->end - 1;
    for (int64_t ms = 0; ms < AUDIT_GIVE_UP_MS; ms += AUDIT_RETRY_MS) {
        answer(w);
        spin(w);
        assert_false(audit_line_is_idle(w->line));
        move_time(w, AUDIT_RETRY_MS - 1);
        move_time(w, 1);
        take_all(w);
        assert_true(w->first + 1 == w->end); /* it is tried again */
    }
    answer(w);
    spin(w);
    assert_true(audit_line_is_idle(w->line));
    assert_true(w->idle_count > AUDIT_STREAM_AFTER);
    move_time(w, AUDIT_RETRY_MS);
    settle(w); /* there is room: it is written all the same */
    assert_true(w->records[AUDIT_STREAM_AFTER].is_written);
}

/* The last of this process: it may have been for want of the second until it is tried again. */
static void what_could_not_be_written_is_sent_once_more_at_the_end(void **state)
{
    struct world *w = *state;

    make_stream(w);
    w->first = w->end - 1;
    w->is_full = true;
    answer(w);
    spin(w);
    assert_false(take_message(w));
    audit_line_free(w->line);
    w->line = NULL;
    assert_true(take_message(w));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whatever_comes_each_decision_has_one_answer_and_its_record),
        TEST(what_was_released_is_waited_for_without_a_line_for_so_long),
        TEST(what_was_released_is_waited_for_on_a_full_disk_for_so_long),
        TEST(what_could_not_be_written_is_sent_once_more_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
