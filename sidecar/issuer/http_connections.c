/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One reference to each connection's bufferevent is ours, so that we notice its end and can end it;
 * see http_connections.h.  The table is swept once a second and at each new connection.
 *
 * The descriptor is closed with that reference and not by evhttp before: as long as the bufferevent
 * is there it reads, and from a number that was given away it would take what another connection is
 * sent.
 */
#include "http_connections.h"

#include "http.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "log.h"

#define SWEEP_MS       1000
#define PAUSE_SWEEP_MS 20 /* while nobody is accepted: how long a free place may go unnoticed */

struct connection {
    struct bufferevent *bev;
    int64_t since_ms; /* monotonic */
};

struct http_connections {
    const postern_clock *clock;
    struct event *sweep;
    struct evconnlistener *listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    bool is_paused;
    size_t count;
    struct connection list[HTTP_CONNECTIONS_MAX];
};

static int64_t mono_ms(const struct http_connections *c)
{
    return c->clock->mono_ms(c->clock->arg);
}

/* The last thing that evhttp does to a bufferevent is to clear the callbacks. */
static bool is_over(struct bufferevent *bev)
{
    bufferevent_data_cb on_read = NULL, on_write = NULL;
    bufferevent_event_cb on_event = NULL;

    bufferevent_getcb(bev, &on_read, &on_write, &on_event, NULL);
    return on_read == NULL && on_write == NULL && on_event == NULL;
}

void http_connections_cut(struct bufferevent *bev)
{
    evutil_socket_t fd = bufferevent_getfd(bev);

    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR); /* an error means that it is closed already */
}

/* What it sent waits for us, not for it. */
static bool has_unread(const struct connection *one)
{
    evutil_socket_t fd = bufferevent_getfd(one->bev);
    int count = 0;

    return fd >= 0 && ioctl(fd, FIONREAD, &count) == 0 && count > 0;
}

/* While nobody is accepted a place is worth more: every local user can take all and say nothing. */
static bool is_overdue(const struct http_connections *c, const struct connection *one,
                       int64_t now_ms)
{
    int64_t age_ms = now_ms - one->since_ms;

    return age_ms >= HTTP_REQUEST_MAX_S * 1000 ||
           (c->is_paused && age_ms > HTTP_PRESSED_MS && !has_unread(one));
}

static void sweep(struct http_connections *c)
{
    int64_t now_ms = mono_ms(c);
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++) {
        struct connection *one = &c->list[i];

        if (is_over(one->bev)) {
            (void)bufferevent_decref(one->bev); /* says whether it was the last reference: it was */
            continue;
        }
        if (is_overdue(c, one, now_ms))
            http_connections_cut(one->bev);
        c->list[kept++] = *one;
    }
    c->count = kept;
}

/* A failure to pause or to go on is mended by the next sweep. */
static void set_accepting(struct http_connections *c, bool is_on)
{
    c->is_paused = !is_on;
    for (size_t i = 0; i < c->listener_count; i++)
        (void)(is_on ? evconnlistener_enable : evconnlistener_disable)(c->listeners[i]);
}

static void schedule_sweep(struct http_connections *c)
{
    int ms = c->is_paused ? PAUSE_SWEEP_MS : SWEEP_MS;
    struct timeval wait = { ms / 1000, (ms % 1000) * 1000 };

    (void)event_add(c->sweep, &wait); /* an event that is pending already only gets a new time */
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct http_connections *c = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    sweep(c);
    if (c->count < HTTP_CONNECTIONS_MAX)
        set_accepting(c, true);
    schedule_sweep(c);
}

static void pause_accepting(struct http_connections *c)
{
    set_accepting(c, false);
    schedule_sweep(c);
}

/* No descriptor or no memory: the next sweep goes on.  `arg` is evhttp's own, so the table is out
 * of reach here. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    log_problem("accept: %m; new connections wait a second");
    (void)evconnlistener_disable(listener); /* failing means that it is tried again at once */
}

void http_connections_watch(struct http_connections *c, struct evconnlistener *l)
{
    if (c->listener_count == HTTP_LISTENERS_MAX)
        return; /* http.c has no more */
    c->listeners[c->listener_count++] = l;
    evconnlistener_set_error_cb(l, on_accept_error);
}

void http_connections_unwatch(struct http_connections *c)
{
    c->listener_count = 0;
}

struct bufferevent *http_connections_add(struct event_base *base, void *connections)
{
    struct http_connections *c = connections;
    struct bufferevent *bev;

    sweep(c);
    if (c->count == HTTP_CONNECTIONS_MAX)
        return NULL; /* cannot be: accepting stopped one before */
    bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        return NULL; /* evhttp tries itself, fails likewise and closes */
    /* Nobody takes what still comes behind the end. */
    bufferevent_setwatermark(bev, EV_READ, 0, HTTP_HEADERS_MAX + HTTP_BODY_MAX);
    bufferevent_incref(bev);
    c->list[c->count++] = (struct connection){ bev, mono_ms(c) };
    if (c->count == HTTP_CONNECTIONS_MAX)
        pause_accepting(c);
    return bev;
}

size_t http_connections_count(struct http_connections *c)
{
    sweep(c);
    return c->count;
}

postern_err http_connections_new(struct event_base *base, const postern_clock *clock,
                                 struct http_connections **ret, postern_error *err)
{
    struct http_connections *c = calloc(1, sizeof *c);

    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "connections");
    c->clock = clock;
    c->sweep = evtimer_new(base, on_sweep, c);
    if (c->sweep == NULL) {
        free(c);
        return POSTERN_FAIL(err, NOMEM, "connections");
    }
    schedule_sweep(c);
    *ret = c;
    return POSTERN_OK;
}

void http_connections_free(struct http_connections *c)
{
    if (c == NULL)
        return;
    sweep(c);
    event_free(c->sweep);
    free(c);
}
