/* SPDX-License-Identifier: BSD-2-Clause */
/* The line to an administration socket; see admin_call.h.  Blocking, with a time-out on each step.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin_call.h"

const struct admin_peer admin_issuer = { "the issuer", "is posternd running, with an issuer.conf?",
                                         POSTERN_ERR_ISSUER_UNREACHABLE,
                                         POSTERN_ERR_ISSUER_ANSWER };
const struct admin_peer admin_control = { "posternd",
                                          "is posternd running, and is this its control_socket:?",
                                          POSTERN_ERR_SYSTEM, POSTERN_ERR_TIMEOUT };

/* POSTERN_FAIL() with a code that only the peer knows. */
#define FAIL(err, code, ...) postern_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* a socket: nothing to lose */
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static postern_err connect_to(const struct admin_peer *peer, const char *path, int *ret_fd,
                              postern_error *err)
{
    static const struct timeval limit = { ADMIN_CALL_TIMEOUT_S, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO_FD fd = -1;

    if (strlen(path) >= sizeof address.sun_path)
        return FAIL(err, peer->unreachable, "socket path is longer than %zu bytes",
                    sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return FAIL(err, peer->unreachable, "socket: %m");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return FAIL(err, peer->unreachable, "%s: %m; %s", path, peer->hint);
    *ret_fd = fd;
    fd = -1;
    return POSTERN_OK;
}

/* EPIPE is no failure yet: a refusal may lie in the socket already. */
static postern_err send_all(const struct admin_peer *peer, int fd, postern_bytes text,
                            postern_error *err)
{
    while (text.len != 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return POSTERN_OK;
        if (n <= 0)
            return FAIL(err, peer->unreachable, "sending the request: %m");
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return POSTERN_OK;
}

static bool has_line(const postern_buf *b)
{
    return postern_bytes_find(postern_buf_bytes(b), '\n') != b->len;
}

static postern_err receive_line(const struct admin_peer *peer, int fd, postern_buf *reply,
                                postern_error *err)
{
    uint8_t chunk[4096];

    while (!has_line(reply)) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(err, peer->no_answer, "waiting for %s: %m", peer->name);
        if (n == 0)
            return FAIL(err, peer->no_answer, "%s closed the connection without an answer",
                        peer->name);
        postern_buf_add(reply, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
        if (reply->failed)
            return FAIL(err, peer->no_answer, "the answer is too large");
    }
    return POSTERN_OK;
}

postern_err admin_call(const struct admin_peer *peer, const char *path, postern_bytes request,
                       postern_buf *reply, postern_json *j, postern_error *err)
{
    postern_bytes line;
    postern_json_type ok;
    AUTO_FD fd = -1;

    POSTERN_TRY(connect_to(peer, path, &fd, err));
    POSTERN_TRY(send_all(peer, fd, request, err));
    POSTERN_TRY(send_all(peer, fd, POSTERN_BYTES_LIT("\n"), err));
    POSTERN_TRY(receive_line(peer, fd, reply, err));
    line = postern_buf_bytes(reply);
    line.len = postern_bytes_find(line, '\n');
    if (postern_json_scan(j, line, NULL) != POSTERN_OK ||
        postern_json_type_of(j, 0) != POSTERN_JSON_OBJECT)
        return FAIL(err, peer->no_answer, "%s answered something else than a JSON object",
                    peer->name);
    ok = postern_json_type_of(j, postern_json_member(j, 0, "ok"));
    if (ok != POSTERN_JSON_TRUE && ok != POSTERN_JSON_FALSE)
        return FAIL(err, peer->no_answer, "the answer of %s has no \"ok\"", peer->name);
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
