/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_listen.h.  Browsers open connections that they never use, so several are served beside
 * each other. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>
#include <postern-private/tcp_peer.h>
#include <postern/login.h>

#include "login_callback.h"
#include "login_listen.h"

#define PEERS_MAX   16    /* a browser opens six to one host; the oldest makes room */
#define PEER_MAX_MS 10000 /* a browser sends its request at once */
#define BACKLOG     16
#define LEAD_MAX    36864 /* bytes: the longest address of a login page, and the fields around it */

struct peer {
    int fd; /* -1: none */
    int64_t end_ms;
    postern_buf head;
};

struct wait {
    const struct login_listener *listener;
    const postern_op *login;
    postern_buf *query;
    bool is_done;
    struct peer peers[PEERS_MAX];
};

/* ---- the socket ---- */

postern_err login_listen(uint16_t port, struct login_listener *ret, postern_error *err)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int yes = 1; /* connections of the login before hold a registered port for a minute */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket: %m");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        (void)POSTERN_FAIL(err, SYSTEM, "listening on 127.0.0.1 port %u: %m", port);
        (void)close(fd);
        return POSTERN_ERR_SYSTEM;
    }
    ret->fd = fd;
    (void)snprintf(ret->authority, sizeof ret->authority, "127.0.0.1:%u", ntohs(at.sin_port));
    (void)snprintf(ret->redirect_uri, sizeof ret->redirect_uri, "http://%s/callback",
                   ret->authority);
    (void)snprintf(ret->start_uri, sizeof ret->start_uri, "http://%s/start", ret->authority);
    return POSTERN_OK;
}

void login_listen_close(struct login_listener *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}

/* ---- peers ---- */

static void end_peer(struct peer *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
    postern_buf_free(&p->head); /* may hold a code */
}

/* A free place, or that of the oldest. */
static struct peer *find_place(struct wait *w)
{
    struct peer *oldest = &w->peers[0];

    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (w->peers[i].fd < 0)
            return &w->peers[i];
        if (w->peers[i].end_ms < oldest->end_ms)
            oldest = &w->peers[i];
    }
    end_peer(oldest);
    return oldest;
}

static void accept_peer(struct wait *w)
{
    int fd = accept4(w->listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct peer *p;

    if (fd < 0)
        return; /* it went away again, or descriptors are short: the next poll(2) says more */
    p = find_place(w);
    *p = (struct peer){ fd, clock_mono_ms() + PEER_MAX_MS, POSTERN_BUF_INIT(LOGIN_REQUEST_MAX + 1) };
}

/* A page fits any socket's buffer; to one that does not take it nothing is owed. */
static void say(struct peer *p, postern_bytes text)
{
    (void)!send(p->fd, text.ptr, text.len, MSG_NOSIGNAL);
    (void)shutdown(p->fd, SHUT_WR);
    end_peer(p);
}

static void answer(struct peer *p, enum login_page page)
{
    say(p, login_page(page));
}

/* The browser that we started has our user.  (root: what forwards ports into a machine or
 * container.) */
static bool is_ours(int fd)
{
    uid_t owner = POSTERN_OVERFLOW_UID;

    return postern_tcp_peer_owner(fd, &owner, NULL) == POSTERN_OK &&
           postern_owner_is_trusted(owner, NULL);
}

/* The address holds the state: to another user it would be the way to bring an answer of his own.
 */
static void lead(struct peer *p, const postern_op *login)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(LEAD_MAX);

    if (is_ours(p->fd))
        login_lead(postern_login_url(login), &text);
    if (text.len == 0 || text.failed)
        answer(p, LOGIN_PAGE_NOT_LED);
    else
        say(p, postern_buf_bytes(&text));
}

static void judge(struct wait *w, struct peer *p)
{
    postern_bytes query;

    switch (login_request_read(postern_buf_bytes(&p->head), w->listener->authority, &query)) {
    case LOGIN_REQUEST_MORE:
        return;
    case LOGIN_REQUEST_CALLBACK:
        if (!postern_login_is_answer(w->login, query)) {
            answer(p, LOGIN_PAGE_NOT_FOUND);
            return;
        }
        postern_buf_add(w->query, query);
        w->is_done = true;
        answer(p, LOGIN_PAGE_RECEIVED);
        return;
    case LOGIN_REQUEST_START:
        lead(p, w->login);
        return;
    case LOGIN_REQUEST_OTHER:
        answer(p, LOGIN_PAGE_NOT_FOUND);
        return;
    case LOGIN_REQUEST_BAD:
        break;
    }
    answer(p, LOGIN_PAGE_BAD);
}

static void read_peer(struct wait *w, struct peer *p)
{
    uint8_t chunk[4096];
    ssize_t n = recv(p->fd, chunk, sizeof chunk, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_peer(p);
        return;
    }
    postern_buf_add(&p->head, (postern_bytes){ chunk, (size_t)n });
    postern_wipe(chunk, (size_t)n);
    if (p->head.failed)
        answer(p, LOGIN_PAGE_BAD);
    else
        judge(w, p);
}

/* ---- waiting ---- */

static void end_late_peers(struct wait *w, int64_t now)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (w->peers[i].fd >= 0 && w->peers[i].end_ms <= now)
            end_peer(&w->peers[i]);
}

static postern_err wait_once(struct wait *w, int64_t left_ms, postern_error *err)
{
    struct pollfd p[PEERS_MAX + 1] = { { .fd = w->listener->fd, .events = POLLIN } };
    int most_ms = left_ms < 1000 ? (int)left_ms : 1000; /* late peers are looked for each second */
    int n;

    for (size_t i = 0; i < PEERS_MAX; i++)
        p[i + 1] = (struct pollfd){ .fd = w->peers[i].fd, .events = POLLIN };
    n = poll(p, PEERS_MAX + 1, most_ms);
    if (n < 0 && errno != EINTR)
        return POSTERN_FAIL(err, SYSTEM, "poll: %m");
    for (size_t i = 0; n > 0 && i < PEERS_MAX && !w->is_done; i++)
        if (p[i + 1].revents != 0)
            read_peer(w, &w->peers[i]);
    if (n > 0 && p[0].revents != 0 && !w->is_done)
        accept_peer(w);
    return POSTERN_OK;
}

static postern_err wait_for_answer(struct wait *w, int timeout_s, postern_error *err)
{
    int64_t end_ms = clock_mono_ms() + (int64_t)timeout_s * 1000;

    while (!w->is_done) {
        int64_t now = clock_mono_ms();

        if (now >= end_ms)
            return POSTERN_FAIL(err, TIMEOUT, "nobody came back from the login page in %d s",
                                timeout_s);
        end_late_peers(w, now);
        POSTERN_TRY(wait_once(w, end_ms - now, err));
    }
    return w->query->failed ? POSTERN_FAIL(err, NOMEM, "the browser's answer") : POSTERN_OK;
}

postern_err login_wait(const struct login_listener *l, const postern_op *login, int timeout_s,
                       postern_buf *ret_query, postern_error *err)
{
    struct wait w = { .listener = l, .login = login, .query = ret_query };
    postern_err e;

    for (size_t i = 0; i < PEERS_MAX; i++)
        w.peers[i].fd = -1;
    e = wait_for_answer(&w, timeout_s, err);
    for (size_t i = 0; i < PEERS_MAX; i++)
        end_peer(&w.peers[i]);
    return e;
}
