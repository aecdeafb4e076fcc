/* SPDX-License-Identifier: BSD-2-Clause */
/* An audit child without a process (tests/support/audit_child.h). */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit_child.h"

static void on_ended(void *arg)
{
    ((struct audit_child *)arg)->has_ended = true;
}

void audit_child_start(struct audit_child *a, struct event_base *base)
{
    audit_child_start_in(a, base, memfd_create("audit", MFD_CLOEXEC));
}

void audit_child_start_in(struct audit_child *a, struct event_base *base, int take_fd)
{
    int fds[2];

    *a = (struct audit_child){ .base = base };
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &a->supervisor, NULL), POSTERN_OK);
    assert_int_equal(audit_server_new(base, fds[1], (struct audit_server_owner){ on_ended, a }, &a->server, NULL),
                     POSTERN_OK);
    a->fd = take_fd;
    assert_true(a->fd >= 0);
    audit_child_use(a, a->fd);
}

void audit_child_stop(struct audit_child *a)
{
    audit_server_free(a->server);
    a->server = NULL;
    channel_free(a->supervisor);
    a->supervisor = NULL;
    (void)close(a->fd);
    a->fd = -1;
}

int audit_child_writer(struct audit_child *a)
{
    static const char message[] = "{\"type\":\"writer\",\"role\":\"test\"}";
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_send(a->supervisor, postern_bytes_str(message), fds[0], NULL), POSTERN_OK);
    (void)close(fds[0]);
    return fds[1];
}

void audit_child_use(struct audit_child *a, int fd)
{
    assert_int_equal(channel_send_type(a->supervisor, "file", fd, NULL), POSTERN_OK);
}

void audit_child_drain(struct audit_child *a)
{
    assert_int_equal(channel_send_type(a->supervisor, "drain", -1, NULL), POSTERN_OK);
}

void audit_child_spin(struct event_base *base)
{
    for (int i = 0; i < 20; i++)
        assert_in_range(event_base_loop(base, EVLOOP_NONBLOCK), 0, 1);
}

static bool next_line(struct audit_child *a, char room[AUDIT_LINE_MAX])
{
    ssize_t got = pread(a->fd, room, AUDIT_LINE_MAX - 1, (off_t)a->seen);
    char *end;

    assert_true(got >= 0);
    room[got] = '\0';
    if (got == 0)
        return false;
    end = strchr(room, '\n');
    assert_non_null(end); /* no line without an end, ever */
    *end = '\0';
    a->seen += (size_t)(end - room) + 1;
    return true;
}

bool audit_child_line(struct audit_child *a, char room[AUDIT_LINE_MAX])
{
    while (next_line(a, room))
        if (strstr(room, "\"event\":\"chain\"") == NULL)
            return true;
    return false;
}
