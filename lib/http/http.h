/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport interface: one HTTP exchange that never blocks.  lib/oauth knows this header
 * only; http_curl.c is the one real implementation and the only user of libcurl; tests bring a
 * fake.
 */
#ifndef POSTERN_LIB_HTTP_H
#define POSTERN_LIB_HTTP_H

#include <sys/types.h>

#include <postern/op.h>

#include "http/url.h"

#define POSTERN_HTTP_BODY_MAX 262144 /* bytes of an answer: the largest we read is a JWK set */

#define POSTERN_HTTP_ETAG_MAX 128    /* bytes with NUL: a hash in hexadecimal, quoted, and room */

struct postern_http_request {
    const char   *method;                /* "GET" or "POST" */
    const char   *url;                   /* https, or http to a loopback address when allowed */
    const char   *accept;                /* NULL: application/json */
    /* Value of the Authorization header, secret; empty: none. */
    postern_bytes authorization;
    postern_bytes body;                  /* form body, secret; POST only */
    const char   *tls_ca_file;           /* NULL: the system's */
    /* The URL's host stands in our own configuration: it may have a private address. */
    bool          is_host_configured;
    const char   *etag;                  /* If-None-Match; NULL: none, and 304 is refused */
    bool          allow_loopback_http;
    /* Loopback http: the listener must belong to root or listener_uid, checked before a byte is
     * sent. */
    bool          check_listener;
    uid_t         listener_uid;
    int           deadline_ms;
    size_t        body_max;              /* 0: POSTERN_HTTP_BODY_MAX */
};

struct postern_http_response {
    int         status;                  /* 200 … */
    char        content_type[128];       /* lower case, without parameters; "" when absent */
    int         retry_after_s;           /* -1 when absent */
    int         max_age_s;               /* of Cache-Control, less Age; 0: not to be kept; -1 */
    char        etag[POSTERN_HTTP_ETAG_MAX]; /* with its quotes; "" when absent or longer */
    int64_t     date_s;                  /* of Date (RFC 9110 §6.6.1), since 1970; -1 when absent */
    postern_buf body;
};

struct postern_http_exchange;            /* one in flight; struct of the implementation */

typedef struct postern_http_transport {
    const char *name;
    /* Everything in rq is copied; work begins with the first step.  POSTERN_OK ·
     * ISSUER_UNTRUSTED (URL refused) · NOMEM · SYSTEM */
    postern_err (*start)(const struct postern_http_transport *t,
                         const struct postern_http_request *rq, struct postern_http_exchange **ret,
                         postern_error *err);
    /*
     * POSTERN_OK (response filled; any status but a redirect's) · AGAIN · ISSUER_UNREACHABLE ·
     * ISSUER_UNTRUSTED · ISSUER_ANSWER (too large, redirect, not HTTP) · TIMEOUT · NOMEM ·
     * SYSTEM.  Not called again after a verdict.
     */
    postern_err (*step)(struct postern_http_exchange *x, postern_error *err);
    /* Readable when step() has work; -1: step again after wait_ms. */
    int (*fd)(const struct postern_http_exchange *x);
    int (*wait_ms)(const struct postern_http_exchange *x);
    const struct postern_http_response *(*response)(const struct postern_http_exchange *x);
    /* False only when not one byte of the request left us: what it would have done was not done. */
    bool (*was_sent)(const struct postern_http_exchange *x);
    void (*free)(struct postern_http_exchange *x); /* cancels, wipes; NULL is fine */
    void *arg;
} postern_http_transport;

extern const postern_http_transport postern_http_curl;

#endif
