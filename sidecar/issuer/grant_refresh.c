/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refresh token for a new one and an access token: always rotated, in one transaction, on disk
 * before the answer.  One that comes a second time is in two hands: the grant ends, with every access
 * token of it.  A client that dies between commit and answer must send its person again: there is no
 * second chance, because nobody can tell it from a thief.  OAuth 2.1 §4.3, RFC 9700 §4.14.
 */
#include "access_token.h"
#include "grants.h"
#include "opaque.h"
#include "token_request.h"

/* Each is a row that is kept as long as the token, to know a reuse.  An agent of sixty services asks
 * for each of them every few minutes. */
static const struct rate_rule rotation_rule = { "rotation", 100, 2000 };

struct rotation {
    uint8_t sha256[GRANT_HASH];
    struct grant_record grant;
    grant_use use;
};

static bool refuse(struct answer *a)
{
    return token_request_refuse(
        a, "invalid_grant", "the refresh token is unknown, used, expired, or not this client's",
        "Send the person to the authorization endpoint again; use each refresh token once and keep "
        "the one that came with the answer.");
}

static bool find(struct issuer *is, const struct token_request *t, struct rotation *r,
                 struct answer *a)
{
    const char *token = postern_form_value(t->form, "refresh_token");
    struct refresh_record found;
    postern_error err = { 0 };

    if (token == NULL)
        return token_request_refuse(a, "invalid_request", "refresh_token is missing",
                                    "Send the refresh_token of the last answer.");
    if (opaque_hash(postern_bytes_str(token), r->sha256, &err) != POSTERN_OK ||
        store_refresh_find(is->store, r->sha256, t->now_s, &r->use, &found, &r->grant, &err) !=
            POSTERN_OK)
        return token_request_fail(a, &err);
    /* A stranger's client must neither use nor end it. */
    return (r->use != GRANT_UNKNOWN && strcmp(r->grant.client, t->client.name) == 0) || refuse(a);
}

static bool check_use(struct issuer *is, const struct rotation *r, struct answer *a)
{
    postern_error err = { 0 };

    if (r->use == GRANT_REUSED && grants_end(is, r->grant.id, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    return r->use == GRANT_USED || refuse(a);
}

static bool check_rate(struct issuer *is, const struct rotation *r, struct answer *a)
{
    int wait_s = rate_take(is->rates, &rotation_rule, r->grant.id, "", issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "this authorization is refreshed too often");
    return wait_s == 0;
}

static bool rotate(struct issuer *is, const struct token_request *t, struct rotation *r,
                   const struct refresh_record *next, struct answer *a)
{
    postern_error err = { 0 };

    if (store_refresh_rotate(is->store, r->sha256, t->now_s, next, &r->use, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    return check_use(is, r, a);
}

static void answer(struct issuer *is, struct token_request *t, struct rotation *r,
                   struct answer *a)
{
    struct access_claims c;
    struct refresh_record record;
    POSTERN_AUTO(secret) access = NULL;
    POSTERN_AUTO(secret) next = NULL;
    postern_error err = { 0 };

    grants_write_claims(&r->grant, t, &c);
    if (grants_new_refresh(&r->grant, t->now_s, &next, &record, &err) != POSTERN_OK) {
        (void)token_request_fail(a, &err); /* answered: that is all */
        return;
    }
    if (access_token_mint(is, &c, t->now_s, &access, a) &&
        access_token_answer(is, &c, t->now_s, access, (struct access_answer){ next, NULL }, a))
        (void)rotate(is, t, r, &record, a); /* false: the answer says so now */
}

void grant_refresh(struct issuer *is, struct token_request *t, struct answer *a)
{
    struct rotation r = { .use = GRANT_USE_UNSET };

    if (!find(is, t, &r, a) || !check_use(is, &r, a) || !token_request_check_proved_rate(is, t, a))
        return;
    if (token_request_choose_resource(is, t, r.grant.resources, a) &&
        token_request_choose_scope(t, r.grant.scopes, a) && check_rate(is, &r, a))
        answer(is, t, &r, a);
}
