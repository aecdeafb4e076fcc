/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /oauth/whoami: the issuer's one protected resource.  RFC 6750 §2.1 and §3, RFC 9728 §5.1. */
#ifndef POSTERN_ISSUER_WHOAMI_H
#define POSTERN_ISSUER_WHOAMI_H

#include "answer.h"
#include "issuer.h"

/* 200 with who the token stands for, or 401 with what to do about it. */
void whoami(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
