/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells the process that made something from its forked children.  getpid(2) would do, but it is
 * a system call, and three of them cost a tenth of what a token check costs beside its
 * signature.  So: a page that the kernel empties in every child (MADV_WIPEONFORK).
 */
#ifndef POSTERN_LIB_FORK_MARK_H
#define POSTERN_LIB_FORK_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct postern_fork_mark {
    const volatile uint8_t *page; /* NULL: the kernel has no such pages, each look is a getpid(2) */
    pid_t                   pid;
};

/* Mark the calling process.  Cannot fail. */
void postern_fork_mark_init(struct postern_fork_mark *m);
/* True in the process that called postern_fork_mark_init(), false in its children, grandchildren
 * … */
bool postern_fork_mark_is_ours(const struct postern_fork_mark *m);
/* Zeroed memory is fine. */
void postern_fork_mark_clear(struct postern_fork_mark *m);

#endif
