/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side of a judged session: bytes out of a socket and into it, with TLS or without.  What the
 * socket does not take waits here.  Knows no other side, no event and no message; inspect.c does.
 */
#ifndef POSTERN_SIDECAR_DOOR_WIRE_H
#define POSTERN_SIDECAR_DOOR_WIRE_H

#include "records.h"
#include "relay.h"

/* Answers and released messages of one side that wait to be sent: what an adapter has read ahead, and
 * as much again of what it held back. */
#define WIRE_OUT_MAX (4u << 20)
/* So few bytes are sent together with what stands behind them: one call and one record for many. */
#define WIRE_GATHER_BYTES 16384

typedef enum wire_step {
    WIRE_BROKEN = 0, /* w->is_gone and w->why say how */
    WIRE_MORE,       /* done; perhaps more to do at once */
    WIRE_DRY,        /* nothing to read for now */
    WIRE_BLOCKED     /* it takes no more for now */
} wire_step;

struct wire {
    struct records *records; /* the thread's */
    SSL            *ssl;     /* NULL: plain */
    int             fd;
    postern_buf     out;    /* to be sent, in clear: anybody may append; sent by wire_flush() */
    size_t          out_at; /* so much of it is gone */
    uint8_t        *unsent; /* records that the socket did not take; NULL: none */
    size_t          unsent_at, unsent_len;
    bool            is_drained; /* its SSL holds nothing complete */
    bool            is_dry;     /* the socket had less than was asked for: its event tells of more */
    bool            has_ended;  /* it said that nothing more comes */
    bool            is_told;    /* that nothing more comes from us */
    bool            has_moved;  /* a byte, either way; the owner's to clear */
    bool            is_gone;    /* BROKEN: the other end is, and not we */
    char            why[120];   /* BROKEN */
};

void wire_init(struct wire *w, struct records *records, struct leg take_leg);
/*
 * Read once.  MORE: *ret is what came, in records->plain and valid until the next call of any wire of
 * the thread that reads; empty with has_ended, or when TLS said something of its own.
 */
wire_step wire_receive(struct wire *w, postern_bytes *ret);
/* What wire_receive() gave is done with: wiped.  Whatever a client says may be a token. */
void wire_forget(struct wire *w, postern_bytes received);
/* These behind `out`, without a copy where they are many.  Those that wait are copied. */
wire_step wire_pass(struct wire *w, postern_bytes bytes);
/* MORE: everything is gone. */
wire_step wire_flush(struct wire *w);
size_t wire_owed(const struct wire *w); /* bytes that wait, before TLS or behind it */
/* FIN or close_notify, when nothing is owed. */
wire_step wire_end(struct wire *w);
/* A side that was not told the end, or did not take everything, is reset. */
void wire_close(struct wire *w);

#endif
