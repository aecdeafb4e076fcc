/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a door starts: read from the supervisor's message (sidecar/role.h), never from anybody else.
 */
#ifndef POSTERN_SIDECAR_SPAWNER_PROGRAM_H
#define POSTERN_SIDECAR_SPAWNER_PROGRAM_H

#include <stdint.h>
#include <sys/types.h>

#include "../channel.h"

/* Names of a door and of a session, with NUL. */
#define PROGRAM_DOOR_MAX    64
#define PROGRAM_SESSION_MAX 64

struct program {
    char   *door;
    char  **argv; /* ends with NULL, as env */
    char  **env;
    char   *dir;
    uid_t   uid;
    gid_t   gid;
    size_t  max;     /* running at one time */
    int64_t memory;  /* bytes; 0, as below: no limit */
    int64_t processes;
    int64_t cpu_s;
};

/*
 * The message that `c` holds.
 *   ret   freed with program_free()
 *   POSTERN_OK · POSTERN_ERR_MALFORMED · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err program_read(const struct channel *c, struct program **ret,
                                          postern_error *err);
void program_free(struct program *p); /* NULL is fine */

#endif
