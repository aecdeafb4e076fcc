/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration on its way into the door child: its text in a memfd, its listeners, keys,
 * certificates and policies as descriptors (sidecar/role.h).  Supervisor's side.
 */
#ifndef POSTERN_SIDECAR_DOOR_SET_H
#define POSTERN_SIDECAR_DOOR_SET_H

#include "channel.h"
#include "listen.h"

#define DOOR_FILES_MAX 4096 /* five a door, and the policies */

struct door_file {
    const char *section; /* "doors/cache.conf"; NULL: a policy */
    const char *key;     /* "tls_key_file"; a policy: its name */
    int         fd;
};

struct door_set {
    struct door_file *files;
    size_t            count, room;
    int               dump_fd; /* memfd of the whole configuration */
    int               args_key_fd; /* borrowed: set after door_set_open(); -1: none is sent */
};

/*
 * Open everything that the doors of a configuration need.
 *   c     must live as long as *ret
 *   ret   closed by door_set_close() in every case
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE, CONFIG_* · RULES, RULES_EXPECT (policies are judged too) ·
 *   SYSTEM · NOMEM
 */
POSTERN_MUST_USE postern_err door_set_open(const postern_config *c, struct door_set *ret,
                                           postern_error *err);
/*
 * Send it all, from "abandon" (a set before may have stopped halfway) to "prepare".  Waits a second
 * at most for a slow reader.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the child does not read)
 */
POSTERN_MUST_USE postern_err door_set_send(const struct door_set *s, const struct listeners *ls,
                                           size_t loops, struct channel *to, postern_error *err);
void door_set_close(struct door_set *s);

#endif
