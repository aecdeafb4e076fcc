/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A code for tokens.  Client, redirect URI and verifier are judged before the code is looked at as
 * used or not, so that nobody but its owner can use it up or end its grant; a second redemption by
 * the owner means that the code was stolen, and ends the grant.  The refresh token is on disk before
 * the answer.  OAuth 2.1 §4.1.3 and §7.5.2, RFC 7636 §4.5, RFC 6749 §4.1.3.
 */
#include "access_token.h"
#include "grants.h"
#include "opaque.h"
#include "token_request.h"

#define VERIFIER_MIN 43 /* RFC 7636 §4.1 */
#define VERIFIER_MAX 128

struct redemption {
    uint8_t sha256[GRANT_HASH];
    struct code_record code;
    struct grant_record grant;
    grant_use use;
};

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_verifier(const char *v)
{
    size_t len = strlen(v);

    if (len < VERIFIER_MIN || len > VERIFIER_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_unreserved(v[i]))
            return false;
    return true;
}

/* One answer for every code that is not good for this client. */
static bool refuse(struct answer *a)
{
    return token_request_refuse(
        a, "invalid_grant", "the code is unknown, used, expired, or not for this request",
        "Send the person to the authorization endpoint again; redeem the code once, with the "
        "client_id, redirect_uri and code_verifier that belong to it.");
}

static bool check_parameters(const struct token_request *t, struct answer *a)
{
    const char *verifier = postern_form_value(t->form, "code_verifier");

    if (postern_form_value(t->form, "code") == NULL)
        return token_request_refuse(a, "invalid_request", "code is missing",
                                    "Send the code that came with the redirect.");
    if (verifier == NULL) /* RFC 9700 §4.8.2: every code here was asked for with a challenge */
        return token_request_refuse(a, "invalid_grant", "code_verifier is missing",
                                    "Send the code_verifier whose S256 challenge began this.");
    if (!is_verifier(verifier))
        return token_request_refuse(
            a, "invalid_grant", "code_verifier is not 43 to 128 unreserved characters",
            "Make code_verifier of A-Z a-z 0-9 - . _ ~ (RFC 7636 section 4.1).");
    return true;
}

static bool find(struct issuer *is, const struct token_request *t, struct redemption *r,
                 struct answer *a)
{
    postern_error err = { 0 };

    if (opaque_hash(postern_bytes_str(postern_form_value(t->form, "code")), r->sha256, &err) !=
            POSTERN_OK ||
        store_code_find(is->store, r->sha256, t->now_s, &r->use, &r->code, &r->grant, &err) !=
            POSTERN_OK)
        return token_request_fail(a, &err);
    return r->use != GRANT_UNKNOWN || refuse(a);
}

/* What only the client that the code was made for knows. */
static bool check_owner(const struct token_request *t, const struct redemption *r,
                        struct answer *a)
{
    const char *redirect = postern_form_value(t->form, "redirect_uri");
    postern_error err = { 0 };
    bool is_equal = false;

    if (strcmp(r->grant.client, t->client.name) != 0)
        return refuse(a);
    /* OAuth 2.1 §10.2: the verifier stands for it, but what is sent must be right. */
    if (redirect != NULL && strcmp(redirect, r->code.redirect) != 0)
        return refuse(a);
    if (opaque_check_verifier(postern_form_value(t->form, "code_verifier"), r->code.challenge,
                              &is_equal, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    return is_equal || refuse(a);
}

/* Brought by its owner, a second time: one of the two is a thief (OAuth 2.1 §7.5.2). */
static bool end_grant(struct issuer *is, const struct redemption *r, struct answer *a)
{
    postern_error err = { 0 };

    if (grants_end(is, r->grant.id, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    return refuse(a);
}

static bool check_use(struct issuer *is, const struct redemption *r, struct answer *a)
{
    if (r->use == GRANT_REUSED)
        return end_grant(is, r, a);
    return r->use == GRANT_USED || refuse(a);
}

/* Use the code up: of many that come at the same moment one gets here with GRANT_USED. */
static bool redeem(struct issuer *is, const struct token_request *t, struct redemption *r,
                   const struct refresh_record *refresh, struct answer *a)
{
    postern_error err = { 0 };

    if (store_code_redeem(is->store, r->sha256, t->now_s, refresh, &r->use, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    return check_use(is, r, a);
}

static void answer(struct issuer *is, struct token_request *t, struct redemption *r,
                   struct answer *a)
{
    struct access_claims c;
    struct refresh_record record;
    POSTERN_AUTO(secret) access = NULL;
    POSTERN_AUTO(secret) refresh = NULL;
    postern_error err = { 0 };

    grants_write_claims(&r->grant, t, &c);
    if (grants_new_refresh(&r->grant, t->now_s, &refresh, &record, &err) != POSTERN_OK) {
        (void)token_request_fail(a, &err); /* answered: that is all */
        return;
    }
    if (access_token_mint(is, &c, t->now_s, &access, a) &&
        access_token_answer(is, &c, t->now_s, access, (struct access_answer){ refresh, NULL }, a))
        (void)redeem(is, t, r, &record, a); /* false: the answer says so now */
}

void grant_code(struct issuer *is, struct token_request *t, struct answer *a)
{
    struct redemption r = { .use = GRANT_USE_UNSET };

    if (!check_parameters(t, a) || !find(is, t, &r, a) || !check_owner(t, &r, a) ||
        !check_use(is, &r, a) || !token_request_check_proved_rate(is, t, a))
        return;
    if (token_request_choose_resource(is, t, r.grant.resources, a) &&
        token_request_choose_scope(t, r.grant.scopes, a))
        answer(is, t, &r, a);
}
