/* SPDX-License-Identifier: BSD-2-Clause */
/* A window over a growing file (cli/line_reader.h). */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "line_reader.h"

#define ROOM (4 * LINE_READER_MAX)

postern_err line_reader_start(struct line_reader *r, int fd, postern_error *err)
{
    *r = (struct line_reader){ .fd = fd, .room = malloc(ROOM) };
    return r->room != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "window of %d bytes", ROOM);
}

void line_reader_restart(struct line_reader *r, int fd)
{
    *r = (struct line_reader){ .fd = fd, .room = r->room };
}

void line_reader_end(struct line_reader *r)
{
    free(r->room);
    r->room = NULL;
}

/* The next line in the window.  False: it has no whole one. */
static bool take_line(struct line_reader *r, postern_bytes *ret)
{
    const uint8_t *begin = r->room + r->start;
    const uint8_t *newline = r->end == r->start ? NULL : memchr(begin, '\n', r->end - r->start);

    if (newline == NULL)
        return false;
    *ret = (postern_bytes){ begin, (size_t)(newline - begin) };
    r->start += ret->len + 1;
    r->offset += ret->len + 1;
    r->number++;
    return true;
}

static void make_room(struct line_reader *r)
{
    if (r->end - r->start > LINE_READER_MAX) {
        r->offset += r->end - r->start;
        r->start = r->end;
        r->is_skipping = true;
    }
    if (r->start != 0 && r->end != r->start)
        memmove(r->room, r->room + r->start, r->end - r->start);
    r->end -= r->start;
    r->start = 0;
}

/* Bytes that came; 0 at the end, -1 on failure.  A pipe without bytes now is waited for. */
static ssize_t fill(struct line_reader *r)
{
    struct pollfd p = { .fd = r->fd, .events = POLLIN };
    ssize_t n;

    while ((n = read(r->fd, r->room + r->end, ROOM - r->end)) < 0) {
        if (errno == EAGAIN)
            (void)poll(&p, 1, -1);
        else if (errno != EINTR)
            return -1;
    }
    r->end += (size_t)n;
    return n;
}

line_event line_reader_next(struct line_reader *r, postern_bytes *ret_line, postern_error *err)
{
    for (;;) {
        ssize_t n;

        if (take_line(r, ret_line)) {
            bool was_long = r->is_skipping || ret_line->len > LINE_READER_MAX;

            r->is_skipping = false;
            return was_long ? LINE_TOO_LONG : LINE_WHOLE;
        }
        make_room(r);
        n = fill(r);
        if (n == 0)
            return LINE_NO_MORE;
        if (n < 0) {
            (void)POSTERN_FAIL(err, SYSTEM, "reading: %m");
            return LINE_FAILED;
        }
    }
}

postern_bytes line_reader_piece(const struct line_reader *r)
{
    if (r->is_skipping && r->end == r->start) /* its beginning was dropped */
        return (postern_bytes){ r->room, 1 };
    return (postern_bytes){ r->room + r->start, r->end - r->start };
}
