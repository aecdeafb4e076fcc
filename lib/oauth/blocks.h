/* SPDX-License-Identifier: BSD-2-Clause */
/* Agents that an administrator has blocked, whatever their tokens say.  Thread-safe; replaced as a
 * whole. */
#ifndef POSTERN_LIB_BLOCKS_H
#define POSTERN_LIB_BLOCKS_H

#include <postern/context.h>

struct blocks;

POSTERN_MUST_USE postern_err postern_blocks_new(struct blocks **ret, postern_error *err);
void postern_blocks_free(struct blocks *b);
/* From now on every token is undecided until postern_blocks_set(). */
void postern_blocks_expect(struct blocks *b);
/* POSTERN_OK · LIMIT (POSTERN_BLOCKS_MAX) · USAGE (a text without NUL) · NOMEM; on failure the list
 * before stays in force. */
POSTERN_MUST_USE postern_err postern_blocks_set(struct blocks *b, const postern_block *list,
                                                size_t count, postern_error *err);
/*
 * Is `agent` blocked now?
 *   ret_failure   BLOCKED: because and contact are filled; may be NULL
 *   POSTERN_OK · BLOCKED · REVOCATIONS_UNKNOWN (expected and not told yet)
 */
POSTERN_MUST_USE postern_err postern_blocks_check(struct blocks *b, postern_bytes agent,
                                                  int64_t now_s, postern_failure *ret_failure,
                                                  postern_error *err);

#endif
