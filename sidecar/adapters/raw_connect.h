/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The raw login as an HTTP CONNECT (RFC 9110 §9.3.6, RFC 9112): for clients that know proxies and
 * nothing else.  A head that two readers could read in two ways is refused.  The target is compared
 * by the door with its own names; nothing is ever dialled because a client said so.
 */
#ifndef POSTERN_ADAPTERS_RAW_CONNECT_H
#define POSTERN_ADAPTERS_RAW_CONNECT_H

#include "credential.h"
#include "line.h"

/* Lines of a head: browsers' proxies send a dozen; more only cost. */
#define CONNECT_LINES_MAX 64

typedef enum connect_scheme {
    CONNECT_SCHEME_NONE = 0, /* no credentials, or of a kind that is not taken here */
    CONNECT_SCHEME_BEARER,   /* RFC 6750 §2.1 */
    CONNECT_SCHEME_BASIC     /* RFC 7617: the token as the password */
} connect_scheme;

/* A range of `in`, which may move between calls. */
struct connect_range {
    size_t at, len;
};

/* What was read of a head; zeroed before the first byte. */
struct connect_head {
    unsigned             line_count;
    unsigned             seen;       /* a bit for each header that may stand once */
    bool                 has_crlf;   /* how its first line ended, and all others must */
    bool                 is_http_1_1;
    bool                 is_origin;  /* credentials stood in Authorization: 401, not 407 */
    connect_scheme       scheme;
    struct connect_range target;     /* authority of the request line */
    struct connect_range credentials;
    char                 host[ADAPTER_HOST_MAX];
    char                 port[6];
};

/*
 * Read on.
 *
 *   c   what Basic credentials were decoded to; the caller frees it
 *   POSTERN_OK (s->start is where the backend's bytes begin) · POSTERN_AGAIN · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_MESSAGE_MALFORMED · POSTERN_ERR_NO_TOKEN · POSTERN_ERR_MALFORMED (a password that
 *   is no token) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err connect_read(struct connect_head *h, struct line_scan *s,
                                          postern_bytes in, struct credential **c,
                                          struct adapter_login *ret, postern_error *err);

/* connect_target.c: "host:port" as RFC 9112 §3.2.3 has it.  POSTERN_OK · MESSAGE_MALFORMED */
POSTERN_MUST_USE postern_err connect_target_parse(postern_bytes target, char host[ADAPTER_HOST_MAX],
                                                  char port[6], postern_error *err);

/* connect_answer.c: 200 and the lease in headers. */
void connect_put_grant(const struct adapter_granted *g, postern_buf *out);
/*
 * Status, challenges (RFC 6750 §3, RFC 9728 §5.1) and the JSON object.
 *
 *   is_read    the login was read to its end, so LIMIT is about the token and not about the head
 *   sentence   as for answer_put_refusal()
 */
void connect_put_refusal(const struct connect_head *h, bool is_read,
                         const struct adapter_denied *d, const char *sentence, postern_buf *out);
/* 400 … 503; exported for its table's test. */
int connect_status(postern_err code, bool is_origin, bool is_read);

#endif
