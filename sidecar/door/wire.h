/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side of a judged session: bytes out of a socket and into it, with TLS or without.  What the
 * socket does not take waits here.  Knows no other side, no event and no message; inspect.c does.
 */
#ifndef POSTERN_SIDECAR_DOOR_WIRE_H
#define POSTERN_SIDECAR_DOOR_WIRE_H

#include "leg.h"

/* Answers and released messages of one side that wait to be sent: what an adapter has read ahead, and
 * as much again of what it held back. */
#define WIRE_OUT_MAX (4u << 20)
/* So few bytes are sent together with what stands behind them: one call and one record for many. */
#define WIRE_GATHER_BYTES 16384

struct wire {
    struct records *records; /* the thread's */
    struct leg_io   io;
    postern_buf     out;    /* to be sent, in clear: anybody may append; sent by wire_flush() */
    size_t          out_at; /* so much of it is gone */
    char            why[RECORDS_WHY_MAX]; /* BROKEN, with io.is_gone */
};

void wire_init(struct wire *w, struct records *records, struct leg take_leg);
/*
 * Read once.  MORE: *ret is what came, in records->plain and valid until the next call of any wire of
 * the thread that reads; empty with has_ended, or when TLS said something of its own.
 */
leg_step wire_receive(struct wire *w, postern_bytes *ret);
/* What wire_receive() gave is done with: wiped.  Whatever a client says may be a token. */
void wire_forget(struct wire *w, postern_bytes received);
/* These behind `out`, without a copy where they are many.  Those that wait are copied. */
leg_step wire_pass(struct wire *w, postern_bytes bytes);
/* MORE: everything is gone. */
leg_step wire_flush(struct wire *w);
size_t wire_owed(const struct wire *w); /* bytes that wait, before TLS or behind it */
/* FIN or close_notify, when nothing is owed. */
leg_step wire_end(struct wire *w);
/* A side that was not told the end, or did not take everything, is reset. */
void wire_close(struct wire *w);

#endif
