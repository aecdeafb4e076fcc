/* SPDX-License-Identifier: BSD-2-Clause */
/* The children of this process that nobody told it of: descendants that lost their parents. */
#ifndef POSTERN_SIDECAR_SPAWNER_KILL_CHILDREN_H
#define POSTERN_SIDECAR_SPAWNER_KILL_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * SIGKILL to each child (as many as fit one look; the others at the next), but for those that
 * is_kept() names; NULL: none.  No number among them can be somebody else's, for nobody was waited
 * for meanwhile.  A kernel without /proc/thread-self/children has nothing to tell.
 */
void kill_children(bool (*is_kept)(void *arg, pid_t pid), void *arg);

#endif
