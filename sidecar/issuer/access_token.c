/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims, signature and answer of an access token; see access_token.h.  Called by grant_*.c, which
 * judged what goes in. */
#include "access_token.h"

#include "log.h"
#include "opaque.h"
#include "store_opaque.h"

/* Names, scopes, details, actors and parents at their own limits stay below, and 4/3 of it below
 * POSTERN_TOKEN_MAX. */
#define CLAIMS_MAX 11264
/* How often the disk is troubled to remember that a client is in use. */
#define TOUCH_S 3600

static void put_actors(postern_json_writer *w, const struct access_claims *c)
{
    for (size_t i = 0; i < c->actor_count; i++) {
        postern_json_open_object(w, "act");
        postern_json_put_str(w, "sub", c->actors[i]);
    }
    for (size_t i = 0; i < c->actor_count; i++)
        postern_json_close_object(w);
}

static void put_parents(postern_json_writer *w, const struct access_claims *c)
{
    if (c->parent_count == 0)
        return;
    postern_json_open_array(w, "derived_from");
    for (size_t i = 0; i < c->parent_count; i++)
        postern_json_put_str(w, NULL, c->parents[i]);
    postern_json_close_array(w);
}

static void put_raw(postern_json_writer *w, const char *name, postern_bytes json)
{
    if (json.len != 0)
        postern_json_put_raw(w, name, json);
}

/* Where a person took part. */
static void put_grant(postern_json_writer *w, const struct access_claims *c)
{
    postern_json_put_str(w, "purpose", c->purpose);
    put_raw(w, "authorization_details", c->details);
    put_raw(w, "may_act", c->may_act);
    if (c->auth_time_s != 0)
        postern_json_put_integer(w, "auth_time", c->auth_time_s);
    postern_json_put_str(w, "grant_id", c->grant);
}

static bool make_jti(postern_buf *ret)
{
    uint8_t raw[TOKEN_JTI_BYTES];

    if (!issuer_random(raw, sizeof raw))
        return false;
    postern_base64url_encode((postern_bytes){ raw, sizeof raw }, ret);
    return postern_buf_cstr(ret) != NULL;
}

static bool write_claims(const struct issuer *is, const struct access_claims *c, int64_t now_s,
                         const char *jti, postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "iss", is->settings->issuer);
    postern_json_put_str(&w, "sub", c->subject);
    postern_json_put_str(&w, "client_id", c->client);
    postern_json_put_str(&w, "aud", c->resource);
    postern_json_put_str(&w, "scope", c->scope);
    postern_json_put_integer(&w, "iat", now_s);
    postern_json_put_integer(&w, "exp", now_s + access_token_life_s(is, c, now_s));
    postern_json_put_str(&w, "jti", jti);
    put_actors(&w, c);
    put_grant(&w, c);
    put_parents(&w, c);
    postern_json_close_object(&w);
    return !out->failed;
}

int64_t access_token_life_s(const struct issuer *is, const struct access_claims *c, int64_t now_s)
{
    int64_t left_s = c->ends_s - now_s;

    return left_s < is->settings->token_lifetime_s ? left_s : is->settings->token_lifetime_s;
}

static bool sign(const struct issuer *is, const postern_buf *claims, postern_secret **ret,
                 struct answer *a)
{
    postern_error err = { 0 };

    if (postern_mint_token(is->key, "at+jwt", postern_buf_bytes(claims), ret, &err) == POSTERN_OK)
        return true;
    log_error("signing a token", &err);
    answer_internal(a);
    return false;
}

/* ---- opaque ones ---- */

/* An agent of sixty services has a token for each every few minutes.  65,536 at the usual size are some
 * 40 MB; those that registered themselves leave room to the rest. */
static const struct opaque_caps caps = { .of_client = 512, .of_self_registered = 8192, .all = 65536 };
#define FULL_RETRY_S 60 /* tokens of a few minutes end all the time */

static bool answer_kept(store_opaque kept, struct answer *a)
{
    switch (kept) {
    case STORE_OPAQUE_KEPT:
        return true;
    case STORE_OPAQUE_FULL_CLIENT:
        answer_too_many(a, FULL_RETRY_S,
                        "this client has too many opaque tokens that live: use them, or revoke them");
        return false;
    case STORE_OPAQUE_FULL:
        answer_too_many(a, FULL_RETRY_S, "there are too many opaque tokens that live");
        return false;
    case STORE_OPAQUE_UNSET:
        break;
    }
    answer_internal(a);
    return false;
}

/* On disk before anybody has it. */
static bool keep(struct issuer *is, struct opaque_record *o, int64_t now_s, postern_secret **ret,
                 struct answer *a)
{
    POSTERN_AUTO(secret) token = NULL;
    store_opaque kept = STORE_OPAQUE_UNSET;
    postern_error err = { 0 };

    if (opaque_new_access(&token, o->sha256, &err) != POSTERN_OK ||
        store_opaque_add(is->store, o, &caps, now_s - ISSUER_SKEW_MAX_S, &kept, &err) !=
            POSTERN_OK) {
        log_error("keeping an opaque token", &err);
        answer_internal(a);
        return false;
    }
    if (!answer_kept(kept, a))
        return false;
    *ret = POSTERN_STEAL(token);
    return true;
}

bool access_token_mint(struct issuer *is, const struct access_claims *c, int64_t now_s,
                       postern_secret **ret, struct answer *a)
{
    POSTERN_AUTO_BUF jti = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(TOKEN_JTI_BYTES) + 1);
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(CLAIMS_MAX);
    struct opaque_record o = { .client = c->client };
    bool is_made;

    if (!make_jti(&jti) || !write_claims(is, c, now_s, postern_buf_cstr(&jti), &claims) ||
        postern_buf_cstr(&claims) == NULL) {
        answer_internal(a);
        return false;
    }
    o.jti = postern_buf_cstr(&jti);
    o.claims = postern_buf_cstr(&claims);
    o.exp_s = now_s + access_token_life_s(is, c, now_s);
    if (issuer_settings_wants_opaque(is->settings, c->resource))
        is_made = keep(is, &o, now_s, ret, a);
    else
        is_made = sign(is, &claims, ret, a);
    if (is_made && now_s > is->newest_iat_s)
        is->newest_iat_s = now_s;
    return is_made;
}

bool access_token_answer(struct issuer *is, const struct access_claims *c, int64_t now_s,
                         const postern_secret *token, struct access_answer more, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_string(&w, "access_token", postern_secret_bytes(token));
    postern_json_put_str(&w, "issued_token_type", more.token_type);
    postern_json_put_str(&w, "token_type", "Bearer");
    postern_json_put_integer(&w, "expires_in", access_token_life_s(is, c, now_s));
    if (more.refresh != NULL)
        postern_json_put_string(&w, "refresh_token", postern_secret_bytes(more.refresh));
    postern_json_put_str(&w, "scope", c->scope);
    /* For whom: an agent must not look into its token for that (RFC 9068 §6). */
    if (strcmp(c->subject, c->client) != 0)
        postern_json_put_str(&w, "sub", c->subject);
    postern_json_close_object(&w);
    a->status = 200;
    if (a->body.failed)
        answer_internal(a);
    return a->status == 200;
}

void access_token_touch(struct issuer *is, const struct client_record *seen, int64_t now_s)
{
    postern_error err = { 0 };

    if (now_s - seen->used_s >= TOUCH_S &&
        store_client_touch(is->store, seen->name, now_s, &err) != POSTERN_OK)
        log_error("noting a client's use", &err);
}
