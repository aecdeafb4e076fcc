/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of a connection to a door, with TLS or without; see connect_door.h. */
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect_door.h"

/* One TLS record is at most 16 KiB: int is enough for any piece that is passed in. */
#define PIECE_MAX 1048576

static int piece(size_t len)
{
    return (int)(len < PIECE_MAX ? len : PIECE_MAX);
}

/* What a call that moved nothing means. */
static door_io judge_tls(const struct connect_door *d, int result, short *ret_events)
{
    switch (SSL_get_error(d->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_events = POLLIN;
        return DOOR_IO_WAIT;
    case SSL_ERROR_WANT_WRITE:
        *ret_events = POLLOUT;
        return DOOR_IO_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return DOOR_IO_END;
    default: /* a bare end of file among them: bytes may have been cut off */
        return DOOR_IO_FAILED;
    }
}

static door_io judge_plain(ssize_t result, short events, size_t *ret_len, short *ret_events)
{
    if (result >= 0) {
        *ret_len = (size_t)result;
        return DOOR_IO_DONE;
    }
    *ret_events = events;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? DOOR_IO_WAIT
                                                                     : DOOR_IO_FAILED;
}

door_io connect_door_read(struct connect_door *d, uint8_t *room, size_t room_len, size_t *ret_len,
                          short *ret_events)
{
    int n;

    if (d->ssl == NULL) {
        door_io done = judge_plain(recv(d->fd, room, room_len, 0), POLLIN, ret_len, ret_events);

        return done == DOOR_IO_DONE && *ret_len == 0 ? DOOR_IO_END : done;
    }
    ERR_clear_error();
    if ((n = SSL_read(d->ssl, room, piece(room_len))) <= 0)
        return judge_tls(d, n, ret_events);
    *ret_len = (size_t)n;
    return DOOR_IO_DONE;
}

door_io connect_door_write(struct connect_door *d, postern_bytes bytes, size_t *ret_len,
                           short *ret_events)
{
    int n;
    door_io done;

    if (d->ssl == NULL)
        return judge_plain(send(d->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), POLLOUT, ret_len,
                           ret_events);
    ERR_clear_error();
    if ((n = SSL_write(d->ssl, bytes.ptr, piece(bytes.len))) <= 0) {
        done = judge_tls(d, n, ret_events);
        return done == DOOR_IO_END ? DOOR_IO_FAILED : done;
    }
    *ret_len = (size_t)n;
    return DOOR_IO_DONE;
}

/* TLS: close_notify alone.  The TCP connection stays open both ways, so that what the door still
 * sends is not answered with a reset. */
door_io connect_door_end(struct connect_door *d, short *ret_events)
{
    int n;

    if (d->ssl == NULL)
        return shutdown(d->fd, SHUT_WR) == 0 ? DOOR_IO_DONE : DOOR_IO_FAILED;
    ERR_clear_error();
    if ((n = SSL_shutdown(d->ssl)) >= 0) /* 0: said, and not answered yet */
        return DOOR_IO_DONE;
    return judge_tls(d, n, ret_events) == DOOR_IO_WAIT ? DOOR_IO_WAIT : DOOR_IO_FAILED;
}

void connect_door_close(struct connect_door *d)
{
    SSL_free(d->ssl);
    if (d->fd >= 0)
        (void)close(d->fd);
    *d = CONNECT_DOOR_NONE;
}
