/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's token for itself: no end user takes part, so the subject is the client (RFC 9068
 * §2.2).  RFC 6749 §4.4; no refresh token (§4.4.3). */
#include "access_token.h"
#include "token_request.h"

void grant_client_credentials(struct issuer *is, struct token_request *t, struct answer *a)
{
    POSTERN_AUTO(secret) token = NULL;
    struct access_claims c = { .subject = t->client.name,
                               .client = t->client.name,
                               .resource = t->resource,
                               .scope = t->scope,
                               .ends_s = INT64_MAX };

    if (!token_request_choose_resource(is, t, t->client.resources, a) ||
        !token_request_choose_scope(t, t->client.scopes, a) ||
        !access_token_mint(is, &c, t->now_s, &token, a))
        return;
    /* False: the answer says so. */
    (void)access_token_answer(is, &c, t->now_s, token, (struct access_answer){ 0 }, a);
}
