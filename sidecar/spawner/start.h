/* SPDX-License-Identifier: BSD-2-Clause */
/* From a fork of the keeper into the program: user, limits, descriptors, exec. */
#ifndef POSTERN_SIDECAR_SPAWNER_START_H
#define POSTERN_SIDECAR_SPAWNER_START_H

#include "program.h"

#define START_FAULT_MAX 256 /* bytes of what went wrong */

struct start_fds {
    int program; /* standard input and output */
    int errors;  /* standard error */
    int fault;   /* what went wrong, as text; closed by a successful execve(2) */
};

/* keeper: its process id, whose end is the program's.  Returns to nobody. */
_Noreturn void start_program(const struct program *p, const struct start_fds *fds, pid_t keeper);

#endif
