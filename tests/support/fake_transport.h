/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transport without a network: a script of answers, one per exchange, and a record of what was
 * asked.  Misbehaves on command: any status, type or body, an error of the transport, or silence.
 */
#ifndef TESTS_SUPPORT_FAKE_TRANSPORT_H
#define TESTS_SUPPORT_FAKE_TRANSPORT_H

#include "http/http.h"

#define FAKE_FOREVER (-1)
#define FAKE_NO_STORE (-1)
#define FAKE_RECORDS 8

struct fake_answer {
    const char *url;       /* asserted; NULL: any */
    postern_err start_err; /* UNSET: start() works */
    int again;             /* step() says AGAIN that many times first; FAKE_FOREVER: always */
    postern_err step_err;  /* UNSET: the response below */
    bool is_unsent;        /* not a byte of the request left */
    bool has_fd;           /* a descriptor to wait for, never readable; else none */
    int status;
    const char *content_type; /* NULL: application/json */
    int retry_after_s;        /* 0: absent */
    postern_bytes body;
    int max_age_s;            /* of Cache-Control; 0: absent; FAKE_NO_STORE: not to be kept */
    const char *etag;         /* NULL: none */
    int64_t date_s;           /* of Date; 0: absent */
};

/* What start() was given, as text; cut off where it does not fit. */
struct fake_record {
    char method[8], url[512], authorization[4096], body[4096], etag[128], tls_ca_file[256];
    bool is_host_configured, allow_loopback_http, check_listener;
    uid_t listener_uid;
    int deadline_ms;
};

struct fake_transport {
    postern_http_transport transport; /* pass &f.transport; f must not move */
    const struct fake_answer *answers;
    size_t answer_count;
    size_t started; /* exchanges; one past the script fails as unreachable */
    size_t open;    /* not freed yet */
    struct fake_record records[FAKE_RECORDS];
};

void fake_transport_init(struct fake_transport *f, const struct fake_answer *answers, size_t count);

#endif
