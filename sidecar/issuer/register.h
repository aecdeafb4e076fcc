/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /oauth/register: a client registers itself (RFC 7591), where the settings let it. */
#ifndef POSTERN_ISSUER_REGISTER_H
#define POSTERN_ISSUER_REGISTER_H

#include "answer.h"
#include "issuer.h"

/* The request's method and host were checked; everything else is judged here. */
void register_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
