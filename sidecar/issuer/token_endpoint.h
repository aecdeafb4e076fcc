/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/token: client_credentials, nothing else yet.  RFC 6749 §4.4 and §5, RFC 8707, RFC
 * 9068 §2. */
#ifndef POSTERN_ISSUER_TOKEN_ENDPOINT_H
#define POSTERN_ISSUER_TOKEN_ENDPOINT_H

#include "answer.h"
#include "issuer.h"

#define TOKEN_JTI_BYTES 16 /* 128 bits: no two tokens of one issuer share a jti (RFC 7519 §4.1.7) */

/* The request's method and host were checked; everything else is judged here. */
void token_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
