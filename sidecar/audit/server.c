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
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../channel_watch.h"
#include "../log.h"
#include "../supervisor_line.h"
#include "../timer.h"
#include "checkpoints.h"
#include "server.h"
#include "sums.h"

#define WRITER_ROLE_MAX   32  /* bytes with NUL: "helper", "door" */
#define WRITER_DETAIL_MAX 128 /* bytes with NUL of why a record failed */
/* Between two lines of log about records that cannot be written. */
#define TROUBLE_LOG_MS 1000

typedef enum fate { FATE_WRITTEN = 0, FATE_FAILED, FATE_REFUSED } fate;

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
TAILQ_HEAD(writer_list, writer);

/* A record of this batch. */
struct taken {
    struct writer *writer; /* NULL: gone meanwhile */
    int64_t id;
    fate fate; /* FATE_WRITTEN: it is in the batch; else why it is not: writer->detail */
};

struct audit_server {
    struct event_base *base;
    struct audit_server_owner owner;
    struct supervisor_line *supervisor;
    struct event *turn; /* made active by whatever brings work */
    struct event *sync; /* AUDIT_SYNC_MS */
    struct event *room; /* a pipe that was full; NULL: a write does not wait */
    struct event *sum;  /* TALLY_PERIOD_MS, and at once while there is more */
    struct event *rest; /* AUDIT_REST_MS, while writers rest */
    struct event *sign; /* checkpoints_every_ms() after a record that no checkpoint covers */
    struct audit_file *file;
    struct sums sums;
    struct checkpoints *checkpoints;
    struct writer_list writers;
    size_t writer_count;
    struct taken taken[AUDIT_BATCH_MAX];
    size_t taken_count;
    bool is_ready, is_draining, has_ended;
    int64_t trouble_ms; /* monotonic, of the last line of log about it; 0: none */
};

static void log_trouble(struct audit_server *s, const char *what, const postern_error *err)
{
    int64_t now = clock_mono_ms();

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

/* A few records of each writer that has some; again, until all are dry or the batch is full.  Who
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
            if ((!w->is_readable && w->left == 0 && !s->is_draining) || w->unsaid_count != 0)
                continue;
            TAILQ_REMOVE(&s->writers, w, entry);
            TAILQ_INSERT_TAIL(&s->writers, w, entry);
            for (int i = 0; i < AUDIT_TURN_MAX && !is_full(s) && take_next(w); i++)
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

static void sync_soon(struct audit_server *s)
{
    if (!audit_file_is_dirty(s->file) || event_pending(s->sync, EV_TIMEOUT, NULL))
        return;
    if (!timer_start(s->sync, AUDIT_SYNC_MS))
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

/* ---- checkpoints ---- */

static void send_to_log(const postern_buf *line)
{
    if (line->len != 0)
        log_note("checkpoint: %.*s", (int)line->len, (const char *)line->ptr);
}

static void make_checkpoint(struct audit_server *s)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(AUDIT_LINE_MAX);
    postern_error err = { 0 };
    postern_err e = checkpoints_make(s->checkpoints, s->file, clock_wall_ms(), &line, &err);

    send_to_log(&line);
    if (e != POSTERN_OK)
        log_trouble(s, "the audit chain has no new checkpoint", &err);
    sync_soon(s);
}

static void sign_soon(struct audit_server *s)
{
    int64_t every_ms = checkpoints_every_ms(s->checkpoints);

    if (checkpoints_is_full(s->checkpoints, s->file))
        make_checkpoint(s);
    if (every_ms == 0 || !checkpoints_has_work(s->checkpoints, s->file) ||
        event_pending(s->sign, EV_TIMEOUT, NULL))
        return;
    if (!timer_start(s->sign, every_ms))
        log_problem("the audit chain has no new checkpoint: no memory for a timer");
}

static void on_sign(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    make_checkpoint(s);
    sign_soon(s); /* when it failed, or came between two batches */
}

/* ---- batches ---- */

/* Whether anything can be written, doors that count actions are to know at once. */
static void note_written(struct audit_server *s, postern_err e)
{
    if (s->sums.memory != NULL)
        tally_set_stuck(s->sums.memory, e != POSTERN_OK);
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

/* After a batch: who may rest does so until s->rest, also while others bring theirs; all others are
 * listened to. */
static void send_to_rest(struct audit_server *s)
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

static void on_rest(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;
    struct writer *w;

    (void)fd;
    (void)what;
    for (w = TAILQ_FIRST(&s->writers); w != NULL; w = TAILQ_NEXT(w, entry))
        w->is_readable |= w->is_resting;
    event_active(s->turn, 0, 0);
}

/* Returns how many messages came in. */
static size_t serve(struct audit_server *s)
{
    postern_error err = { 0 };
    size_t whole_count = 0, count;
    postern_err e;

    gather(s);
    count = s->taken_count;
    e = audit_file_write(s->file, &whole_count, &err);
    if (count != 0)
        note_written(s, e);
    if (e != POSTERN_OK)
        log_trouble(s, "audit records cannot be written, logins are undecided", &err);
    sync_soon(s);
    confirm(s, whole_count, &err);
    send_to_rest(s);
    if (whole_count != 0)
        sign_soon(s);
    return count;
}

/* ---- what doors counted ---- */

/* One batch; false: the round is over. */
static bool write_sums(struct audit_server *s, postern_err *ret)
{
    int64_t before = audit_file_head(s->file).seq;
    postern_error err = { 0 };
    bool is_over = true;

    *ret = sums_write(&s->sums, s->file, clock_wall_ms(), &is_over, &err);
    if (*ret != POSTERN_OK)
        log_trouble(s, "audit records cannot be written, actions are not counted any more", &err);
    if (*ret != POSTERN_OK || audit_file_head(s->file).seq != before) /* else nothing was tried */
        note_written(s, *ret);
    sync_soon(s);
    sign_soon(s);
    return !is_over;
}

static void on_sum(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;
    postern_err e = POSTERN_OK;
    bool has_more;

    (void)fd;
    (void)what;
    if (s->has_ended)
        return;
    /* Somebody has to read the pipe first: then what was counted is stale, and nothing more is. */
    has_more = audit_file_fd(s->file) >= 0 && audit_file_is_writable(s->file) && write_sums(s, &e);
    if (has_more)
        event_active(s->sum, 0, 0); /* behind whoever waits for a confirmation */
    else if (!timer_start(s->sum, TALLY_PERIOD_MS))
        log_problem("what doors count is not written: no memory for a timer");
}

/* ---- a pipe that is full ---- */

static void set_reading(struct audit_server *s, bool is_reading)
{
    struct writer *w;

    TAILQ_FOREACH (w, &s->writers, entry)
        if (w->unsaid_count == 0 &&
            (is_reading ? event_add(w->watch.readable, NULL) : event_del(w->watch.readable)) != 0)
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

/* All doors have ended: what they counted last, and where the chain stands. */
static void write_last(struct audit_server *s)
{
    postern_err e;

    s->sums.at = (struct tally_cursor){ 0 };
    while (audit_file_fd(s->file) >= 0 && write_sums(s, &e))
        ;
    make_checkpoint(s);
}

static void end(struct audit_server *s)
{
    write_last(s);
    sync_now(s);
    s->has_ended = true;
    s->owner.ended(s->owner.arg);
}

/* Records that were received and found no room in the batch, and whose writer can be answered: no
 * socket would say so. */
static bool has_rest(const struct audit_server *s)
{
    const struct writer *w;

    TAILQ_FOREACH (w, &s->writers, entry)
        if (w->left != 0 && w->unsaid_count == 0)
            return true;
    return false;
}

/* At the end: who has not read its confirmations by now never will, and what it sent behind them is
 * written too.  False: there is nobody. */
static bool give_up_on_silent(struct audit_server *s)
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

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    if (s->has_ended || s->room != NULL)
        return;
    if (!audit_file_is_writable(s->file) && wait_for_room(s))
        return;
    if (serve(s) == 0 && s->is_draining && !has_rest(s) && !give_up_on_silent(s))
        end(s);
    else if (s->is_draining || has_rest(s))
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

/* While the pipe is full nobody is read. */
static postern_err listen_to(struct writer *w, int take_fd, postern_error *err)
{
    struct channel_watch_calls calls = { on_writer, on_writer_writable, w };

    POSTERN_TRY(channel_watch_open(&w->watch, w->server->base, take_fd, calls, err));
    if (w->server->room == NULL || event_del(w->watch.readable) == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, NOMEM, "no event");
}

static postern_err add_writer(struct audit_server *s, int take_fd, postern_error *err)
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

static void log_refusal(const postern_error *err)
{
    log_error("message of the supervisor", err);
}

static void take_writer(void *arg, int take_fd)
{
    struct audit_server *s = arg;
    postern_error err = { 0 };

    if (s->writer_count >= AUDIT_WRITERS_MAX) {
        (void)close(take_fd);
        (void)POSTERN_FAIL(&err, LIMIT, "more than %d writers", AUDIT_WRITERS_MAX);
        log_refusal(&err);
    } else if (add_writer(s, take_fd, &err) != POSTERN_OK) {
        log_refusal(&err);
    }
}

/* The file before ends with a checkpoint: whoever keeps it has its proof in it. */
static postern_err change_file(struct audit_server *s, int take_fd, postern_error *err)
{
    if (audit_file_fd(s->file) >= 0)
        make_checkpoint(s);
    sync_now(s);
    POSTERN_TRY(audit_file_take(s->file, take_fd, clock_wall_ms(), err));
    sync_soon(s);
    sign_soon(s);
    forget_room(s); /* of the one before */
    if (s->is_ready)
        return POSTERN_OK;
    s->is_ready = true;
    return supervisor_line_say_ready(s->supervisor, err);
}

static void take_file(void *arg, int take_fd)
{
    postern_error err = { 0 };

    if (change_file(arg, take_fd, &err) != POSTERN_OK)
        log_refusal(&err);
}

/* The memory is one for all of posternd's life: a second message brings the same. */
static void take_tally(void *arg, int take_fd)
{
    struct audit_server *s = arg;
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    if (s->sums.memory == NULL)
        e = tally_memory_map(take_fd, &s->sums.memory, &err);
    (void)close(take_fd);
    if (e != POSTERN_OK)
        log_refusal(&err);
    else if (!event_pending(s->sum, EV_TIMEOUT, NULL) && !timer_start(s->sum, TALLY_PERIOD_MS))
        log_problem("what doors count is not written: no memory for a timer");
}

static postern_err publish(struct audit_server *s, postern_error *err)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(AUDIT_LINE_MAX), out = POSTERN_BUF_INIT(2 * AUDIT_LINE_MAX);
    postern_json_writer w = { .out = &out };

    POSTERN_TRY(checkpoints_public(s->checkpoints, &pem, err));
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "checkpoint_public");
    postern_json_put_string(&w, "pem", postern_buf_bytes(&pem));
    postern_json_close_object(&w);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "public key of checkpoints");
    return channel_send(supervisor_line_channel(s->supervisor), postern_buf_bytes(&out), -1, err);
}

/* What the key before has to sign, it signs. */
static void take_checkpoint_key(void *arg, int take_fd)
{
    struct audit_server *s = arg;
    postern_error err = { 0 };
    int64_t every_s = 0;
    postern_err e;

    if (audit_file_fd(s->file) >= 0)
        make_checkpoint(s);
    if (!channel_integer(supervisor_line_channel(s->supervisor), "every", &every_s) || every_s < 1)
        every_s = 1;
    e = checkpoints_use_key(s->checkpoints, take_fd, every_s, &err);
    if (e == POSTERN_OK)
        e = publish(s, &err);
    if (e != POSTERN_OK)
        log_refusal(&err);
}

static void take_checkpoint_file(void *arg, int take_fd)
{
    struct audit_server *s = arg;

    checkpoints_use_file(s->checkpoints, take_fd);
}

static void drain(void *arg)
{
    struct audit_server *s = arg;

    s->is_draining = true;
    event_active(s->turn, 0, 0);
}

static const struct supervisor_message messages[] = {
    { "file", .take = take_file },
    { "writer", .take = take_writer },
    { "tally", .take = take_tally },
    { "checkpoint_key", .take = take_checkpoint_key },
    { "checkpoint_file", .take = take_checkpoint_file },
};

/* ---- the whole ---- */

static postern_err make_events(struct audit_server *s, int take_supervisor_fd, postern_error *err)
{
    POSTERN_TRY(supervisor_line_new(
        s->base, take_supervisor_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, s },
        &s->supervisor, err));
    s->turn = event_new(s->base, -1, 0, on_turn, s);
    s->sync = event_new(s->base, -1, 0, on_sync, s);
    s->sum = event_new(s->base, -1, 0, on_sum, s);
    s->sign = event_new(s->base, -1, 0, on_sign, s);
    s->rest = event_new(s->base, -1, 0, on_rest, s);
    if (s->turn == NULL || s->sync == NULL || s->sum == NULL || s->sign == NULL || s->rest == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return POSTERN_OK;
}

postern_err audit_server_new(struct event_base *base, int take_supervisor_fd,
                             struct audit_server_owner owner, struct audit_server **ret,
                             postern_error *err)
{
    struct audit_server *s = calloc(1, sizeof *s);
    postern_err e;

    if (s == NULL) {
        (void)close(take_supervisor_fd);
        return POSTERN_FAIL(err, NOMEM, "audit child");
    }
    s->base = base;
    s->owner = owner;
    TAILQ_INIT(&s->writers);
    e = make_events(s, take_supervisor_fd, err);
    if (e == POSTERN_OK)
        e = audit_file_new(&s->file, err);
    if (e == POSTERN_OK)
        e = checkpoints_new(&s->checkpoints, err);
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
    timer_free(s->sync);
    timer_free(s->sum);
    timer_free(s->sign);
    timer_free(s->rest);
    if (s->turn != NULL)
        event_free(s->turn);
    supervisor_line_free(s->supervisor);
    audit_file_free(s->file);
    checkpoints_free(s->checkpoints);
    sums_free(&s->sums);
    free(s);
}
