/* SPDX-License-Identifier: BSD-2-Clause */
/* The administration socket: who may ask (admin_peers:), lines in and out.  What is asked is
 * admin.c's business. */
#ifndef POSTERN_ISSUER_ADMIN_SOCKET_H
#define POSTERN_ISSUER_ADMIN_SOCKET_H

#include <event2/event.h>

#include "issuer.h"
#include "revocations.h"

#define ADMIN_CONNECTIONS_MAX 8 /* administrators at one time; more wait in the listen queue */
#define ADMIN_IDLE_S 5          /* for the request, and for reading the reply */

struct admin_socket;

/*
 *   take_fd   unix stream socket, listening; closed by us, also on failure
 *   doors     the line to the door child; NULL: this configuration has no doors
 *   server    issuer.conf: admin_peers:
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err admin_socket_new(struct event_base *base, int take_fd,
                                              struct issuer *is, struct revocations *helper,
                                              struct revocations *doors,
                                              const postern_section *server,
                                              struct admin_socket **ret, postern_error *err);
/* Accept nobody any more. */
void admin_socket_drain(struct admin_socket *s);
bool admin_socket_is_idle(const struct admin_socket *s);
void admin_socket_free(struct admin_socket *s); /* NULL is fine */

#endif
