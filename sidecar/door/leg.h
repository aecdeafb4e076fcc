/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side of a session: a connected socket, with TLS on it or without, and what it has not taken
 * yet of what it was sent.  Bytes out of it and into it, the end of either way, and how it broke.
 * Knows no other side, no event and no message: relay.c moves bytes between two of them as they
 * come, wire.c sends what was judged.
 */
#ifndef POSTERN_SIDECAR_DOOR_LEG_H
#define POSTERN_SIDECAR_DOOR_LEG_H

#include <openssl/ssl.h>

#include "records.h"

#define LEG_GATHER_BYTES 65536 /* one syscall and, with TLS, four records a turn */
/* Bytes that may wait for one side to read: one turn's, and answers to its own KeyUpdates.  Who
 * sends those and does not read is ended. */
#define LEG_UNSENT_MAX   262144
/* What the kernel still has for a side whose session the door ends is dropped when that has answered
 * nothing, or had no room for more, for so long: else it would be tried for minutes, and a line that
 * comes back would bring bytes of a lease that is long over. */
#define LEG_LAST_BYTES_MS 10000

/* On its way from one owner to the next: a connected, non-blocking stream socket, with an
 * established TLS connection on it or not.  The SSL has written out what it was given; what it has
 * read ahead is not lost. */
struct leg {
    int  fd;
    SSL *ssl; /* NULL: plain.  Holds no descriptor of its own */
};
void leg_close(struct leg *leg); /* afterwards it is none: fd -1 */

typedef enum leg_step {
    LEG_BROKEN = 0, /* is_gone, and the thread's records->why say how */
    LEG_MORE,       /* done; perhaps more to do at once */
    LEG_DRY,        /* nothing to read for now */
    LEG_BLOCKED     /* it takes no more for now */
} leg_step;

/* One that is in use.  Small: thousands lie idle. */
struct leg_io {
    SSL     *ssl;
    uint8_t *unsent; /* waits to be taken; NULL: nothing */
    uint32_t unsent_at, unsent_len;
    int      fd;
    bool is_drained : 1; /* its SSL holds nothing complete */
    bool is_short : 1;   /* the last read took all that there was */
    bool has_ended : 1;  /* it said that nothing more comes */
    bool is_told : 1;    /* that nothing more comes from us; that may still be unsent */
    bool has_moved : 1;  /* a byte, either way; the owner's to clear */
    bool is_gone : 1;    /* BROKEN: the other end is, and not we */
    bool is_dismissed : 1; /* the door ends it, and not it: the owner's to set */
};

/* `x` is the thread's, here and below. */
void leg_io_begin(struct leg_io *io, struct records *x, struct leg take_leg);
/* Who was not told the end, or has not taken everything, be it kept here or `owed` by the owner, is
 * reset, so that nobody takes a cut for an end (a unix socket knows no reset).  Who is dismissed and
 * does not answer the kernel either; what is on its way to another waits for it, LEG_LAST_BYTES_MS
 * at a time. */
void leg_io_close(struct leg_io *io, size_t owed);

/* Read once.  MORE: *ret_len bytes are in x->plain; none when it has ended, or when TLS said
 * something of its own. */
leg_step leg_io_receive(struct leg_io *io, struct records *x, size_t *ret_len);
/* Once, to a side without TLS.  BLOCKED: not all were taken, and nothing is kept. */
leg_step leg_io_try(struct leg_io *io, struct records *x, postern_bytes bytes, size_t *ret_sent);
/* Bytes in clear, TLS or not.  BLOCKED: what was not taken is kept. */
leg_step leg_io_send(struct leg_io *io, struct records *x, postern_bytes bytes);
/* The same without an attempt; as they are, so behind TLS they are records. */
leg_step leg_io_keep(struct leg_io *io, struct records *x, postern_bytes bytes);
/* MORE: nothing is kept any more. */
leg_step leg_io_flush(struct leg_io *io, struct records *x);
/* FIN, or close_notify with TCP left open for what it still says. */
leg_step leg_io_end(struct leg_io *io, struct records *x);
/* An errno that somebody else met there; BROKEN. */
leg_step leg_io_break(struct leg_io *io, struct records *x, int error);

static inline size_t leg_io_owed(const struct leg_io *io)
{
    return io->unsent_len - io->unsent_at;
}

#endif
