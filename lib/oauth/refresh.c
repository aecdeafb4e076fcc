/* SPDX-License-Identifier: BSD-2-Clause */
/* Refresh (RFC 6749 §6).  See <postern/login.h>. */
#include <postern/request.h>

#include "oauth/login.h"
#include "oauth/token_call.h"

static const struct postern_call_kind refresh_kind = {
    .class = POSTERN_CALL_CLASS("refresh", struct postern_call),
    .needs = POSTERN_NEED_TOKEN,
    .endpoint = postern_call_token_endpoint,
    .accept = postern_call_accept_token,
};

static postern_err check_request(const postern_refresh *rq, postern_error *err)
{
    if (rq->size != sizeof *rq)
        return POSTERN_FAIL(err, USAGE, "postern_refresh of another version");
    if (rq->refresh_token.len == 0 || rq->refresh_token.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, USAGE, "refresh token is empty or longer than %d bytes",
                            POSTERN_TOKEN_MAX);
    return POSTERN_OK;
}

static postern_err fill(struct postern_call *call, const postern_refresh *rq, postern_error *err)
{
    call->asked.wants_refresh = true;
    postern_call_add(call, "grant_type", "refresh_token");
    POSTERN_TRY(postern_call_add_secret(call, "refresh_token", rq->refresh_token, err));
    return postern_call_add_target(call, rq->resource, rq->scope, err);
}

postern_err postern_refresh_start_with(const postern_http_transport *transport,
                                       const postern_clock *clock, const postern_refresh *rq,
                                       postern_op **ret_op, postern_error *err)
{
    struct postern_call *call;
    postern_err e;

    POSTERN_TRY(check_request(rq, err));
    POSTERN_TRY(postern_call_new(&refresh_kind, transport, clock, &rq->agent, &call, err));
    if ((e = fill(call, rq, err)) == POSTERN_OK)
        return postern_call_hand_over(call, ret_op, err);
    postern_op_free(&call->op);
    return e;
}

postern_err postern_refresh_start(const postern_clock *clock, const postern_refresh *rq,
                                  postern_op **ret_op, postern_error *err)
{
    return postern_refresh_start_with(&postern_http_curl, clock, rq, ret_op, err);
}
