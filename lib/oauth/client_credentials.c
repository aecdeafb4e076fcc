/* SPDX-License-Identifier: BSD-2-Clause */
/* An agent's own token: client_credentials (RFC 6749 §4.4, RFC 8707).  See <postern/acquire.h>. */
#include "oauth/client_credentials.h"

#include "oauth/token_call.h"

static const struct postern_call_kind acquire_kind = {
    .class = POSTERN_CALL_CLASS("acquire", struct postern_call),
    .needs = POSTERN_NEED_TOKEN,
    .endpoint = postern_call_token_endpoint,
    .accept = postern_call_accept_token,
};

static postern_err fill(struct postern_call *call, const postern_acquire *rq, postern_error *err)
{
    postern_call_add(call, "grant_type", "client_credentials");
    return postern_call_add_target(call, rq->resource, rq->scope, err);
}

postern_err postern_acquire_start_with(const postern_http_transport *transport,
                                       const postern_clock *clock, const postern_acquire *rq,
                                       postern_op **ret_op, postern_error *err)
{
    struct postern_call *call;
    postern_err e;

    if (rq->size != sizeof *rq)
        return POSTERN_FAIL(err, USAGE, "postern_acquire of another version");
    if (rq->agent.auth == POSTERN_CLIENT_AUTH_NONE)
        return POSTERN_FAIL(err, USAGE,
                            "a public client gets no token of its own (OAuth 2.1 section 4.2)");
    POSTERN_TRY(postern_call_new(&acquire_kind, transport, clock, &rq->agent, &call, err));
    if ((e = fill(call, rq, err)) == POSTERN_OK)
        return postern_call_hand_over(call, ret_op, err);
    postern_op_free(&call->op);
    return e;
}

postern_err postern_acquire_start(const postern_clock *clock, const postern_acquire *rq,
                                  postern_op **ret_op, postern_error *err)
{
    return postern_acquire_start_with(&postern_http_curl, clock, rq, ret_op, err);
}
