/* SPDX-License-Identifier: BSD-2-Clause */
/* How an issuer is reached and what its documents are believed by: one for each file of issuers/,
 * made by context.c, shared by everything that fetches from that issuer. */
#ifndef POSTERN_LIB_SERVER_H
#define POSTERN_LIB_SERVER_H

#include "http/http.h"

struct server {
    const char *issuer;      /* identifier, and base of discovery */
    const char *tls_ca_file; /* NULL: the system's */
    bool allow_loopback_http;
    const postern_http_transport *transport; /* set before the first operation, then constant */
    postern_clock clock;
};

#endif
