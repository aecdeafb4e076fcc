/* SPDX-License-Identifier: BSD-2-Clause */
/* What loops ask of the door's first thread.  Any thread. */
#ifndef POSTERN_SIDECAR_DOOR_MAIN_H
#define POSTERN_SIDECAR_DOOR_MAIN_H

#include "loop.h"

/* A loop lacks its line to the audit child: the supervisor is asked, at most once a second. */
void main_want_lines(struct door_process *process);
/* A loop that drains has nothing left. */
void main_note_drained(struct door_process *process, size_t loop);

#endif
