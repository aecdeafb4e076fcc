/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport interface: one HTTP exchange that never blocks.  lib/oauth knows this header only; http_curl.c is the one real
 * implementation and the only user of libcurl; tests bring a fake.
 */
#ifndef POSTERN_LIB_HTTP_H
#define POSTERN_LIB_HTTP_H

#include <sys/types.h>

#include <postern/op.h>

#define POSTERN_HTTP_BODY_MAX 262144 /* bytes of an answer: the largest we read is a JWK set */

struct postern_http_request {
    const char   *method;                /* "GET" or "POST" */
    const char   *url;                   /* https, or http to a loopback address when allowed */
    const char   *accept;                /* NULL: application/json */
    postern_bytes authorization;         /* value of the Authorization header, secret; empty: none */
    postern_bytes body;                  /* form body, secret; POST only */
    const char   *tls_ca_file;           /* NULL: the system's */
    bool          allow_loopback_http;
    bool          check_listener;        /* loopback http: the listener must belong to root or listener_uid, checked before a byte is sent */
    uid_t         listener_uid;
    int           deadline_ms;
    size_t        body_max;              /* 0: POSTERN_HTTP_BODY_MAX */
};

struct postern_http_response {
    int         status;                  /* 200 … */
    char        content_type[128];       /* lower case, without parameters; "" when absent */
    int         retry_after_s;           /* -1 when absent */
    postern_buf body;
};

struct postern_http_exchange;            /* one in flight; struct of the implementation */

typedef struct postern_http_transport {
    const char *name;
    /* Everything in rq is copied.  POSTERN_OK · ISSUER_UNTRUSTED (URL refused) · NOMEM · SYSTEM */
    postern_err (*start)(const struct postern_http_transport *t, const struct postern_http_request *rq,
                         struct postern_http_exchange **ret, postern_error *err);
    /* POSTERN_OK (response filled) · AGAIN · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER (too large, redirect) · TIMEOUT */
    postern_err (*step)(struct postern_http_exchange *x, postern_error *err);
    int (*fd)(const struct postern_http_exchange *x);
    int (*wait_ms)(const struct postern_http_exchange *x);
    const struct postern_http_response *(*response)(const struct postern_http_exchange *x);
    void (*free)(struct postern_http_exchange *x);
    void *arg;
} postern_http_transport;

extern const postern_http_transport postern_http_curl;

#endif
