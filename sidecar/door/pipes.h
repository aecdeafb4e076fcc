/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes for splice(2), kept for reuse: making one costs as much as moving 100 KB through it.  One
 * thread.  Who cannot have one copies instead: no session waits for a pipe.
 */
#ifndef POSTERN_SIDECAR_DOOR_PIPES_H
#define POSTERN_SIDECAR_DOOR_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#define PIPES_KEPT 64 /* idle ones of one thread: two descriptors each */
/* Of one thread, idle or with bytes in them.  Sessions whose receiver has stopped hold one each
 * way; a crowd of them must not take the descriptors that accept(2) needs. */
#define PIPES_MAX  256
/* What one may hold.  More saves wake-ups, and all pipes of a user share 64 MiB
 * (/proc/sys/fs/pipe-user-pages-soft). */
#define PIPE_BYTES 262144
/* Under it a pipe is not worth its two calls: the kernel hands out pipes of one or two pages to a
 * user who has too many. */
#define PIPE_BYTES_MIN 65536

struct pipes {
    int    kept[PIPES_KEPT][2];
    size_t kept_count;
    size_t count; /* kept and lent */
};

/* An empty pipe, both ends non-blocking; false: copy. */
bool pipes_take(struct pipes *p, int ret[2]);
/* Back with it; ends are set to -1.  One that is not empty is closed. */
void pipes_give(struct pipes *p, int pipe[2], bool is_empty);
void pipes_close(struct pipes *p); /* the kept ones */

#endif
