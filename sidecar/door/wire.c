/* SPDX-License-Identifier: BSD-2-Clause */
/* See wire.h; reading and its TLS are records.c's, as in relay.c. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls.h"
#include "wire.h"

/* Sent or encrypted at one time: records.out has room for the records of so much. */
#define CHUNK_BYTES 65536
/* Sent bytes at the beginning of `out` that are not moved away yet. */
#define SENT_SLACK_BYTES 65536

/* ---- failing ---- */

static wire_step fail(struct wire *w, bool is_gone, const char *why)
{
    w->is_gone = is_gone;
    (void)snprintf(w->why, sizeof w->why, "%s", why); /* words for people: may be cut */
    return WIRE_BROKEN;
}

static wire_step fail_of_errno(struct wire *w, int error)
{
    return fail(w, error != ENOMEM && error != ENOBUFS && error != EIO, strerror(error));
}

static wire_step fail_of_tls(struct wire *w)
{
    char room[112];

    return fail(w, false, tls_error_text(room, sizeof room));
}

static bool is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- sending ---- */

/* Sent, 0: nothing now; -1: errno. */
static ssize_t send_some(struct wire *w, postern_bytes bytes)
{
    ssize_t n;

    do
        n = send(w->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    w->has_moved |= n > 0;
    return n < 0 && is_later(errno) ? 0 : n;
}

static wire_step keep(struct wire *w, postern_bytes rest)
{
    size_t old_len = w->unsent_len - w->unsent_at;
    uint8_t *room;

    if (rest.len > RELAY_UNSENT_MAX - old_len)
        return fail(w, false, "asks for answers and does not read them");
    if ((room = malloc(old_len + rest.len)) == NULL)
        return fail(w, false, "out of memory");
    if (old_len != 0)
        memcpy(room, w->unsent + w->unsent_at, old_len);
    memcpy(room + old_len, rest.ptr, rest.len);
    free(w->unsent);
    w->unsent = room;
    w->unsent_at = 0;
    w->unsent_len = old_len + rest.len;
    return WIRE_BLOCKED;
}

/* What the SSL wrote. */
static wire_step transmit_records(struct wire *w)
{
    struct records *x = w->records;
    postern_bytes bytes = { x->out, x->out_len };
    ssize_t n = 0;

    x->out_len = 0;
    if (bytes.len == 0)
        return w->unsent == NULL ? WIRE_MORE : WIRE_BLOCKED;
    if (w->unsent == NULL && (n = send_some(w, bytes)) < 0)
        return fail_of_errno(w, errno);
    if ((size_t)n == bytes.len)
        return WIRE_MORE;
    return keep(w, (postern_bytes){ bytes.ptr + n, bytes.len - (size_t)n });
}

static wire_step flush_unsent(struct wire *w)
{
    while (w->unsent != NULL) {
        ssize_t n = send_some(w, (postern_bytes){ w->unsent + w->unsent_at,
                                                  w->unsent_len - w->unsent_at });

        if (n < 0)
            return fail_of_errno(w, errno);
        w->unsent_at += (size_t)n;
        if (w->unsent_at < w->unsent_len)
            return WIRE_BLOCKED;
        free(w->unsent);
        w->unsent = NULL;
        w->unsent_at = w->unsent_len = 0;
    }
    return WIRE_MORE;
}

/* As many as are taken now, of bytes in clear; MORE: all that stand in *rest. */
static wire_step send_clear(struct wire *w, postern_bytes *rest)
{
    while (rest->len != 0) {
        size_t len = rest->len < CHUNK_BYTES ? rest->len : CHUNK_BYTES;
        ssize_t n = (ssize_t)len;
        wire_step s = WIRE_MORE;

        if (w->ssl == NULL) {
            n = send_some(w, (postern_bytes){ rest->ptr, len });
            if (n < 0)
                return fail_of_errno(w, errno);
            s = (size_t)n < len ? WIRE_BLOCKED : WIRE_MORE;
        } else if (!records_encrypt(w->records, w->ssl, (postern_bytes){ rest->ptr, len })) {
            w->records->out_len = 0;
            return fail_of_tls(w);
        } else {
            s = transmit_records(w);
        }
        rest->ptr += n;
        rest->len -= (size_t)n;
        if (s != WIRE_MORE)
            return s;
    }
    return WIRE_MORE;
}

/* `out` is empty; what was long is not kept for a session that may be idle for hours. */
static void empty_out(struct wire *w)
{
    w->out_at = 0;
    if (w->out.cap > WIRE_GATHER_BYTES)
        postern_buf_free(&w->out);
    else
        postern_buf_reset(&w->out);
}

static void drop_sent(struct wire *w, size_t at)
{
    w->out_at = at;
    if (at < SENT_SLACK_BYTES || at < w->out.len / 2)
        return;
    memmove(w->out.ptr, w->out.ptr + at, w->out.len - at);
    w->out.len -= at;
    w->out_at = 0;
}

wire_step wire_flush(struct wire *w)
{
    postern_bytes rest;
    wire_step s = flush_unsent(w);

    if (s != WIRE_MORE || w->out.len == 0)
        return s;
    if (w->out.failed)
        return fail(w, false, "out of memory, or too much waits to be sent");
    rest = (postern_bytes){ w->out.ptr + w->out_at, w->out.len - w->out_at };
    s = send_clear(w, &rest);
    if (rest.len == 0)
        empty_out(w);
    else
        drop_sent(w, w->out.len - rest.len);
    return s;
}

wire_step wire_pass(struct wire *w, postern_bytes bytes)
{
    wire_step s = WIRE_MORE;

    if (bytes.len + (w->out.len - w->out_at) > WIRE_GATHER_BYTES)
        s = wire_flush(w);
    if (s == WIRE_MORE && bytes.len > WIRE_GATHER_BYTES)
        s = send_clear(w, &bytes);
    if (s == WIRE_BROKEN)
        return s;
    postern_buf_add(&w->out, bytes);
    if (w->out.failed)
        return fail(w, false, "out of memory, or too much waits to be sent");
    return s;
}

size_t wire_owed(const struct wire *w)
{
    return w->unsent_len - w->unsent_at + w->out.len - w->out_at;
}

wire_step wire_end(struct wire *w)
{
    w->is_told = true;
    if (w->ssl == NULL)
        return shutdown(w->fd, SHUT_WR) == 0 ? WIRE_MORE : fail_of_errno(w, errno);
    if (!records_encrypt_end(w->records, w->ssl))
        return fail_of_tls(w);
    return transmit_records(w);
}

/* ---- reading ---- */

static wire_step receive_plain(struct wire *w, postern_bytes *ret)
{
    struct records *x = w->records;
    ssize_t n;

    do
        n = recv(w->fd, x->plain, RELAY_GATHER_BYTES, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return is_later(errno) ? WIRE_DRY : fail_of_errno(w, errno);
    w->has_ended = n == 0;
    w->is_dry = n < RELAY_GATHER_BYTES;
    w->has_moved |= n > 0;
    *ret = (postern_bytes){ x->plain, (size_t)n };
    return WIRE_MORE;
}

static wire_step receive_records(struct wire *w, postern_bytes *ret)
{
    struct records *x = w->records;
    bool is_received = w->is_drained;
    size_t len = 0;
    records_read got = records_decrypt(x, w->ssl, is_received ? w->fd : -1, &len);

    if (got == RECORDS_BROKEN) {
        wire_step s = fail_of_tls(w);

        (void)transmit_records(w); /* the alert that says why */
        return s;
    }
    w->is_drained = got != RECORDS_FULL;
    w->is_dry = is_received && x->is_dry && !x->is_cut && x->error == 0;
    w->has_ended = got == RECORDS_END;
    w->has_moved |= len != 0;
    if (transmit_records(w) == WIRE_BROKEN) /* answers to KeyUpdates */
        return WIRE_BROKEN;
    *ret = (postern_bytes){ x->plain, len };
    if (len != 0 || w->has_ended || !is_received || x->received != 0)
        return WIRE_MORE;
    if (x->error != 0)
        return fail_of_errno(w, x->error);
    if (x->is_cut) /* RFC 8446 §6.1: what came may have been cut by anybody on the way */
        return fail(w, true, "TLS connection was cut without close_notify");
    return WIRE_DRY;
}

wire_step wire_receive(struct wire *w, postern_bytes *ret)
{
    *ret = POSTERN_BYTES_NONE;
    return w->ssl == NULL ? receive_plain(w, ret) : receive_records(w, ret);
}

void wire_forget(struct wire *w, postern_bytes received)
{
    if (received.len != 0)
        postern_wipe(w->records->plain + (received.ptr - w->records->plain), received.len);
}

/* ---- life ---- */

void wire_init(struct wire *w, struct records *records, struct leg take_leg)
{
    *w = (struct wire){ .records = records,
                        .ssl = take_leg.ssl,
                        .fd = take_leg.fd,
                        .out = POSTERN_BUF_INIT(WIRE_OUT_MAX),
                        .is_drained = take_leg.ssl == NULL || SSL_has_pending(take_leg.ssl) == 0 };
    if (w->ssl != NULL)
        records_attach(records, w->ssl);
}

void wire_close(struct wire *w)
{
    static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (!w->is_told || wire_owed(w) != 0)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* not of unix ones */
    SSL_free(w->ssl);
    (void)close(w->fd);
    free(w->unsent);
    postern_buf_free(&w->out);
    *w = (struct wire){ .fd = -1 };
}
