/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of its own above each program: so that whatever the program starts, however it hides, is
 * ended with the session.  Forked by spawner/main.c.
 */
#ifndef POSTERN_SIDECAR_SPAWNER_KEEPER_H
#define POSTERN_SIDECAR_SPAWNER_KEEPER_H

#include "program.h"

/* The spawner tells a keeper, or the kernel does when the spawner is gone: end everything now. */
#define KEEPER_END_SIGNAL SIGUSR1
/* A session has ended and its program has read so: time to leave by itself, then to obey SIGTERM. */
#define KEEPER_LEAVE_MS 500
#define KEEPER_OBEY_MS  2000
/* Its first word on the status descriptor: it runs.  Else a text, or nothing, and its end. */
#define KEEPER_STARTED '\0'

struct keeper_setup {
    const struct program *program;
    const char *session;
    int program_fd; /* the program's end of the pair with the door */
    int status_fd;  /* the spawner's, to write to once */
    pid_t spawner;
};

/* In a fork of the spawner; all descriptors but those two are closed.  Returns to nobody. */
_Noreturn void keeper_main(const struct keeper_setup *setup);

#endif
