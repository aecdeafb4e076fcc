/* SPDX-License-Identifier: BSD-2-Clause */
/* How an issuer is reached and what its documents are believed by: one for each file of issuers/,
 * made by context.c, shared by everything that fetches from that issuer. */
#ifndef POSTERN_LIB_SERVER_H
#define POSTERN_LIB_SERVER_H

#include <sys/types.h>

#include "http/http.h"

struct server {
    const char *issuer;      /* identifier, and base of discovery */
    const char *tls_ca_file; /* NULL: the system's */
    bool allow_loopback_http;
    /* Loopback http: whose listener is believed, besides root's.  Any local user may listen on the
     * port of an issuer that is down, and keys of a stranger would be keys of the issuer. */
    uid_t listener_uid;
    const postern_http_transport *transport; /* set before the first operation, then constant */
    postern_clock clock;
};

/* What every request to this issuer has in common. */
static inline void postern_server_request(const struct server *s, struct postern_http_request *rq)
{
    rq->method = "GET";
    rq->tls_ca_file = s->tls_ca_file;
    rq->allow_loopback_http = s->allow_loopback_http;
    rq->check_listener = true;
    rq->listener_uid = s->listener_uid;
}

#endif
