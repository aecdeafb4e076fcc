/* SPDX-License-Identifier: BSD-2-Clause */
/* What a child of posternd gives up for good.  Called by sidecar/child.c between fork and the
 * role. */
#ifndef POSTERN_SIDECAR_SANDBOX_H
#define POSTERN_SIDECAR_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

#include <postern/error.h>

/* Close every descriptor above 2 but these (in any order, -1 is skipped).  POSTERN_OK ·
 * POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err sandbox_close_others(const int *keep_fds, size_t count,
                                                  postern_error *err);
/* Allow `wanted` descriptors if the hard limit lets us; returns how many there are now. */
size_t sandbox_raise_descriptors(size_t wanted);

/*
 * No new privileges, no core file, not dumpable, killed when the supervisor dies.  After the
 * user change: the kernel takes the last two back whenever a process changes its ids (prctl(2)).
 *
 *   parent   the supervisor; already dead is an error
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err sandbox_enter(pid_t parent, postern_error *err);

#endif
