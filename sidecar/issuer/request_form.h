/* SPDX-License-Identifier: BSD-2-Clause */
/* The form that every POST endpoint of the issuer takes.  RFC 6749 §3.2, OAuth 2.1 §3.2. */
#ifndef POSTERN_ISSUER_REQUEST_FORM_H
#define POSTERN_ISSUER_REQUEST_FORM_H

#include <postern-private/form.h>

#include "answer.h"

/* The body as a form in which nothing stands twice but resource and audience (RFC 8693 §2.1, RFC
 * 8707 §2); false: answered. */
bool request_form_read(const struct http_request *rq, postern_form **ret, struct answer *a);

#endif
