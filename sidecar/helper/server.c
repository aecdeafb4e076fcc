/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners and connections of the helper (sidecar/helper/server.h).  One request at a time per
 * connection: a second frame before the answer closes it.  On the saslauthd socket a connection is one
 * request, that may come in pieces, and one answer.  Nothing here blocks: an answer that does
 * not fit the socket's buffer belongs to a peer that does not read, and that connection is closed.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>
#include <postern-private/reply.h>
#include <postern/client.h>

#include "../log.h"
#include "../timer.h"
#include "login.h"
#include "server.h"

struct connection {
    LIST_ENTRY(connection) entry;
    struct server *server;
    int fd;
    struct peer peer;
    bool is_stranger; /* no helper_peers: names him */
    struct event *readable; /* persistent; timed while no request is in flight */
    bool is_watched;        /* `readable` is pending */
    struct login *login;    /* the one request in flight, or NULL */
    bool is_saslauthd;
    postern_buf in;   /* saslauthd: what came of the request; wiped */
    int64_t due_ms;   /* saslauthd: when all of it must be there, however slowly it drips */
    size_t late_len;  /* saslauthd: bytes that came behind the request */
};

struct server {
    struct helper *helper;
    size_t connections_max, connection_count, stranger_count;
    LIST_HEAD(connection_list, connection) connections;
    struct event *listeners[SERVER_LISTENERS_MAX];
    size_t listener_count;
    int saslauthd_fd; /* the listener of that kind; -1: none */
    bool is_accepting, is_draining;
    bool has_swept; /* in this wake-up of a listener */
    void (*retired)(void *arg); /* server_drain()'s; NULL: called, or nobody wants to know */
    void *retired_arg;
    struct event *resume; /* ends a pause of accept(2) */
    struct event *late;   /* SERVER_UNWATCHED_MS after the first of those that are not watched */
    size_t unwatched_count;
    int64_t last_full_log_ms, last_pause_log_ms;
    uint8_t room[POSTERN_HELPER_FRAME_MAX]; /* the frame being read; wiped after each */
};

static void close_connection(struct connection *c);

/* ---- accepting ---- */

static void set_accepting(struct server *s, bool is_accepting)
{
    if (s->is_accepting == is_accepting || (is_accepting && s->is_draining))
        return;
    s->is_accepting = is_accepting;
    for (size_t i = 0; i < s->listener_count; i++)
        (void)(is_accepting ? event_add(s->listeners[i], NULL) : event_del(s->listeners[i]));
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    set_accepting(arg, true);
}

/* Out of descriptors or memory: the kernel keeps the callers in the backlog, and they wait as long
 * as their deadline. */
static void pause_accepting(struct server *s, const char *why)
{
    struct timeval pause = { .tv_usec = SERVER_ACCEPT_PAUSE_MS * 1000 };
    int64_t now_ms = clock_mono_us() / 1000;

    if (s->last_pause_log_ms == 0 || now_ms - s->last_pause_log_ms >= SERVER_ACCEPT_LOG_MS) {
        s->last_pause_log_ms = now_ms;
        log_problem("no more connections for a moment: %s", why);
    }
    if (event_add(s->resume, &pause) == 0)
        set_accepting(s, false);
}

static size_t count_of_user(const struct server *s, uid_t uid)
{
    const struct connection *c;
    size_t count = 0;

    LIST_FOREACH (c, &s->connections, entry)
        count += c->peer.uid == uid;
    return count;
}

static void log_full(struct server *s, uid_t uid, const char *whose)
{
    int64_t now_ms = clock_mono_ms();

    if (s->last_full_log_ms != 0 && now_ms - s->last_full_log_ms < 1000)
        return; /* one line a second */
    s->last_full_log_ms = now_ms;
    log_problem("%s the share of helper_max_connections (of %zu): turning away further ones, now of uid "
                "%ju",
                whose, s->connections_max, (uintmax_t)uid);
}

/* Which share is used up; NULL: there is room. */
static const char *find_full_share(const struct server *s, const struct peer *peer)
{
    if (count_of_user(s, peer->uid) >= s->connections_max / SERVER_USER_SHARE_DIVISOR)
        return "one user holds";
    if (!peers_know(s->helper->peers, peer) &&
        s->stranger_count >= s->connections_max / SERVER_STRANGERS_SHARE_DIVISOR)
        return "users whom no helper_peers names hold";
    return NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static bool serve_first(struct connection *c);

static int64_t get_idle_ms(const struct connection *c)
{
    int64_t most_ms = (c->server->is_draining ? SERVER_DRAIN_IDLE_S : SERVER_IDLE_S) * 1000;
    int64_t left_ms = c->due_ms - clock_mono_ms();

    if (!c->is_saslauthd || left_ms > most_ms)
        return most_ms;
    return left_ms > 0 ? left_ms : 0;
}

static void note_watched(struct connection *c)
{
    struct server *s = c->server;

    if (c->is_watched)
        return;
    c->is_watched = true;
    if (--s->unwatched_count == 0)
        (void)event_del(s->late);
}

static bool watch_soon(struct server *s)
{
    return event_pending(s->late, EV_TIMEOUT, NULL) || timer_start(s->late, SERVER_UNWATCHED_MS);
}

static bool watch(struct connection *c)
{
    struct timeval idle;
    int64_t idle_ms;

    if (c->login != NULL) /* the op's own deadline counts; a hang-up is still seen */
        return c->is_watched ? event_remove_timer(c->readable) == 0 : watch_soon(c->server);
    idle_ms = get_idle_ms(c);
    idle = (struct timeval){ .tv_sec = idle_ms / 1000, .tv_usec = idle_ms % 1000 * 1000 };
    if (event_add(c->readable, &idle) != 0)
        return false;
    note_watched(c);
    return true;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct connection *c = LIST_FIRST(&s->connections), *next;

    (void)fd;
    (void)what;
    for (; c != NULL && s->unwatched_count != 0; c = next) {
        next = LIST_NEXT(c, entry);
        if (!c->is_watched && event_add(c->readable, NULL) == 0)
            note_watched(c);
        else if (!c->is_watched)
            close_connection(c);
    }
}

/* NULL: no memory. */
static struct connection *add_connection(struct server *s, int take_fd, struct peer *take_peer,
                                         bool is_saslauthd)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c == NULL) {
        peer_free(take_peer);
        (void)close(take_fd);
        return NULL;
    }
    c->server = s;
    c->fd = take_fd;
    c->is_saslauthd = is_saslauthd;
    c->in = POSTERN_BUF_INIT(SASLAUTHD_REQUEST_MAX + 1); /* one more: something too long */
    c->due_ms = clock_mono_ms() + SERVER_IDLE_S * 1000;
    c->peer = *take_peer;
    c->is_stranger = !peers_know(s->helper->peers, take_peer);
    s->stranger_count += c->is_stranger;
    LIST_INSERT_HEAD(&s->connections, c, entry);
    s->connection_count++;
    s->unwatched_count++;
    c->readable = event_new(s->helper->base, take_fd, EV_READ | EV_PERSIST, on_readable, c);
    if (c->readable != NULL)
        return c;
    close_connection(c);
    return NULL;
}

/* Who has hung up takes no share: with hundreds of logins at once the ends of those before are often
 * not read yet when the next ones call. */
static void sweep_gone(struct server *s)
{
    struct connection *c = LIST_FIRST(&s->connections), *next;
    uint8_t ahead;

    for (; c != NULL; c = next) {
        next = LIST_NEXT(c, entry);
        if ((c->login == NULL || !c->is_watched) && recv(c->fd, &ahead, sizeof ahead, MSG_PEEK | MSG_DONTWAIT) == 0)
            close_connection(c);
    }
    s->has_swept = true;
}

/*
 * Undecided, and why: a plugin reads it in the place of its answer.  The frame that may be there
 * already is taken out unread, since a connection that is closed with something unread is reset.  In
 * saslauthd's protocol undecided has no word.
 */
static void turn_away(int take_fd, const char *whose, bool is_saslauthd)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    char detail[SERVER_BUSY_DETAIL_MAX];
    uint8_t unread;
    ssize_t moved;

    if (!is_saslauthd) {
        moved = recv(take_fd, &unread, sizeof unread, MSG_DONTWAIT | MSG_TRUNC);
        (void)snprintf(detail, sizeof detail, "%s the share of helper_max_connections: try again later",
                       whose);
        postern_reply_write_busy(detail, &out);
        if (!out.failed)
            moved = send(take_fd, out.ptr, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)moved; /* neither matters any more */
        postern_wipe(&unread, sizeof unread);
    }
    (void)close(take_fd);
}

/* Returns whether it is worth a look for the next one. */
static bool admit(struct server *s, int take_fd, bool is_saslauthd)
{
    postern_error err = { 0 };
    struct peer peer;
    struct connection *c;
    const char *full;

    if (peer_of_socket(take_fd, &peer, &err) != POSTERN_OK) {
        log_error("a caller of the helper socket", &err);
        (void)close(take_fd);
        return true;
    }
    full = find_full_share(s, &peer);
    if (full != NULL && !s->has_swept) { /* once for many callers: it asks each connection */
        sweep_gone(s);
        full = find_full_share(s, &peer);
    }
    if (full != NULL) {
        log_full(s, peer.uid, full);
        peer_free(&peer);
        turn_away(take_fd, full, is_saslauthd);
        return true;
    }
    c = add_connection(s, take_fd, &peer, is_saslauthd);
    if (c == NULL)
        pause_accepting(s, "out of memory");
    if (s->connection_count >= s->connections_max)
        set_accepting(s, false); /* until close_connection() */
    return c != NULL && serve_first(c) && s->connection_count > 1;
}

/* Whose request was there already called a while ago, and where others are connected, more may have
 * since; else a look for them is mostly in vain, and epoll(7) tells. */
static void on_caller(evutil_socket_t listener, short what, void *arg)
{
    struct server *s = arg;
    bool is_busy = true;

    (void)what;
    s->has_swept = false;
    for (int i = 0; i < SERVER_ACCEPTS_PER_WAKE && s->is_accepting && is_busy; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            is_busy = admit(s, fd, listener == s->saslauthd_fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(s, strerror(errno));
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* ---- one connection ---- */

/* Records of callers that hung up are still on their way when the last connection is gone. */
static void end_if_done(struct server *s)
{
    if (s->is_draining && s->connection_count == 0 && audit_line_is_idle(s->helper->audit))
        (void)event_base_loopexit(s->helper->base, NULL);
}

/* Each of those who are left has its request in flight: a second one is never read. */
static void note_retired(struct server *s)
{
    void (*retired)(void *arg) = s->retired;
    const struct connection *c;

    if (retired == NULL)
        return;
    LIST_FOREACH (c, &s->connections, entry)
        if (c->login == NULL)
            return;
    s->retired = NULL;
    retired(s->retired_arg);
}

void server_note_idle_audit(struct server *s)
{
    end_if_done(s);
}

static void close_connection(struct connection *c)
{
    struct server *s = c->server;

    login_free(c->login);
    note_watched(c); /* or need not be */
    if (c->readable != NULL)
        event_free(c->readable);
    (void)close(c->fd);
    peer_free(&c->peer);
    postern_buf_free(&c->in);
    LIST_REMOVE(c, entry);
    s->stranger_count -= c->is_stranger;
    free(c);
    s->connection_count--;
    if (s->is_draining) {
        note_retired(s);
        end_if_done(s);
    } else if (!event_pending(s->resume, EV_TIMEOUT, NULL)) {
        set_accepting(s, true);
    }
}

/* Called by the login as its last act. */
static void send_answer(void *arg, postern_bytes frame, bool is_last)
{
    struct connection *c = arg;
    bool is_sent = frame.len != 0 && send(c->fd, frame.ptr, frame.len,
                                          MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)frame.len;

    login_free(c->login);
    c->login = NULL;
    if (!is_sent || is_last || c->server->is_draining || !watch(c))
        close_connection(c);
}

/* Owns the login, if there was memory for it. */
static void start_login(struct connection *c, struct login *take_login)
{
    c->login = take_login;
    if (c->login == NULL || !watch(c)) {
        log_problem("a request was dropped: out of memory or random numbers");
        close_connection(c);
        return;
    }
    note_retired(c->server);
    login_start(c->login); /* may free the connection */
}

static void take_frame(struct connection *c, postern_bytes frame)
{
    start_login(c, login_new(c->server->helper, &c->peer, frame,
                             (struct login_owner){ send_answer, c }));
}

/* Bytes of a saslauthd request.  Behind a whole one may come the client's address, too late to be of
 * use; more than that is none. */
static void take_bytes(struct connection *c, postern_bytes bytes)
{
    struct login_owner owner = { send_answer, c };
    struct saslauthd_request request;

    if (c->login != NULL) {
        c->late_len += bytes.len;
        if (c->late_len > 2 + SASLAUTHD_NAME_MAX)
            close_connection(c);
        return;
    }
    postern_buf_add(&c->in, bytes);
    switch (c->in.failed ? SASLAUTHD_REFUSED : saslauthd_read(postern_buf_bytes(&c->in), &request)) {
    case SASLAUTHD_MORE:
        if (!watch(c))
            close_connection(c);
        return;
    case SASLAUTHD_WHOLE:
        start_login(c, login_new_saslauthd(c->server->helper, &c->peer, &request, owner));
        return;
    case SASLAUTHD_REFUSED:
        start_login(c, login_new_saslauthd(c->server->helper, &c->peer, NULL, owner));
    }
}

/* One datagram, or what has come of a stream, into s->room.  Its length, 0 for "nothing now", -1 for "close it". */
static ssize_t receive_frame(struct server *s, int fd)
{
    struct iovec part = { s->room, sizeof s->room };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        return -1; /* gone, or an empty datagram, which nobody of ours sends */
    /* Longer than a frame may be, or with descriptors beside it (no room for them: the kernel
     * closed them): not our protocol. */
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return got;
    postern_wipe(s->room, sizeof s->room);
    return -1;
}

/* Returns what receive_frame() did; but for 0 the connection may be gone. */
static ssize_t take_what_came(struct connection *c)
{
    struct server *s = c->server;
    ssize_t len = receive_frame(s, c->fd);

    if (len > 0 && c->is_saslauthd)
        take_bytes(c, (postern_bytes){ s->room, (size_t)len });
    else if (len < 0 || (len > 0 && c->login != NULL)) /* a second frame while one is in flight */
        close_connection(c);
    else if (len > 0)
        take_frame(c, (postern_bytes){ s->room, (size_t)len });
    if (len > 0)
        postern_wipe(s->room, (size_t)len);
    return len;
}

/* A plugin sends its request as soon as it is connected: it is there more often than not.  Returns
 * whether. */
static bool serve_first(struct connection *c)
{
    if (take_what_came(c) != 0)
        return true;
    if (!watch(c))
        close_connection(c);
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;

    (void)fd;
    if ((what & EV_READ) == 0) /* silent for too long */
        close_connection(c);
    else
        (void)take_what_came(c);
}

/* ---- the whole ---- */

static bool add_listener(struct server *s, int fd)
{
    if (s->listener_count == SERVER_LISTENERS_MAX || evutil_make_socket_nonblocking(fd) != 0)
        return false;
    s->listeners[s->listener_count] =
        event_new(s->helper->base, fd, EV_READ | EV_PERSIST, on_caller, s);
    return s->listeners[s->listener_count++] != NULL;
}

postern_err server_new(struct helper *h, const struct server_sockets *sockets,
                       size_t connections_max, struct server **ret, postern_error *err)
{
    struct server *s = calloc(1, sizeof *s);
    bool is_good;

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "helper");
    s->helper = h;
    s->connections_max = connections_max;
    s->saslauthd_fd = sockets->saslauthd_fd;
    LIST_INIT(&s->connections);
    s->resume = event_new(h->base, -1, 0, on_resume, s);
    s->late = event_new(h->base, -1, 0, on_late, s);
    is_good = s->resume != NULL && s->late != NULL;
    for (size_t i = 0; i < sockets->count; i++)
        is_good = is_good && add_listener(s, sockets->fds[i]);
    if (s->saslauthd_fd >= 0)
        is_good = is_good && add_listener(s, s->saslauthd_fd);
    if (!is_good) {
        server_free(s);
        return POSTERN_FAIL(err, NOMEM, "listeners of the helper");
    }
    *ret = s;
    return POSTERN_OK;
}

void server_begin(struct server *s)
{
    set_accepting(s, true);
}

/* It gets the shorter time-out, however slowly its request drips. */
static void hurry(struct connection *c)
{
    int64_t due_ms = clock_mono_ms() + SERVER_DRAIN_IDLE_S * 1000;

    if (due_ms < c->due_ms)
        c->due_ms = due_ms;
    (void)watch(c);
}

void server_drain(struct server *s, void (*retired)(void *arg), void *arg)
{
    struct connection *c;

    if (s->is_draining)
        return;
    s->is_draining = true;
    s->retired = retired;
    s->retired_arg = arg;
    set_accepting(s, false);
    (void)event_del(s->resume);
    LIST_FOREACH (c, &s->connections, entry)
        if (c->login == NULL)
            hurry(c);
    note_retired(s);
    end_if_done(s);
}

void server_free(struct server *s)
{
    if (s == NULL)
        return;
    s->is_draining = true; /* no listener comes back while the connections go */
    s->retired = NULL;
    while (!LIST_EMPTY(&s->connections))
        close_connection(LIST_FIRST(&s->connections));
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i] != NULL)
            event_free(s->listeners[i]);
    timer_free(s->resume);
    timer_free(s->late);
    free(s);
}
