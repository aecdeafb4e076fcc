/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records on their way to the audit child (sidecar/audit/line.h): one list, in the order they were
 * sent, which is the order of their ids and of their deadlines.  What the socket does not take
 * waits in the same list.  A record that somebody waits for fails with its line; a fact, for which
 * nobody waits because it has happened already, stays until it is written.  In a stream (line.h) a
 * decision is released, and so becomes a fact, when the socket has its record.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../channel_watch.h"
#include "../log.h"
#include "../timer.h"
#include "line.h"

typedef enum flight_state {
    FLIGHT_HELD = 0,  /* not sent, or to be sent again */
    FLIGHT_SENT,
    FLIGHT_RELEASING, /* sent in a stream: `done` is about to be called */
    FLIGHT_UNWRITTEN  /* a fact that could not be written: held until l->retry */
} flight_state;

struct flight {
    TAILQ_ENTRY(flight) entry;
    TAILQ_ENTRY(flight) releasing;
    int64_t id;
    int64_t due_ms;  /* monotonic */
    audit_done done; /* NULL: nobody waits (any more) */
    void *arg;
    flight_state state;
    bool is_fact, was_released; /* the latter: a fact since its stream released it */
    postern_buf text; /* the record: of a fact until it is confirmed; of others until they are sent */
};
TAILQ_HEAD(flight_list, flight);

struct audit_line {
    struct event_base *base;
    struct audit_line_owner owner;
    struct channel_watch watch; /* closed: no line; `writable` is pending while messages wait */
    struct event *expiry;       /* deadline of the first in flight, or earlier */
    struct event *want;         /* asks again for a line */
    struct event *company;      /* pending while facts wait to be sent: AUDIT_FACT_WAIT_MS */
    struct event *release;      /* made active: `releases` has some */
    struct event *retry;        /* facts that could not be written: AUDIT_RETRY_MS */
    postern_buf text, message;  /* the record and message being made; their storage is kept */
    struct flight_list flights, releases;
    size_t count, fact_count; /* all; those of them that are facts */
    size_t awaited_count, releasing_count; /* of the others */
    size_t released_count, unwritten_count; /* of the facts */
    int64_t last_id;
    int64_t confirmed_ms; /* monotonic: the latest record that was written */
    int64_t trouble_ms;   /* monotonic: since then there is no line, or nothing can be written */
    unsigned streak;      /* written without a failure or a pause of AUDIT_STREAM_MS between two */
};

/* ---- the end of a flight ---- */

/* Whoever waits for this one waits for the audit child's word. */
static bool is_awaited(const struct flight *f)
{
    return f->state == FLIGHT_SENT && !f->is_fact;
}

static void set_state(struct audit_line *l, struct flight *f, flight_state state)
{
    if (f->state == FLIGHT_RELEASING)
        TAILQ_REMOVE(&l->releases, f, releasing);
    l->releasing_count -= f->state == FLIGHT_RELEASING;
    l->unwritten_count -= f->state == FLIGHT_UNWRITTEN;
    l->awaited_count -= is_awaited(f);
    f->state = state;
    l->awaited_count += is_awaited(f);
    l->unwritten_count += state == FLIGHT_UNWRITTEN;
    l->releasing_count += state == FLIGHT_RELEASING;
    if (state == FLIGHT_RELEASING)
        TAILQ_INSERT_TAIL(&l->releases, f, releasing);
}

static bool is_on_its_way(const struct flight *f)
{
    return f->state == FLIGHT_SENT || f->state == FLIGHT_RELEASING;
}

static void free_flight(struct audit_line *l, struct flight *f)
{
    set_state(l, f, FLIGHT_HELD); /* which is in no other list or number */
    TAILQ_REMOVE(&l->flights, f, entry);
    l->count--;
    l->fact_count -= f->is_fact;
    l->released_count -= f->was_released;
    postern_buf_free(&f->text);
    free(f);
}

static void land(struct audit_line *l, struct flight *f, postern_err e, const postern_error *err)
{
    audit_done done = f->done;
    void *arg = f->arg;

    free_flight(l, f);
    if (done != NULL)
        done(arg, e, err);
    else if (e != POSTERN_OK)
        log_error("an audit record is missing", err);
}

/* After `done`s were called, for whoever waits for the last of them. */
static void tell_idle(struct audit_line *l)
{
    if (!audit_line_is_idle(l))
        return;
    (void)event_del(l->expiry);
    if (l->owner.idle != NULL)
        l->owner.idle(l->owner.arg);
}

/* The first that fails with its line, or by its time-out. */
static struct flight *find_decision(const struct audit_line *l)
{
    struct flight *f = TAILQ_FIRST(&l->flights);

    while (f != NULL && f->is_fact)
        f = TAILQ_NEXT(f, entry);
    return f;
}

/* All up to this id but facts; what a `done` sends meanwhile has a higher one. */
static void fail_until(struct audit_line *l, int64_t last_id, const postern_error *err)
{
    struct flight *f;

    while ((f = find_decision(l)) != NULL && f->id <= last_id)
        land(l, f, POSTERN_ERR_AUDIT, err);
}

static void schedule_expiry(struct audit_line *l, int64_t now_ms)
{
    const struct flight *first = find_decision(l);
    int64_t wait_ms;

    if (first == NULL)
        return;
    wait_ms = first->due_ms > now_ms ? first->due_ms - now_ms : 0;
    if (!timer_start(l->expiry, wait_ms))
        log_problem("audit: no timer for records that are not confirmed");
}

void audit_line_expire(struct audit_line *l, int64_t now_ms)
{
    int64_t last_id = l->last_id;
    postern_error err = { 0 };
    struct flight *f;

    (void)POSTERN_FAIL(&err, AUDIT, "not confirmed within %d ms", AUDIT_CONFIRM_MS);
    if (l->count == 0)
        return;
    while ((f = find_decision(l)) != NULL && f->id <= last_id && f->due_ms <= now_ms)
        land(l, f, POSTERN_ERR_AUDIT, &err);
    schedule_expiry(l, now_ms);
    tell_idle(l);
}

static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    audit_line_expire(arg, clock_mono_ms());
}

/* ---- streams ---- */

static void note_trouble(struct audit_line *l)
{
    if (l->trouble_ms == 0)
        l->trouble_ms = clock_mono_ms();
}

static void note_written(struct audit_line *l, int64_t now_ms)
{
    l->trouble_ms = 0;
    if (now_ms - l->confirmed_ms > AUDIT_STREAM_MS)
        l->streak = 0;
    l->confirmed_ms = now_ms;
    if (l->streak < AUDIT_STREAM_AFTER)
        l->streak++;
}

/* Nothing is released before it is written until the audit child has shown anew that it writes: what
 * was not told yet is waited for. */
static void end_stream(struct audit_line *l)
{
    struct flight *f;

    l->streak = 0;
    while ((f = TAILQ_FIRST(&l->releases)) != NULL)
        set_state(l, f, FLIGHT_SENT);
}

/* For so many more.  In their order: not while one before waits for the audit child's word. */
static bool is_stream(const struct audit_line *l, size_t count)
{
    return !l->owner.has_no_streams && l->streak >= AUDIT_STREAM_AFTER &&
           l->unwritten_count == 0 && l->awaited_count == 0 &&
           l->released_count + l->releasing_count + count <= AUDIT_STREAM_MAX &&
           clock_mono_ms() - l->confirmed_ms <= AUDIT_STREAM_MS;
}

/* In a stream: whoever waits is told in this round of the loop. */
static void note_sent(struct audit_line *l, struct flight *f, bool is_released)
{
    if (is_released && !f->is_fact) {
        set_state(l, f, FLIGHT_RELEASING);
        event_active(l->release, EV_TIMEOUT, 0);
        return;
    }
    set_state(l, f, FLIGHT_SENT);
    if (!f->is_fact)
        postern_buf_free(&f->text);
}

static void release(struct audit_line *l, struct flight *f)
{
    audit_done done = f->done;
    postern_error none = { 0 };

    f->done = NULL;
    f->is_fact = f->was_released = true;
    l->fact_count++;
    l->released_count++;
    set_state(l, f, FLIGHT_SENT);
    if (done != NULL) /* else it was cancelled since */
        done(f->arg, POSTERN_OK, &none);
}

/* Those that are there now: what a `done` sends has its turn after others had theirs. */
static void on_release(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;
    int64_t last_id = l->last_id;
    struct flight *f;

    (void)fd;
    (void)what;
    while ((f = TAILQ_FIRST(&l->releases)) != NULL && f->id <= last_id)
        release(l, f);
}

/* ---- the line ---- */

static void want_line(struct audit_line *l)
{
    if (l->watch.channel != NULL)
        return;
    if (!timer_start(l->want, AUDIT_WANT_MS))
        log_problem("audit: no timer to ask for a line again");
    l->owner.want_line(l->owner.arg);
}

static void on_want(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;

    (void)fd;
    (void)what;
    want_line(l);
    if (l->count != 0)
        tell_idle(l); /* what waits for a line may be given up by now */
}

static void lose_line(struct audit_line *l, const postern_error *why)
{
    int64_t last_id = l->last_id;
    bool was_idle = l->count == 0;

    channel_watch_close(&l->watch);
    note_trouble(l);
    end_stream(l);
    fail_until(l, last_id, why);
    if (!was_idle)
        tell_idle(l);
    want_line(l);
}

static bool wait_for_room(struct audit_line *l, postern_error *err)
{
    if (event_add(l->watch.writable, NULL) == 0)
        return true;
    (void)POSTERN_FAIL(err, SYSTEM, "line to the audit child: no event");
    return false;
}

/* ---- messages ---- */

/* Whether nobody waits for the answer: then it may come with others'. */
static void open_message(struct audit_line *l, postern_json_writer *w, const char *type, int64_t id,
                         bool is_patient)
{
    *w = (postern_json_writer){ .out = &l->message };
    postern_buf_reset(&l->message);
    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "type", type);
    postern_json_put_integer(w, "id", id);
    if (is_patient)
        postern_json_put_flag(w, "patient", true);
}

static postern_err send_message(struct audit_line *l, postern_json_writer *w, postern_error *err)
{
    postern_json_close_object(w);
    if (l->message.failed)
        return POSTERN_FAIL(err, NOMEM, "message to the audit child");
    return channel_send(l->watch.channel, postern_buf_bytes(&l->message), -1, err);
}

/* {"type":"record","id":n,"record":{…}} */
static postern_err send_one(struct audit_line *l, const struct flight *f, postern_bytes text,
                            bool is_patient, postern_error *err)
{
    postern_json_writer w;

    open_message(l, &w, "record", f->id, is_patient);
    postern_json_put_raw(&w, "record", text);
    return send_message(l, &w, err);
}

/* {"type":"records","id":n,"records":[{…},…]}: the first has that id, each other the next one. */
static postern_err send_several(struct audit_line *l, const struct flight *f, size_t count,
                                bool is_patient, postern_error *err)
{
    postern_json_writer w;

    open_message(l, &w, "records", f->id, is_patient);
    postern_json_open_array(&w, "records");
    for (; count > 0; count--, f = TAILQ_NEXT(f, entry))
        postern_json_put_raw(&w, NULL, postern_buf_bytes(&f->text));
    postern_json_close_array(&w);
    return send_message(l, &w, err);
}

/* How many from `f` on may go in one message. */
static size_t count_run(const struct flight *f)
{
    size_t count = 1, bytes = f->text.len;
    const struct flight *next;

    while (count < AUDIT_MESSAGE_RECORDS_MAX && (next = TAILQ_NEXT(f, entry)) != NULL &&
           next->state == FLIGHT_HELD && next->id == f->id + 1 &&
           (bytes += next->text.len) <= AUDIT_MESSAGE_BYTES_MAX) {
        f = next;
        count++;
    }
    return count;
}

static bool are_facts(const struct flight *f, size_t count)
{
    for (; count > 0 && f->is_fact; count--)
        f = TAILQ_NEXT(f, entry);
    return count == 0;
}

static postern_err send_run(struct audit_line *l, const struct flight *f, size_t count,
                            bool is_patient, postern_error *err)
{
    return count == 1 ? send_one(l, f, postern_buf_bytes(&f->text), is_patient, err)
                      : send_several(l, f, count, is_patient, err);
}

/* Send what waits from there on, as far as the socket takes it.  False: the line is of no use. */
static bool flush(struct audit_line *l, struct flight *f, postern_error *err)
{
    while (f != NULL) {
        size_t count;
        bool is_released;
        postern_err e;

        if (f->state != FLIGHT_HELD) {
            f = TAILQ_NEXT(f, entry);
            continue;
        }
        count = count_run(f);
        is_released = is_stream(l, count);
        e = send_run(l, f, count, is_released || are_facts(f, count), err);
        if (e == POSTERN_AGAIN)
            return wait_for_room(l, err);
        if (e != POSTERN_OK)
            return false;
        for (; count > 0; count--, f = TAILQ_NEXT(f, entry))
            note_sent(l, f, is_released);
    }
    return true;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    if (!flush(l, TAILQ_FIRST(&l->flights), &err))
        lose_line(l, &err);
}

/* Others wait for the socket already: what comes now stands behind them. */
static bool is_stalled(const struct audit_line *l)
{
    return event_pending(l->watch.writable, EV_WRITE, NULL) != 0;
}

static void on_company(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;

    if (l->watch.channel != NULL && !is_stalled(l))
        on_writable(fd, what, l);
}

static struct flight *find_flight(struct audit_line *l, int64_t id)
{
    struct flight *f = TAILQ_FIRST(&l->flights);

    while (f != NULL && f->id < id) /* it is the first, but for records that timed out, and facts */
        f = TAILQ_NEXT(f, entry);
    return f != NULL && f->id == id && is_on_its_way(f) ? f : NULL;
}

/* "id", or all "from" there to "id", which were one batch.  False: neither. */
static bool read_ids(const struct audit_line *l, int64_t *ret_from, int64_t *ret_id)
{
    if (!channel_integer(l->watch.channel, "id", ret_id))
        return false;
    if (!channel_integer(l->watch.channel, "from", ret_from))
        *ret_from = *ret_id;
    return *ret_from <= *ret_id && *ret_id - *ret_from < AUDIT_IN_FLIGHT_MAX;
}

/* What has happened is tried again until it is written; its line is no stream meanwhile. */
static void keep_for_later(struct audit_line *l, struct flight *f, const postern_error *why)
{
    if (l->unwritten_count == 0)
        log_error("audit records are kept until they can be written", why);
    note_trouble(l);
    set_state(l, f, FLIGHT_UNWRITTEN);
}

/* After an answer: at once when one was written, for then there is room. */
static void retry_soon(struct audit_line *l, bool has_room)
{
    if (l->unwritten_count == 0)
        return;
    if (has_room)
        event_active(l->retry, EV_TIMEOUT, 0);
    else if (!event_pending(l->retry, EV_TIMEOUT, NULL) && !timer_start(l->retry, AUDIT_RETRY_MS))
        log_problem("audit: no timer to write records that were not written");
}

/* The first of them, to be sent again. */
static void hold_unwritten(struct audit_line *l, size_t count)
{
    struct flight *f;

    for (f = TAILQ_FIRST(&l->flights); f != NULL && count > 0; f = TAILQ_NEXT(f, entry))
        if (f->state == FLIGHT_UNWRITTEN) {
            set_state(l, f, FLIGHT_HELD);
            count--;
        }
}

/* A message of them: when it is written the next follows, else they wait again. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;

    hold_unwritten(l, AUDIT_MESSAGE_RECORDS_MAX);
    if (l->watch.channel != NULL && !is_stalled(l))
        on_writable(fd, what, l);
    if (l->count != 0)
        tell_idle(l); /* it may be given up by now */
}

/* What was refused would be refused again. */
static void take_failure(struct audit_line *l, struct flight *f, bool is_refused,
                         const postern_error *why)
{
    if (f->is_fact && !is_refused)
        keep_for_later(l, f, why);
    else
        land(l, f, POSTERN_ERR_AUDIT, why);
}

static void take_success(struct audit_line *l, struct flight *f)
{
    note_written(l, clock_mono_ms());
    land(l, f, POSTERN_OK, NULL);
}

static postern_err take_confirmation(struct audit_line *l, postern_error *err)
{
    bool is_done = channel_type_is(l->watch.channel, "done");
    bool is_refused = channel_type_is(l->watch.channel, "refused");
    char detail[256] = "no reason given";
    postern_error why = { 0 };
    struct flight *f;
    int64_t from, id;

    if ((!is_done && !is_refused && !channel_type_is(l->watch.channel, "failed")) ||
        !read_ids(l, &from, &id))
        return POSTERN_FAIL(err, MALFORMED, "message that is no confirmation of a record");
    (void)channel_text(l->watch.channel, "detail", detail, sizeof detail); /* not there: as above */
    if (!is_done)
        (void)POSTERN_FAIL(&why, AUDIT, "%s", detail);
    if (!is_done)
        end_stream(l);
    for (; from <= id; from++) {
        if ((f = find_flight(l, from)) == NULL)
            continue; /* it timed out before */
        if (is_done)
            take_success(l, f);
        else
            take_failure(l, f, is_refused, &why);
    }
    retry_soon(l, is_done);
    tell_idle(l);
    return POSTERN_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    switch (channel_receive(l->watch.channel, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        if (take_confirmation(l, &err) == POSTERN_OK)
            return;
        break;
    case CHANNEL_CLOSED:
        (void)POSTERN_FAIL(&err, AUDIT, "the audit child is gone");
        break;
    case CHANNEL_BROKEN:
        break;
    }
    log_error("line to the audit child", &err);
    lose_line(l, &err);
}

/* On a new line: what the one before did not confirm.  It may have written some of it: an end that
 * stands twice is better than none. */
static bool send_facts_again(struct audit_line *l, postern_error *err)
{
    for (struct flight *f = TAILQ_FIRST(&l->flights); f != NULL; f = TAILQ_NEXT(f, entry))
        if (f->is_fact)
            set_state(l, f, FLIGHT_HELD);
    return l->fact_count == 0 || wait_for_room(l, err);
}

void audit_line_set(struct audit_line *l, int take_fd)
{
    struct channel_watch_calls calls = { on_readable, on_writable, l };
    int64_t last_id = l->last_id;
    bool was_idle = l->count == 0;
    postern_error err = { 0 }, replaced = { 0 };

    (void)POSTERN_FAIL(&replaced, AUDIT, "the line to the audit child was made anew");
    channel_watch_close(&l->watch);
    (void)event_del(l->want);
    if (channel_watch_open(&l->watch, l->base, take_fd, calls, &err) != POSTERN_OK) {
        log_error("audit", &err);
        lose_line(l, &err);
        return;
    }
    l->trouble_ms = 0;
    end_stream(l);
    fail_until(l, last_id, &replaced);
    if (!was_idle)
        tell_idle(l);
    if (!send_facts_again(l, &err))
        lose_line(l, &err);
}

bool audit_line_is_set(const struct audit_line *l)
{
    return l->watch.channel != NULL;
}

/* ---- records out ---- */

/* l->text is this flight's; it is to be sent later. */
static bool keep_text(struct audit_line *l, struct flight *f)
{
    postern_buf_add(&f->text, postern_buf_bytes(&l->text));
    return !f->text.failed;
}

/* With the next decision, or soon.  A line that breaks meanwhile is followed by another. */
static void send_soon(struct audit_line *l)
{
    if (event_pending(l->company, EV_TIMEOUT, NULL) || is_stalled(l))
        return;
    if (!timer_start(l->company, AUDIT_FACT_WAIT_MS) && event_add(l->watch.writable, NULL) != 0)
        log_problem("audit: records of what happened wait for the next login: no timer");
}

/* It, or the first of the facts just before it. */
static struct flight *find_first_of(struct flight *f)
{
    struct flight *before;

    while ((before = TAILQ_PREV(f, flight_list, entry)) != NULL && before->state == FLIGHT_HELD)
        f = before;
    return f;
}

/* Behind those that wait; else with the facts before it to the socket, and when that is full it
 * waits there. */
static postern_err send_now(struct audit_line *l, struct flight *f, postern_error *err)
{
    bool is_released;
    postern_err e;

    if (event_pending(l->company, EV_TIMEOUT, NULL) || is_stalled(l)) {
        if (!keep_text(l, f))
            return POSTERN_FAIL(err, AUDIT, "out of memory");
        if (is_stalled(l))
            return POSTERN_OK;
        (void)event_del(l->company);
        if (flush(l, find_first_of(f), err))
            return POSTERN_OK;
        send_soon(l); /* the facts: then, or a new line will be made */
        return POSTERN_FAIL(err, AUDIT, "the audit child cannot be reached");
    }
    is_released = is_stream(l, 1) && keep_text(l, f);
    e = send_one(l, f, postern_buf_bytes(&l->text), is_released, err);
    if (e == POSTERN_AGAIN && (is_released || keep_text(l, f)) &&
        event_add(l->watch.writable, NULL) == 0)
        return POSTERN_OK;
    if (e != POSTERN_OK) /* of the line's end the others hear from the loop, not from here */
        return POSTERN_FAIL(err, AUDIT, "the audit child cannot be reached");
    note_sent(l, f, is_released);
    return POSTERN_OK;
}

/* With what else comes in this round of the loop. */
static postern_err send_together(struct audit_line *l, struct flight *f, postern_error *err)
{
    if (!keep_text(l, f))
        return POSTERN_FAIL(err, AUDIT, "out of memory");
    if (!is_stalled(l))
        event_active(l->company, EV_TIMEOUT, 0);
    return POSTERN_OK;
}

static postern_err launch(struct audit_line *l, struct flight *f, bool is_together,
                          postern_error *err)
{
    if (!f->is_fact)
        return is_together ? send_together(l, f, err) : send_now(l, f, err);
    if (!keep_text(l, f))
        return POSTERN_FAIL(err, AUDIT, "out of memory");
    if (l->watch.channel != NULL)
        send_soon(l);
    return POSTERN_OK;
}

static postern_err add_flight(struct audit_line *l, const struct audit_record *r,
                              struct flight **ret, postern_error *err)
{
    struct flight *f = calloc(1, sizeof *f);

    if (f == NULL || !audit_format(r, &l->text)) {
        free(f);
        return POSTERN_FAIL(err, AUDIT, "out of memory");
    }
    f->text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    f->id = ++l->last_id;
    TAILQ_INSERT_TAIL(&l->flights, f, entry);
    l->count++;
    *ret = f;
    return POSTERN_OK;
}

/* What has happened already needs neither a line at this moment nor a place among the others'. */
static postern_err check_room(const struct audit_line *l, bool is_fact, postern_error *err)
{
    if (is_fact && l->fact_count >= AUDIT_FACTS_MAX)
        return POSTERN_FAIL(err, AUDIT, "%d records wait for the audit child already",
                            AUDIT_FACTS_MAX);
    if (is_fact)
        return POSTERN_OK;
    if (l->watch.channel == NULL)
        return POSTERN_FAIL(err, AUDIT, "no line to the audit child");
    if (l->count - l->fact_count >= AUDIT_IN_FLIGHT_MAX)
        return POSTERN_FAIL(err, AUDIT, "%d records wait for the audit child already",
                            AUDIT_IN_FLIGHT_MAX);
    return POSTERN_OK;
}

static postern_err send_record(struct audit_line *l, const struct audit_record *r, bool is_together,
                        audit_done done, void *arg, postern_error *err)
{
    int64_t now_ms = clock_mono_ms();
    struct flight *f = NULL;

    POSTERN_TRY(check_room(l, done == NULL, err));
    POSTERN_TRY(add_flight(l, r, &f, err));
    f->due_ms = now_ms + AUDIT_CONFIRM_MS;
    f->done = done;
    f->arg = arg;
    f->is_fact = done == NULL;
    l->fact_count += f->is_fact;
    if (!f->is_fact && l->count - l->fact_count == 1 && !timer_start(l->expiry, AUDIT_CONFIRM_MS)) {
        free_flight(l, f);
        return POSTERN_FAIL(err, AUDIT, "no timer");
    }
    if (launch(l, f, is_together, err) == POSTERN_OK)
        return POSTERN_OK;
    free_flight(l, f);
    return POSTERN_ERR_AUDIT;
}

postern_err audit_line_send(struct audit_line *l, const struct audit_record *r, audit_done done,
                            void *arg, postern_error *err)
{
    return send_record(l, r, false, done, arg, err);
}

postern_err audit_line_send_together(struct audit_line *l, const struct audit_record *r,
                                     audit_done done, void *arg, postern_error *err)
{
    return send_record(l, r, true, done, arg, err);
}

bool audit_line_has_room(const struct audit_line *l)
{
    return l->watch.channel == NULL ||
           l->count - l->fact_count < AUDIT_IN_FLIGHT_MAX - AUDIT_LOGINS_FREE;
}

void audit_line_cancel(struct audit_line *l, const void *arg)
{
    struct flight *f;

    TAILQ_FOREACH (f, &l->flights, entry)
        if (f->done != NULL && f->arg == arg)
            f->done = NULL;
}

/* For too long there is no line, or nothing can be written. */
static bool is_given_up(const struct audit_line *l)
{
    return (l->watch.channel == NULL || l->unwritten_count != 0) && l->trouble_ms != 0 &&
           clock_mono_ms() - l->trouble_ms >= AUDIT_GIVE_UP_MS;
}

bool audit_line_is_idle(const struct audit_line *l)
{
    if (l->count != l->fact_count || is_given_up(l))
        return l->count == l->fact_count;
    return l->watch.channel == NULL ? l->released_count == 0 : l->count == 0;
}

/* ---- the whole ---- */

postern_err audit_line_new(struct event_base *base, struct audit_line_owner owner,
                           struct audit_line **ret, postern_error *err)
{
    struct audit_line *l = calloc(1, sizeof *l);

    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "line to the audit child");
    l->base = base;
    l->owner = owner;
    TAILQ_INIT(&l->flights);
    TAILQ_INIT(&l->releases);
    l->expiry = event_new(base, -1, 0, on_expiry, l);
    l->want = event_new(base, -1, 0, on_want, l);
    l->company = event_new(base, -1, 0, on_company, l);
    l->release = event_new(base, -1, 0, on_release, l);
    l->retry = event_new(base, -1, 0, on_retry, l);
    l->text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    l->message = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    if (l->expiry == NULL || l->want == NULL || l->company == NULL || l->release == NULL ||
        l->retry == NULL) {
        audit_line_free(l);
        return POSTERN_FAIL(err, NOMEM, "line to the audit child");
    }
    *ret = l;
    return POSTERN_OK;
}

/* What was let go in a stream is said here at least, as far as a line of log holds it. */
static void log_missing(const struct audit_line *l)
{
    const struct flight *f;

    if (l->fact_count == 0)
        return;
    log_problem("%zu audit records of what happened may be missing: nobody wrote them",
                l->fact_count);
    TAILQ_FOREACH (f, &l->flights, entry)
        if (f->was_released)
            log_problem("audit record that may be missing: %.*s", (int)f->text.len,
                        (const char *)f->text.ptr);
}

void audit_line_free(struct audit_line *l)
{
    postern_error err = { 0 };

    if (l == NULL)
        return;
    /* What still waited, for company or for room; whether it arrives is nobody's to see any more. */
    hold_unwritten(l, SIZE_MAX);
    if (l->watch.channel != NULL && !is_stalled(l) &&
        !flush(l, TAILQ_FIRST(&l->flights), &err))
        log_error("line to the audit child", &err);
    log_missing(l);
    while (!TAILQ_EMPTY(&l->flights))
        free_flight(l, TAILQ_FIRST(&l->flights));
    channel_watch_close(&l->watch);
    timer_free(l->expiry);
    timer_free(l->want);
    timer_free(l->company);
    timer_free(l->release);
    timer_free(l->retry);
    postern_buf_free(&l->text);
    postern_buf_free(&l->message);
    free(l);
}
