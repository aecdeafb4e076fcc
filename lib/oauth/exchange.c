/* SPDX-License-Identifier: BSD-2-Clause */
/* Token exchange (RFC 8693 §2).  See <postern/exchange.h>. */
#include "oauth/exchange.h"

#include <postern/oauthbearer.h>

#include "oauth/token_call.h"

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_MAX   256 /* bytes of a token type: a URI */

/* An answer that is what was sent is none: it would go on to a service that must not have it. */
static postern_err accept_new_token(struct postern_call *call,
                                    const struct postern_http_response *r, postern_error *err)
{
    POSTERN_TRY(postern_call_accept_token(call, r, err));
    for (size_t i = 0; i < POSTERN_CALL_SECRETS && call->secrets[i] != NULL; i++)
        if (postern_bytes_equal_ct(postern_secret_bytes(call->secrets[i]),
                                   postern_secret_bytes(call->op.token)))
            return POSTERN_FAIL(err, ISSUER_ANSWER, "the new token is one that was sent");
    return POSTERN_OK;
}

static const struct postern_call_kind exchange_kind = {
    .class = POSTERN_CALL_CLASS("exchange", struct postern_call),
    .needs = POSTERN_NEED_TOKEN,
    .endpoint = postern_call_token_endpoint,
    .accept = accept_new_token,
};

static bool is_text(const char *s, size_t max)
{
    return s[0] != '\0' && strlen(s) <= max && postern_bytes_is_printable(postern_bytes_str(s));
}

static postern_err check_token(postern_bytes token, const char *type, const char *what,
                               postern_error *err)
{
    if (token.len > POSTERN_TOKEN_MAX || !postern_token_is_token68(token))
        return POSTERN_FAIL(err, USAGE, "%s is no token, or longer than %d bytes", what,
                            POSTERN_TOKEN_MAX);
    if (type != NULL && !is_text(type, TYPE_MAX))
        return POSTERN_FAIL(err, USAGE, "type of %s is empty, too long or not printable", what);
    return POSTERN_OK;
}

static postern_err check_details(const char *details, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };

    if (strlen(details) > POSTERN_AUTHORIZATION_DETAILS_MAX ||
        postern_json_scan(&j, postern_bytes_str(details), NULL) != POSTERN_OK ||
        postern_json_type_of(&j, 0) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, USAGE,
                            "authorization_details is no JSON array of at most %d bytes (RFC 9396)",
                            POSTERN_AUTHORIZATION_DETAILS_MAX);
    return POSTERN_OK;
}

static postern_err check_request(const postern_exchange *rq, postern_error *err)
{
    if (rq->size != sizeof *rq)
        return POSTERN_FAIL(err, USAGE, "postern_exchange of another version");
    POSTERN_TRY(check_token(rq->subject_token, rq->subject_token_type, "subject_token", err));
    if (rq->actor_token.len != 0)
        POSTERN_TRY(check_token(rq->actor_token, rq->actor_token_type, "actor_token", err));
    else if (rq->actor_token_type != NULL) /* RFC 8693 §2.1 */
        return POSTERN_FAIL(err, USAGE, "actor_token_type without actor_token");
    if (rq->resource == NULL)
        return POSTERN_FAIL(err, USAGE,
                            "resource is missing: a token for one service is asked for");
    if (rq->purpose != NULL && !is_text(rq->purpose, POSTERN_PURPOSE_TEXT_MAX))
        return POSTERN_FAIL(err, USAGE, "purpose is empty, longer than %d bytes or not printable",
                            POSTERN_PURPOSE_TEXT_MAX);
    return rq->authorization_details == NULL ? POSTERN_OK
                                             : check_details(rq->authorization_details, err);
}

static const char *type_or_access(const char *type)
{
    return type == NULL ? POSTERN_TOKEN_TYPE_ACCESS : type;
}

static postern_err fill(struct postern_call *call, const postern_exchange *rq, postern_error *err)
{
    call->asked.is_exchange = true;
    postern_call_add(call, "grant_type", GRANT_TYPE);
    POSTERN_TRY(postern_call_add_secret(call, "subject_token", rq->subject_token, err));
    postern_call_add(call, "subject_token_type", type_or_access(rq->subject_token_type));
    if (rq->actor_token.len != 0) {
        POSTERN_TRY(postern_call_add_secret(call, "actor_token", rq->actor_token, err));
        postern_call_add(call, "actor_token_type", type_or_access(rq->actor_token_type));
    }
    postern_call_add(call, "requested_token_type", POSTERN_TOKEN_TYPE_ACCESS);
    postern_call_add(call, "purpose", rq->purpose);
    postern_call_add(call, "authorization_details", rq->authorization_details);
    return postern_call_add_target(call, rq->resource, rq->scope, err);
}

postern_err postern_exchange_start_with(const postern_http_transport *transport,
                                        const postern_clock *clock, const postern_exchange *rq,
                                        postern_op **ret_op, postern_error *err)
{
    struct postern_call *call;
    postern_err e;

    POSTERN_TRY(check_request(rq, err));
    POSTERN_TRY(postern_call_new(&exchange_kind, transport, clock, &rq->agent, &call, err));
    if ((e = fill(call, rq, err)) == POSTERN_OK)
        return postern_call_hand_over(call, ret_op, err);
    postern_op_free(&call->op);
    return e;
}

postern_err postern_exchange_start(const postern_clock *clock, const postern_exchange *rq,
                                   postern_op **ret_op, postern_error *err)
{
    return postern_exchange_start_with(&postern_http_curl, clock, rq, ret_op, err);
}
