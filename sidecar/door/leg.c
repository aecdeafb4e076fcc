/* SPDX-License-Identifier: BSD-2-Clause */
/* See leg.h; its TLS is records.c's. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "leg.h"
#include "tls.h"

/* ---- failing ---- */

static leg_step fail(struct leg_io *io, struct records *x, bool is_gone, const char *why)
{
    io->is_gone = is_gone;
    (void)snprintf(x->why, sizeof x->why, "%s", why); /* words for people: may be cut */
    return LEG_BROKEN;
}

/* ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH … are the other end's; memory is ours. */
leg_step leg_io_break(struct leg_io *io, struct records *x, int error)
{
    return fail(io, x, error != ENOMEM && error != ENOBUFS && error != EIO, strerror(error));
}

static leg_step fail_of_tls(struct leg_io *io, struct records *x)
{
    char room[sizeof x->why];

    return fail(io, x, false, tls_error_text(room, sizeof room));
}

static bool is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- sending ---- */

leg_step leg_io_try(struct leg_io *io, struct records *x, postern_bytes bytes, size_t *ret_sent)
{
    ssize_t n;

    do
        n = send(io->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    *ret_sent = n < 0 ? 0 : (size_t)n;
    if (n < 0 && !is_later(errno))
        return leg_io_break(io, x, errno);
    io->has_moved |= n > 0;
    return *ret_sent == bytes.len ? LEG_MORE : LEG_BLOCKED;
}

leg_step leg_io_keep(struct leg_io *io, struct records *x, postern_bytes bytes)
{
    size_t old_len = leg_io_owed(io);
    uint8_t *room;

    if (bytes.len > LEG_UNSENT_MAX - old_len)
        return fail(io, x, false, "asks for answers and does not read them");
    if ((room = malloc(old_len + bytes.len)) == NULL)
        return fail(io, x, false, "out of memory");
    if (old_len != 0)
        memcpy(room, io->unsent + io->unsent_at, old_len);
    memcpy(room + old_len, bytes.ptr, bytes.len);
    free(io->unsent);
    io->unsent = room;
    io->unsent_at = 0;
    io->unsent_len = (uint32_t)(old_len + bytes.len);
    return LEG_BLOCKED;
}

static leg_step transmit(struct leg_io *io, struct records *x, postern_bytes bytes)
{
    size_t sent = 0;

    if (bytes.len == 0)
        return io->unsent == NULL ? LEG_MORE : LEG_BLOCKED;
    if (io->unsent == NULL) {
        leg_step s = leg_io_try(io, x, bytes, &sent);

        if (s != LEG_BLOCKED)
            return s;
    }
    return leg_io_keep(io, x, (postern_bytes){ bytes.ptr + sent, bytes.len - sent });
}

/* What the SSL wrote. */
static leg_step transmit_records(struct leg_io *io, struct records *x)
{
    size_t len = x->out_len;

    x->out_len = 0;
    return transmit(io, x, (postern_bytes){ x->out, len });
}

leg_step leg_io_send(struct leg_io *io, struct records *x, postern_bytes bytes)
{
    if (io->ssl == NULL)
        return transmit(io, x, bytes);
    if (!records_encrypt(x, io->ssl, bytes)) {
        x->out_len = 0;
        return fail_of_tls(io, x);
    }
    return transmit_records(io, x);
}

leg_step leg_io_flush(struct leg_io *io, struct records *x)
{
    size_t sent = 0;
    leg_step s;

    if (io->unsent == NULL)
        return LEG_MORE;
    s = leg_io_try(io, x, (postern_bytes){ io->unsent + io->unsent_at, leg_io_owed(io) }, &sent);
    io->unsent_at += (uint32_t)sent;
    if (s != LEG_MORE)
        return s; /* it took a part: it is full */
    free(io->unsent);
    io->unsent = NULL;
    io->unsent_at = io->unsent_len = 0;
    return LEG_MORE;
}

static leg_step send_end(struct leg_io *io, struct records *x)
{
    if (io->ssl == NULL)
        return shutdown(io->fd, SHUT_WR) == 0 ? LEG_MORE : leg_io_break(io, x, errno);
    if (!records_encrypt_end(x, io->ssl)) {
        x->out_len = 0;
        return fail_of_tls(io, x);
    }
    return transmit_records(io, x);
}

leg_step leg_io_end(struct leg_io *io, struct records *x)
{
    leg_step s = send_end(io, x);

    io->is_told = s != LEG_BROKEN;
    return s;
}

/* ---- reading ---- */

static leg_step receive_plain(struct leg_io *io, struct records *x, size_t *ret_len)
{
    ssize_t n;

    do
        n = recv(io->fd, x->plain, LEG_GATHER_BYTES, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return is_later(errno) ? LEG_DRY : leg_io_break(io, x, errno);
    io->has_ended = n == 0;
    io->is_short = n > 0 && n < LEG_GATHER_BYTES;
    *ret_len = (size_t)n;
    return LEG_MORE;
}

/* Nothing came but what the socket itself has to say. */
static leg_step judge_silence(struct leg_io *io, struct records *x)
{
    if (x->error != 0)
        return leg_io_break(io, x, x->error);
    if (x->is_cut) /* RFC 8446 §6.1: what came may have been cut by anybody on the way */
        return fail(io, x, true, "TLS connection was cut without close_notify");
    return LEG_DRY;
}

static leg_step receive_records(struct leg_io *io, struct records *x, size_t *ret_len)
{
    bool is_received = io->is_drained;
    records_read got = records_decrypt(x, io->ssl, is_received ? io->fd : -1, ret_len);

    if (got == RECORDS_BROKEN) {
        leg_step s = fail_of_tls(io, x);

        (void)transmit_records(io, x); /* the alert that says why */
        return s;
    }
    io->is_drained = got != RECORDS_FULL;
    io->has_ended = got == RECORDS_END;
    /* An end or error behind what came is met again at the next turn. */
    io->is_short = is_received && x->is_dry && !x->is_cut && x->error == 0;
    if (transmit_records(io, x) == LEG_BROKEN) /* answers to KeyUpdates */
        return LEG_BROKEN;
    if (is_received && *ret_len == 0 && !io->has_ended && x->received == 0)
        return judge_silence(io, x);
    return LEG_MORE;
}

leg_step leg_io_receive(struct leg_io *io, struct records *x, size_t *ret_len)
{
    leg_step s;

    *ret_len = 0;
    io->is_short = false;
    s = io->ssl == NULL ? receive_plain(io, x, ret_len) : receive_records(io, x, ret_len);
    io->has_moved |= *ret_len != 0;
    return s;
}

/* ---- life ---- */

void leg_close(struct leg *leg)
{
    SSL_free(leg->ssl);
    if (leg->fd >= 0)
        (void)close(leg->fd);
    *leg = (struct leg){ .fd = -1 };
}

void leg_io_begin(struct leg_io *io, struct records *x, struct leg take_leg)
{
    bool is_drained = take_leg.ssl == NULL || SSL_has_pending(take_leg.ssl) == 0;

    *io = (struct leg_io){ .ssl = take_leg.ssl, .fd = take_leg.fd, .is_drained = is_drained };
    if (io->ssl != NULL)
        records_attach(x, io->ssl);
}

/* It has not answered the kernel's last segments: the line is silent.  Who takes no more for now (a
 * closed window) is another: his kernel answers probes, but not each at once. */
static bool is_silent(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_retransmits != 0;
}

/* Of a side that has finished the kernel keeps what is on its way for as long as it likes.  These
 * fail on unix sockets, whose close(2) leaves nothing behind. */
static void leave_to_the_kernel(const struct leg_io *io, bool is_cut)
{
    static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    static const unsigned int patience_ms = LEG_LAST_BYTES_MS;

    if (is_cut || (io->is_dismissed && is_silent(io->fd)))
        (void)setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    else if (io->is_dismissed)
        (void)setsockopt(io->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
}

void leg_io_close(struct leg_io *io, size_t owed)
{
    leave_to_the_kernel(io, !io->is_told || owed != 0 || io->unsent != NULL);
    free(io->unsent);
    leg_close(&(struct leg){ io->fd, io->ssl });
    *io = (struct leg_io){ .fd = -1 };
}
