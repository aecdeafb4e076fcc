/* SPDX-License-Identifier: BSD-2-Clause */
/* Which roles talk to each other, and the pairs of sockets that they get (sidecar/role.h).
 * Supervisor's side. */
#ifndef POSTERN_SIDECAR_LINES_H
#define POSTERN_SIDECAR_LINES_H

#include "child.h"

/* The child of a role that serves a generation; NULL when there is none with a channel. */
typedef struct child *(*lines_find)(void *arg, role_id id);

/*
 * Make every line of role `id` anew.  A child that does not take its end is reported by `condemn`.
 *   with    only the line to this role; ROLE_COUNT: to each
 *   loops   of the door: so many lines to the audit child
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (no pair of sockets: try again later)
 */
POSTERN_MUST_USE postern_err lines_make(role_id id, role_id with, size_t loops, lines_find find,
                                        void (*condemn)(struct child *c, const char *why),
                                        void *arg, postern_error *err);

#endif
