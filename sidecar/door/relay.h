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
#include <openssl/ssl.h>

#include <postern/bytes.h>

#define RELAY_GATHER_BYTES 65536 /* one syscall and, with TLS, four records a turn */
#define RELAY_PIPES_KEPT   64    /* idle pipes of one thread: two descriptors each */

/* What the relays of one event loop share.  One thread. */
struct relay_pool;
POSTERN_MUST_USE postern_err relay_pool_new(struct event_base *base, struct relay_pool **ret,
                                            postern_error *err);
void relay_pool_free(struct relay_pool *p); /* after its relays; NULL is fine */

/* One side: a connected, non-blocking socket, with an established TLS connection on it or not. */
struct leg {
    int  fd;
    SSL *ssl; /* NULL: plain.  Holds no descriptor of its own */
};

typedef enum relay_end {
    RELAY_FAILED = 0,   /* a socket or TLS error; errno-like text in relay_end_text() */
    RELAY_FINISHED,     /* both sides said that they are done, everything was delivered */
    RELAY_CLIENT_GONE,  /* reset by the client */
    RELAY_BACKEND_GONE  /* reset by the backend */
} relay_end;

struct relay_owner {
    void (*ended)(void *arg, relay_end why); /* once, as the relay's last act: free it here */
    void *arg;
};

struct relay;
/*
 * Start.  Both legs are owned by the relay from the call on, success or failure.
 *
 *   early   bytes for the backend that came behind the login; copied
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err relay_new(struct relay_pool *pool, struct leg take_client,
                                       struct leg take_backend, postern_bytes early,
                                       struct relay_owner owner, struct relay **ret,
                                       postern_error *err);
/* Close both at once: reset where bytes are under way, so that nobody takes a cut for an end. */
void relay_free(struct relay *r);
/* Any thread may read them (relaxed atomics): bytes from the client, bytes to the client. */
uint64_t relay_bytes_up(const struct relay *r);
uint64_t relay_bytes_down(const struct relay *r);
/* CLOCK_BOOTTIME milliseconds of the last byte either way, as of the loop's last turn. */
int64_t relay_last_byte_ms(const struct relay *r);
/* Nothing is under way between the two: a safe moment to end. */
bool relay_is_quiet(const struct relay *r);
/* End in an orderly way: tell both that no more comes (close_notify, FIN), then relay_free(). */
void relay_say_goodbye(struct relay *r);

#endif
