/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's reply frame, writer side (postern-helper(7)).  Not installed; sidecar/helper only. */
#ifndef POSTERN_PRIVATE_REPLY_H
#define POSTERN_PRIVATE_REPLY_H

#include <postern/grant.h>

/*
 * Append the verdict as one JSON frame of at most POSTERN_HELPER_FRAME_MAX bytes.
 *
 *   g            NULL: rejected or undecided, as failure->code says
 *   failure      its ref is written in every case
 *   nonce_text   the request's nonce, echoed
 */
void postern_reply_write(const postern_grant *g, const postern_failure *failure, postern_bytes nonce_text, const char *service, postern_buf *out);

#endif
