/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel on an event loop: what all lines between posternd's processes are made of. */
#ifndef POSTERN_SIDECAR_CHANNEL_WATCH_H
#define POSTERN_SIDECAR_CHANNEL_WATCH_H

#include <event2/event.h>

#include "channel.h"

/* Zeroed: closed. */
struct channel_watch {
    struct channel *channel; /* NULL: closed */
    struct event *readable;  /* stays pending until it is deleted */
    struct event *writable;  /* once for each event_add() */
};

struct channel_watch_calls {
    event_callback_fn readable, writable; /* writable NULL: nobody waits for room */
    void *arg;
};

/*
 * Wrap a descriptor and listen to it.
 *
 *   w         closed; closed again on failure
 *   take_fd   owned from the call on
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err channel_watch_open(struct channel_watch *w, struct event_base *base,
                                                int take_fd, struct channel_watch_calls calls,
                                                postern_error *err);
/* A closed one is fine. */
void channel_watch_close(struct channel_watch *w);

#endif
