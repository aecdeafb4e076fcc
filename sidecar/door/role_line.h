/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door's line to another role: messages in, answers out in order.  While an answer waits for
 * the other end to read, no further message is taken.  First thread only.
 */
#ifndef POSTERN_SIDECAR_DOOR_ROLE_LINE_H
#define POSTERN_SIDECAR_DOOR_ROLE_LINE_H

#include <event2/event.h>

#include "../channel.h"

struct role_line;

struct role_line_owner {
    /* One message; false: it breaks the rules, and the line is closed.  Must not free the line. */
    bool (*message)(void *arg, struct role_line *l);
    /* Closed by either side; the line is freed after. */
    void (*gone)(void *arg, struct role_line *l);
    void *arg;
};

POSTERN_MUST_USE postern_err role_line_new(struct event_base *base, int take_fd, const char *name,
                                           struct role_line_owner owner, struct role_line **ret,
                                           postern_error *err);
struct channel *role_line_channel(struct role_line *l);
/* Send or queue.  False: lost, for want of memory or because nobody reads: the line closes itself
 * from the loop, and gone() is called. */
bool role_line_send(struct role_line *l, postern_bytes message);
void role_line_free(struct role_line *l); /* NULL is fine */

#endif
