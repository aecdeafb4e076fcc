/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Introspection; see introspect.h.  Whatever the reason, a token that does not count for the caller
 * is exactly {"active":false} (RFC 7662 §2.2): unknown, expired, revoked, or none of its business.
 * Only what cannot be decided is an error.  token_type_hint is not needed: the two kinds look
 * different.
 */
#include "introspect.h"

#include "authenticate.h"
#include "log.h"
#include "opaque.h"
#include "own_token.h"
#include "request_form.h"
#include "words.h"

/* A service asks once for each login. */
static const struct rate_rule introspect_rule = { "introspect", 1000, 5 };

struct question {
    struct client_record caller;
    postern_bytes token;
};

static void answer_whole(struct answer *a)
{
    if (a->body.failed)
        answer_internal(a);
    else
        a->status = 200;
}

void introspect_write_inactive(postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "active", false);
    postern_json_close_object(&w);
}

static void answer_inactive(struct answer *a)
{
    introspect_write_inactive(&a->body);
    answer_whole(a);
}

static void answer_undecided(const postern_error *err, struct answer *a)
{
    log_error("introspection", err);
    answer_error(a, 503, "temporarily_unavailable", "the token cannot be checked at the moment",
                 "Try again in a few seconds.");
    a->retry_after_s = 1;
}

/* ---- access tokens ---- */

static bool may_see(const struct question *q, const postern_grant *g)
{
    return (q->caller.flags & CLIENT_MAY_INTROSPECT) != 0 ||
           strcmp(postern_grant_client_id(g), q->caller.name) == 0 ||
           words_has(q->caller.resources, postern_bytes_str(postern_grant_audience(g)));
}

static void put_claim(postern_json_writer *w, const struct own_token *t, const char *name)
{
    postern_bytes json = own_token_claim(t, name);

    if (json.len != 0)
        postern_json_put_raw(w, name, json);
}

void introspect_write_active(const struct own_token *t, postern_buf *out)
{
    static const char *const claims[] = { "iss",       "sub",
                                          "client_id", "aud",
                                          "scope",     "iat",
                                          "exp",       "jti",
                                          "act",       "may_act",
                                          "purpose",   "authorization_details",
                                          "auth_time", "grant_id",
                                          "derived_from" };
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "active", true);
    postern_json_put_str(&w, "token_type", "Bearer");
    postern_json_put_str(&w, "username", postern_grant_subject(t->grant));
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        put_claim(&w, t, claims[i]);
    postern_json_close_object(&w);
}

static void answer_access_token(const struct own_token *t, struct answer *a)
{
    introspect_write_active(t, &a->body);
    answer_whole(a);
}

static void ask_access_token(struct issuer *is, const struct question *q, struct answer *a)
{
    AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
    postern_error err = { 0 };
    postern_err e = own_token_judge(is, is->own_tokens, q->token, &t, &err);

    switch (postern_err_outcome(e)) {
    case POSTERN_PROVED:
        if (may_see(q, t.grant))
            answer_access_token(&t, a);
        else
            answer_inactive(a);
        return;
    case POSTERN_REJECTED:
        answer_inactive(a);
        return;
    case POSTERN_UNDECIDED:
        break;
    }
    answer_undecided(&err, a);
}

/* ---- refresh tokens ---- */

/* It is the client's secret: nobody else is told of it. */
static void answer_refresh_token(const struct issuer *is, const struct grant_record *g,
                                 const struct refresh_record *r, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "active", true);
    postern_json_put_str(&w, "iss", is->settings->issuer);
    postern_json_put_str(&w, "sub", g->user);
    postern_json_put_str(&w, "username", g->user);
    postern_json_put_str(&w, "client_id", g->client);
    postern_json_put_str(&w, "scope", g->scopes);
    postern_json_put_integer(&w, "iat", r->created_s);
    postern_json_put_integer(&w, "exp", r->expires_s);
    postern_json_put_str(&w, "grant_id", g->id);
    postern_json_close_object(&w);
    answer_whole(a);
}

static void ask_refresh_token(struct issuer *is, const struct question *q, struct answer *a)
{
    uint8_t sha256[GRANT_HASH];
    struct grant_record g = { 0 };
    struct refresh_record r = { .created_s = 0 };
    grant_use use = GRANT_USE_UNSET;
    postern_error err = { 0 };

    if (opaque_hash(q->token, sha256, &err) != POSTERN_OK ||
        store_refresh_find(is->store, sha256, issuer_now_s(is), &use, &r, &g, &err) != POSTERN_OK)
        answer_undecided(&err, a);
    else if (use == GRANT_USED && strcmp(g.client, q->caller.name) == 0)
        answer_refresh_token(is, &g, &r, a);
    else
        answer_inactive(a);
}

/* ---- the request ---- */

static bool check_rate(struct issuer *is, const struct question *q, struct answer *a)
{
    int wait_s = rate_take(is->rates, &introspect_rule, q->caller.name, "", issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "this client asks for tokens too often");
    return wait_s == 0;
}

void introspect(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct question q = { .token = POSTERN_BYTES_NONE };
    POSTERN_AUTO(form) form = NULL;

    if (!request_form_read(rq, &form, a) || !authenticate_client(is, rq, form, &q.caller, a) ||
        !authenticate_is_confidential(&q.caller, a) || !check_rate(is, &q, a))
        return;
    q.token = postern_bytes_str(postern_form_value(form, "token"));
    if (q.token.len == 0)
        answer_error(a, 400, "invalid_request", "token is missing",
                     "Send the token to be looked at as the parameter token.");
    else if (own_token_has_form(q.token))
        ask_access_token(is, &q, a);
    else
        ask_refresh_token(is, &q, a);
}
