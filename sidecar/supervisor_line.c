/* SPDX-License-Identifier: BSD-2-Clause */
/* See supervisor_line.h. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "channel_watch.h"
#include "log.h"
#include "supervisor_line.h"

struct supervisor_line {
    struct channel_watch watch;
    struct supervisor_line_owner owner;
    bool is_broken, is_over;
};

static void handle(struct supervisor_line *l, const struct supervisor_message *m)
{
    int fd;

    if (m->obey != NULL) {
        m->obey(l->owner.arg);
        return;
    }
    fd = channel_take_fd(l->watch.channel);
    if (fd >= 0)
        m->take(l->owner.arg, fd);
    else
        log_problem("the supervisor sent \"%s\" without its descriptor", m->type);
}

static void take_message(struct supervisor_line *l)
{
    if (channel_type_is(l->watch.channel, "drain")) {
        l->owner.drain(l->owner.arg);
        return;
    }
    for (size_t i = 0; i < l->owner.count; i++)
        if (channel_type_is(l->watch.channel, l->owner.messages[i].type)) {
            handle(l, &l->owner.messages[i]);
            return;
        }
    log_problem("the supervisor sent a message of an unknown type");
}

void supervisor_line_read(struct supervisor_line *l)
{
    postern_error err = { 0 };

    while (!l->is_over)
        switch (channel_receive(l->watch.channel, &err)) {
        case CHANNEL_MESSAGE:
            take_message(l);
            continue;
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_BROKEN:
            log_error("line to the supervisor", &err);
            l->is_broken = true;
            /* fallthrough */
        case CHANNEL_CLOSED:
            (void)event_del(l->watch.readable); /* end of file stays readable for ever */
            l->is_over = true;
            l->owner.drain(l->owner.arg);
            return;
        }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* the channel's */
    (void)what; /* only EV_READ is asked for */
    supervisor_line_read(arg);
}

postern_err supervisor_line_new(struct event_base *base, int take_fd,
                                struct supervisor_line_owner owner, struct supervisor_line **ret,
                                postern_error *err)
{
    struct supervisor_line *l = calloc(1, sizeof *l);
    postern_err e;

    if (l == NULL) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, NOMEM, "line to the supervisor");
    }
    l->owner = owner;
    e = channel_watch_open(&l->watch, base, take_fd,
                           (struct channel_watch_calls){ .readable = on_readable, .arg = l }, err);
    if (e != POSTERN_OK) {
        free(l);
        return e;
    }
    *ret = l;
    return POSTERN_OK;
}

struct channel *supervisor_line_channel(struct supervisor_line *l)
{
    return l->watch.channel;
}

postern_err supervisor_line_say_ready(struct supervisor_line *l, postern_error *err)
{
    return channel_send_type(l->watch.channel, "ready", -1, err);
}

void supervisor_line_tell(struct supervisor_line *l, const char *type)
{
    postern_error err = { .detail = "it reads nothing" }; /* POSTERN_AGAIN fills in none */

    if (!l->is_over && channel_send_type(l->watch.channel, type, -1, &err) != POSTERN_OK)
        log_problem("telling the supervisor \"%s\": %s", type, err.detail);
}

void supervisor_line_want_lines(struct supervisor_line *l)
{
    postern_error err = { 0 };
    postern_err e = channel_send_type(l->watch.channel, "link", -1, &err);

    if (e != POSTERN_OK && e != POSTERN_AGAIN) /* AGAIN: whoever lacks a line asks again */
        log_error("asking the supervisor for lines", &err);
}

bool supervisor_line_is_broken(const struct supervisor_line *l)
{
    return l->is_broken;
}

void supervisor_line_free(struct supervisor_line *l)
{
    if (l == NULL)
        return;
    channel_watch_close(&l->watch);
    free(l);
}
