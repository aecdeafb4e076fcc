/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving a token back (RFC 7009 §2).  See <postern/login.h>. */
#include <postern/request.h>

#include "oauth/login.h"
#include "oauth/token_call.h"

static const struct postern_endpoint *revocation_endpoint(const struct postern_call *call,
                                                          unsigned *ret_takes)
{
    *ret_takes = call->metadata.revocation_auth;
    return &call->metadata.revocation;
}

/* RFC 7009 §2.2: status 200 says it all, of an unknown token too. */
static postern_err accept_nothing(struct postern_call *call, const struct postern_http_response *r,
                                  postern_error *err)
{
    (void)call, (void)r, (void)err;
    return POSTERN_OK;
}

static const struct postern_call_kind revoke_kind = {
    .class = POSTERN_CALL_CLASS("revoke", struct postern_call),
    .needs = POSTERN_NEED_REVOCATION,
    .endpoint = revocation_endpoint,
    .accept = accept_nothing,
};

static postern_err fill(struct postern_call *call, const postern_revoke *rq, postern_error *err)
{
    postern_call_add(call, "token_type_hint",
                     rq->is_refresh_token ? "refresh_token" : "access_token");
    return postern_call_add_secret(call, "token", rq->token, err);
}

postern_err postern_revoke_start_with(const postern_http_transport *transport,
                                      const postern_clock *clock, const postern_revoke *rq,
                                      postern_op **ret_op, postern_error *err)
{
    struct postern_call *call;
    postern_err e;

    if (rq->size != sizeof *rq)
        return POSTERN_FAIL(err, USAGE, "postern_revoke of another version");
    if (rq->token.len == 0 || rq->token.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, USAGE, "token is empty or longer than %d bytes",
                            POSTERN_TOKEN_MAX);
    POSTERN_TRY(postern_call_new(&revoke_kind, transport, clock, &rq->agent, &call, err));
    if ((e = fill(call, rq, err)) == POSTERN_OK)
        return postern_call_hand_over(call, ret_op, err);
    postern_op_free(&call->op);
    return e;
}

postern_err postern_revoke_start(const postern_clock *clock, const postern_revoke *rq,
                                 postern_op **ret_op, postern_error *err)
{
    return postern_revoke_start_with(&postern_http_curl, clock, rq, ret_op, err);
}
