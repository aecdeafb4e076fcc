/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token endpoint as a pure function: request bytes in, answer out; the store and the clock come
 * with `is`.  Order: form, grant type, client, limits, then the grant (grant_*.c); the first failure
 * answers.  RFC 6749 §5.2, OAuth 2.1 §3.2.
 */
#include "token_endpoint.h"

#include "access_token.h"
#include "authenticate.h"
#include "request_form.h"
#include "token_request.h"

struct grant {
    const char *type;
    bool is_for_public; /* what it brings proves more than the name (PKCE, a refresh token) */
    void (*give)(struct issuer *is, struct token_request *t, struct answer *a);
};

static const struct grant grants[] = {
    { "client_credentials", false, grant_client_credentials },
    { "authorization_code", true, grant_code },
    { "refresh_token", true, grant_refresh },
    { TOKEN_GRANT_EXCHANGE, false, grant_exchange },
};

static const struct grant *find_grant(const postern_form *form, struct answer *a)
{
    const char *type = postern_form_value(form, "grant_type");

    if (type == NULL) {
        answer_error(a, 400, "invalid_request", "grant_type is missing",
                     "Send grant_type=client_credentials, or another of: " TOKEN_GRANTS);
        return NULL;
    }
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++)
        if (strcmp(type, grants[i].type) == 0)
            return &grants[i];
    answer_error(a, 400, "unsupported_grant_type", "there is no such grant here",
                 "Send one of: " TOKEN_GRANTS);
    return NULL;
}

static bool check_may_use(const struct grant *g, const struct token_request *t, struct answer *a)
{
    if (g->is_for_public || t->client.auth != CLIENT_AUTH_BY_NOTHING)
        return true;
    return token_request_refuse(a, "unauthorized_client",
                                "a public client may not use this grant",
                                "Register the client with a secret or a key for it.");
}

/*
 * A client that was removed and added again within one second waits for the next: revocation
 * compares whole seconds (iat ≤ removal), so a token of this second would be refused everywhere.
 */
static bool check_removal(struct issuer *is, const struct token_request *t, struct answer *a)
{
    int64_t removed_s = STORE_NEVER;
    postern_error err = { 0 };

    if (store_client_removed_at(is->store, t->client.name, &removed_s, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    if (t->now_s > removed_s)
        return true;
    answer_error(a, 503, "temporarily_unavailable", "a client of this name was removed just now",
                 "Try again in a second.");
    a->retry_after_s = 1;
    return false;
}

/* A public client is only named so far: its allowance is touched by what it proves, and what it does
 * not prove is counted for where it comes from. */
static void give(struct issuer *is, const struct grant *g, struct token_request *t,
                 struct answer *a)
{
    bool is_public = t->client.auth == CLIENT_AUTH_BY_NOTHING;

    if (!check_may_use(g, t, a) || (!is_public && !token_request_check_rate(is, t, a)) ||
        !check_removal(is, t, a))
        return;
    g->give(is, t, a);
    if (a->status == 200)
        access_token_touch(is, &t->client, t->now_s);
    else if (is_public && a->status < 500)
        authenticate_rate_failure(is, t->client.name, t->source, a);
}

void token_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct token_request t = { .source = rq->source, .now_s = issuer_now_s(is) };
    POSTERN_AUTO(form) form = NULL;
    const struct grant *g;

    if (!request_form_read(rq, &form, a) || (g = find_grant(form, a)) == NULL)
        return;
    t.form = form;
    if (authenticate_client(is, rq, form, &t.client, a))
        give(is, g, &t, a);
}
