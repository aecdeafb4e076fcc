/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The question about one token (RFC 7662 §2.1) as a job of a fetch: one POST, token and proof of
 * ourselves in it, both wiped as soon as the answer is there; or, to the embedded issuer over its
 * line (http/issuer_line.h), the token's SHA-256 and nothing else.  Called by introspector.c.
 */
#ifndef POSTERN_LIB_INTROSPECTION_CALL_H
#define POSTERN_LIB_INTROSPECTION_CALL_H

#include "client_auth.h"
#include "fetch.h"
#include "introspection.h"
#include "metadata.h"
#include "server.h"

/* As whom we ask, for as long as the introspector lives. */
struct introspection_client {
    postern_agent agent; /* texts in the introspector's arena, credential below */
    postern_secret *credential;
    postern_signer *signer; /* PRIVATE_KEY_JWT */
};

struct introspection_call {
    const struct server *server;
    const struct introspection_client *client;
    struct postern_endpoint endpoint;
    unsigned takes;        /* POSTERN_TAKES_* */
    postern_secret *token; /* NULL: answered */
    postern_buf authorization, body, assertion;
    /* When the question began, and what had been taken back by then: the answer may be as old. */
    int64_t begun_ms;
    const postern_op *payer; /* of a drop of its source's bucket, for comparing alone; NULL: nobody */
    uint64_t words;
    int retry_after_s; /* -1: the server said nothing */
    bool refused_us;   /* it does not believe that we are who we say */
    bool stumbled;     /* status 500: it may have been this token alone */
    struct introspection answer;
};

extern const struct fetch_kind postern_introspection_call_kind; /* by HTTP */
extern const struct fetch_kind postern_introspection_line_kind; /* without client and endpoint */

/* A fetch frees it.
 *   metadata   whose endpoint is asked; NULL: by line
 *   POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_introspection_call_new(
    const struct server *server, const struct introspection_client *client,
    const struct postern_metadata *metadata, postern_bytes token, struct introspection_call **ret,
    postern_error *err);

#endif
