/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revocation; see revoke.h.  An access token ends alone, with everything that was exchanged from it;
 * a refresh token ends its whole grant (RFC 7009 §2.1).  200 for what is no token of ours or none any
 * more (§2.2); what was issued to another client is refused without effect.  token_type_hint is not
 * needed: the two kinds look different.
 */
#include "revoke.h"

#include <postern/context.h>

#include "authenticate.h"
#include "grants.h"
#include "log.h"
#include "opaque.h"
#include "own_token.h"
#include "request_form.h"

#define ALL_ENDED_BURST 16384
#define ALL_ENDED_MS    100

/* A client that logs out a fleet at once. */
static const struct rate_rule revoke_rule = { "revoke", 200, 20 };
/*
 * Every verifier has to know of an access token that was ended until the token would have died, and
 * stops when there are more than POSTERN_REVOCATIONS_MAX: so no client gets near that, nor all of
 * those together that registered themselves, nor everybody.  Who has to wait can end the grant.
 */
static const struct rate_rule ended_rule = { "ended", 500, 1000 };
static const struct rate_rule self_registered_ended_rule = { "ended-self-registered", 8192, 200 };
static const struct rate_rule all_ended_rule = { "ended-all", ALL_ENDED_BURST, ALL_ENDED_MS };

_Static_assert(ALL_ENDED_BURST + POSTERN_REVOCATION_KEEP_S * 1000 / ALL_ENDED_MS <
                   POSTERN_REVOCATIONS_MAX,
               "what is ended while verifiers remember it has room there");

struct request {
    struct client_record client;
    postern_bytes token;
};

static void answer_done(struct answer *a)
{
    postern_buf_add_str(&a->body, "{}"); /* nobody reads it: RFC 7009 §2.2 */
    if (a->body.failed)
        answer_internal(a); /* to say again does no harm */
    else
        a->status = 200;
}

/* RFC 6749 §5.2: "was issued to another client". */
static void answer_not_yours(struct answer *a)
{
    answer_error(a, 400, "invalid_grant", "the token was issued to another client",
                 "Revoke it with the credentials of the client that it was issued to.");
}

static void answer_failed(const postern_error *err, struct answer *a)
{
    log_error("revocation", err);
    answer_error(a, 503, "temporarily_unavailable", "the token cannot be revoked at the moment",
                 "Try again in a few seconds: until then it counts."); /* RFC 7009 §2.2.1 */
    a->retry_after_s = 1;
}

static bool check_room(struct issuer *is, const struct request *r, struct answer *a)
{
    int64_t now_ms = issuer_mono_ms(is);
    bool is_own = (r->client.flags & CLIENT_SELF_REGISTERED) != 0;
    int wait_s = rate_take(is->rates, &ended_rule, r->client.name, "", now_ms);

    if (wait_s == 0 && is_own)
        wait_s = rate_take(is->rates, &self_registered_ended_rule, "", "", now_ms);
    if (wait_s == 0)
        wait_s = rate_take(is->rates, &all_ended_rule, "", "", now_ms);
    if (wait_s != 0)
        answer_too_many(a, wait_s, "too many access tokens were revoked one by one");
    return wait_s == 0;
}

static void revoke_access_token(struct issuer *is, const struct request *r, struct answer *a)
{
    AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
    postern_error err = { 0 };
    postern_err e = own_token_judge_elsewhere(is, r->token, &t, &err);

    if (e != POSTERN_OK && postern_err_outcome(e) == POSTERN_REJECTED) {
        answer_done(a);
        return;
    }
    if (e == POSTERN_OK && strcmp(postern_grant_client_id(t.grant), r->client.name) != 0) {
        answer_not_yours(a);
        return;
    }
    if (e == POSTERN_OK && !check_room(is, r, a))
        return;
    if (e == POSTERN_OK)
        e = grants_end_token(is, t.jti, postern_grant_exp_s(t.grant), &err);
    if (e == POSTERN_OK)
        answer_done(a);
    else
        answer_failed(&err, a);
}

/* One that was used already is its client's too: to give it back is to give all back. */
static bool stands(grant_use use)
{
    return use == GRANT_USED || use == GRANT_REUSED;
}

static void revoke_refresh_token(struct issuer *is, const struct request *r, struct answer *a)
{
    uint8_t sha256[GRANT_HASH];
    struct grant_record g = { 0 };
    struct refresh_record unused;
    grant_use use = GRANT_USE_UNSET;
    postern_error err = { 0 };

    if (opaque_hash(r->token, sha256, &err) != POSTERN_OK ||
        store_refresh_find(is->store, sha256, issuer_now_s(is), &use, &unused, &g, &err) !=
            POSTERN_OK) {
        answer_failed(&err, a);
        return;
    }
    if (stands(use) && strcmp(g.client, r->client.name) != 0)
        answer_not_yours(a);
    else if (stands(use) && grants_end(is, g.id, &err) != POSTERN_OK)
        answer_failed(&err, a);
    else
        answer_done(a);
}

/* What a public client brings is its proof: a stranger has no token of it. */
static bool check_rate(struct issuer *is, const struct request *r, const char *source,
                       struct answer *a)
{
    bool is_public = r->client.auth == CLIENT_AUTH_BY_NOTHING;
    int wait_s = rate_take(is->rates, &revoke_rule, r->client.name, is_public ? source : "",
                           issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "this client revokes tokens too often");
    return wait_s == 0;
}

void revoke(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct request r = { .token = POSTERN_BYTES_NONE };
    POSTERN_AUTO(form) form = NULL;

    if (!request_form_read(rq, &form, a) || !authenticate_client(is, rq, form, &r.client, a) ||
        !check_rate(is, &r, rq->source, a))
        return;
    r.token = postern_bytes_str(postern_form_value(form, "token"));
    if (r.token.len == 0)
        answer_error(a, 400, "invalid_request", "token is missing",
                     "Send the token to be ended as the parameter token.");
    else if (own_token_has_form(r.token))
        revoke_access_token(is, &r, a);
    else
        revoke_refresh_token(is, &r, a);
}
