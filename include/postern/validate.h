/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POSTERN_VALIDATE_H
#define POSTERN_VALIDATE_H

#include <postern/context.h>
#include <postern/request.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Begin validating one bearer token.  Never blocks on a network, never logs; drive the result
 * with postern_op_step().
 *
 *   ctx      shared; kept alive by the op
 *   rq       copied before returning; rq->token needs no NUL
 *   ret_op   caller frees with postern_op_free(); untouched unless POSTERN_OK
 *   err      may be NULL; written only on failure
 *
 *   POSTERN_OK · POSTERN_ERR_USAGE (no service) · POSTERN_ERR_NOMEM; every verdict on the token
 *   comes from postern_op_step()
 *
 * RFC 9068 §4, RFC 7519 §7.2, RFC 8725 §3.  Design: doc/design/token-flow.md.
 */
POSTERN_MUST_USE postern_err postern_validate_start(postern_context *ctx, const postern_request *rq,
                                                    postern_op **ret_op, postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
