/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/introspect: what a token says and whether it lives, for services that it is meant for
 * and for the client that it belongs to.  RFC 7662. */
#ifndef POSTERN_ISSUER_INTROSPECT_H
#define POSTERN_ISSUER_INTROSPECT_H

#include "answer.h"
#include "issuer.h"

void introspect(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
