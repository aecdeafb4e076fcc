/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom a token stands for, as an API should say it.  The token is judged by the library like at
 * every other door (audience: this endpoint), then by the store: what was taken back is refused at
 * once. RFC 6750 §3.1 (no error code in the challenge when no credentials were sent),
 * RFC 9728 §5.1 (resource_metadata).
 */
#include "whoami.h"

#include <stdio.h>

#include "log.h"
#include "own_token.h"

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
    case POSTERN_ERR_REVOKED:
        return "the token was revoked";
    case POSTERN_ERR_AUD:
        return "the token is meant for another resource";
    default:
        return "the token is not valid here";
    }
}

static void put_identity(const struct own_token *t, struct answer *a)
{
    postern_json_writer w = { &a->body, false };
    const postern_grant *g = t->grant;
    postern_bytes act = own_token_claim(t, "act");

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "iss", postern_grant_issuer(g));
    postern_json_put_str(&w, "sub", postern_grant_subject(g));
    postern_json_put_str(&w, "client_id", postern_grant_client_id(g));
    postern_json_put_str(&w, "aud", postern_grant_audience(g));
    postern_json_put_str(&w, "scope", postern_grant_scope(g));
    postern_json_put_str(&w, "jti", postern_grant_jti(g));
    postern_json_put_integer(&w, "iat", postern_grant_iat_s(g));
    postern_json_put_integer(&w, "exp", postern_grant_exp_s(g));
    if (act.len != 0)
        postern_json_put_raw(&w, "act", act);
    postern_json_put_str(&w, "purpose", postern_grant_purpose(g));
    postern_json_close_object(&w);
    if (a->body.failed)
        answer_internal(a);
    else
        a->status = 200;
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
    AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
    postern_error err = { 0 };
    postern_bytes token;
    postern_err e;

    if (rq->authorization == NULL || !take_bearer(rq->authorization, &token)) {
        answer_unauthorized(is, a, "missing_token", "no bearer token was sent");
        return;
    }
    e = own_token_judge(is, is->whoami_tokens, token, &t, &err);
    switch (postern_err_outcome(e)) {
    case POSTERN_PROVED:
        put_identity(&t, a);
        return;
    case POSTERN_REJECTED:
        answer_unauthorized(is, a, "invalid_token", describe(e));
        return;
    case POSTERN_UNDECIDED:
        break;
    }
    answer_undecided(&err, a);
}
