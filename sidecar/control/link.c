/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages out in order, answers back by id; see link.h.  Lists have odd ids and questions even
 * ones, so that a late "done" of the one is never taken for the other's.  A list is written message
 * by message while the other end reads: nothing is built in memory for it, and one that was not
 * begun gives way to a newer one.
 */
#include "link.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "channel_watch.h"
#include "log.h"
#include "timer.h"

/* A block with every byte of its texts escaped sixfold, and the names. */
#define MESSAGE_MAX 8192

struct message {
    TAILQ_ENTRY(message) entry;
    int64_t id;
    struct block_list *list; /* NULL: a question, `text` */
    size_t next;             /* of a list: 0 blocks_begin, then the entries, then blocks_end */
    postern_buf text;
};
TAILQ_HEAD(messages, message);

struct waiting {
    LIST_ENTRY(waiting) entry;
    struct link *owner;
    int64_t id;
    bool is_list;
    link_done done;
    void *arg;
    struct event *timeout;
};
LIST_HEAD(waitings, waiting);

struct link {
    struct event_base *base;
    const char *name, *contact;
    struct link_owner owner;
    struct channel_watch watch; /* closed: away */
    struct messages outbox;
    struct waitings waiting;
    size_t waiting_count;
    struct block_list *blocks; /* NULL: not known yet */
    int64_t last_question, last_list;
    int64_t told_list; /* the newest that the other end confirmed on this line */
};

/* ---- who waits ---- */

static void drop_waiting(struct waiting *w)
{
    LIST_REMOVE(w, entry);
    w->owner->waiting_count--;
    timer_free(w->timeout);
    free(w);
}

static void finish(struct waiting *w, link_news news, const struct channel *answer)
{
    link_done done = w->done;
    void *arg = w->arg;

    drop_waiting(w);
    done(arg, news, answer);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct waiting *w = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    finish(w, w->owner->watch.channel == NULL ? LINK_AWAY : LINK_SILENT, NULL);
}

/* The first that waits for this; the callback may add and cancel others, so it is looked for anew
 * each time. */
static struct waiting *find_waiting(struct link *l, bool is_list, int64_t id)
{
    struct waiting *w;

    LIST_FOREACH (w, &l->waiting, entry)
        if (w->is_list == is_list && (is_list ? w->id <= id : w->id == id))
            return w;
    return NULL;
}

static void finish_questions(struct link *l)
{
    struct waiting *w = LIST_FIRST(&l->waiting);

    while (w != NULL) {
        if (w->is_list) {
            w = LIST_NEXT(w, entry); /* a new line may still bring its answer in time */
            continue;
        }
        finish(w, LINK_AWAY, NULL);
        w = LIST_FIRST(&l->waiting);
    }
}

static bool wait_for(struct link *l, bool is_list, int64_t id, link_done done, void *arg)
{
    struct waiting *w = l->waiting_count == LINK_WAITING_MAX ? NULL : calloc(1, sizeof *w);

    if (w == NULL)
        return false;
    *w = (struct waiting){ .owner = l, .id = id, .is_list = is_list, .done = done, .arg = arg };
    LIST_INSERT_HEAD(&l->waiting, w, entry);
    l->waiting_count++;
    w->timeout = evtimer_new(l->base, on_timeout, w);
    if (w->timeout != NULL && timer_start(w->timeout, LINK_WAIT_MS))
        return true;
    drop_waiting(w);
    return false;
}

void link_cancel(struct link *l, const void *arg)
{
    struct waiting *w = LIST_FIRST(&l->waiting);

    while (w != NULL) {
        struct waiting *next = LIST_NEXT(w, entry);

        if (w->arg == arg)
            drop_waiting(w);
        w = next;
    }
}

/* ---- out ---- */

static void drop_message(struct link *l, struct message *m)
{
    TAILQ_REMOVE(&l->outbox, m, entry);
    block_list_release(m->list);
    postern_buf_free(&m->text);
    free(m);
}

static void drop_line(struct link *l)
{
    while (!TAILQ_EMPTY(&l->outbox))
        drop_message(l, TAILQ_FIRST(&l->outbox));
    channel_watch_close(&l->watch);
    l->told_list = 0;
}

static void lose_line(struct link *l, const postern_error *err)
{
    if (err != NULL)
        log_problem("line to the %s: %s", l->name, err->detail);
    drop_line(l);
    finish_questions(l);
    l->owner.lost(l->owner.arg);
}

static void write_block(const struct link *l, const struct blocked *b, postern_json_writer *w)
{
    postern_json_put_str(w, "type", "block");
    postern_json_put_str(w, "agent", b->agent);
    postern_json_put_integer(w, "until", b->until_s);
    postern_json_put_string(w, "reason", postern_bytes_str(b->reason));
    postern_json_put_string(w, "contact", postern_bytes_str(l->contact));
}

/* The next message of a list. */
static void write_next(const struct link *l, const struct message *m, postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    if (m->next == 0) {
        postern_json_put_str(&w, "type", "blocks_begin");
    } else if (m->next <= m->list->count) {
        write_block(l, &m->list->entries[m->next - 1], &w);
    } else {
        postern_json_put_str(&w, "type", "blocks_end");
        postern_json_put_integer(&w, "id", m->id);
    }
    postern_json_close_object(&w);
}

/* POSTERN_OK: all of it is out. */
static postern_err send_list(struct link *l, struct message *m, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(MESSAGE_MAX);

    for (; m->next <= m->list->count + 1; m->next++) {
        postern_buf_reset(&out);
        write_next(l, m, &out);
        if (out.failed)
            return POSTERN_FAIL(err, NOMEM, "a message");
        POSTERN_TRY(channel_send(l->watch.channel, postern_buf_bytes(&out), -1, err));
    }
    return POSTERN_OK;
}

static void flush(struct link *l)
{
    postern_error err = { 0 };
    struct message *m;
    postern_err e;

    while (l->watch.channel != NULL && (m = TAILQ_FIRST(&l->outbox)) != NULL) {
        e = m->list != NULL ? send_list(l, m, &err)
                            : channel_send(l->watch.channel, postern_buf_bytes(&m->text), -1, &err);
        if (e == POSTERN_AGAIN && event_add(l->watch.writable, NULL) == 0)
            return;
        if (e == POSTERN_OK)
            drop_message(l, m);
        else
            lose_line(l, &err);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* the channel's */
    (void)what; /* only EV_WRITE is asked for */
    flush(arg);
}

/* A list that waits unbegun is out of date now. */
static void drop_unbegun_lists(struct link *l)
{
    struct message *m = TAILQ_FIRST(&l->outbox);

    while (m != NULL) {
        struct message *next = TAILQ_NEXT(m, entry);

        if (m->list != NULL && m->next == 0)
            drop_message(l, m);
        m = next;
    }
}

static void push_list(struct link *l)
{
    struct message *m;

    l->last_list += 2;
    if (l->watch.channel == NULL || l->blocks == NULL)
        return;
    drop_unbegun_lists(l);
    m = calloc(1, sizeof *m);
    if (m == NULL) {
        /* The other end has not heard everything: on a new line it will. */
        lose_line(l, &(postern_error){ .detail = "out of memory" });
        return;
    }
    m->id = l->last_list;
    m->list = block_list_keep(l->blocks);
    TAILQ_INSERT_TAIL(&l->outbox, m, entry);
    flush(l);
}

void link_set_blocks(struct link *l, struct block_list *list)
{
    block_list_release(l->blocks);
    l->blocks = block_list_keep(list);
    push_list(l);
}

void link_await_blocks(struct link *l, link_done done, void *arg)
{
    if (l->watch.channel == NULL)
        done(arg, LINK_AWAY, NULL);
    else if (!wait_for(l, true, l->last_list, done, arg))
        done(arg, LINK_SILENT, NULL);
}

static struct message *make_question(int64_t id, const char *type,
                                     const struct link_member *members, size_t count)
{
    struct message *m = calloc(1, sizeof *m);
    postern_json_writer w;

    if (m == NULL)
        return NULL;
    m->id = id;
    m->text = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    w = (postern_json_writer){ &m->text, false };
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", type);
    postern_json_put_integer(&w, "id", id);
    for (size_t i = 0; i < count; i++)
        if (members[i].text != NULL)
            postern_json_put_string(&w, members[i].name, postern_bytes_str(members[i].text));
        else
            postern_json_put_integer(&w, members[i].name, members[i].number);
    postern_json_close_object(&w);
    if (!m->text.failed)
        return m;
    postern_buf_free(&m->text);
    free(m);
    return NULL;
}

void link_ask(struct link *l, const char *type, const struct link_member *members, size_t count,
              link_done done, void *arg)
{
    struct message *m;

    if (l->watch.channel == NULL) {
        done(arg, LINK_AWAY, NULL);
        return;
    }
    m = make_question(l->last_question + 2, type, members, count);
    if (m == NULL || !wait_for(l, false, m->id, done, arg)) {
        log_problem("line to the %s: no memory, or too many questions at one time", l->name);
        if (m != NULL)
            postern_buf_free(&m->text);
        free(m);
        done(arg, LINK_AWAY, NULL); /* nothing was asked */
        return;
    }
    l->last_question = m->id;
    TAILQ_INSERT_TAIL(&l->outbox, m, entry);
    flush(l);
}

/* ---- in ---- */

static const char *const answer_types[] = { "done", "sessions", "logins", "metrics", "held",
                                            "hold", "settle" };

static bool is_answer(const struct channel *c)
{
    for (size_t i = 0; i < sizeof answer_types / sizeof *answer_types; i++)
        if (channel_type_is(c, answer_types[i]))
            return true;
    return false;
}

static void take_confirmation(struct link *l, int64_t id)
{
    struct waiting *w;

    if (id > l->last_list || !channel_type_is(l->watch.channel, "done"))
        return; /* nobody of ours sent such a list */
    l->told_list = id > l->told_list ? id : l->told_list;
    while (l->watch.channel != NULL && (w = find_waiting(l, true, id)) != NULL)
        finish(w, LINK_KNOWS, l->watch.channel);
}

static void take_message(struct link *l)
{
    struct waiting *w;
    int64_t id = 0;

    if (!is_answer(l->watch.channel) || !channel_integer(l->watch.channel, "id", &id) || id <= 0)
        log_problem("line to the %s: a message of an unknown type, or without an id", l->name);
    else if (id % 2 == 1)
        take_confirmation(l, id);
    else if ((w = find_waiting(l, false, id)) != NULL)
        finish(w, LINK_KNOWS, l->watch.channel); /* else it came too late */
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    postern_error err = { 0 };

    (void)fd;   /* the channel's */
    (void)what; /* only EV_READ is asked for */
    while (l->watch.channel != NULL) {
        switch (channel_receive(l->watch.channel, &err)) {
        case CHANNEL_MESSAGE:
            take_message(l);
            continue;
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_BROKEN:
            lose_line(l, &err);
            return;
        case CHANNEL_CLOSED:
            lose_line(l, NULL);
            return;
        }
    }
}

void link_set(struct link *l, int take_fd)
{
    struct channel_watch_calls calls = { on_readable, on_writable, l };
    postern_error err = { 0 };

    drop_line(l);
    finish_questions(l);
    if (channel_watch_open(&l->watch, l->base, take_fd, calls, &err) == POSTERN_OK)
        push_list(l);
    else
        lose_line(l, &err);
}

/* ---- life ---- */

bool link_is_there(const struct link *l)
{
    return l->watch.channel != NULL;
}

bool link_is_told(const struct link *l)
{
    return l->watch.channel != NULL && l->told_list != 0;
}

postern_err link_new(struct event_base *base, const char *name, const char *contact,
                     struct link_owner owner, struct link **ret, postern_error *err)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "line to the %s", name);
    l->base = base;
    l->name = name;
    l->contact = contact;
    l->owner = owner;
    l->last_list = 1;
    TAILQ_INIT(&l->outbox);
    LIST_INIT(&l->waiting);
    *ret = l;
    return POSTERN_OK;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    while (!LIST_EMPTY(&l->waiting))
        drop_waiting(LIST_FIRST(&l->waiting));
    drop_line(l);
    block_list_release(l->blocks);
    free(l);
}
