/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks: the client behind a request, proved; what failed proofs cost.  RFC 6749 §2.3, OAuth 2.1
 * §2.4. */
#ifndef POSTERN_ISSUER_AUTHENTICATE_H
#define POSTERN_ISSUER_AUTHENTICATE_H

#include <postern-private/form.h>

#include "answer.h"
#include "issuer.h"

/*
 * False: answered, without saying whether there is such a client.  A public client
 * (CLIENT_AUTH_BY_NOTHING) is only named by client_id: whatever it brings must prove more, and its
 * requests must be rated by authenticate_rate_failure(), or anybody could use up its allowance.
 */
bool authenticate_client(struct issuer *is, const struct http_request *rq,
                         const postern_form *form, struct client_record *ret, struct answer *a);
/* The request of `name` failed to prove something: from then on its answer is a 429 when that
 * happens too often from there. */
void authenticate_rate_failure(struct issuer *is, const char *name, const char *source,
                               struct answer *a);
/* Only clients that can keep a secret go on; false: answered. */
bool authenticate_is_confidential(const struct client_record *client, struct answer *a);

#endif
