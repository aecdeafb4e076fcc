/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records out and confirmations in (sidecar/audit/line.h).  What the socket does not take waits in
 * the one list of all that are on their way (flights.h).  A record that somebody waits for fails
 * with its line; a fact, for which nobody waits because it has happened already, stays until it is
 * written.  In a stream (line.h) a decision is released, and so becomes a fact, when the socket has
 * its record.
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
#include "flights.h"

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
    struct flights on_way;
    int64_t confirmed_ms; /* monotonic: the latest record that was written */
    int64_t trouble_ms;   /* monotonic: since then there is no line, or nothing can be written */
    unsigned streak;      /* written without a failure or a pause of AUDIT_STREAM_MS between two */
};

/* ---- the end of a flight ---- */

static void land(struct audit_line *l, struct flight *f, postern_err e, const postern_error *err)
{
    audit_done done = f->done;
    void *arg = f->arg;

    flights_free_one(&l->on_way, f);
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

/* All up to this id but facts; what a `done` sends meanwhile has a higher one. */
static void fail_until(struct audit_line *l, int64_t last_id, const postern_error *err)
{
    struct flight *f;

    while ((f = flights_find_decision(&l->on_way)) != NULL && f->id <= last_id)
        land(l, f, POSTERN_ERR_AUDIT, err);
}

static void schedule_expiry(struct audit_line *l, int64_t now_ms)
{
    const struct flight *first = flights_find_decision(&l->on_way);
    int64_t wait_ms;

    if (first == NULL)
        return;
    wait_ms = first->due_ms > now_ms ? first->due_ms - now_ms : 0;
    if (!timer_start(l->expiry, wait_ms))
        log_problem("audit: no timer for records that are not confirmed");
}

void audit_line_expire(struct audit_line *l, int64_t now_ms)
{
    int64_t last_id = l->on_way.last_id;
    postern_error err = { 0 };
    struct flight *f;

    (void)POSTERN_FAIL(&err, AUDIT, "not confirmed within %d ms", AUDIT_CONFIRM_MS);
    if (l->on_way.count == 0)
        return;
    while ((f = flights_find_decision(&l->on_way)) != NULL && f->id <= last_id &&
           f->due_ms <= now_ms)
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
    while ((f = TAILQ_FIRST(&l->on_way.releases)) != NULL)
        flights_set_state(&l->on_way, f, FLIGHT_SENT);
}

/* For so many more.  In their order: not while one before waits for the audit child's word. */
static bool is_stream(const struct audit_line *l, size_t count)
{
    return !l->owner.has_no_streams && l->streak >= AUDIT_STREAM_AFTER &&
           l->on_way.unwritten_count == 0 && l->on_way.awaited_count == 0 &&
           l->on_way.released_count + l->on_way.releasing_count + count <= AUDIT_STREAM_MAX &&
           clock_mono_ms() - l->confirmed_ms <= AUDIT_STREAM_MS;
}

/* In a stream: whoever waits is told in this round of the loop. */
static void note_sent(struct audit_line *l, struct flight *f, bool is_released)
{
    if (is_released && !f->is_fact) {
        flights_set_state(&l->on_way, f, FLIGHT_RELEASING);
        event_active(l->release, EV_TIMEOUT, 0);
        return;
    }
    flights_set_state(&l->on_way, f, FLIGHT_SENT);
    if (!f->is_fact)
        postern_buf_free(&f->text);
}

static void release(struct audit_line *l, struct flight *f)
{
    audit_done done = f->done;
    postern_error none = { 0 };

    f->done = NULL;
    flights_make_fact(&l->on_way, f);
    if (done != NULL) /* else it was cancelled since */
        done(f->arg, POSTERN_OK, &none);
}

/* Those that are there now: what a `done` sends has its turn after others had theirs. */
static void on_release(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;
    int64_t last_id = l->on_way.last_id;
    struct flight *f;

    (void)fd;
    (void)what;
    while ((f = TAILQ_FIRST(&l->on_way.releases)) != NULL && f->id <= last_id)
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
    if (l->on_way.count != 0)
        tell_idle(l); /* what waits for a line may be given up by now */
}

static void lose_line(struct audit_line *l, const postern_error *why)
{
    int64_t last_id = l->on_way.last_id;
    bool was_idle = l->on_way.count == 0;

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
        count = flights_count_run(f);
        is_released = is_stream(l, count);
        e = send_run(l, f, count, is_released || flights_are_facts(f, count), err);
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
    if (!flush(l, TAILQ_FIRST(&l->on_way.list), &err))
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
    if (l->on_way.unwritten_count == 0)
        log_error("audit records are kept until they can be written", why);
    note_trouble(l);
    flights_set_state(&l->on_way, f, FLIGHT_UNWRITTEN);
}

/* After an answer: at once when one was written, for then there is room. */
static void retry_soon(struct audit_line *l, bool has_room)
{
    if (l->on_way.unwritten_count == 0)
        return;
    if (has_room)
        event_active(l->retry, EV_TIMEOUT, 0);
    else if (!event_pending(l->retry, EV_TIMEOUT, NULL) && !timer_start(l->retry, AUDIT_RETRY_MS))
        log_problem("audit: no timer to write records that were not written");
}

/* A message of them: when it is written the next follows, else they wait again. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct audit_line *l = arg;

    flights_hold_unwritten(&l->on_way, AUDIT_MESSAGE_RECORDS_MAX);
    if (l->watch.channel != NULL && !is_stalled(l))
        on_writable(fd, what, l);
    if (l->on_way.count != 0)
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
        if ((f = flights_find(&l->on_way, from)) == NULL)
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
    for (struct flight *f = TAILQ_FIRST(&l->on_way.list); f != NULL; f = TAILQ_NEXT(f, entry))
        if (f->is_fact)
            flights_set_state(&l->on_way, f, FLIGHT_HELD);
    return l->on_way.fact_count == 0 || wait_for_room(l, err);
}

void audit_line_set(struct audit_line *l, int take_fd)
{
    struct channel_watch_calls calls = { on_readable, on_writable, l };
    int64_t last_id = l->on_way.last_id;
    bool was_idle = l->on_way.count == 0;
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
        if (flush(l, flights_first_of(f), err))
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

static postern_err add_flight(struct audit_line *l, const struct audit_record *r, bool is_fact,
                              struct flight **ret, postern_error *err)
{
    struct flight *f = calloc(1, sizeof *f);

    if (f == NULL || !audit_format(r, &l->text)) {
        free(f);
        return POSTERN_FAIL(err, AUDIT, "out of memory");
    }
    f->text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    f->is_fact = is_fact;
    flights_add(&l->on_way, f);
    *ret = f;
    return POSTERN_OK;
}

/* What has happened already needs neither a line at this moment nor a place among the others'. */
static postern_err check_room(const struct audit_line *l, bool is_fact, postern_error *err)
{
    if (is_fact && l->on_way.fact_count >= AUDIT_FACTS_MAX)
        return POSTERN_FAIL(err, AUDIT, "%d records wait for the audit child already",
                            AUDIT_FACTS_MAX);
    if (is_fact)
        return POSTERN_OK;
    if (l->watch.channel == NULL)
        return POSTERN_FAIL(err, AUDIT, "no line to the audit child");
    if (flights_decisions(&l->on_way) >= AUDIT_IN_FLIGHT_MAX)
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
    POSTERN_TRY(add_flight(l, r, done == NULL, &f, err));
    f->due_ms = now_ms + AUDIT_CONFIRM_MS;
    f->done = done;
    f->arg = arg;
    if (!f->is_fact && flights_decisions(&l->on_way) == 1 &&
        !timer_start(l->expiry, AUDIT_CONFIRM_MS)) {
        flights_free_one(&l->on_way, f);
        return POSTERN_FAIL(err, AUDIT, "no timer");
    }
    if (launch(l, f, is_together, err) == POSTERN_OK)
        return POSTERN_OK;
    flights_free_one(&l->on_way, f);
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
           flights_decisions(&l->on_way) < AUDIT_IN_FLIGHT_MAX - AUDIT_LOGINS_FREE;
}

void audit_line_cancel(struct audit_line *l, const void *arg)
{
    struct flight *f;

    TAILQ_FOREACH (f, &l->on_way.list, entry)
        if (f->done != NULL && f->arg == arg)
            f->done = NULL;
}

/* For too long there is no line, or nothing can be written. */
static bool is_given_up(const struct audit_line *l)
{
    return (l->watch.channel == NULL || l->on_way.unwritten_count != 0) && l->trouble_ms != 0 &&
           clock_mono_ms() - l->trouble_ms >= AUDIT_GIVE_UP_MS;
}

bool audit_line_is_idle(const struct audit_line *l)
{
    if (l->on_way.count != l->on_way.fact_count || is_given_up(l))
        return l->on_way.count == l->on_way.fact_count;
    return l->watch.channel == NULL ? l->on_way.released_count == 0 : l->on_way.count == 0;
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
    flights_init(&l->on_way);
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

    if (l->on_way.fact_count == 0)
        return;
    log_problem("%zu audit records of what happened may be missing: nobody wrote them",
                l->on_way.fact_count);
    TAILQ_FOREACH (f, &l->on_way.list, entry)
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
    flights_hold_unwritten(&l->on_way, SIZE_MAX);
    if (l->watch.channel != NULL && !is_stalled(l) &&
        !flush(l, TAILQ_FIRST(&l->on_way.list), &err))
        log_error("line to the audit child", &err);
    log_missing(l);
    while (!TAILQ_EMPTY(&l->on_way.list))
        flights_free_one(&l->on_way, TAILQ_FIRST(&l->on_way.list));
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
