/* SPDX-License-Identifier: BSD-2-Clause */
/* The consent page: which agent asks for what, where, for how long; and what the person made of
 * it.  Knows no store: authorize.c does what is decided. */
#ifndef POSTERN_ISSUER_CONSENT_H
#define POSTERN_ISSUER_CONSENT_H

#include <postern-private/form.h>

#include "answer.h"
#include "authorize_request.h"
#include "visitor.h"

struct consent_choice {
    bool is_approved; /* false: denied */
    char scopes[CLIENT_SCOPES_MAX];       /* of what was asked for, what is left */
    char resources[CLIENT_RESOURCES_MAX];
    int64_t life_s;
    const char *fault; /* static; NULL: none.  Else the page is shown again with it */
    const char *fault_at; /* static: "resources" "scopes" */
};

/* `again`: what was chosen and why that does not do; NULL: the first time. */
void consent_show(struct issuer *is, const struct visitor *v, const char *query,
                  const struct authorize_request *r, const struct consent_choice *again,
                  struct answer *a);
/* False: the form holds something that the request does not (it was tampered with). */
bool consent_read(const postern_form *form, const struct authorize_request *r,
                  struct consent_choice *ret);

#endif
