/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel on the event base, with a bounded queue of answers (role_line.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../channel_watch.h"
#include "../log.h"
#include "role_line.h"

/* Answers that wait, in bytes.  Questions wait while one does, but revocations that came before are
 * all acknowledged at one time: 65,536 of 40 bytes, and some large answers. */
#define QUEUE_BYTES_MAX   (8u << 20)
#define MESSAGES_PER_WAKE 64

struct answer {
    STAILQ_ENTRY(answer) entry;
    size_t len;
    uint8_t text[];
};

struct role_line {
    struct channel_watch watch; /* `writable` is pending while answers wait */
    const char *name;
    struct role_line_owner owner;
    bool is_broken;
    STAILQ_HEAD(answer_list, answer) queue;
    size_t queued, queued_bytes;
};

static void close_line(struct role_line *l)
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
        close_line(l);
        return;
    }
    for (int i = 0; i < MESSAGES_PER_WAKE && l->queued == 0; i++)
        switch (channel_receive(l->watch.channel, &err)) {
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_MESSAGE:
            if (l->owner.message(l->owner.arg, l))
                continue;
            log_problem("line to %s: a message breaks the rules", l->name);
            close_line(l);
            return;
        case CHANNEL_BROKEN:
            log_error(l->name, &err);
            close_line(l);
            return;
        case CHANNEL_CLOSED:
            close_line(l);
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

/* An answer is lost, so the other end must not go on as if it had all of them: it sees the end of
 * the line and gets another. */
static void break_line(struct role_line *l)
{
    (void)shutdown(channel_fd(l->watch.channel), SHUT_RDWR); /* on_readable() finds it closed */
    while (l->queued != 0)
        pop(l);
    l->is_broken = true;
    event_active(l->watch.readable, EV_READ, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct role_line *l = arg;

    (void)fd;
    (void)what;
    while (l->queued != 0) {
        struct answer *a = STAILQ_FIRST(&l->queue);
        postern_err e =
            channel_send(l->watch.channel, (postern_bytes){ a->text, a->len }, -1, NULL);

        if (e == POSTERN_AGAIN)
            break;
        if (e != POSTERN_OK) {
            break_line(l);
            return;
        }
        pop(l);
    }
    if (event_add(l->queued != 0 ? l->watch.writable : l->watch.readable, NULL) != 0)
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
    (void)event_del(l->watch.readable);
    return event_add(l->watch.writable, NULL) == 0;
}

static bool send_or_queue(struct role_line *l, postern_bytes message)
{
    postern_err e;

    if (l->queued != 0)
        return enqueue(l, message);
    e = channel_send(l->watch.channel, message, -1, NULL);
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
    return l->watch.channel;
}

postern_err role_line_new(struct event_base *base, int take_fd, const char *name,
                          struct role_line_owner owner, struct role_line **ret, postern_error *err)
{
    struct role_line *l = calloc(1, sizeof *l);
    postern_err e;

    if (l == NULL) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, NOMEM, "line to %s", name);
    }
    l->name = name;
    l->owner = owner;
    STAILQ_INIT(&l->queue);
    e = channel_watch_open(&l->watch, base, take_fd,
                           (struct channel_watch_calls){ on_readable, on_writable, l }, err);
    if (e != POSTERN_OK) {
        role_line_free(l);
        return e;
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
    channel_watch_close(&l->watch);
    free(l);
}
