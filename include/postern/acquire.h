/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POSTERN_ACQUIRE_H
#define POSTERN_ACQUIRE_H

#include <sys/types.h>

#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an agent asks its authorization server for; everything is copied. */
typedef struct postern_acquire {
    size_t        size;                /* sizeof(postern_acquire) */
    /* Exact issuer URL; its metadata (RFC 8414) names the token endpoint. */
    const char   *issuer;
    const char   *client_id;
    /* Sent by client_secret_basic, form-encoded first (RFC 6749 §2.3.1). */
    postern_bytes client_secret;
    const char   *resource;            /* RFC 8707; NULL: the server's default */
    const char   *scope;               /* space-separated; NULL: the server's default */
    const char   *tls_ca_file;         /* PEM; NULL: the system's */
    bool          allow_loopback_http; /* http://127.0.0.1 and http://[::1] only */
    /* Over loopback http the listener must belong to root or to this uid. */
    uid_t         loopback_uid;
    int           deadline_ms;         /* 0: POSTERN_OP_DEADLINE_MS */
} postern_acquire;

/* The answer of the token endpoint (RFC 6749 §5.1), token apart. */
typedef struct postern_token_info {
    int64_t expires_in_s;              /* -1 when absent */
    char    scope[1024];               /* as granted; the requested one when the answer had none */
} postern_token_info;

/*
 * Begin fetching a token by client_credentials (RFC 6749 §4.4) for one resource.
 *
 *   clock    NULL: the system's
 *   ret_op   POSTERN_OK from step(): postern_op_take_token(), postern_acquire_info()
 *   step():  POSTERN_ERR_TOKEN_REFUSED (the server's `error` is in the detail and in
 *            postern_acquire_oauth_error()) · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER
 *            · TIMEOUT · INSUFFICIENT_SCOPE (fewer scopes than asked)
 *
 * RFC 6749 §4.4, RFC 8414 §3, RFC 8707 §2.
 */
POSTERN_MUST_USE postern_err postern_acquire_start(const postern_clock *clock,
                                                   const postern_acquire *rq, postern_op **ret_op,
                                                   postern_error *err);
/* NULL unless POSTERN_OK. */
const postern_token_info *postern_acquire_info(const postern_op *op);
/* "invalid_client" …; NULL when none. */
const char               *postern_acquire_oauth_error(const postern_op *op);

#ifdef __cplusplus
}
#endif
#endif
