/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judge of one exchange's connections: is the URL one that we may fetch, each address one that
 * we may connect to, and, over http to loopback, is the listener still the trusted one when the
 * connection stands.  No I/O but /proc; called by http_curl.c.
 */
#ifndef POSTERN_LIB_JUDGE_H
#define POSTERN_LIB_JUDGE_H

#include "http/http.h"
#include "http/listener.h"

/* Loopback addresses tried for one name: ::1 and 127.0.0.1, and room. */
#define POSTERN_JUDGE_ADDRESSES_MAX 4

struct postern_judge {
    struct postern_url url; /* its views are not to be used: the text was the caller's */
    bool is_host_configured;
    bool check_listener; /* asked for, and the URL is http */
    uid_t listener_uid;
    size_t count;
    struct {
        struct postern_tcp_address where;
        struct postern_listeners listeners; /* before connect(2) */
    } seen[POSTERN_JUDGE_ADDRESSES_MAX];
};

/* https anywhere; http only where it is allowed and the host is loopback.  POSTERN_OK ·
 * ISSUER_UNTRUSTED */
POSTERN_MUST_USE postern_err postern_judge_url(const struct postern_http_request *rq,
                                               struct postern_judge *ret, postern_error *err);
/* Before connect(2).  POSTERN_OK · ISSUER_UNTRUSTED · ISSUER_UNREACHABLE (nobody listens on that
 * loopback port) */
POSTERN_MUST_USE postern_err postern_judge_address(struct postern_judge *j,
                                                   const struct sockaddr *to, socklen_t to_len,
                                                   postern_error *err);
/* Connected to `ip` (as text), before a byte is sent.  POSTERN_OK · ISSUER_UNTRUSTED ·
 * ISSUER_UNREACHABLE */
POSTERN_MUST_USE postern_err postern_judge_connected(const struct postern_judge *j, const char *ip,
                                                     int port, postern_error *err);

#endif
