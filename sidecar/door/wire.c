/* SPDX-License-Identifier: BSD-2-Clause */
/* See wire.h; the socket and its TLS are leg.c's, as in relay.c. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "wire.h"

/* Sent or encrypted at one time: records.out has room for the records of so much. */
#define CHUNK_BYTES 65536
/* Sent bytes at the beginning of `out` that are not moved away yet. */
#define SENT_SLACK_BYTES 65536

/* ---- failing ---- */

static leg_step fail(struct wire *w, const char *why)
{
    w->io.is_gone = false;
    (void)snprintf(w->why, sizeof w->why, "%s", why); /* words for people: may be cut */
    return LEG_BROKEN;
}

/* What leg.c said. */
static leg_step judge(struct wire *w, leg_step s)
{
    if (s == LEG_BROKEN)
        memcpy(w->why, w->records->why, sizeof w->why);
    return s;
}

/* ---- sending ---- */

/* As many as are taken now, of bytes in clear; MORE: all that stand in *rest. */
static leg_step send_clear(struct wire *w, postern_bytes *rest)
{
    leg_step s = LEG_MORE;

    while (rest->len != 0 && s == LEG_MORE) {
        size_t len = rest->len < CHUNK_BYTES ? rest->len : CHUNK_BYTES;
        postern_bytes chunk = { rest->ptr, len };

        s = w->io.ssl == NULL ? leg_io_try(&w->io, w->records, chunk, &len)
                              : leg_io_send(&w->io, w->records, chunk);
        if (s == LEG_BROKEN)
            return judge(w, s);
        rest->ptr += len;
        rest->len -= len;
    }
    return s;
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

leg_step wire_flush(struct wire *w)
{
    postern_bytes rest;
    leg_step s = judge(w, leg_io_flush(&w->io, w->records));

    if (s != LEG_MORE || w->out.len == 0)
        return s;
    if (w->out.failed)
        return fail(w, "out of memory, or too much waits to be sent");
    rest = (postern_bytes){ w->out.ptr + w->out_at, w->out.len - w->out_at };
    s = send_clear(w, &rest);
    if (rest.len == 0)
        empty_out(w);
    else
        drop_sent(w, w->out.len - rest.len);
    return s;
}

leg_step wire_pass(struct wire *w, postern_bytes bytes)
{
    leg_step s = LEG_MORE;

    if (bytes.len + (w->out.len - w->out_at) > WIRE_GATHER_BYTES)
        s = wire_flush(w);
    if (s == LEG_MORE && bytes.len > WIRE_GATHER_BYTES)
        s = send_clear(w, &bytes);
    if (s == LEG_BROKEN)
        return s;
    postern_buf_add(&w->out, bytes);
    if (w->out.failed)
        return fail(w, "out of memory, or too much waits to be sent");
    return s;
}

size_t wire_owed(const struct wire *w)
{
    return leg_io_owed(&w->io) + w->out.len - w->out_at;
}

leg_step wire_end(struct wire *w)
{
    return judge(w, leg_io_end(&w->io, w->records));
}

/* ---- reading ---- */

leg_step wire_receive(struct wire *w, postern_bytes *ret)
{
    size_t len;
    leg_step s = judge(w, leg_io_receive(&w->io, w->records, &len));

    *ret = (postern_bytes){ w->records->plain, len };
    if (s != LEG_MORE) {
        wire_forget(w, *ret); /* came before what broke it */
        *ret = POSTERN_BYTES_NONE;
    }
    return s;
}

void wire_forget(struct wire *w, postern_bytes received)
{
    if (received.len != 0)
        postern_wipe(w->records->plain + (received.ptr - w->records->plain), received.len);
}

/* ---- life ---- */

void wire_init(struct wire *w, struct records *records, struct leg take_leg)
{
    *w = (struct wire){ .records = records, .out = POSTERN_BUF_INIT(WIRE_OUT_MAX) };
    leg_io_begin(&w->io, records, take_leg);
}

void wire_close(struct wire *w)
{
    leg_io_close(&w->io, w->out.len - w->out_at);
    postern_buf_free(&w->out);
    *w = (struct wire){ .io.fd = -1 };
}
