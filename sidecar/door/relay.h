/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes between two connected sockets, both ways, until both have ended: back-pressure (what one
 * side does not take is not read from the other), half-close, TLS on either leg.  Where neither
 * leg has TLS it is splice(2) through a pooled pipe, held only while data is in flight; elsewhere
 * one gather buffer serves a whole thread.  Judges nothing, times nothing out, writes no log.
 */
#ifndef POSTERN_SIDECAR_DOOR_RELAY_H
#define POSTERN_SIDECAR_DOOR_RELAY_H

#include <event2/event.h>

#include "leg.h"

#define RELAY_GATHER_BYTES LEG_GATHER_BYTES
/* Turns of one direction before other connections have theirs: about a millisecond, be it 1 MiB
 * with TLS or 4 MiB through pipes. */
#define RELAY_TURNS        16
/* A read of so many bytes is the middle of a transfer: the next goes through a pipe. */
#define RELAY_BULK_BYTES   16384
/* While one side takes nothing the other is not read, so its reset is looked for instead. */
#define RELAY_STALL_CHECK_MS 1000
/* From so many relays on, memory goes back to the system when half of them have ended. */
#define RELAY_TRIM_FROM    64

/*
 * What the relays of one event loop share.  One thread.  The process ignores SIGPIPE: splice(2) has
 * no MSG_NOSIGNAL.
 */
struct relay_pool;
POSTERN_MUST_USE postern_err relay_pool_new(struct event_base *base, struct relay_pool **ret,
                                            postern_error *err);
void relay_pool_free(struct relay_pool *p); /* after its relays; NULL is fine */
/* For inspect.c, whose sessions share them too. */
struct records *relay_pool_records(struct relay_pool *p);
struct event_base *relay_pool_base(struct relay_pool *p);
const struct timeval *relay_pool_stall_check(struct relay_pool *p);
/* One more session of any kind, or one less: memory goes back to the system after a rush. */
void relay_pool_count(struct relay_pool *p, bool is_new);

typedef enum relay_end {
    RELAY_FAILED = 0,   /* a TLS or system error; relay_end_text() says which */
    RELAY_FINISHED,     /* both sides said that they are done, everything was delivered */
    RELAY_CLIENT_GONE,  /* reset by the client, or its TLS connection cut without close_notify */
    RELAY_BACKEND_GONE, /* the same by the backend */
    RELAY_BROKEN,       /* nobody can be sure what one side says (inspect.h) */
    RELAY_DENIED        /* what was allowed and goes on is allowed no more (inspect.h) */
} relay_end;

struct relay_owner {
    void (*ended)(void *arg, relay_end why); /* once, as the relay's last act: free it here */
    void *arg;
};

struct relay;
/*
 * Start.  Both legs are owned by the relay from the call on, success or failure.  `ended` is never
 * called before this returns.
 *
 *   early   bytes for the backend that came behind the login; copied; at most RELAY_GATHER_BYTES
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM · POSTERN_ERR_USAGE (early)
 */
POSTERN_MUST_USE postern_err relay_new(struct relay_pool *pool, struct leg take_client,
                                       struct leg take_backend, postern_bytes early,
                                       struct relay_owner owner, struct relay **ret,
                                       postern_error *err);
/*
 * Close both at once.  A side that was not told the end is reset, so that nobody takes a cut for an
 * end (a unix socket knows no reset).  NULL is fine.
 */
void relay_free(struct relay *r);
/* Why it ended, for a log or record; "" when finished.  Valid within `ended`. */
const char *relay_end_text(const struct relay *r);
/* Any thread may read them (relaxed atomics): bytes from the client, bytes for the client, the last
 * turn's of which (RELAY_GATHER_BYTES, or a pipe's) it may not have taken yet. */
uint64_t relay_bytes_up(const struct relay *r);
uint64_t relay_bytes_down(const struct relay *r);
/* CLOCK_BOOTTIME milliseconds of the last byte either way, as of the loop's last turn. */
int64_t relay_last_byte_ms(const struct relay *r);
/* Nothing that was read waits to be written: with a while of silence, a safe moment to end. */
bool relay_is_quiet(const struct relay *r);
/* Before relay_free(), for an orderly end: tell both that no more comes (close_notify, FIN).  Who
 * has not taken yet what was sent before is not told, but reset.  Never blocks, calls nobody. */
void relay_say_goodbye(struct relay *r);

#endif
