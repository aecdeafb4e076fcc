/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's listeners and connections: who is connected, how many, for how long.  What a frame
 * means is login.c's. */
#ifndef POSTERN_SIDECAR_HELPER_SERVER_H
#define POSTERN_SIDECAR_HELPER_SERVER_H

#include "../role.h"
#include "helper.h"

/* A connection that owes us a frame: plugins connect and send in one go, so a second would do; a
 * stopped process may want more. */
#define SERVER_IDLE_S 10
/* The same while we are leaving, from the first byte to the last: who was accepted just before still
 * gets an answer, and so long at most requests are taken. */
#define SERVER_DRAIN_IDLE_S 1
/* One user's processes may hold at most this part of helper_max_connections, so that one broken
 * host cannot lock out the others. */
#define SERVER_USER_SHARE_DIVISOR 2
/* And all whom no helper_peers: names, whoever they are, this part: anybody may connect, and a user
 * with a range of subordinate uids is as many users as he likes. */
#define SERVER_STRANGERS_SHARE_DIVISOR 8
/* A request that is answered sooner does not cost its connection a place in epoll(7).  So late is a hang-up
 * meanwhile, or a second frame, seen. */
#define SERVER_UNWATCHED_MS 20
/* Connections accepted per wake-up: the loop serves those it has before it takes more. */
#define SERVER_ACCEPTS_PER_WAKE 64
/* Pause of accept(2) when descriptors or memory ran out. */
#define SERVER_ACCEPT_PAUSE_MS 100
/* Anybody can keep it so: the log says so at most this often. */
#define SERVER_ACCEPT_LOG_MS 10000

#define SERVER_BUSY_DETAIL_MAX 128 /* bytes: a sentence about a share */

#define SERVER_LISTENERS_MAX (ROLE_LISTEN_MAX + 1)

struct server;

struct server_sockets { /* borrowed */
    const int *fds; /* SOCK_SEQPACKET, postern-helper(7) */
    size_t count;
    int saslauthd_fd; /* SOCK_STREAM, saslauthd's protocol; -1: none */
};

/*
 * Prepare to serve on listening sockets; nobody is accepted before server_begin(), callers wait in
 * the kernel's backlog.
 *
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err server_new(struct helper *h, const struct server_sockets *sockets,
                                        size_t connections_max, struct server **ret,
                                        postern_error *err);
void server_begin(struct server *s); /* nothing happens once it drains */
/*
 * Accept nothing more, answer what is in flight; when the last connection is gone and the last
 * audit record is written the loop ends.
 *
 *   retired   called once, perhaps at once: no request is taken any more, what was begun goes on.
 *             May be NULL.  A second call of server_drain() changes nothing
 */
void server_drain(struct server *s, void (*retired)(void *arg), void *arg);
/* The last audit record is written: the loop ends now if nothing else is waited for. */
void server_note_idle_audit(struct server *s);
void server_free(struct server *s);

#endif
