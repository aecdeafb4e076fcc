/* SPDX-License-Identifier: BSD-2-Clause */
/* The authorization endpoint: GET shows who asks for what, POST is the person's word (OAuth 2.1
 * §4.1, RFC 9207). */
#ifndef POSTERN_ISSUER_AUTHORIZE_H
#define POSTERN_ISSUER_AUTHORIZE_H

#include "answer.h"
#include "issuer.h"

#define CODE_BYTES 32 /* of randomness */
#define CODE_LIFE_S 60 /* OAuth 2.1 §4.1.2 recommends 10 minutes at most; a program is waiting */

void authorize(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
