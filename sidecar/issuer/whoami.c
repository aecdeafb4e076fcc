/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom a token stands for, as an API should say it.  The token is judged by the library like at
 * every other door (audience: this endpoint), then by the store: a removed client's token is
 * refused at once. RFC 6750 §3.1 (no error code in the challenge when no credentials were sent),
 * RFC 9728 §5.1 (resource_metadata).
 */
#include "whoami.h"

#include <stdio.h>

#include <postern/validate.h>

#include "clients.h"
#include "log.h"

/* The one service of postern_config_new_token_check(). */
#define TOKEN_CHECK_SERVICE "token"

static void answer_unauthorized(const struct issuer *is, struct answer *a, const char *error,
                                const char *description)
{
    char message[2 * POSTERN_URL_MAX + 128];
    bool has_token = strcmp(error, "missing_token") != 0;

    (void)snprintf(
        message, sizeof message,
        "Get a token with resource=%s from %s/oauth/token and send it as Authorization: Bearer.",
        is->settings->whoami, is->settings->base); /* fits: both are bounded */
    answer_error(a, 401, error, description, message);
    (void)snprintf(a->challenge, sizeof a->challenge,
                   "Bearer realm=\"postern\"%s%s%s%s%s, resource_metadata=\"%s\"",
                   has_token ? ", error=\"" : "", has_token ? error : "",
                   has_token ? "\", error_description=\"" : "", has_token ? description : "",
                   has_token ? "\"" : "", is->settings->whoami_metadata); /* fits likewise */
}

/* What a stranger may learn of the reason: expired is worth knowing, the rest is one answer (RFC
 * 6750 §3.1). */
static const char *describe(postern_err e)
{
    switch (e) {
    case POSTERN_ERR_EXPIRED:
        return "the token has expired";
    case POSTERN_ERR_AUD:
        return "the token is meant for another resource";
    default:
        return "the token is not valid here";
    }
}

static postern_err judge(struct issuer *is, postern_bytes token, postern_grant **ret,
                         postern_error *err)
{
    postern_request rq = { .size = sizeof rq,
                           .service = TOKEN_CHECK_SERVICE,
                           .token = token,
                           .carrier = POSTERN_CARRIER_RAW,
                           .tls = POSTERN_TLS_LOCAL };
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    POSTERN_TRY(postern_validate_start(is->whoami_tokens, &rq, &op, err));
    e = postern_op_step(op, err);
    if (e == POSTERN_AGAIN) /* keys come from a file: there is nothing to wait for */
        return POSTERN_FAIL(err, INTERNAL, "validation of our own token wants to wait");
    if (e == POSTERN_OK)
        *ret = postern_op_take_grant(op);
    return e;
}

static void put_identity(const postern_grant *g, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "iss", postern_grant_issuer(g));
    postern_json_put_str(&w, "sub", postern_grant_subject(g));
    postern_json_put_str(&w, "client_id", postern_grant_client_id(g));
    postern_json_put_str(&w, "aud", postern_grant_audience(g));
    postern_json_put_str(&w, "scope", postern_grant_scope(g));
    postern_json_put_str(&w, "jti", postern_grant_jti(g));
    postern_json_put_integer(&w, "iat", postern_grant_iat_s(g));
    postern_json_put_integer(&w, "exp", postern_grant_exp_s(g));
    postern_json_close_object(&w);
    if (a->body.failed)
        answer_internal(a);
    else
        a->status = 200;
}

static void answer_grant(struct issuer *is, const postern_grant *g, struct answer *a)
{
    const char *client = postern_grant_client_id(g);
    postern_error err = { 0 };
    bool is_live = false;

    if (client == NULL) {
        answer_internal(a);
        return;
    }
    if (clients_check_live(is, client, postern_grant_iat_s(g), &is_live, &err) != POSTERN_OK) {
        log_error("whoami", &err);
        answer_internal(a);
        return;
    }
    if (is_live)
        put_identity(g, a);
    else
        answer_unauthorized(is, a, "invalid_token", "the token's client was removed");
}

static void answer_undecided(const postern_error *err, struct answer *a)
{
    log_error("whoami", err);
    answer_error(
        a, 503, "temporarily_unavailable", "the token cannot be checked at the moment",
        "Try again in a few seconds; the administrator finds the reason in posternd's log.");
    a->retry_after_s = 1;
}

static bool take_bearer(const char *authorization, postern_bytes *ret)
{
    postern_reader r = { postern_bytes_str(authorization) };

    if (!postern_reader_take_lit_nocase(&r, "Bearer "))
        return false;
    while (postern_reader_take_byte(&r, ' '))
        continue; /* RFC 9110 §11.4: 1*SP */
    *ret = r.rest;
    return r.rest.len != 0;
}

void whoami(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(grant) g = NULL;
    postern_error err = { 0 };
    postern_bytes token;
    postern_err e;

    if (rq->authorization == NULL || !take_bearer(rq->authorization, &token)) {
        answer_unauthorized(is, a, "missing_token", "no bearer token was sent");
        return;
    }
    if (is->whoami_tokens == NULL)
        e = POSTERN_FAIL(&err, KEYS_UNAVAILABLE, "the key set is not written yet");
    else
        e = judge(is, token, &g, &err);
    switch (postern_err_outcome(e)) {
    case POSTERN_PROVED:
        answer_grant(is, g, a);
        return;
    case POSTERN_REJECTED:
        answer_unauthorized(is, a, "invalid_token", describe(e));
        return;
    case POSTERN_UNDECIDED:
        break;
    }
    answer_undecided(&err, a);
}
