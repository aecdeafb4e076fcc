/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel on the event base, with a bounded queue of answers (role_line.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "../log.h"
#include "role_line.h"

/* Answers that wait, in bytes.  Questions wait while one does, but revocations that came before are
 * all acknowledged at one time: 65,536 of 40 bytes, and some large answers. */
#define QUEUE_BYTES_MAX (8u << 20)
#define MESSAGES_PER_WAKE 64

struct answer {
    STAILQ_ENTRY(answer) entry;
    size_t  len;
    uint8_t text[];
};

struct role_line {
    struct event_base *base;
    struct channel    *channel;
    const char        *name;
    struct role_line_owner  owner;
    struct event      *readable, *writable;
    bool               is_broken;
    STAILQ_HEAD(answer_list, answer) queue;
    size_t             queued, queued_bytes;
};

static void close_link(struct role_line *l)
{
    struct role_line_owner owner = l->owner;

    owner.gone(owner.arg, l);
    role_line_free(l);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct role_line *l = arg;
    postern_error err = { 0 };

    (void)fd;   /* the channel's */
    (void)what; /* only EV_READ is asked for */
    if (l->is_broken) {
        log_problem("line to %s: an answer is lost, it is closed", l->name);
        close_link(l);
        return;
    }
    for (int i = 0; i < MESSAGES_PER_WAKE && l->queued == 0; i++)
        switch (channel_receive(l->channel, &err)) {
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_MESSAGE:
            if (l->owner.message(l->owner.arg, l))
                continue;
            log_problem("line to %s: a message breaks the rules", l->name);
            close_link(l);
            return;
        case CHANNEL_BROKEN:
            log_error(l->name, &err);
            close_link(l);
            return;
        case CHANNEL_CLOSED:
            close_link(l);
            return;
        }
}

static void pop(struct role_line *l)
{
    struct answer *a = STAILQ_FIRST(&l->queue);

    STAILQ_REMOVE_HEAD(&l->queue, entry);
    l->queued--;
    l->queued_bytes -= a->len;
    free(a);
}

/* An answer is lost, so the other end must not go on as if it had all of them: it sees the end of the
 * line and gets another. */
static void break_line(struct role_line *l)
{
    (void)shutdown(channel_fd(l->channel), SHUT_RDWR); /* on_readable() finds it closed */
    while (l->queued != 0)
        pop(l);
    l->is_broken = true;
    event_active(l->readable, EV_READ, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct role_line *l = arg;

    (void)fd;
    (void)what;
    while (l->queued != 0) {
        struct answer *a = STAILQ_FIRST(&l->queue);
        postern_err e = channel_send(l->channel, (postern_bytes){ a->text, a->len }, -1, NULL);

        if (e == POSTERN_AGAIN)
            break;
        if (e != POSTERN_OK) {
            break_line(l);
            return;
        }
        pop(l);
    }
    if (event_add(l->queued != 0 ? l->writable : l->readable, NULL) != 0)
        break_line(l); /* a line that is not read is a revocation that is not heard */
}

static bool enqueue(struct role_line *l, postern_bytes message)
{
    struct answer *a;

    if (message.len > QUEUE_BYTES_MAX - l->queued_bytes ||
        (a = malloc(sizeof *a + message.len)) == NULL)
        return false;
    a->len = message.len;
    memcpy(a->text, message.ptr, message.len);
    STAILQ_INSERT_TAIL(&l->queue, a, entry);
    l->queued++;
    l->queued_bytes += message.len;
    (void)event_del(l->readable);
    return event_add(l->writable, NULL) == 0;
}

static bool send_or_queue(struct role_line *l, postern_bytes message)
{
    postern_err e;

    if (l->queued != 0)
        return enqueue(l, message);
    e = channel_send(l->channel, message, -1, NULL);
    return e == POSTERN_AGAIN ? enqueue(l, message) : e == POSTERN_OK;
}

bool role_line_send(struct role_line *l, postern_bytes message)
{
    if (l->is_broken)
        return false;
    if (send_or_queue(l, message))
        return true;
    break_line(l);
    return false;
}

struct channel *role_line_channel(struct role_line *l)
{
    return l->channel;
}

postern_err role_line_new(struct event_base *base, int take_fd, const char *name,
                     struct role_line_owner owner, struct role_line **ret, postern_error *err)
{
    struct channel *channel = NULL;
    struct role_line *l;

    POSTERN_TRY(channel_new(take_fd, &channel, err));
    l = calloc(1, sizeof *l);
    if (l == NULL) {
        channel_free(channel);
        return POSTERN_FAIL(err, NOMEM, "line to %s", name);
    }
    *l = (struct role_line){ .base = base, .channel = channel, .name = name, .owner = owner };
    STAILQ_INIT(&l->queue);
    l->readable = event_new(base, channel_fd(channel), EV_READ | EV_PERSIST, on_readable, l);
    l->writable = event_new(base, channel_fd(channel), EV_WRITE, on_writable, l);
    if (l->readable == NULL || l->writable == NULL || event_add(l->readable, NULL) != 0) {
        role_line_free(l);
        return POSTERN_FAIL(err, NOMEM, "line to %s", name);
    }
    *ret = l;
    return POSTERN_OK;
}

void role_line_free(struct role_line *l)
{
    if (l == NULL)
        return;
    while (l->queued != 0)
        pop(l);
    if (l->readable != NULL)
        event_free(l->readable);
    if (l->writable != NULL)
        event_free(l->writable);
    channel_free(l->channel);
    free(l);
}
