/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a helper's reply (postern-helper(7)): facts for grant.c, discovery fields for lib/helper.
 * Makes no grant. */
#ifndef POSTERN_LIB_REPLY_H
#define POSTERN_LIB_REPLY_H

#include <postern-private/frame.h>
#include <postern-private/reply.h>

#include "grant/grant.h"

/*
 * Read the reply to a verify request.  Nonce and service must be the request's.
 *
 *   ret_facts, ret_ref   views into f, complete on POSTERN_OK only
 *   ret_failure          zeroed by the caller; ref and what a client may be told
 *   POSTERN_OK (the helper says proved) · the helper's own verdict · HELPER_PROTOCOL · NOMEM
 */
POSTERN_MUST_USE postern_err postern_reply_read(postern_frame *f, postern_bytes nonce_text,
                                                const char *service,
                                                struct postern_grant_facts *ret_facts,
                                                postern_bytes *ret_ref,
                                                postern_failure *ret_failure, postern_error *err);
/* Likewise for describe: what the helper said of the service.  POSTERN_OK · HELPER_PROTOCOL · NOMEM
 * or the helper's refusal */
POSTERN_MUST_USE postern_err postern_reply_read_info(postern_frame *f, postern_bytes nonce_text,
                                                     const char *service, postern_service_info *ret,
                                                     postern_error *err);

/*
 * Likewise for handle.
 *   ret_handle   a view into f
 *   POSTERN_OK · the helper's own verdict · HELPER_PROTOCOL · NOMEM
 */
POSTERN_MUST_USE postern_err postern_reply_read_handle(postern_frame *f, postern_bytes nonce_text,
                                                       const char *service,
                                                       postern_bytes *ret_handle,
                                                       postern_failure *ret_failure,
                                                       postern_error *err);

#endif
