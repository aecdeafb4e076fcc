/* SPDX-License-Identifier: BSD-2-Clause */
/* See kill_children.h.  The kernel's list is one of numbers with a blank behind each. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "kill_children.h"

#define CHILDREN_FILE "/proc/thread-self/children"
#define CHILDREN_TEXT 16384 /* bytes of it: two thousand */

void kill_children(bool (*is_kept)(void *arg, pid_t pid), void *arg)
{
    char text[CHILDREN_TEXT + 1], *at = text, *end;
    int fd = open(CHILDREN_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, CHILDREN_TEXT);

    if (fd >= 0)
        (void)close(fd);
    text[n < 0 ? 0 : n] = '\0';
    /* a number that was cut has no blank behind it */
    for (long pid; (pid = strtol(at, &end, 10)) > 1 && *end == ' '; at = end)
        if (is_kept == NULL || !is_kept(arg, (pid_t)pid))
            (void)kill((pid_t)pid, SIGKILL);
}
