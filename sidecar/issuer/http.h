/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuer's HTTP server: libevent's evhttp behind limits of ours.  The only file that knows
 * evhttp.  One request a connection, so that a connection's deadline is a request's deadline.
 */
#ifndef POSTERN_ISSUER_HTTP_H
#define POSTERN_ISSUER_HTTP_H

#include <event2/event.h>

#include <postern/op.h>

#include "answer.h"

#define HTTP_HEADERS_MAX 24576 /* a bearer token of 16 KiB and what clients send beside it */
/* evhttp refuses more unread; the form reader's own limit is 64 KiB. */
#define HTTP_BODY_MAX 262144
#define HTTP_IDLE_S 10         /* no byte for that long */

struct http_server;
typedef void (*http_handler)(void *arg, const struct http_request *rq, struct answer *a);

struct http_setup {
    struct event_base   *base;
    const postern_clock *clock;   /* both functions set; must stay alive */
    /* Called on the loop; leaves a complete answer, or a job that completes it. */
    http_handler         handler;
    void                *arg;
    struct work         *work;    /* for jobs; outlives the server */
};

/*
 * Serve on sockets that are bound and listening.
 *
 *   take_fds   closed by the server, also on failure
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err http_server_new(const struct http_setup *setup, const int *take_fds,
                                             size_t fd_count, struct http_server **ret,
                                             postern_error *err);
/* Accept nobody any more; what is in flight goes on. */
void http_server_drain(struct http_server *s);
/* No connection is open. */
bool http_server_is_idle(struct http_server *s);
void http_server_free(struct http_server *s); /* NULL is fine */

#endif
