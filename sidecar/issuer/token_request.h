/* SPDX-License-Identifier: BSD-2-Clause */
/* A request at the token endpoint whose client is known, and what each kind of grant asks of it:
 * one resource and some scopes out of what is allowed.  RFC 8707 §2, RFC 6749 §3.3. */
#ifndef POSTERN_ISSUER_TOKEN_REQUEST_H
#define POSTERN_ISSUER_TOKEN_REQUEST_H

#include <postern-private/form.h>

#include "answer.h"
#include "issuer.h"

struct token_request {
    const char *source;
    const postern_form *form;
    struct client_record client;
    int64_t now_s;
    bool takes_audience; /* `audience` names a resource as well (RFC 8693 §2.1) */
    char resource[POSTERN_URL_MAX];
    char scope[CLIENT_SCOPES_MAX];
};

/* Each: false: answered. */
/* `allowed` (words), and our own whoami, which is open to everybody who gets a token.  Sets
 * t->resource. */
bool token_request_choose_resource(const struct issuer *is, struct token_request *t,
                                   const char *allowed, struct answer *a);
/* Some of `allowed`, without the parameter all of them.  Sets t->scope. */
bool token_request_choose_scope(struct token_request *t, const char *allowed, struct answer *a);
/* How often this client may ask.  A confidential one is rated before its grant is looked at, a public
 * one when it has proved something, or any stranger could use up its allowance. */
bool token_request_check_rate(struct issuer *is, const struct token_request *t, struct answer *a);
bool token_request_check_proved_rate(struct issuer *is, const struct token_request *t,
                                     struct answer *a);

/* What a code, a refresh token or an exchange is refused with.  Always false. */
bool token_request_refuse(struct answer *a, const char *error, const char *description,
                          const char *message);
/* The store or memory failed: logged, 500.  Always false. */
bool token_request_fail(struct answer *a, const postern_error *err);

/* The kinds of grant, one file each.  The client is proved (a public one: named) and may use it. */
void grant_client_credentials(struct issuer *is, struct token_request *t, struct answer *a);
void grant_code(struct issuer *is, struct token_request *t, struct answer *a);
void grant_refresh(struct issuer *is, struct token_request *t, struct answer *a);
void grant_exchange(struct issuer *is, struct token_request *t, struct answer *a);

#endif
