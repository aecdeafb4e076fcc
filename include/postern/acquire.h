/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POSTERN_ACQUIRE_H
#define POSTERN_ACQUIRE_H

#include <postern/agent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an agent asks for itself; everything is copied. */
typedef struct postern_acquire {
    size_t        size;     /* sizeof(postern_acquire) */
    postern_agent agent;
    const char   *resource; /* RFC 8707; NULL: the server's default */
    const char   *scope;    /* space-separated; NULL: the server's default */
} postern_acquire;

/*
 * Begin fetching a token by client_credentials (RFC 6749 §4.4) for one resource.
 *
 *   clock    NULL: the system's
 *   ret_op   POSTERN_OK from step(): postern_op_take_token(), postern_acquire_info()
 *   POSTERN_OK · USAGE · CONFIG_FILE (no key that can sign) · NOMEM · SYSTEM
 *   step():  POSTERN_ERR_TOKEN_REFUSED (the server's `error` is in the detail and in
 *            postern_acquire_oauth_error()) · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER
 *            · TIMEOUT · INSUFFICIENT_SCOPE (fewer scopes than asked)
 *
 * RFC 6749 §4.4, RFC 8414 §3, RFC 8707 §2.
 */
POSTERN_MUST_USE postern_err postern_acquire_start(const postern_clock *clock,
                                                   const postern_acquire *rq, postern_op **ret_op,
                                                   postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
