/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel on the event base, with a bounded queue of answers (role_line.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../log.h"
#include "role_line.h"

#define QUEUE_MAX 256 /* answers: each question has one, and questions wait while one is queued */
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
    STAILQ_HEAD(, answer) queue;
    size_t             queued;
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
    free(a);
    l->queued--;
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
        pop(l); /* sent, or the other end is gone: its end of file follows */
    }
    if (l->queued != 0)
        (void)event_add(l->writable, NULL);
    else
        (void)event_add(l->readable, NULL);
}

static bool enqueue(struct role_line *l, postern_bytes message)
{
    struct answer *a;

    if (l->queued == QUEUE_MAX || (a = malloc(sizeof *a + message.len)) == NULL)
        return false;
    a->len = message.len;
    memcpy(a->text, message.ptr, message.len);
    STAILQ_INSERT_TAIL(&l->queue, a, entry);
    l->queued++;
    (void)event_del(l->readable);
    return event_add(l->writable, NULL) == 0;
}

bool role_line_send(struct role_line *l, postern_bytes message)
{
    postern_err e;

    if (l->queued != 0)
        return enqueue(l, message);
    e = channel_send(l->channel, message, -1, NULL);
    return e == POSTERN_AGAIN ? enqueue(l, message) : e == POSTERN_OK;
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
