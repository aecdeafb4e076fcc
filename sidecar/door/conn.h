/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection from accept to the end of its login: TLS or not, the adapter's login, the gate, the
 * record, the backend, the answer.  Then the session has its sockets and it is gone.
 */
#ifndef POSTERN_SIDECAR_DOOR_CONN_H
#define POSTERN_SIDECAR_DOOR_CONN_H

#include "loop.h"

/* What is refused and does not hang up is read and thrown away for so long, so that the answer
 * arrives (a reset would overtake it). */
#define CONN_LINGER_MS 2000
#define CONN_LINGER_BYTES 262144
/* Bytes of a client until TLS stands: a ClientHello has 2 KiB with the keys of after quantum
 * computers, and so has a chain of certificates. */
#define CONN_HANDSHAKE_MAX 16384
/* Verdict, record and backend each have a time-out of their own; this is for none of them. */
#define CONN_GATE_MS 20000

/* Take an accepted socket in every case. */
void conn_new(struct loop *l, const struct door_listener *from, int take_fd,
              const struct sockaddr *address, socklen_t address_len);
/* Every LOOP_TICK_MS. */
void conn_tick(struct conn *c, struct lease_clock now);
/* The loop takes no more logins: those that have not sent one yet go. */
void conn_drain(struct conn *c);
void conn_free(struct conn *c);
struct conn *conn_next(const struct conn *c); /* of its loop; NULL after the last */

#endif
