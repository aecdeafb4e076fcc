/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit child's loop (sidecar/audit/server.h): a batch, what is due after it, what the supervisor
 * says.  Who brings the records: writers.c.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../log.h"
#include "../timer.h"
#include "server_inner.h"

/* Between two lines of log about records that cannot be written. */
#define TROUBLE_LOG_MS 1000

static void log_trouble(struct audit_server *s, const char *what, const postern_error *err)
{
    int64_t now = clock_mono_ms();

    if (s->trouble_ms != 0 && now - s->trouble_ms < TROUBLE_LOG_MS)
        return;
    s->trouble_ms = now;
    log_error(what, err);
}

/* ---- the disk ---- */

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

static void on_rest(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    writers_end_rest(s);
    event_active(s->turn, 0, 0);
}

/* Returns how many messages came in. */
static size_t serve(struct audit_server *s)
{
    postern_error err = { 0 };
    size_t whole_count = 0, count;
    postern_err e;

    writers_gather(s);
    count = s->taken_count;
    e = audit_file_write(s->file, &whole_count, &err);
    if (count != 0)
        note_written(s, e);
    if (e != POSTERN_OK)
        log_trouble(s, "audit records cannot be written, logins are undecided", &err);
    sync_soon(s);
    writers_confirm(s, whole_count, &err);
    writers_send_to_rest(s);
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

static void forget_room(struct audit_server *s)
{
    if (s->room == NULL)
        return;
    event_free(s->room);
    s->room = NULL;
    writers_set_reading(s, true);
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
        writers_set_reading(s, false);
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

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct audit_server *s = arg;

    (void)fd;
    (void)what;
    if (s->has_ended || s->room != NULL)
        return;
    if (!audit_file_is_writable(s->file) && wait_for_room(s))
        return;
    if (serve(s) == 0 && s->is_draining && !writers_have_rest(s) && !writers_give_up_on_silent(s))
        end(s);
    else if (s->is_draining || writers_have_rest(s))
        event_active(s->turn, 0, 0);
}

/* ---- the supervisor ---- */

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
    } else if (writers_add(s, take_fd, &err) != POSTERN_OK) {
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
    writers_drop_all(s);
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
