/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the door has been told was taken back, kept so that each new context knows it from its first
 * moment: revocations of issuers, and blocks.  First thread only.
 */
#ifndef POSTERN_SIDECAR_DOOR_TAKEN_BACK_H
#define POSTERN_SIDECAR_DOOR_TAKEN_BACK_H

#include "../revoke_message.h"

struct taken_back;

POSTERN_MUST_USE postern_err taken_back_new(struct taken_back **ret, postern_error *err);
void taken_back_free(struct taken_back *t);

/*
 * Remember a revocation.  Of one kind no more than POSTERN_REVOCATIONS_MAX: those from before
 * POSTERN_REVOCATION_KEEP_S are forgotten for it, when there is no room.
 *   ret_is_new   false: it was known, of a client with this time or a later one
 *   POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err taken_back_revoke(struct taken_back *t, const struct revoke_message *m,
                                               int64_t now_s, bool *ret_is_new, postern_error *err);
void taken_back_set_ready(struct taken_back *t, const char *issuer);

/* A list of blocks comes item by item; "end" makes it the one in force. */
void taken_back_begin_blocks(struct taken_back *t);
POSTERN_MUST_USE postern_err taken_back_add_block(struct taken_back *t, const postern_block *b,
                                                  postern_error *err);
void taken_back_end_blocks(struct taken_back *t);

/* Is everything known that this context must know before it decides? */
bool taken_back_is_told(const struct taken_back *t, const postern_context *ctx);

/* Tell a context all of it: what it expects, and what is known.
 *   POSTERN_OK · POSTERN_ERR_NOMEM … */
POSTERN_MUST_USE postern_err taken_back_tell(const struct taken_back *t, postern_context *ctx,
                                             postern_error *err);
/* The same of what changed last, for a context that knows the rest. */
POSTERN_MUST_USE postern_err taken_back_tell_blocks(const struct taken_back *t,
                                                    postern_context *ctx, postern_error *err);

#endif
