/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removals on their way to the verifier; see revocations.h.  Everything unsent lies in one outbox
 * in order, so that a slow verifier costs memory for removals only, and "revocations_ready" never
 * overtakes one.  What verifiers ask on the same line is answered by introspect_line.c.
 */
#include "revocations.h"

#include <stdlib.h>

#include <postern-private/json.h>

#include "channel_watch.h"
#include "clients.h"
#include "introspect_line.h"
#include "log.h"
#include "timer.h"

#define MESSAGES_PER_WAKE 64 /* others on the loop want their turn */
#define MESSAGE_MAX 1024 /* issuer URL and a client name */
/* A line that the verifier closed was mostly replaced by one that is on its way to us already. */
#define LINK_PATIENCE_MS 100
#define LINK_REPEAT_MS   1000 /* what the supervisor grants (sidecar/role.h) */

struct message {
    struct revocation what; /* POSTERN_REVOCATION_NONE: revocations_ready */
    int64_t id;
};

struct waiting {
    int64_t id; /* 0: free */
    revocation_callback done;
    void *arg;
    struct event *timeout;
};

struct revocations {
    struct event_base *base;
    struct issuer *is;
    struct channel_watch line; /* closed: away */
    struct event *missing;     /* a timer, pending while the line is wanted */
    struct message *outbox;
    size_t outbox_count, outbox_cap, outbox_sent;
    int64_t last_id;
    revocation_link ask_link;
    void *ask_arg;
    struct waiting waiting[REVOCATION_WAITING_MAX];
};

/* ---- who waits for the verifier's word ---- */

static void finish(struct waiting *w, verifier_news news)
{
    revocation_callback done = w->done;
    void *arg = w->arg;

    (void)event_del(w->timeout); /* not pending is fine */
    w->id = 0;
    w->arg = NULL;
    done(arg, news);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    finish(arg, VERIFIER_SILENT);
}

static void finish_all(struct revocations *r, verifier_news news)
{
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++)
        if (r->waiting[i].id != 0)
            finish(&r->waiting[i], news);
}

static bool wait_for(struct revocations *r, int64_t id, revocation_callback done, void *arg)
{
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++) {
        struct waiting *w = &r->waiting[i];

        if (w->id != 0)
            continue;
        if (!timer_start(w->timeout, REVOCATION_WAIT_MS))
            return false;
        w->id = id;
        w->done = done;
        w->arg = arg;
        return true;
    }
    return false;
}

void revocations_cancel(struct revocations *r, const void *arg)
{
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++)
        if (r->waiting[i].id != 0 && r->waiting[i].arg == arg) {
            (void)event_del(r->waiting[i].timeout); /* not pending is fine */
            r->waiting[i].id = 0;
        }
}

/* ---- the line ---- */

static void drop_line(struct revocations *r)
{
    channel_watch_close(&r->line);
    r->outbox_count = r->outbox_sent = 0;
    finish_all(r, VERIFIER_AWAY);
}

static void miss_line(struct revocations *r, int ms)
{
    if (!timer_start(r->missing, ms))
        log_problem("no timer: a line to helper or door is not asked for");
}

/* Asked for until it is there: one without it goes on without news of what is removed. */
static void on_missing(evutil_socket_t fd, short what, void *arg)
{
    struct revocations *r = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    r->ask_link(r->ask_arg);
    miss_line(r, LINK_REPEAT_MS);
}

/* Trouble of ours: the verifier has not heard everything, so it gets a new line and hears
 * everything again. */
static void break_line(struct revocations *r, const postern_error *err)
{
    log_error("line to helper or door", err);
    drop_line(r);
    r->ask_link(r->ask_arg);
    miss_line(r, LINK_REPEAT_MS);
}

static postern_err send_message(struct revocations *r, const struct message *m, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(MESSAGE_MAX);
    postern_json_writer w = { &text, false };
    bool is_ready = m->what.kind == POSTERN_REVOCATION_NONE;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", is_ready ? "revocations_ready" : "revoke");
    postern_json_put_integer(&w, "id", m->id);
    postern_json_put_str(&w, "issuer", r->is->settings->issuer);
    if (!is_ready) {
        postern_json_put_str(&w, postern_revocation_kind_name(m->what.kind), m->what.name);
        postern_json_put_integer(&w, "before", m->what.before_s);
    }
    postern_json_close_object(&w);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "message to the verifier");
    return channel_send(r->line.channel, postern_buf_bytes(&text), -1, err);
}

/* Send until the verifier is slow; the rest follows when it reads. */
static void flush(struct revocations *r)
{
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    while (r->outbox_sent < r->outbox_count &&
           (e = send_message(r, &r->outbox[r->outbox_sent], &err)) == POSTERN_OK)
        r->outbox_sent++;
    if (e == POSTERN_OK)
        r->outbox_count = r->outbox_sent = 0;
    else if (e != POSTERN_AGAIN || event_add(r->line.writable, NULL) != 0)
        break_line(r, &err);
}

static bool enqueue(struct revocations *r, const struct revocation *what, int64_t *ret_id)
{
    if (r->outbox_count == r->outbox_cap) {
        size_t cap = r->outbox_cap == 0 ? 64 : r->outbox_cap * 2;
        struct message *grown = reallocarray(r->outbox, cap, sizeof *grown);

        if (grown == NULL)
            return false;
        r->outbox = grown;
        r->outbox_cap = cap;
    }
    *ret_id = ++r->last_id;
    r->outbox[r->outbox_count++] = (struct message){ *what, *ret_id };
    return true;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* the channel's */
    (void)what; /* only EV_WRITE is asked for */
    flush(arg);
}

static void handle_message(struct revocations *r)
{
    int64_t id = 0;

    if (channel_type_is(r->line.channel, "introspect")) {
        introspect_line_answer(r->is, r->line.channel);
        return;
    }
    if (!channel_type_is(r->line.channel, "done") || !channel_integer(r->line.channel, "id", &id) ||
        id <= 0)
        return; /* a newer verifier's message: not for us */
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++)
        if (r->waiting[i].id == id)
            finish(&r->waiting[i], VERIFIER_KNOWS);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct revocations *r = arg;
    postern_error err = { 0 };

    (void)fd;   /* the channel's */
    (void)what; /* only EV_READ is asked for */
    for (int i = 0; i < MESSAGES_PER_WAKE && r->line.channel != NULL; i++) {
        switch (channel_receive(r->line.channel, &err)) {
        case CHANNEL_MESSAGE:
            handle_message(r);
            continue;
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_BROKEN:
            break_line(r, &err);
            return;
        case CHANNEL_CLOSED:
            drop_line(r);
            miss_line(r, LINK_PATIENCE_MS);
            return;
        }
    }
}

static postern_err enqueue_everything(struct revocations *r, postern_error *err)
{
    static const struct revocation ready = { .kind = POSTERN_REVOCATION_NONE };
    struct revocation *all = NULL;
    size_t count = 0;
    int64_t id;
    bool is_complete = true;

    POSTERN_TRY(issuer_forget_what_is_over(r->is, err));
    POSTERN_TRY(store_revocations_list(r->is->store, &all, &count, err));
    for (size_t i = 0; i < count && is_complete; i++)
        is_complete = enqueue(r, &all[i], &id);
    free(all);
    if (!is_complete || !enqueue(r, &ready, &id))
        return POSTERN_FAIL(err, NOMEM, "%zu revocations", count);
    return POSTERN_OK;
}

static postern_err listen_to(struct revocations *r, int take_fd, postern_error *err)
{
    struct channel_watch_calls calls = { on_readable, on_writable, r };

    POSTERN_TRY(channel_watch_open(&r->line, r->base, take_fd, calls, err));
    return enqueue_everything(r, err);
}

void revocations_set_line(struct revocations *r, int take_fd)
{
    postern_error err = { 0 };

    drop_line(r);
    (void)event_del(r->missing); /* not pending is fine */
    if (listen_to(r, take_fd, &err) == POSTERN_OK)
        flush(r);
    else
        break_line(r, &err);
}

void revocations_push(struct revocations *r, const struct revocation *what,
                      revocation_callback done, void *arg)
{
    postern_error err = { 0 };
    int64_t id = 0;

    if (r->line.channel == NULL) { /* it hears everything when it is back */
        if (done != NULL)
            done(arg, VERIFIER_AWAY);
        return;
    }
    if (!enqueue(r, what, &id)) {
        (void)POSTERN_FAIL(&err, NOMEM, "a revocation"); /* reported by break_line() */
        break_line(r, &err);
        if (done != NULL)
            done(arg, VERIFIER_AWAY);
        return;
    }
    if (done != NULL && !wait_for(r, id, done, arg))
        done(arg, VERIFIER_SILENT);
    flush(r);
}

/* ---- life ---- */

postern_err revocations_new(struct event_base *base, struct issuer *is, revocation_link ask_link,
                            void *ask_arg, struct revocations **ret, postern_error *err)
{
    struct revocations *r = calloc(1, sizeof *r);

    if (r == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations");
    r->base = base;
    r->is = is;
    r->ask_link = ask_link;
    r->ask_arg = ask_arg;
    r->missing = evtimer_new(base, on_missing, r);
    if (r->missing == NULL) {
        revocations_free(r);
        return POSTERN_FAIL(err, NOMEM, "revocations");
    }
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++) {
        r->waiting[i].timeout = evtimer_new(base, on_timeout, &r->waiting[i]);
        if (r->waiting[i].timeout == NULL) {
            revocations_free(r);
            return POSTERN_FAIL(err, NOMEM, "revocations");
        }
    }
    *ret = r;
    return POSTERN_OK;
}

void revocations_free(struct revocations *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++)
        r->waiting[i].id = 0;
    drop_line(r);
    for (size_t i = 0; i < REVOCATION_WAITING_MAX; i++)
        timer_free(r->waiting[i].timeout);
    timer_free(r->missing);
    free(r->outbox);
    free(r);
}
