/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real audit child (sidecar/audit/server.c) on a test's own event loop, writing to memory.
 * The test is its supervisor: what it sends is served when the loop turns.  Not in the archive: a
 * test names tests/support/audit_child.c among its sources.
 */
#ifndef TESTS_SUPPORT_AUDIT_CHILD_H
#define TESTS_SUPPORT_AUDIT_CHILD_H

#include "audit/server.h"
#include "channel.h"

struct audit_child {
    struct event_base *base;
    struct audit_server *server; /* NULL: stopped */
    struct channel *supervisor;  /* our end */
    int fd;                      /* of the first file, in memory */
    size_t seen;                 /* bytes of it that audit_child_line() has given */
    bool has_ended;
};

/* With a file already: a new one, or `take_fd`. */
void audit_child_start(struct audit_child *a, struct event_base *base);
void audit_child_start_in(struct audit_child *a, struct event_base *base, int take_fd);
/* End of life without drain, as by kill -9, but for what the kernel has. */
void audit_child_stop(struct audit_child *a);
/* A writer's end of a new line. */
int audit_child_writer(struct audit_child *a);
/* "file" with this descriptor, which stays the caller's. */
void audit_child_use(struct audit_child *a, int fd);
void audit_child_drain(struct audit_child *a);
/* Until nothing is ready any more. */
void audit_child_spin(struct event_base *base);
/* Next line of the file without its newline, but for those of the child's own; false: none. */
bool audit_child_line(struct audit_child *a, char room[AUDIT_LINE_MAX]);

#endif
