/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: who asks (control_admins:, control_watchers:), lines in and out.  What is
 * asked is act.c's business. */
#ifndef POSTERN_CONTROL_SOCKET_H
#define POSTERN_CONTROL_SOCKET_H

#include "act.h"

/* At one time; when administrators hold all of them more wait in the listen queue. */
#define CONTROL_CONNECTIONS_MAX 16
/* Of these for users who may not, or may only look: they cannot keep an administrator out.  More
 * of theirs are closed without a word. */
#define CONTROL_OTHERS_MAX 4
#define CONTROL_IDLE_S     5 /* for the request, and for reading the reply */

struct control_socket;

/*
 *   take_fd   unix stream socket, listening; closed by us, also on failure
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err control_socket_new(struct control *c, int take_fd,
                                                struct control_socket **ret, postern_error *err);
/* Accept nobody any more. */
void control_socket_drain(struct control_socket *s);
bool control_socket_is_idle(const struct control_socket *s);
void control_socket_free(struct control_socket *s); /* NULL is fine */

#endif
