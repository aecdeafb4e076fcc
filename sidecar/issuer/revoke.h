/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/revoke: a client ends its own token, and helper and doors hear of it at once.  RFC
 * 7009. */
#ifndef POSTERN_ISSUER_REVOKE_H
#define POSTERN_ISSUER_REVOKE_H

#include "answer.h"
#include "issuer.h"

void revoke(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
