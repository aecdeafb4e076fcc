/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door's line to another role: messages in, answers out in order.  While an answer waits for
 * the other end to read, no further message is taken.  First thread only.
 */
#ifndef POSTERN_SIDECAR_DOOR_LINK_H
#define POSTERN_SIDECAR_DOOR_LINK_H

#include <event2/event.h>

#include "../channel.h"

struct link;

struct link_owner {
    /* One message; false: it breaks the rules, and the line is closed. */
    bool (*message)(void *arg, struct link *l);
    void (*gone)(void *arg, struct link *l); /* closed by either side; the link is freed after */
    void *arg;
};

POSTERN_MUST_USE postern_err link_new(struct event_base *base, int take_fd, const char *name,
                                      struct link_owner owner, struct link **ret,
                                      postern_error *err);
struct channel *link_channel(struct link *l);
/* Send or queue.  False: no memory, or nobody reads: close it. */
bool link_send(struct link *l, postern_bytes message);
void link_free(struct link *l); /* NULL is fine */

#endif
