/* SPDX-License-Identifier: BSD-2-Clause */
/* The administration socket: who may ask (admin_peers:), lines in and out.  What is asked is
 * admin.c's business. */
#ifndef POSTERN_ISSUER_ADMIN_SOCKET_H
#define POSTERN_ISSUER_ADMIN_SOCKET_H

#include <event2/event.h>

#include "issuer.h"
#include "revocations.h"
#include "work.h"

#define ADMIN_CONNECTIONS_MAX 8 /* administrators at one time; more wait in the listen queue */
#define ADMIN_IDLE_S 5          /* for the request, and for reading the reply */

struct admin_socket;

struct admin_setup {
    struct event_base *base;
    struct issuer *is;
    struct revocations *helper;
    struct revocations *doors; /* the line to the door child; NULL: no doors here */
    struct work *work;
    const postern_section *server; /* issuer.conf: admin_peers: */
};

/*
 *   setup     what it points to outlives the socket
 *   take_fd   unix stream socket, listening; closed by us, also on failure
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err admin_socket_new(const struct admin_setup *setup, int take_fd,
                                              struct admin_socket **ret, postern_error *err);
/* Accept nobody any more. */
void admin_socket_drain(struct admin_socket *s);
bool admin_socket_is_idle(const struct admin_socket *s);
void admin_socket_free(struct admin_socket *s); /* NULL is fine */

#endif
