/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two limits that evhttp lacks: how many connections there are, and how long each may last.
 * Knows bufferevents and listeners, nothing of HTTP.  Called by http.c.
 */
#ifndef POSTERN_ISSUER_HTTP_CONNECTIONS_H
#define POSTERN_ISSUER_HTTP_CONNECTIONS_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <postern/op.h>

/* At one time; more wait in the listen queue, never long: HTTP_PRESSED_MS. */
#define HTTP_CONNECTIONS_MAX 256
/* While all places are taken: how long one may be held by who sends nothing. */
#define HTTP_PRESSED_MS 100
/* From accept to the last byte: who is slower than that is not a client. */
#define HTTP_REQUEST_MAX_S 20
#define HTTP_LISTENERS_MAX 8     /* ROLE_LISTEN_MAX */

struct http_connections;

/* `clock` must stay alive.  POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err http_connections_new(struct event_base *base,
                                                  const postern_clock *clock,
                                                  struct http_connections **ret,
                                                  postern_error *err);
/* Their bufferevents must have been freed by their other owner before.  NULL is fine. */
void http_connections_free(struct http_connections *c);
/* Pause this listener while all places are taken; at most HTTP_LISTENERS_MAX, stays the
 * caller's. */
void http_connections_watch(struct http_connections *c, struct evconnlistener *l);
/* The listeners go away: never touch them again. */
void http_connections_unwatch(struct http_connections *c);
/* A bufferevent for a new connection (evhttp_set_bevcb); NULL when there is no memory.  One
 * reference is the caller's. */
struct bufferevent *http_connections_add(struct event_base *base, void *connections);
/* How many are open. */
size_t http_connections_count(struct http_connections *c);
/* The peer sees the end at once; the owner sees it as end of file. */
void http_connections_cut(struct bufferevent *bev);

#endif
