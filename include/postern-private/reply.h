/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's reply frames, writer side (postern-helper(7)).  Not installed; sidecar/helper only.
 */
#ifndef POSTERN_PRIVATE_REPLY_H
#define POSTERN_PRIVATE_REPLY_H

#include <postern/client.h>
#include <postern/grant.h>

/*
 * Append the verdict as one JSON frame.  `out` fails (postern_buf.failed) when the frame would
 * exceed its cap; the caller then has no verdict to send: a grant that does not travel is no grant.
 *
 *   g            NULL: rejected or undecided, as failure->code says
 *   failure      its ref is written in every case
 *   nonce_text   the request's nonce, echoed
 */
void postern_reply_write(const postern_grant *g, const postern_failure *failure,
                         postern_bytes nonce_text, const char *service, postern_buf *out);
struct postern_handle {
    const char *text;
    int64_t uses, life_s;
};
/* Append the answer to a handle request.  handle NULL: rejected or undecided, as failure->code says. */
void postern_reply_write_handle(const struct postern_handle *handle, const postern_failure *failure,
                                postern_bytes nonce_text, const char *service, postern_buf *out);
/* Append what is known of `service`, or why this peer is not told (refusal; NULL: it is told, then
 * info counts). */
void postern_reply_write_info(const postern_service_info *info, const postern_failure *refusal,
                              postern_bytes nonce_text, const char *service, postern_buf *out);
/* Append the answer to a frame that could not be read: nothing of it is echoed.  `detail` is one
 * sentence for the log. */
void postern_reply_write_error(const char *detail, postern_buf *out);
/* Append the answer to a connection that is not taken now: later perhaps.  `detail` likewise. */
void postern_reply_write_busy(const char *detail, postern_buf *out);

#endif
