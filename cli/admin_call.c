/* SPDX-License-Identifier: BSD-2-Clause */
/* The line to the issuer's administration socket; see admin_call.h.  Blocking, with a time-out on
 * each step. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin_call.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* a socket: nothing to lose */
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static postern_err connect_to(const char *path, int *ret_fd, postern_error *err)
{
    static const struct timeval limit = { ADMIN_CALL_TIMEOUT_S, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO_FD fd = -1;

    if (strlen(path) >= sizeof address.sun_path)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "socket path is longer than %zu bytes",
                            sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "socket: %m");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE,
                            "%s: %m; is posternd running, with an issuer.conf?", path);
    *ret_fd = fd;
    fd = -1;
    return POSTERN_OK;
}

/* EPIPE is no failure yet: a refusal may lie in the socket already. */
static postern_err send_all(int fd, postern_bytes text, postern_error *err)
{
    while (text.len != 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return POSTERN_OK;
        if (n <= 0)
            return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "sending the request: %m");
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return POSTERN_OK;
}

static bool has_line(const postern_buf *b)
{
    return postern_bytes_find(postern_buf_bytes(b), '\n') != b->len;
}

static postern_err receive_line(int fd, postern_buf *reply, postern_error *err)
{
    uint8_t chunk[4096];

    while (!has_line(reply)) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, ISSUER_ANSWER, "waiting for the issuer: %m");
        if (n == 0)
            return POSTERN_FAIL(err, ISSUER_ANSWER,
                                "the issuer closed the connection without an answer");
        postern_buf_add(reply, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
        if (reply->failed)
            return POSTERN_FAIL(err, ISSUER_ANSWER, "the answer is too large");
    }
    return POSTERN_OK;
}

postern_err admin_call(const char *path, postern_bytes request, postern_buf *reply, postern_json *j,
                       postern_error *err)
{
    postern_bytes line;
    postern_json_type ok;
    AUTO_FD fd = -1;

    POSTERN_TRY(connect_to(path, &fd, err));
    POSTERN_TRY(send_all(fd, request, err));
    POSTERN_TRY(send_all(fd, POSTERN_BYTES_LIT("\n"), err));
    POSTERN_TRY(receive_line(fd, reply, err));
    line = postern_buf_bytes(reply);
    line.len = postern_bytes_find(line, '\n');
    if (postern_json_scan(j, line, NULL) != POSTERN_OK ||
        postern_json_type_of(j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "the issuer answered something else than a JSON object");
    ok = postern_json_type_of(j, postern_json_member(j, 0, "ok"));
    if (ok != POSTERN_JSON_TRUE && ok != POSTERN_JSON_FALSE)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the issuer's answer has no \"ok\"");
    return POSTERN_OK;
}

bool admin_call_is_ok(const postern_json *j)
{
    return postern_json_type_of(j, postern_json_member(j, 0, "ok")) == POSTERN_JSON_TRUE;
}

const char *admin_call_text(const postern_json *j, uint32_t object, const char *name, char *room,
                            size_t room_size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(room_size);
    postern_bytes text;

    room[0] = '\0';
    if (!postern_json_string(j, postern_json_member(j, object, name), &scratch, &text) ||
        text.len == 0 || text.len >= room_size)
        return room;
    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return room;
}
