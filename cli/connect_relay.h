/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes between a local client and a door, both ways, until both have ended: back-pressure (a fixed
 * buffer each way; while it is full nothing is read), half-close, TLS's goodbye.  One relay a
 * process; judges nothing, prints nothing.
 */
#ifndef POSTERN_CLI_CONNECT_RELAY_H
#define POSTERN_CLI_CONNECT_RELAY_H

#include "connect_door.h"

#define RELAY_BUFFER 65536 /* bytes each way: four TLS records a turn */

/* A local client: one socket, or two ends of pipes, files, a terminal. */
struct relay_local {
    int in_fd, out_fd;
};

/* What else the process does meanwhile. */
struct relay_watch {
    int (*fd)(void *arg);          /* to be polled for reading, -1: none */
    int64_t (*wait_ms)(void *arg); /* until tick() has something to do; -1: nothing */
    void (*tick)(void *arg);       /* after each poll(2); must not block */
    void *arg;
};

typedef enum relay_end {
    RELAY_DOOR_CUT = 0, /* reset, or ended without goodbye: bytes may be missing */
    RELAY_FINISHED,     /* both said that they are done, and everything was delivered */
    RELAY_LOCAL_GONE    /* the client does not read any more */
} relay_end;

/*
 * Blocks until the end.
 *
 *   early   what came behind the door's answer; goes to the client first; at most RELAY_BUFFER
 *           bytes, copied
 *   POSTERN_OK with *ret_end set · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM (poll)
 */
POSTERN_MUST_USE postern_err connect_relay_run(const struct relay_local *local,
                                               struct connect_door *door, postern_bytes early,
                                               const struct relay_watch *watch, relay_end *ret_end,
                                               postern_error *err);

#endif
