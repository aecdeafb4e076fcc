/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "reserve.h"

static void never(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static bool watch_once(struct event_base *base, int fd)
{
    struct event e;

    return event_assign(&e, base, fd, EV_READ, never, NULL) == 0 && event_add(&e, NULL) == 0 &&
           event_del(&e) == 0;
}

/* The lowest number from `from` on that is free, watched once and free again; -1: none, -2: no
 * memory. */
static int touch_next(struct event_base *base, int original, int from)
{
    int fd = fcntl(original, F_DUPFD_CLOEXEC, from);
    bool is_watched;

    if (fd < 0)
        return -1;
    is_watched = watch_once(base, fd);
    (void)close(fd);
    return is_watched ? fd : -2;
}

postern_err reserve_descriptors(struct event_base *base, size_t count, postern_error *err)
{
    int original = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd;

    if (original < 0)
        return POSTERN_FAIL(err, SYSTEM, "eventfd: %m");
    fd = original;
    while (fd >= 0 && (size_t)fd + 1 < count)
        fd = touch_next(base, original, fd + 1);
    (void)close(original);
    if (fd == -2)
        return POSTERN_FAIL(err, NOMEM, "room for %zu descriptors", count);
    return POSTERN_OK;
}
