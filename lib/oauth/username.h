/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * username_claim: a claim by its path, or a template of claims and text, "${azp}.${sub}".  Read by
 * rules.c, asked by judge.c; what comes out is mapped by identity.c.
 */
#ifndef POSTERN_LIB_USERNAME_H
#define POSTERN_LIB_USERNAME_H

#include "claims.h"

#define POSTERN_TEMPLATE_CLAIMS_MAX 4 /* more than issuer, tenant, client and user nobody joins */

struct username_template {
    const char *text; /* as the setting has it */
    size_t count;
    struct {
        const char *before; /* text in front of the claim, "" none */
        struct claim_path path;
    } claims[POSTERN_TEMPLATE_CLAIMS_MAX];
    const char *after;
};

/* NULL when `text` may stand in username_claim, else the end of a sentence that begins with it. */
const char *postern_username_fault(const char *text);
/* Of a text without fault.  POSTERN_OK · NOMEM · CONFIG_VALUE */
POSTERN_MUST_USE postern_err postern_username_parse(postern_arena *arena, const char *text,
                                                    struct username_template *ret,
                                                    postern_error *err);
/* Nothing to join: the name is one claim as it stands. */
bool postern_username_is_plain(const struct username_template *t);
/*
 * The name that identity.c maps, out of claims that were checked.
 *   scratch   postern_claims_reserve()d unless the template is plain
 *   POSTERN_OK · NO_MAPPING (a claim is not there, or holds the text that separates it from the
 *   next) · EMAIL_UNVERIFIED · MALFORMED_CLAIM · UNSAFE_IDENTITY · NOMEM
 */
POSTERN_MUST_USE postern_err postern_claims_username(const struct username_template *t,
                                                     const postern_json *j, postern_buf *scratch,
                                                     postern_bytes *ret, postern_error *err);

#endif
