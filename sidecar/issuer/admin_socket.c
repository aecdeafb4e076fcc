/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The administration socket on libevent; see admin_socket.h.  One request a connection: line in,
 * line out, end.  A removal's reply waits for the helper's word (revocations.c).  Requests and
 * replies may hold a secret: buffers are wiped where libevent lets us reach them.
 */
#include "admin_socket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "admin.h"
#include "admin_request.h"
#include "log.h"
#include "output.h"
#include "peers.h"

/* Everybody may connect; the first strangers and then one a minute are worth a line, a flood is not
 * worth the disk. */
static const struct rate_rule stranger_rule = { "stranger", 20, 60000 };

struct admin_connection {
    struct admin_socket *owner; /* NULL: free */
    struct bufferevent *bev;
    struct admin_reply reply;
    int words_wanted; /* of a removal: from helper and door */
    verifier_news helper_word, door_word;
    bool is_answered;
    bool is_working; /* reply.take_job is in a thread's hands */
};

struct admin_socket {
    struct issuer *is;
    struct revocations *helper, *doors; /* doors NULL: there are none */
    struct work *work;
    struct peers *peers;
    const postern_section *server; /* issuer.conf: whose admin_peers: they are */
    struct evconnlistener *listener;
    struct admin_connection connections[ADMIN_CONNECTIONS_MAX];
};

static size_t count_connections(const struct admin_socket *s)
{
    size_t n = 0;

    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        n += s->connections[i].owner != NULL;
    return n;
}

static void close_connection(struct admin_connection *c)
{
    struct admin_socket *s = c->owner;

    revocations_cancel(s->helper, c);
    if (s->doors != NULL)
        revocations_cancel(s->doors, c);
    work_cancel(s->work, c);
    if (c->is_working)
        c->reply.take_job = NULL; /* freed when it has run */
    bufferevent_free(c->bev);
    admin_reply_free(&c->reply);
    *c = (struct admin_connection){ 0 };
    if (s->listener != NULL)
        (void)evconnlistener_enable(s->listener); /* fails only for a listener without callback */
}

/* ---- replies ---- */

static void send_reply(struct admin_connection *c)
{
    c->is_answered = true;
    postern_buf_add_byte(&c->reply.text, '\n');
    if (c->reply.text.failed || !output_move(&c->reply.text, bufferevent_get_output(c->bev))) {
        log_problem("administration: out of memory for a reply");
        close_connection(c);
    }
}

static void take_word(struct admin_connection *c)
{
    if (--c->words_wanted != 0)
        return;
    if (c->helper_word != VERIFIER_KNOWS ||
        (c->owner->doors != NULL && c->door_word != VERIFIER_KNOWS))
        log_problem("client %s was removed, but not everybody has confirmed", c->reply.client);
    admin_finish_removal(&c->reply, c->helper_word, c->door_word);
    send_reply(c);
}

static void on_helper_news(void *arg, verifier_news news)
{
    struct admin_connection *c = arg;

    c->helper_word = news;
    take_word(c);
}

static void on_door_news(void *arg, verifier_news news)
{
    struct admin_connection *c = arg;

    c->door_word = news;
    take_word(c);
}

/* Both are told before either is waited for; a word may come before push returns. */
static void push_removal(struct admin_connection *c)
{
    struct admin_socket *s = c->owner;
    struct revocation what = { .kind = POSTERN_REVOCATION_CLIENT, .before_s = c->reply.removed_s };

    memcpy(what.name, c->reply.client, sizeof what.name);
    c->reply.has_doors = s->doors != NULL;
    c->words_wanted = s->doors != NULL ? 2 : 1;
    if (s->doors != NULL)
        revocations_push(s->doors, &what, on_door_news, c);
    revocations_push(s->helper, &what, on_helper_news, c); /* may end the connection */
}

static void on_work_done(void *arg)
{
    struct admin_connection *c = arg;
    struct admin_job *job = c->reply.take_job;

    c->is_working = false;
    c->reply.take_job = NULL;
    job->finish(job, &c->reply);
    job->work.free(&job->work);
    send_reply(c);
}

static void start_work(struct admin_connection *c)
{
    if (work_submit(c->owner->work, &c->reply.take_job->work, on_work_done, c)) {
        c->is_working = true;
        return;
    }
    admin_refuse(&c->reply, "busy", "Too much is asked at the same time: try again in a moment.");
    send_reply(c);
}

/* ---- requests ---- */

static void answer_line(struct admin_connection *c, char *line, size_t len)
{
    admin_answer(c->owner->is, (postern_bytes){ (const uint8_t *)line, len }, &c->reply);
    if (c->reply.is_removal)
        push_removal(c);
    else if (c->reply.take_job != NULL)
        start_work(c);
    else
        send_reply(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct admin_connection *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = 0;
    char *line;

    if (c->is_answered || c->reply.is_removal || c->is_working)
        return; /* one request a connection; the rest is never read */
    line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
    if (line != NULL) {
        answer_line(c, line, len);
        postern_wipe(line, len); /* may hold a password */
        free(line);
    } else if (evbuffer_get_length(in) > ADMIN_REQUEST_MAX) {
        admin_refuse(&c->reply, "bad_request", "The request is too long.");
        send_reply(c);
    }
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct admin_connection *c = arg;

    /* A deferred call from before the reply may come with the reply still unsent. */
    if (c->is_answered && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        close_connection(c);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;  /* the connection's */
    (void)what; /* end of file, error, time-out: all end it; a removal was done and pushed all the
                   same */
    close_connection(arg);
}

/* ---- connections ---- */

static void refuse_stranger(struct admin_connection *c)
{
    admin_refuse(&c->reply, "not_allowed",
                 "This user may not administer clients: admin_peers: in issuer.conf says who may.");
    send_reply(c);
}

/* False, and logged, also when the kernel does not say who it is. */
static bool is_administrator(const struct admin_socket *s, int fd)
{
    postern_error err = { 0 };
    struct peer peer;
    bool is_allowed;

    if (peer_of_socket(fd, &peer, &err) != POSTERN_OK) {
        log_error("administration", &err);
        return false;
    }
    is_allowed = peers_allow(s->peers, s->server, &peer);
    if (!is_allowed && rate_take(s->is->rates, &stranger_rule, "", "", issuer_mono_ms(s->is)) == 0)
        log_problem("administration: uid %d (pid %d) is none of admin_peers:", (int)peer.uid,
                    (int)peer.pid);
    peer_free(&peer);
    return is_allowed;
}

static struct admin_connection *find_free(struct admin_socket *s)
{
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (s->connections[i].owner == NULL)
            return &s->connections[i];
    return NULL;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg)
{
    static const struct timeval idle = { ADMIN_IDLE_S, 0 };
    struct admin_socket *s = arg;
    struct admin_connection *c = find_free(s);
    bool is_allowed = is_administrator(s, fd);
    struct bufferevent *bev =
        c == NULL ? NULL
                  : bufferevent_socket_new(evconnlistener_get_base(listener), fd,
                                           BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);

    (void)address;     /* a unix socket's peer has none */
    (void)address_len; /* likewise */
    if (bev == NULL) {
        (void)close(fd); /* nothing was sent */
        return;
    }
    *c = (struct admin_connection){ .owner = s, .bev = bev, .reply = ADMIN_REPLY_INIT };
    bufferevent_setcb(bev, on_read, on_written, on_end, c);
    bufferevent_setwatermark(bev, EV_READ, 0, ADMIN_REQUEST_MAX + 1);
    if (bufferevent_set_timeouts(bev, &idle, &idle) != 0 ||
        bufferevent_enable(bev, EV_READ | EV_WRITE) != 0) {
        close_connection(c);
        return;
    }
    if (count_connections(s) == ADMIN_CONNECTIONS_MAX)
        (void)evconnlistener_disable(
            listener); /* failing means one more waits in the table's stead */
    if (!is_allowed)
        refuse_stranger(c);
}

postern_err admin_socket_new(const struct admin_setup *setup, int take_fd,
                             struct admin_socket **ret, postern_error *err)
{
    struct admin_socket *s = calloc(1, sizeof *s);

    if (s != NULL && evutil_make_socket_nonblocking(take_fd) == 0)
        s->listener = evconnlistener_new(setup->base, on_accept, s,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, take_fd);
    if (s == NULL || s->listener == NULL) {
        (void)close(take_fd); /* nothing was sent */
        free(s);
        return POSTERN_FAIL(err, SYSTEM, "administration socket: %m");
    }
    s->is = setup->is;
    s->helper = setup->helper;
    s->doors = setup->doors;
    s->work = setup->work;
    s->server = setup->server;
    if (peers_new_for(setup->server, "admin_peers", &s->peers, err) != POSTERN_OK) {
        admin_socket_free(s);
        return POSTERN_ERR_NOMEM;
    }
    *ret = s;
    return POSTERN_OK;
}

void admin_socket_drain(struct admin_socket *s)
{
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

bool admin_socket_is_idle(const struct admin_socket *s)
{
    return count_connections(s) == 0;
}

void admin_socket_free(struct admin_socket *s)
{
    if (s == NULL)
        return;
    admin_socket_drain(s);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (s->connections[i].owner != NULL)
            close_connection(&s->connections[i]);
    peers_free(s->peers);
    free(s);
}
