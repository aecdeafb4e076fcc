/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A role's line to the supervisor (sidecar/role.h): each message goes to the handler that the
 * role's table names for its type.  "drain" and the end of the line mean the same.
 */
#ifndef POSTERN_SIDECAR_SUPERVISOR_LINE_H
#define POSTERN_SIDECAR_SUPERVISOR_LINE_H

#include <event2/event.h>

#include "channel.h"

struct supervisor_line;

/* One type of message; one of the two is set. */
struct supervisor_message {
    const char *type;
    void (*obey)(void *arg);
    void (*take)(void *arg, int take_fd); /* a message that is nothing without its descriptor */
};

struct supervisor_line_owner {
    const struct supervisor_message *messages; /* without "drain"; borrowed for life */
    size_t count;
    void (*drain)(void *arg); /* again, harmlessly.  No handler may free the line */
    void *arg;
};

/*
 *   take_fd   owned from the call on
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err supervisor_line_new(struct event_base *base, int take_fd,
                                                 struct supervisor_line_owner owner,
                                                 struct supervisor_line **ret, postern_error *err);
/* For the members of the message that is handled, and for sending. */
struct channel *supervisor_line_channel(struct supervisor_line *l);
POSTERN_MUST_USE postern_err supervisor_line_say_ready(struct supervisor_line *l,
                                                       postern_error *err);
/* "retired", "committed".  A failure is logged: the supervisor that waits for it ends us.  Nothing when
 * the line has ended. */
void supervisor_line_tell(struct supervisor_line *l, const char *type);
/* Obey what is there already, before something that another process says because of it.  Not from a
 * handler. */
void supervisor_line_read(struct supervisor_line *l);
/* "link": make our lines to the other roles anew.  A failure is logged. */
void supervisor_line_want_lines(struct supervisor_line *l);
/* It ended because a message broke the rules. */
bool supervisor_line_is_broken(const struct supervisor_line *l);
void supervisor_line_free(struct supervisor_line *l); /* NULL is fine */

#endif
