/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One JSON object a datagram between processes of posternd, perhaps with a descriptor (unix(7),
 * SCM_RIGHTS).  All children use it, to the supervisor and to each other.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/util.h>

#include "channel.h"

/* The kernel delivers whole descriptors only and drops (MSG_CTRUNC) what has no room: two are
 * enough to see "too many". */
#define RECEIVED_FDS_MAX 2

struct channel {
    int          fd;
    int          passed_fd; /* came with the message, not taken yet; -1: none */
    postern_json json;      /* of `text` */
    uint8_t      text[CHANNEL_MESSAGE_MAX];
};

union control {
    struct cmsghdr align;
    char           room[CMSG_SPACE(RECEIVED_FDS_MAX * sizeof(int))];
};

postern_err channel_new(int take_fd, struct channel **ret, postern_error *err)
{
    struct channel *c;

    if (evutil_make_socket_nonblocking(take_fd) != 0 ||
        fcntl(take_fd, F_SETFD, FD_CLOEXEC) != 0) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, SYSTEM, "channel descriptor: %m");
    }
    if ((c = calloc(1, sizeof *c)) == NULL) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, NOMEM, "channel of %zu bytes", sizeof *c);
    }
    c->fd = take_fd;
    c->passed_fd = -1;
    *ret = c;
    return POSTERN_OK;
}

postern_err channel_pair(int ret_fds[2], postern_error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) != 0)
        return POSTERN_FAIL(err, SYSTEM, "socketpair: %m");
    return POSTERN_OK;
}

static void drop_passed_fd(struct channel *c)
{
    if (c->passed_fd >= 0)
        (void)close(c->passed_fd);
    c->passed_fd = -1;
}

void channel_free(struct channel *c)
{
    if (c == NULL)
        return;
    drop_passed_fd(c);
    (void)close(c->fd);
    postern_json_free(&c->json);
    free(c);
}

int channel_fd(const struct channel *c)
{
    return c->fd;
}

static void attach_fd(struct msghdr *msg, union control *control, int fd)
{
    struct cmsghdr *cmsg;

    memset(control, 0, sizeof *control);
    msg->msg_control = control->room;
    msg->msg_controllen = CMSG_SPACE(sizeof fd);
    cmsg = CMSG_FIRSTHDR(msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
}

postern_err channel_send(struct channel *c, postern_bytes object, int fd, postern_error *err)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)object.ptr, .iov_len = object.len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    union control control;
    ssize_t n;

    if (object.len == 0 || object.len > CHANNEL_MESSAGE_MAX)
        return POSTERN_FAIL(err, LIMIT, "message of %zu bytes between posternd's processes",
                            object.len);
    if (fd >= 0)
        attach_fd(&msg, &control, fd);
    do
        n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return POSTERN_AGAIN;
    if (n < 0)
        return POSTERN_FAIL(err, SYSTEM, "sending between posternd's processes: %m");
    return POSTERN_OK; /* a datagram goes whole or not at all */
}

postern_err channel_send_patiently(struct channel *c, postern_bytes object, int fd,
                                   const char *reader, postern_error *err)
{
    struct pollfd p = { .fd = channel_fd(c), .events = POLLOUT };
    postern_err e = channel_send(c, object, fd, err);

    while (e == POSTERN_AGAIN) {
        if (poll(&p, 1, CHANNEL_PATIENCE_MS) <= 0)
            return POSTERN_FAIL(err, SYSTEM, "%s does not read its configuration", reader);
        e = channel_send(c, object, fd, err);
    }
    return e;
}

postern_err channel_send_type(struct channel *c, const char *type, int fd, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(256);
    postern_json_writer w = { .out = &b };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", type);
    postern_json_close_object(&w);
    if (b.failed)
        return POSTERN_FAIL(err, NOMEM, "message \"%s\"", type);
    return channel_send(c, postern_buf_bytes(&b), fd, err);
}

/* Keep the first descriptor in c->passed_fd, close the others.  Returns how many came. */
static size_t collect_fds(struct channel *c, struct msghdr *msg)
{
    size_t count = 0;

    for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m != NULL; m = CMSG_NXTHDR(msg, m)) {
        size_t here = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < here; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(m) + i * sizeof fd, sizeof fd);
            if (count++ == 0)
                c->passed_fd = fd;
            else
                (void)close(fd);
        }
    }
    return count;
}

/* One object whose first member is a string "type". */
static postern_err check_shape(struct channel *c, size_t len, postern_error *err)
{
    uint32_t first;

    POSTERN_TRY(postern_json_scan(&c->json, (postern_bytes){ c->text, len }, err));
    if (postern_json_type_of(&c->json, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "message is no JSON object");
    first = postern_json_first(&c->json, 0);
    if (first == POSTERN_JSON_ABSENT || !postern_json_name_is(&c->json, first, "type") ||
        postern_json_type_of(&c->json, first) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED, "message does not begin with its type");
    return POSTERN_OK;
}

channel_event channel_receive(struct channel *c, postern_error *err)
{
    struct iovec iov = { .iov_base = c->text, .iov_len = sizeof c->text };
    union control control;
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof control.room };
    size_t fd_count;
    ssize_t n;

    drop_passed_fd(c);
    c->json.count = 0; /* its storage serves the next scan */
    /* Reset: the other end went and left something of ours unread, which is told once and before
     * what it said itself. */
    do
        n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return CHANNEL_NOTHING;
    if (n == 0)
        return CHANNEL_CLOSED;
    if (n < 0) {
        (void)POSTERN_FAIL(err, SYSTEM, "receiving between posternd's processes: %m");
        return CHANNEL_BROKEN;
    }
    fd_count = collect_fds(c, &msg);
    if (fd_count > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        (void)POSTERN_FAIL(err, LIMIT, "message with %zu descriptors or over %d bytes", fd_count,
                           CHANNEL_MESSAGE_MAX);
        drop_passed_fd(c);
        return CHANNEL_BROKEN;
    }
    if (check_shape(c, (size_t)n, err) == POSTERN_OK)
        return CHANNEL_MESSAGE;
    drop_passed_fd(c);
    c->json.count = 0;
    return CHANNEL_BROKEN;
}

const postern_json *channel_message(const struct channel *c)
{
    return &c->json;
}

bool channel_type_is(const struct channel *c, const char *type)
{
    return c->json.count != 0 &&
           postern_json_string_is(&c->json, postern_json_member(&c->json, 0, "type"), type);
}

int channel_take_fd(struct channel *c)
{
    int fd = c->passed_fd;

    c->passed_fd = -1;
    return fd;
}

bool channel_integer(const struct channel *c, const char *name, int64_t *ret)
{
    uint32_t node;

    if (c->json.count == 0 ||
        (node = postern_json_member(&c->json, 0, name)) == POSTERN_JSON_ABSENT)
        return false;
    return postern_json_integer(&c->json, node, ret);
}

bool channel_text(const struct channel *c, const char *name, char *room, size_t room_size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_bytes text;
    uint32_t node;

    if (c->json.count == 0 ||
        (node = postern_json_member(&c->json, 0, name)) == POSTERN_JSON_ABSENT ||
        !postern_json_string(&c->json, node, &scratch, &text))
        return false;
    if (text.len >= room_size || postern_bytes_find(text, 0) != text.len)
        return false;
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return true;
}
