/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pipes.h"

static void close_both(int pipe[2])
{
    (void)close(pipe[0]);
    (void)close(pipe[1]);
    pipe[0] = pipe[1] = -1;
}

static bool make_pipe(int ret[2])
{
    int made[2];

    if (pipe2(made, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    if (fcntl(made[1], F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES &&
        fcntl(made[1], F_GETPIPE_SZ) < PIPE_BYTES_MIN) {
        close_both(made);
        return false;
    }
    memcpy(ret, made, sizeof made);
    return true;
}

bool pipes_take(struct pipes *p, int ret[2])
{
    if (p->kept_count > 0) {
        memcpy(ret, p->kept[--p->kept_count], sizeof p->kept[0]);
        return true;
    }
    if (p->count >= PIPES_MAX || !make_pipe(ret))
        return false;
    p->count++;
    return true;
}

void pipes_give(struct pipes *p, int pipe[2], bool is_empty)
{
    if (is_empty && p->kept_count < PIPES_KEPT) {
        memcpy(p->kept[p->kept_count++], pipe, sizeof p->kept[0]);
        pipe[0] = pipe[1] = -1;
        return;
    }
    close_both(pipe);
    p->count--;
}

void pipes_close(struct pipes *p)
{
    for (; p->kept_count > 0; p->kept_count--, p->count--)
        close_both(p->kept[p->kept_count - 1]);
}
