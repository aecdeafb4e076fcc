/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token endpoint's answer: a token (RFC 6749 §5.1) or a refusal (§5.2).  Pure; called by
 * client_credentials.c, later by exchange and refresh.
 */
#ifndef POSTERN_LIB_TOKEN_ANSWER_H
#define POSTERN_LIB_TOKEN_ANSWER_H

#include <postern/acquire.h>

#include "oauth/answer.h"

#define POSTERN_OAUTH_ERROR_MAX 64 /* bytes with NUL: the longest registered word has 38 */

/*
 * Status 200.
 *   asked_scope   NULL: none was asked for
 *   POSTERN_OK · ISSUER_ANSWER · INSUFFICIENT_SCOPE (fewer than asked) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_token_answer_read(const struct postern_http_response *r,
                                                       const char *asked_scope,
                                                       postern_token_info *ret_info,
                                                       postern_secret **ret_token,
                                                       postern_error *err);
/*
 * Status 400, 401 or 403: never POSTERN_OK.
 *   secret   what we sent; a text that holds it is not shown
 *   POSTERN_ERR_TOKEN_REFUSED (ret_error set) · ISSUER_ANSWER (no error of RFC 6749) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_token_answer_refuse(const struct postern_http_response *r,
                                                         postern_bytes secret,
                                                         char ret_error[POSTERN_OAUTH_ERROR_MAX],
                                                         postern_error *err);

#endif
