/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token endpoint's answer: tokens (RFC 6749 §5.1, RFC 8693 §2.2.1) or a refusal (§5.2).  Pure;
 * called by token_call.c.
 */
#ifndef POSTERN_LIB_TOKEN_ANSWER_H
#define POSTERN_LIB_TOKEN_ANSWER_H

#include <postern/agent.h>

#include "oauth/answer.h"

#define POSTERN_OAUTH_ERROR_MAX 64 /* bytes with NUL: the longest registered word has 38 */

/* What was asked for, as far as the answer is measured by it. */
struct postern_token_asked {
    const char *scope;    /* NULL: none was asked for */
    bool may_be_narrowed; /* a person decides: fewer scopes than asked are an answer */
    bool is_exchange;     /* issued_token_type must say that it is an access token */
    bool wants_refresh;   /* otherwise a refresh token is dropped */
    /* Who is asked, for an ID token's iss and aud. */
    const char *issuer, *client_id;
};

struct postern_token_answer {
    postern_token_info info;
    postern_secret *token;
    postern_secret *refresh_token; /* NULL: none */
};

/*
 * Status 200.
 *   ret   untouched unless POSTERN_OK
 *   POSTERN_OK · ISSUER_ANSWER · INSUFFICIENT_SCOPE (fewer than asked) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_token_answer_read(const struct postern_http_response *r,
                                                       const struct postern_token_asked *asked,
                                                       struct postern_token_answer *ret,
                                                       postern_error *err);
/*
 * Status 400, 401 or 403: never POSTERN_OK.
 *   secrets   what we sent; a text that holds one is not shown; an empty one counts as none
 *   POSTERN_ERR_TOKEN_REFUSED (ret_error set) · ISSUER_ANSWER (no error of RFC 6749) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_token_answer_refuse(const struct postern_http_response *r,
                                                         const postern_bytes *secrets, size_t count,
                                                         char ret_error[POSTERN_OAUTH_ERROR_MAX],
                                                         postern_error *err);
/* Room for a server's error_description, made fit to be shown. */
#define POSTERN_DESCRIPTION_MAX 200 /* bytes of it */
void postern_description_show(postern_bytes text, char room[POSTERN_DESCRIPTION_MAX + 1]);

#endif
