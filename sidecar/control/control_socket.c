/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket on libevent; see control_socket.h.  One request a connection: line in, line
 * out, end.  A connection that ends while its change is on the way keeps its place until that is
 * finished, so that changes without an audience are as few as connections.
 */
#include "control_socket.h"

#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "log.h"

struct connection {
    struct control_socket *owner; /* NULL: free */
    struct bufferevent *bev;      /* NULL: the peer is gone */
    struct peer peer;
    control_role role;
    struct act *act; /* NULL: none yet, or answered */
    bool is_answered;
};

struct control_socket {
    struct control *control;
    struct peers *admins, *watchers;
    struct evconnlistener *listener;
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static size_t count_connections(const struct control_socket *s, control_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        n += s->connections[i].owner != NULL && s->connections[i].role == role;
    return n;
}

static size_t count_all(const struct control_socket *s)
{
    return count_connections(s, CONTROL_NOBODY) + count_connections(s, CONTROL_WATCHER) +
           count_connections(s, CONTROL_ADMIN);
}

static void drop_bev(struct connection *c)
{
    if (c->bev != NULL)
        bufferevent_free(c->bev);
    c->bev = NULL;
}

static void close_connection(struct connection *c)
{
    struct control_socket *s = c->owner;

    drop_bev(c);
    act_free(c->act);
    peer_free(&c->peer);
    *c = (struct connection){ 0 };
    if (s->listener != NULL)
        (void)evconnlistener_enable(s->listener); /* fails only for a listener without callback */
}

/* ---- replies ---- */

static void send_reply(struct connection *c, postern_bytes reply)
{
    struct evbuffer *out = c->bev == NULL ? NULL : bufferevent_get_output(c->bev);

    c->is_answered = true;
    if (out == NULL || reply.len == 0 || evbuffer_add(out, reply.ptr, reply.len) != 0 ||
        evbuffer_add(out, "\n", 1) != 0)
        close_connection(c);
}

static void on_done(void *arg, postern_bytes reply)
{
    struct connection *c = arg;
    struct act *act = c->act;

    c->act = NULL;
    send_reply(c, reply);
    act_free(act);
}

/* ---- requests ---- */

static void start_act(struct connection *c, postern_bytes line)
{
    c->act = act_new(c->owner->control, &c->peer, c->role, line, on_done, c);
    if (c->act == NULL) {
        log_problem("administration: a request was dropped: out of memory or random numbers");
        close_connection(c);
        return;
    }
    act_start(c->act); /* may close the connection */
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct connection *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = 0;
    char *line;

    if (c->is_answered || c->act != NULL)
        return; /* one request a connection; the rest is never read */
    line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
    if (line != NULL) {
        start_act(c, (postern_bytes){ (const uint8_t *)line, len });
        free(line);
    } else if (evbuffer_get_length(in) > CONTROL_REQUEST_MAX) {
        POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(512);

        act_write_refusal(&reply, "bad_request", "The request is too long.");
        send_reply(c, postern_buf_bytes(&reply));
    }
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct connection *c = arg;

    /* A deferred call from before the reply may come with the reply still unsent. */
    if (c->is_answered && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        close_connection(c);
}

/* The peer may have closed its sending side alone (socat does): what it asked is answered. */
static void on_end(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;

    if ((what & BEV_EVENT_EOF) != 0 && (c->act != NULL || c->is_answered) &&
        bufferevent_disable(bev, EV_READ) == 0)
        return;
    if (c->act != NULL && (what & BEV_EVENT_TIMEOUT) != 0)
        return; /* the act has limits of its own */
    if (c->act != NULL)
        drop_bev(c); /* on_done() frees the place */
    else
        close_connection(c);
}

/* ---- connections ---- */

static control_role role_of(const struct control_socket *s, const struct peer *peer)
{
    const postern_section *settings = s->control->settings;

    if (peers_allow(s->admins, settings, peer))
        return CONTROL_ADMIN;
    return peers_allow(s->watchers, settings, peer) ? CONTROL_WATCHER : CONTROL_NOBODY;
}

static struct connection *find_place(struct control_socket *s, control_role role)
{
    if (role != CONTROL_ADMIN && count_connections(s, role) == CONTROL_OTHERS_MAX)
        return NULL;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (s->connections[i].owner == NULL)
            return &s->connections[i];
    return NULL;
}

static void begin(struct connection *c)
{
    static const struct timeval idle = { CONTROL_IDLE_S, 0 };

    bufferevent_setcb(c->bev, on_read, on_written, on_end, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, CONTROL_REQUEST_MAX + 1);
    if (bufferevent_set_timeouts(c->bev, &idle, &idle) != 0 ||
        bufferevent_enable(c->bev, EV_READ | EV_WRITE) != 0) {
        close_connection(c);
        return;
    }
    if (count_all(c->owner) == CONTROL_CONNECTIONS_MAX)
        (void)evconnlistener_disable(
            c->owner->listener); /* failing closes one more without a word */
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg)
{
    struct control_socket *s = arg;
    postern_error err = { 0 };
    struct connection *place = NULL;
    struct bufferevent *bev = NULL;
    struct peer peer = { 0 };
    control_role role = CONTROL_NOBODY;

    (void)address;     /* a unix socket's peer has none */
    (void)address_len; /* likewise */
    if (peer_of_socket(fd, &peer, &err) != POSTERN_OK) {
        log_error("administration", &err);
        (void)close(fd); /* nothing was sent */
        return;
    }
    role = role_of(s, &peer);
    place = find_place(s, role);
    if (place != NULL)
        bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
                                     BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev == NULL) {
        peer_free(&peer);
        (void)close(fd); /* nothing was sent */
        return;
    }
    *place = (struct connection){ .owner = s, .bev = bev, .peer = peer, .role = role };
    begin(place);
}

postern_err control_socket_new(struct control *c, int take_fd, struct control_socket **ret,
                               postern_error *err)
{
    struct control_socket *s = calloc(1, sizeof *s);

    if (s != NULL && evutil_make_socket_nonblocking(take_fd) == 0)
        s->listener = evconnlistener_new(c->base, on_accept, s,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, take_fd);
    if (s == NULL || s->listener == NULL) {
        (void)close(take_fd); /* nothing was sent */
        free(s);
        return POSTERN_FAIL(err, SYSTEM, "control socket: %m");
    }
    s->control = c;
    if (peers_new_for(c->settings, "control_admins", &s->admins, err) != POSTERN_OK ||
        peers_new_for(c->settings, "control_watchers", &s->watchers, err) != POSTERN_OK) {
        control_socket_free(s);
        return POSTERN_ERR_NOMEM;
    }
    *ret = s;
    return POSTERN_OK;
}

void control_socket_drain(struct control_socket *s)
{
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

bool control_socket_is_idle(const struct control_socket *s)
{
    return count_all(s) == 0;
}

void control_socket_free(struct control_socket *s)
{
    if (s == NULL)
        return;
    control_socket_drain(s);
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (s->connections[i].owner != NULL)
            close_connection(&s->connections[i]);
    peers_free(s->admins);
    peers_free(s->watchers);
    free(s);
}
