/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/introspect: what a token says and whether it lives, for services that it is meant for
 * and for the client that it belongs to.  RFC 7662. */
#ifndef POSTERN_ISSUER_INTROSPECT_H
#define POSTERN_ISSUER_INTROSPECT_H

#include "answer.h"
#include "issuer.h"
#include "own_token.h"

void introspect(struct issuer *is, const struct http_request *rq, struct answer *a);

/* The answer alone, appended (RFC 7662 §2.2); a failure is out's. */
void introspect_write_active(const struct own_token *t, postern_buf *out);
void introspect_write_inactive(postern_buf *out);

#endif
