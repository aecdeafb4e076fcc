/* SPDX-License-Identifier: BSD-2-Clause */
/* The page where a person sees what agents may do in their name, ends it, and changes the
 * password. */
#ifndef POSTERN_ISSUER_ACCOUNT_H
#define POSTERN_ISSUER_ACCOUNT_H

#include "answer.h"
#include "issuer.h"

#define ACCOUNT_GRANTS_MAX 100 /* on one page; ending some shows the rest */

/* GET and POST /oauth/account */
void account(struct issuer *is, const struct http_request *rq, struct answer *a);
/* GET /account: the short way there. */
void account_short(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
