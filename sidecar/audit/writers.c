/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writers of the audit child: their lines, the records that they bring, the confirmations that
 * they are owed.  A record is confirmed when its line stands in the file, and the others of its batch
 * do not change that.  A writer that does not read its confirmations is not read either, so that what
 * is kept for it has a bound.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../channel_watch.h"
#include "../log.h"
#include "../timer.h"
#include "server_inner.h"

#define WRITER_ROLE_MAX   32  /* bytes with NUL: "helper", "door" */
#define WRITER_DETAIL_MAX 128 /* bytes with NUL of why a record failed */

struct confirmation {
    int64_t id;
    fate fate;
};

struct writer {
    TAILQ_ENTRY(writer) entry;
    struct audit_server *server;
    struct channel_watch watch; /* `writable` is pending while confirmations wait */
    bool is_readable;
    bool is_deaf; /* it has gone, or will not listen: what it said is written, and not confirmed */
    bool is_patient; /* nobody waits for the answer to its latest message */
    bool is_resting; /* and so it is not listened to until s->rest */
    bool has_brought; /* records to this batch */
    uint32_t left, next; /* records of the channel's message that are to be taken; the first of them */
    int64_t next_id;     /* its */
    struct confirmation unsaid[AUDIT_BATCH_MAX];
    size_t unsaid_count, said_count; /* of unsaid[] */
    char detail[WRITER_DETAIL_MAX];  /* of the latest failure */
    char role[WRITER_ROLE_MAX];
};

/* ---- confirmations ---- */

static void drop_writer(struct writer *w)
{
    struct audit_server *s = w->server;

    for (size_t i = 0; i < s->taken_count; i++)
        if (s->taken[i].writer == w)
            s->taken[i].writer = NULL;
    channel_watch_close(&w->watch);
    TAILQ_REMOVE(&s->writers, w, entry);
    s->writer_count--;
    free(w);
}

/* How many from `at` on are one: written, with one number after the other. */
static size_t count_run(const struct writer *w, size_t at)
{
    size_t len = 1;

    while (w->unsaid[at].fate == FATE_WRITTEN && at + len < w->unsaid_count &&
           w->unsaid[at + len].fate == FATE_WRITTEN &&
           w->unsaid[at + len].id - w->unsaid[at].id == (int64_t)len)
        len++;
    return len;
}

/* {"type":"done","id":n}, with "from" where it is of all from there to n. */
static postern_err send_confirmation(struct writer *w, int64_t from, struct confirmation c,
                                     postern_error *err)
{
    static const char *const words[] = { "done", "failed", "refused" };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1024);
    postern_json_writer j = { .out = &out };

    postern_json_open_object(&j, NULL);
    postern_json_put_str(&j, "type", words[c.fate]);
    if (from != c.id)
        postern_json_put_integer(&j, "from", from);
    postern_json_put_integer(&j, "id", c.id);
    if (c.fate != FATE_WRITTEN)
        postern_json_put_str(&j, "detail", w->detail);
    postern_json_close_object(&j);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "confirmation of an audit record");
    return channel_send(w->watch.channel, postern_buf_bytes(&out), -1, err);
}

/* Its records are read to their end all the same.  One that lives is told that its line has ended: it
 * asks for another and sends there what nobody confirmed. */
static void go_deaf(struct writer *w)
{
    w->is_deaf = true;
    w->unsaid_count = w->said_count = 0;
    (void)shutdown(channel_fd(w->watch.channel), SHUT_WR); /* fails where it is gone */
}

/* Say what is unsaid, as far as the writer reads.  False: no event. */
static bool say(struct writer *w)
{
    while (w->said_count < w->unsaid_count) {
        size_t run = count_run(w, w->said_count);
        postern_error err = { 0 };
        postern_err e = send_confirmation(w, w->unsaid[w->said_count].id,
                                          w->unsaid[w->said_count + run - 1], &err);

        if (e == POSTERN_AGAIN)
            return event_del(w->watch.readable) == 0 && event_add(w->watch.writable, NULL) == 0;
        if (e != POSTERN_OK) {
            go_deaf(w);
            break;
        }
        w->said_count += run;
    }
    w->unsaid_count = w->said_count = 0;
    return true;
}

static void on_writer_writable(evutil_socket_t fd, short what, void *arg)
{
    struct writer *w = arg;
    bool is_stalled = w->server->room != NULL;

    (void)fd;
    (void)what;
    if (!say(w) || (w->unsaid_count == 0 && !is_stalled && event_add(w->watch.readable, NULL) != 0))
        drop_writer(w);
    else if (w->left != 0 && w->unsaid_count == 0)
        event_active(w->server->turn, 0, 0); /* for the rest of its message */
}

/* ---- records in ---- */

static void keep_detail(struct writer *w, const postern_error *err)
{
    size_t len = strnlen(err->detail, sizeof w->detail - 1);

    memcpy(w->detail, err->detail, len);
    w->detail[len] = '\0';
}

/* The message's records are to be taken one by one: a batch may be full before the last. */
static postern_err begin_message(struct writer *w, postern_error *err)
{
    const postern_json *j = channel_message(w->watch.channel);
    uint32_t list = postern_json_member(j, 0, "records");

    uint32_t patient = postern_json_member(j, 0, "patient");

    if (!channel_integer(w->watch.channel, "id", &w->next_id))
        return POSTERN_FAIL(err, MALFORMED, "message that is no record with id");
    w->is_patient = patient != POSTERN_JSON_ABSENT &&
                    postern_json_type_of(j, patient) == POSTERN_JSON_TRUE;
    if (channel_type_is(w->watch.channel, "record")) {
        w->next = postern_json_member(j, 0, "record"); /* not there: refused as no object */
        w->left = 1;
        return POSTERN_OK;
    }
    if (!channel_type_is(w->watch.channel, "records") ||
        postern_json_type_of(j, list) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "message that is no record with id");
    w->next = postern_json_first(j, list);
    w->left = j->nodes[list].child_count;
    return POSTERN_OK;
}

static void take_record(struct writer *w)
{
    struct audit_server *s = w->server;
    const postern_json *j = channel_message(w->watch.channel);
    struct taken *t = &s->taken[s->taken_count++];
    postern_error why = { 0 };
    postern_err e;

    *t = (struct taken){ .writer = w, .id = w->next_id++ };
    w->has_brought = true;
    e = audit_file_add(s->file, j, w->next, clock_wall_ms(), &why);
    if (e != POSTERN_OK) {
        t->fate = e == POSTERN_ERR_MALFORMED || e == POSTERN_ERR_LIMIT ? FATE_REFUSED : FATE_FAILED;
        keep_detail(w, &why);
    }
    w->next = --w->left == 0 ? POSTERN_JSON_ABSENT : postern_json_next(j, w->next);
}

/* Its next message.  False: it has none now (or is gone). */
static bool receive(struct writer *w)
{
    postern_error err = { 0 };

    switch (channel_receive(w->watch.channel, &err)) {
    case CHANNEL_NOTHING:
        w->is_readable = false;
        return false;
    case CHANNEL_MESSAGE:
        if (begin_message(w, &err) == POSTERN_OK)
            return true;
        break;
    case CHANNEL_CLOSED:
        drop_writer(w);
        return false;
    case CHANNEL_BROKEN:
        break;
    }
    log_error(w->role, &err);
    drop_writer(w);
    return false;
}

/* One record of this writer.  False: it has none now (or is gone). */
static bool take_next(struct writer *w)
{
    while (w->left == 0) /* again for a list without any */
        if (!receive(w))
            return false;
    take_record(w);
    return true;
}

static bool is_full(const struct audit_server *s)
{
    return s->taken_count == AUDIT_BATCH_MAX || audit_file_is_full(s->file);
}

void writers_gather(struct audit_server *s)
{
    size_t before;

    s->taken_count = 0;
    do {
        struct writer *last = TAILQ_LAST(&s->writers, writer_list), *w, *next;

        before = s->taken_count;
        for (w = TAILQ_FIRST(&s->writers); w != NULL && !is_full(s); w = next) {
            bool is_last = w == last;

            next = is_last ? NULL : TAILQ_NEXT(w, entry);
            if ((!w->is_readable && w->left == 0 && !s->is_draining) || w->unsaid_count != 0)
                continue;
            TAILQ_REMOVE(&s->writers, w, entry);
            TAILQ_INSERT_TAIL(&s->writers, w, entry);
            for (int i = 0; i < AUDIT_TURN_MAX && !is_full(s) && take_next(w); i++)
                ;
        }
    } while (s->taken_count != before && !is_full(s));
}

/* ---- a batch is written ---- */

void writers_confirm(struct audit_server *s, size_t whole_count, const postern_error *err)
{
    size_t added = 0;

    for (size_t i = 0; i < s->taken_count; i++) {
        struct taken *t = &s->taken[i];
        bool is_lost = t->fate == FATE_WRITTEN && added++ >= whole_count;

        if (t->writer == NULL || t->writer->is_deaf)
            continue;
        if (is_lost)
            keep_detail(t->writer, err);
        t->writer->unsaid[t->writer->unsaid_count++] =
            (struct confirmation){ t->id, is_lost ? FATE_FAILED : t->fate };
    }
    for (size_t i = 0; i < s->taken_count;
         i++) { /* a writer's are said at its first; drop_writer() clears the others */
        struct writer *w = s->taken[i].writer;

        if (w != NULL && w->said_count == 0 && w->unsaid_count != 0 &&
            !event_pending(w->watch.writable, EV_WRITE, NULL) && !say(w))
            drop_writer(w);
    }
    s->taken_count = 0;
}

/* ---- rest ---- */

static bool rest(struct writer *w)
{
    w->is_resting = event_del(w->watch.readable) == 0;
    return w->is_resting;
}

/* While the pipe is full, or it does not read its answers, it is not listened to either; then
 * on_writer_writable() and forget_room() listen again. */
static void wake(struct writer *w)
{
    if (!w->is_resting)
        return;
    w->is_resting = false;
    if (w->unsaid_count == 0 && w->server->room == NULL && event_add(w->watch.readable, NULL) != 0)
        log_problem("a line of %s: no event", w->role);
}

/* It brought all it had, and nobody waits for that.  Where the batch was full before, more stands in
 * its queue, perhaps of somebody who waits. */
static bool may_rest(const struct writer *w)
{
    return w->has_brought && w->is_patient && !w->is_readable && w->left == 0;
}

void writers_send_to_rest(struct audit_server *s)
{
    bool is_running = event_pending(s->rest, EV_TIMEOUT, NULL) != 0;
    bool has_resting = false;
    struct writer *w;

    for (w = TAILQ_FIRST(&s->writers); w != NULL; w = TAILQ_NEXT(w, entry)) {
        bool goes_on = is_running && w->is_resting && !w->has_brought;

        if (!goes_on && (!may_rest(w) || !rest(w)))
            wake(w);
        has_resting |= w->is_resting;
        w->has_brought = false;
    }
    if (!has_resting || is_running || timer_start(s->rest, AUDIT_REST_MS))
        return;
    for (w = TAILQ_FIRST(&s->writers); w != NULL; w = TAILQ_NEXT(w, entry))
        wake(w);
}

void writers_end_rest(struct audit_server *s)
{
    struct writer *w;

    for (w = TAILQ_FIRST(&s->writers); w != NULL; w = TAILQ_NEXT(w, entry))
        w->is_readable |= w->is_resting;
}

/* ---- all of them ---- */

void writers_set_reading(struct audit_server *s, bool is_reading)
{
    struct writer *w;

    TAILQ_FOREACH (w, &s->writers, entry)
        if (w->unsaid_count == 0 &&
            (is_reading ? event_add(w->watch.readable, NULL) : event_del(w->watch.readable)) != 0)
            log_problem("a line of %s: no event", w->role);
}

bool writers_have_rest(const struct audit_server *s)
{
    const struct writer *w;

    TAILQ_FOREACH (w, &s->writers, entry)
        if (w->left != 0 && w->unsaid_count == 0)
            return true;
    return false;
}

bool writers_give_up_on_silent(struct audit_server *s)
{
    bool has_one = false;
    struct writer *w;

    for (w = TAILQ_FIRST(&s->writers); w != NULL; w = TAILQ_NEXT(w, entry)) {
        if (w->unsaid_count == 0)
            continue;
        go_deaf(w);
        has_one = true;
    }
    return has_one;
}

/* ---- life ---- */

static void on_writer(evutil_socket_t fd, short what, void *arg)
{
    struct writer *w = arg;

    (void)fd;
    (void)what;
    w->is_readable = true;
    event_active(w->server->turn, 0, 0); /* behind the other writers that are readable now */
}

/* While the pipe is full nobody is read. */
static postern_err listen_to(struct writer *w, int take_fd, postern_error *err)
{
    struct channel_watch_calls calls = { on_writer, on_writer_writable, w };

    POSTERN_TRY(channel_watch_open(&w->watch, w->server->base, take_fd, calls, err));
    if (w->server->room == NULL || event_del(w->watch.readable) == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, NOMEM, "no event");
}

postern_err writers_add(struct audit_server *s, int take_fd, postern_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    postern_err e;

    if (w == NULL) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, NOMEM, "line to a writer");
    }
    w->server = s;
    TAILQ_INSERT_TAIL(&s->writers, w, entry);
    s->writer_count++;
    if (!channel_text(supervisor_line_channel(s->supervisor), "role", w->role, sizeof w->role))
        memcpy(w->role, "writer", sizeof "writer");
    e = listen_to(w, take_fd, err);
    if (e != POSTERN_OK)
        drop_writer(w);
    return e;
}

void writers_drop_all(struct audit_server *s)
{
    while (!TAILQ_EMPTY(&s->writers))
        drop_writer(TAILQ_FIRST(&s->writers));
}
