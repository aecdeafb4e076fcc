/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/token.  RFC 6749 §3.2 and §5, OAuth 2.1 §3.2, RFC 8693. */
#ifndef POSTERN_ISSUER_TOKEN_ENDPOINT_H
#define POSTERN_ISSUER_TOKEN_ENDPOINT_H

#include "answer.h"
#include "issuer.h"

#define TOKEN_GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
/* Words, for the metadata. */
#define TOKEN_GRANTS                                                                               \
    "authorization_code refresh_token client_credentials " TOKEN_GRANT_EXCHANGE

/* The request's method and host were checked; everything else is judged here. */
void token_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
