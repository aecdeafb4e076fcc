/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to a backend: resolve (evdns, each time anew), connect, TLS with verify-full.  Never
 * blocks; one attempt has one deadline, all addresses together.
 */
#ifndef POSTERN_SIDECAR_DOOR_UPSTREAM_H
#define POSTERN_SIDECAR_DOOR_UPSTREAM_H

#include <sys/socket.h>

#include <event2/dns.h>

#include "relay.h"

#define UPSTREAM_CONNECT_MS 5000 /* name, connect and TLS together: a person waits for a login */
/* A unix socket whose queue is full says so at once; its daemon is busy, not gone. */
#define UPSTREAM_BUSY_MS    20
#define UPSTREAM_TRIES_MAX  8 /* addresses of one name: each has its share of the time */

typedef enum upstream_tls {
    UPSTREAM_VERIFY_FULL = 0,
    UPSTREAM_VERIFY_CA,
    UPSTREAM_PLAIN
} upstream_tls;

/* Where a door's backend is; made once per configuration, immutable, shared by all loops. */
struct upstream_target {
    char         host[256];  /* "" for a unix socket */
    char         port[8];
    char         path[108];  /* unix socket; "" otherwise */
    upstream_tls tls;
    SSL_CTX     *tls_ctx;    /* NULL where plain; client certificate loaded where there is one */
};

/*
 * "host:port", "[v6]:port", "unix:/path" into `ret` (tls and tls_ctx are the caller's to set).
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err upstream_target_parse(const char *text, struct upstream_target *ret,
                                                   postern_error *err);
/* True for a unix socket or a literal address of loopback: there TLS is off unless asked for. */
bool upstream_target_is_local(const struct upstream_target *t);

/* The host as a literal address with its port; false for a name or a unix socket. */
bool upstream_target_address(const struct upstream_target *t, struct sockaddr_storage *ret,
                             socklen_t *ret_len);

struct upstream; /* one attempt */
struct upstream_owner {
    /* Once, as its last act: free it here.  err NULL: `leg` is connected and the owner's; else err
     * is the attempt's, until it is freed. */
    void (*done)(void *arg, struct leg leg, const postern_error *err);
    void *arg;
};
/*
 * Start.  `done` is never called before this returns.
 * Several addresses are tried in turn, each with its share of the time that is left.
 *
 *   dns      may be NULL where the host is a literal address or a unix socket
 *   target   borrowed until done or free
 *   err of done   BACKEND, its detail saying what: the name does not resolve, nobody listens, no
 *                 answer in time, certificate not valid, certificate for another name · NOMEM
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err upstream_connect(struct event_base *base, struct evdns_base *dns,
                                              const struct upstream_target *target,
                                              struct upstream_owner owner, struct upstream **ret,
                                              postern_error *err);
void upstream_free(struct upstream *u); /* cancels; NULL is fine */

#endif
