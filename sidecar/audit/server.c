/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writers, batches and confirmations of the audit child (sidecar/audit/server.h).  A record is
 * confirmed when its line stands in the file, and the others of its batch do not change that.  A
 * writer that does not read its confirmations is not read either, so that what is kept for it has a
 * bound.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "../channel.h"
#include "../log.h"
#include "server.h"

#define WRITER_ROLE_MAX   32  /* bytes with NUL: "helper", "door" */
#define WRITER_DETAIL_MAX 128 /* bytes with NUL of why a record failed */
/* Between two lines of log about records that cannot be written. */
#define TROUBLE_LOG_MS 1000

struct confirmation {
    int64_t id;
    bool is_failed;
};

struct writer {
    TAILQ_ENTRY(writer) entry;
    struct audit_server *server;
    struct channel *channel;
    struct event *from, *to; /* `to` is pending while confirmations wait */
    bool is_readable;
    struct confirmation unsaid[AUDIT_BATCH_MAX];
    size_t unsaid_count, said_count; /* of unsaid[] */
    char detail[WRITER_DETAIL_MAX];  /* of the latest failure */
    char role[WRITER_ROLE_MAX];
};
TAILQ_HEAD(writer_list, writer);

/* A message of this batch. */
struct taken {
    struct writer *writer; /* NULL: gone meanwhile */
    int64_t id;
    bool is_refused; /* its writer was told why: writer->detail */
};

struct audit_server {
    struct event_base *base;
    struct audit_server_owner owner;
    struct channel *supervisor;
    struct event *from_supervisor;
    struct event *turn; /* made active by whatever brings work */
    struct event *sync; /* AUDIT_SYNC_MS */
    struct event *room; /* a pipe that was full; NULL: a write does not wait */
    struct audit_file *file;
    struct writer_list writers;
    size_t writer_count;
    struct taken taken[AUDIT_BATCH_MAX];
    size_t taken_count;
    bool is_ready, is_draining, has_ended;
    int64_t trouble_ms; /* monotonic, of the last line of log about it; 0: none */
};

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    return clock_gettime(clock, &now) == 0 ? now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000 : 0;
}

static void log_trouble(struct audit_server *s, const char *what, const postern_error *err)
{
    int64_t now = now_ms(CLOCK_MONOTONIC);

    if (s->trouble_ms != 0 && now - s->trouble_ms < TROUBLE_LOG_MS)
        return;
    s->trouble_ms = now;
    log_error(what, err);
}

/* ---- confirmations ---- */

static void drop_writer(struct writer *w)
{
    struct audit_server *s = w->server;

    for (size_t i = 0; i < s->taken_count; i++)
        if (s->taken[i].writer == w)
            s->taken[i].writer = NULL;
    if (w->from != NULL)
        event_free(w->from);
    if (w->to != NULL)
        event_free(w->to);
    channel_free(w->channel);
    TAILQ_REMOVE(&s->writers, w, entry);
    s->writer_count--;
    free(w);
}

static postern_err send_confirmation(struct writer *w, struct confirmation c, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1024);
    postern_json_writer j = { .out = &out };

    postern_json_open_object(&j, NULL);
    postern_json_put_str(&j, "type", c.is_failed ? "failed" : "done");
    postern_json_put_integer(&j, "id", c.id);
    if (c.is_failed)
        postern_json_put_str(&j, "detail", w->detail);
    postern_json_close_object(&j);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "confirmation of an audit record");
    return channel_send(w->channel, postern_buf_bytes(&out), -1, err);
}

/* Say what is unsaid, as far as the writer reads.  False: it is gone or cannot be told, its line is
 * of no use. */
static bool say(struct writer *w)
{
    while (w->said_count < w->unsaid_count) {
        postern_error err = { 0 };
        postern_err e = send_confirmation(w, w->unsaid[w->said_count], &err);

        if (e == POSTERN_AGAIN)
            return event_del(w->from) == 0 && event_add(w->to, NULL) == 0;
        if (e != POSTERN_OK)
            return false;
        w->said_count++;
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
    if (!say(w))
        drop_writer(w);
    else if (w->unsaid_count == 0 &&
             (event_del(w->to) != 0 || (!is_stalled && event_add(w->from, NULL) != 0)))
        drop_writer(w);
}

/* ---- records in ---- */

static void refuse(struct writer *w, struct taken *t, const postern_error *err)
{
    size_t len = strnlen(err->detail, sizeof w->detail - 1);

    t->is_refused = true;
    memcpy(w->detail, err->detail, len);
    w->detail[len] = '\0';
}

static postern_err take_record(struct writer *w, postern_error *err)
{
    struct audit_server *s = w->server;
    const postern_json *j = channel_message(w->channel);
    struct taken *t = &s->taken[s->taken_count];
    postern_error why = { 0 };

    *t = (struct taken){ .writer = w };
    if (!channel_type_is(w->channel, "record") || !channel_integer(w->channel, "id", &t->id))
        return POSTERN_FAIL(err, MALFORMED, "message that is no record with id");
    s->taken_count++;
    if (audit_file_add(s->file, j, postern_json_member(j, 0, "record"), now_ms(CLOCK_REALTIME),
                       &why) != POSTERN_OK)
        refuse(w, t, &why);
    return POSTERN_OK;
}

/* One message of this writer.  False: it has none now (or is gone). */
static bool take_message(struct writer *w)
{
    postern_error err = { 0 };

    switch (channel_receive(w->channel, &err)) {
    case CHANNEL_NOTHING:
        w->is_readable = false;
        return false;
    case CHANNEL_MESSAGE:
        if (take_record(w, &err) == POSTERN_OK)
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

static bool is_full(const struct audit_server *s)
{
    return s->taken_count == AUDIT_BATCH_MAX || audit_file_is_full(s->file);
}

/* A few messages of each writer that has some; again, until all are dry or the batch is full.  Who
 * was served goes to the end of the list. */
static void gather(struct audit_server *s)
{
    size_t before;

    s->taken_count = 0;
    do {
        struct writer *last = TAILQ_LAST(&s->writers, writer_list), *w, *next;

        before = s->taken_count;
        for (w = TAILQ_FIRST(&s->writers); w != NULL && !is_full(s); w = next) {
            bool is_last = w == last;

            next = is_last ? NULL : TAILQ_NEXT(w, entry);
            if ((!w->is_readable && !s->is_draining) || w->unsaid_count != 0)
                continue;
            TAILQ_REMOVE(&s->writers, w, entry);
            TAILQ_INSERT_TAIL(&s->writers, w, entry);
            for (int i = 0; i < AUDIT_TURN_MAX && !is_full(s) && take_message(w); i++)
                ;
        }
    } while (s->taken_count != before && !is_full(s));
}

/* ---- a batch ---- */

static void confirm(struct audit_server *s, size_t whole_count, const postern_error *err)
{
    size_t added = 0;

    for (size_t i = 0; i < s->taken_count; i++) {
        struct taken *t = &s->taken[i];
        bool is_failed = t->is_refused || added++ >= whole_count;

        if (t->writer == NULL)
            continue;
        if (is_failed && !t->is_refused)
            refuse(t->writer, t, err);
        t->writer->unsaid[t->writer->unsaid_count++] = (struct confirmation){ t->id, is_failed };
    }
    for (size_t i = 0; i < s->taken_count;
         i++) { /* a writer's are said at its first; drop_writer() clears the others */
        struct writer *w = s->taken[i].writer;

        if (w != NULL && w->said_count == 0 && w->unsaid_count != 0 &&
            !event_pending(w->to, EV_WRITE, NULL) && !say(w))
            drop_writer(w);
    }
    s->taken_count = 0;
}

static void sync_soon(struct audit_server *s)
{
    struct timeval soon = { .tv_usec = AUDIT_SYNC_MS * 1000 };

    if (!audit_file_is_dirty(s->file) || event_pending(s->sync, EV_TIMEOUT, NULL))
        return;
    if (event_add(s->sync, &soon) != 0)
        log_problem("records are not synced to the disk: no memory for a timer");
}

static void sync_now(struct audit_server *s)
{
    postern_error err = { 0 };

    if (audit_file_sync(s->file, &err) != POSTERN_OK)
        log_trouble(s, "audit records of the last second may not be on the disk", &err);
}

static void on_sync(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    sync_now(s);
    sync_soon(s); /* when it failed */
}

/* Returns how many messages came in. */
static size_t serve(struct audit_server *s)
{
    postern_error err = { 0 };
    size_t whole_count = 0, count;

    gather(s);
    count = s->taken_count;
    if (audit_file_write(s->file, &whole_count, &err) != POSTERN_OK)
        log_trouble(s, "audit records cannot be written, logins are undecided", &err);
    sync_soon(s);
    confirm(s, whole_count, &err);
    return count;
}

/* ---- a pipe that is full ---- */

static void set_reading(struct audit_server *s, bool is_reading)
{
    struct writer *w;

    TAILQ_FOREACH(w, &s->writers, entry)
    if (w->unsaid_count == 0 && (is_reading ? event_add(w->from, NULL) : event_del(w->from)) != 0)
        log_problem("a line of %s: no event", w->role);
}

static void forget_room(struct audit_server *s)
{
    if (s->room == NULL)
        return;
    event_free(s->room);
    s->room = NULL;
    set_reading(s, true);
    event_active(s->turn, 0, 0);
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    forget_room(arg);
}

/* Read nobody until the pipe takes something.  False: that cannot be waited for, so write and wait
 * there. */
static bool wait_for_room(struct audit_server *s)
{
    s->room = event_new(s->base, audit_file_fd(s->file), EV_WRITE, on_room, s);
    if (s->room != NULL && event_add(s->room, NULL) == 0) {
        set_reading(s, false);
        return true;
    }
    if (s->room != NULL)
        event_free(s->room);
    s->room = NULL;
    return false;
}

static void end(struct audit_server *s)
{
    sync_now(s);
    s->has_ended = true;
    s->owner.ended(s->owner.arg);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    if (s->has_ended || s->room != NULL)
        return;
    if (!audit_file_is_writable(s->file) && wait_for_room(s))
        return;
    if (serve(s) == 0 && s->is_draining)
        end(s);
    else if (s->is_draining)
        event_active(s->turn, 0, 0);
}

static void on_writer(evutil_socket_t fd, short what, void *arg)
{
    struct writer *w = arg;

    (void)fd;
    (void)what;
    w->is_readable = true;
    event_active(w->server->turn, 0, 0); /* behind the other writers that are readable now */
}

/* ---- the supervisor ---- */

static postern_err add_writer(struct audit_server *s, int take_fd, postern_error *err)
{
    struct channel *channel = NULL;
    struct writer *w;

    POSTERN_TRY(channel_new(take_fd, &channel, err));
    w = calloc(1, sizeof *w);
    if (w == NULL) {
        channel_free(channel);
        return POSTERN_FAIL(err, NOMEM, "line to a writer");
    }
    w->server = s;
    w->channel = channel;
    TAILQ_INSERT_TAIL(&s->writers, w, entry);
    s->writer_count++;
    if (!channel_text(s->supervisor, "role", w->role, sizeof w->role))
        memcpy(w->role, "writer", sizeof "writer");
    w->from = event_new(s->base, channel_fd(channel), EV_READ | EV_PERSIST, on_writer, w);
    w->to = event_new(s->base, channel_fd(channel), EV_WRITE | EV_PERSIST, on_writer_writable, w);
    if (w->from != NULL && w->to != NULL && (s->room != NULL || event_add(w->from, NULL) == 0))
        return POSTERN_OK;
    drop_writer(w);
    return POSTERN_FAIL(err, NOMEM, "line to a writer");
}

static postern_err take_writer(struct audit_server *s, postern_error *err)
{
    int fd = channel_take_fd(s->supervisor);

    if (fd < 0)
        return POSTERN_FAIL(err, MALFORMED, "writer without its descriptor");
    if (s->writer_count < AUDIT_WRITERS_MAX)
        return add_writer(s, fd, err);
    (void)close(fd);
    return POSTERN_FAIL(err, LIMIT, "more than %d writers", AUDIT_WRITERS_MAX);
}

static postern_err take_file(struct audit_server *s, postern_error *err)
{
    int fd = channel_take_fd(s->supervisor);

    if (fd < 0)
        return POSTERN_FAIL(err, MALFORMED, "file without its descriptor");
    sync_now(s);
    POSTERN_TRY(audit_file_take(s->file, fd, now_ms(CLOCK_REALTIME), err));
    sync_soon(s);
    forget_room(s); /* of the one before */
    if (s->is_ready)
        return POSTERN_OK;
    s->is_ready = true;
    return channel_send_type(s->supervisor, "ready", -1, err);
}

static void drain(struct audit_server *s)
{
    s->is_draining = true;
    event_active(s->turn, 0, 0);
}

static postern_err take_supervisor_message(struct audit_server *s, postern_error *err)
{
    if (channel_type_is(s->supervisor, "file"))
        return take_file(s, err);
    if (channel_type_is(s->supervisor, "writer"))
        return take_writer(s, err);
    if (!channel_type_is(s->supervisor, "drain"))
        return POSTERN_FAIL(err, MALFORMED, "message of a type that the audit child does not know");
    drain(s);
    return POSTERN_OK;
}

static void on_supervisor(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    switch (channel_receive(s->supervisor, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        if (take_supervisor_message(s, &err) != POSTERN_OK)
            log_error("message of the supervisor", &err);
        return;
    case CHANNEL_BROKEN:
        log_error("line to the supervisor", &err);
        break;
    case CHANNEL_CLOSED:
        break;
    }
    (void)event_del(s->from_supervisor); /* end of file stays readable for ever */
    drain(s);
}

/* ---- the whole ---- */

static postern_err make_events(struct audit_server *s, postern_error *err)
{
    s->from_supervisor =
        event_new(s->base, channel_fd(s->supervisor), EV_READ | EV_PERSIST, on_supervisor, s);
    s->turn = event_new(s->base, -1, 0, on_turn, s);
    s->sync = event_new(s->base, -1, 0, on_sync, s);
    if (s->from_supervisor == NULL || s->turn == NULL || s->sync == NULL ||
        event_add(s->from_supervisor, NULL) != 0)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return POSTERN_OK;
}

postern_err audit_server_new(struct event_base *base, int take_supervisor_fd,
                             struct audit_server_owner owner, struct audit_server **ret,
                             postern_error *err)
{
    struct channel *supervisor = NULL;
    struct audit_server *s;
    postern_err e;

    POSTERN_TRY(channel_new(take_supervisor_fd, &supervisor, err));
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        channel_free(supervisor);
        return POSTERN_FAIL(err, NOMEM, "audit child");
    }
    s->base = base;
    s->owner = owner;
    s->supervisor = supervisor;
    TAILQ_INIT(&s->writers);
    e = audit_file_new(&s->file, err);
    if (e == POSTERN_OK)
        e = make_events(s, err);
    if (e != POSTERN_OK) {
        audit_server_free(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

void audit_server_free(struct audit_server *s)
{
    if (s == NULL)
        return;
    while (!TAILQ_EMPTY(&s->writers))
        drop_writer(TAILQ_FIRST(&s->writers));
    if (s->room != NULL)
        event_free(s->room);
    if (s->sync != NULL)
        event_free(s->sync);
    if (s->turn != NULL)
        event_free(s->turn);
    if (s->from_supervisor != NULL)
        event_free(s->from_supervisor);
    channel_free(s->supervisor);
    audit_file_free(s->file);
    free(s);
}
