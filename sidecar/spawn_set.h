/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the doors of a configuration start, on its way into the spawner child (sidecar/role.h).
 * Supervisor's side: the programs are judged here, and their users looked up.
 */
#ifndef POSTERN_SIDECAR_SPAWN_SET_H
#define POSTERN_SIDECAR_SPAWN_SET_H

#include <postern/config.h>

#include "channel.h"

struct spawn_set {
    postern_buf *messages; /* one for each door that starts a program */
    size_t       count;
};

bool spawn_set_is_program(const postern_section *door); /* backend: exec: */
bool spawn_set_is_wanted(const postern_config *c);      /* some door's is */

/* One user that no program may be. */
struct spawn_forbidden {
    uid_t       uid;
    const char *key; /* of the setting that gives it to a child of posternd */
};

/*
 *   forbidden   `count` of them; of interest only when this process is root
 *   ret         closed by spawn_set_close() in every case
 *   POSTERN_OK · CONFIG_VALUE (no such user) · CONFIG_CONFLICT (a child's user) · CONFIG_MISSING
 *   (exec_user, as root) · CONFIG_FILE (not there, not executable, somebody else could change it) ·
 *   NOMEM
 */
POSTERN_MUST_USE postern_err spawn_set_open(const postern_config *c,
                                            const struct spawn_forbidden *forbidden, size_t count,
                                            struct spawn_set *ret, postern_error *err);
/* POSTERN_OK · POSTERN_ERR_SYSTEM (the child does not read) · NOMEM */
POSTERN_MUST_USE postern_err spawn_set_send(const struct spawn_set *s, int64_t drain_ms,
                                            struct channel *to, postern_error *err);
void spawn_set_close(struct spawn_set *s);

#endif
