/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's line to the control child: who is blocked; who logged in where and how many verdicts
 * there were, when it asks (sidecar/role.h). */
#ifndef POSTERN_SIDECAR_HELPER_BLOCKS_H
#define POSTERN_SIDECAR_HELPER_BLOCKS_H

#include "helper.h"

struct block_line;

struct block_line_owner {
    void (*stop)(void *arg); /* what was sent cannot be obeyed: leave for a new start */
    void (*told)(void *arg); /* a whole list is in force; again after each change */
    void *arg;
};

/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err block_line_new(struct helper *h, struct block_line_owner owner,
                                            struct block_line **ret, postern_error *err);
/* A line is there; the one before is closed.  Its end alone changes nothing: who was blocked stays
 * so. */
void block_line_set(struct block_line *l, int take_fd);
void block_line_free(struct block_line *l); /* NULL is fine */

#endif
