/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What validations share: immutable settings, key sets, revocations.  Refcounted; locks inside;
 * starts nothing, logs nothing.  Records its pid: after fork(2) the child must make its own.
 */
#ifndef POSTERN_CONTEXT_H
#define POSTERN_CONTEXT_H

#include <postern/config.h>
#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct postern_context postern_context;

/*
 *   take_config   owned by the context from the call on, success or failure
 *   clock         copied; NULL: the system's
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_CONFIG_*
 */
POSTERN_MUST_USE postern_err postern_context_new(postern_config *take_config,
                                                 const postern_clock *clock,
                                                 postern_context **ret_ctx, postern_error *err);
postern_context *postern_context_ref(postern_context *ctx);
void postern_context_free(postern_context *ctx); /* drops one reference; NULL is fine */
static inline void postern_auto_context(postern_context **c) { postern_context_free(*c); }
const postern_config *postern_context_config(const postern_context *ctx);

/*
 * Revocations of one issuer by client: tokens of `client_id` with iat ≤ before_s are refused
 * (REVOKED).  Until postern_context_revocations_ready() was called for an issuer that
 * postern_context_expect_revocations() named, its tokens are undecided (REVOCATIONS_UNKNOWN).
 * Thread-safe.
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_BUSY (POSTERN_REVOCATIONS_MAX) ·
 *   POSTERN_ERR_USAGE (no such issuer)
 */
#define POSTERN_REVOCATIONS_MAX 65536 /* removed clients within one token lifetime */
POSTERN_MUST_USE postern_err postern_context_expect_revocations(postern_context *ctx,
                                                                const char *issuer,
                                                                postern_error *err);
POSTERN_MUST_USE postern_err postern_context_revoke_client(postern_context *ctx, const char *issuer,
                                                           const char *client_id, int64_t before_s,
                                                           postern_error *err);
POSTERN_MUST_USE postern_err postern_context_revocations_ready(postern_context *ctx,
                                                               const char *issuer,
                                                               postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
