/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See postern-private/tcp_peer.h.  The proof for one connection: the socket with exactly its two
 * addresses swapped is held by a process of the user, and our own end still stands after that was
 * read. While our end stands no other connection can have the same two addresses, so what was found
 * was this one's other end, and not that of somebody who came after a stranger had written and
 * gone.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <postern-private/tcp_peer.h>

#define LOOKS_MAX 3 /* the list moves while it is read, and may miss a socket */

postern_err postern_tcp_search_add_line(struct postern_tcp_search *s, postern_bytes line,
                                        postern_error *err)
{
    struct postern_tcp_socket socket;

    if (!postern_proc_tcp_read_line(line, &socket))
        return POSTERN_FAIL(err, SYSTEM, "the kernel's list of sockets cannot be read");
    if (!postern_tcp_address_equal(&socket.local, &s->peer) ||
        !postern_tcp_address_equal(&socket.remote, &s->self))
        return POSTERN_OK;
    /* It may have said all it has to say already, and still read. */
    if (socket.state != POSTERN_TCP_ESTABLISHED && socket.state != POSTERN_TCP_FIN_WAIT1 &&
        socket.state != POSTERN_TCP_FIN_WAIT2)
        return POSTERN_OK;
    if (socket.inode == 0) /* closed, or not accepted: the line's uid is nobody's */
        return POSTERN_OK;
    s->is_found = true;
    s->uid = socket.uid;
    return POSTERN_OK;
}

static postern_err add_line(void *arg, postern_bytes line, postern_error *err)
{
    return postern_tcp_search_add_line(arg, line, err);
}

static postern_err read_addresses(int fd, struct postern_tcp_search *s, postern_error *err)
{
    struct sockaddr_storage peer, self;
    socklen_t peer_len = sizeof peer, self_len = sizeof self;

    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0)
        return errno == ENOTCONN ? POSTERN_FAIL(err, PEER_NOT_ALLOWED, "the other end has gone")
                                 : POSTERN_FAIL(err, SYSTEM, "getpeername: %m");
    if (getsockname(fd, (struct sockaddr *)&self, &self_len) != 0)
        return POSTERN_FAIL(err, SYSTEM, "getsockname: %m");
    if (!postern_tcp_address_from((struct sockaddr *)&peer, peer_len, &s->peer) ||
        !postern_tcp_address_from((struct sockaddr *)&self, self_len, &s->self))
        return POSTERN_FAIL(err, SYSTEM, "the other end has no IP address");
    return POSTERN_OK;
}

static bool still_stands(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT);
}

static postern_err look(struct postern_tcp_search *s, postern_error *err)
{
    for (int n = 0; n < LOOKS_MAX && !s->is_found; n++)
        POSTERN_TRY(postern_proc_tcp_walk(add_line, s, err));
    return POSTERN_OK;
}

static postern_err tell(const struct postern_tcp_search *s, bool stands, uid_t *ret_uid,
                        postern_error *err)
{
    if (!s->is_found || !stands)
        return POSTERN_FAIL(err, PEER_NOT_ALLOWED,
                            "no process of this machine holds the other end");
    *ret_uid = s->uid;
    return POSTERN_OK;
}

postern_err postern_tcp_peer_owner(int fd, uid_t *ret_uid, postern_error *err)
{
    struct postern_tcp_search s = { .is_found = false };

    POSTERN_TRY(read_addresses(fd, &s, err));
    POSTERN_TRY(look(&s, err));
    return tell(&s, s.is_found && still_stands(fd), ret_uid, err);
}

postern_err postern_tcp_peer_owner_between(const struct postern_tcp_address *self,
                                           const struct postern_tcp_address *peer, uid_t *ret_uid,
                                           postern_error *err)
{
    struct postern_tcp_search s = { .peer = *peer, .self = *self };
    struct postern_tcp_search own = { .peer = *self, .self = *peer };

    POSTERN_TRY(look(&s, err));
    if (s.is_found)
        POSTERN_TRY(look(&own, err)); /* as still_stands(): behind the other */
    return tell(&s, own.is_found, ret_uid, err);
}
