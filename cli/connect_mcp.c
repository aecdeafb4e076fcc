/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An MCP host that starts `postern connect` reads JSON-RPC and nothing else: where it gets no
 * session, the request that it began with is answered as the door answers one (postern-mcp(7)), so
 * that its agent reads why, and what to do.  No part of the MCP door: it knows one id.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "connect.h"
#include "safe_text.h"

#define REQUEST_MAX 65536    /* bytes: an initialize has some hundreds; a longer one gets none */
#define REQUEST_MS  2000     /* a host writes it before it reads anything */
#define REFUSED     (-32001) /* as at the door */

/* Up to the first LF, and what happens to stand behind it. */
static bool read_line(int fd, postern_buf *in)
{
    const int64_t end_ms = clock_boot_ms() + REQUEST_MS;
    uint8_t chunk[4096];

    while (postern_bytes_find(postern_buf_bytes(in), '\n') == in->len) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left_ms = end_ms - clock_boot_ms();
        ssize_t n;
        int ready;

        if (left_ms <= 0)
            return false;
        ready = poll(&p, 1, (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready <= 0)
            continue;
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        postern_buf_add(in, (postern_bytes){ chunk, (size_t)n });
        if (in->failed)
            return false;
    }
    return true;
}

/* A view into j; false: it is no request. */
static bool find_id(const postern_json *j, postern_bytes *ret)
{
    uint32_t id = postern_json_member(j, 0, "id");

    if (postern_json_type_of(j, 0) != POSTERN_JSON_OBJECT || id == POSTERN_JSON_ABSENT ||
        (postern_json_type_of(j, id) != POSTERN_JSON_STRING &&
         postern_json_type_of(j, id) != POSTERN_JSON_NUMBER))
        return false;
    *ret = postern_json_raw(j, id);
    return true;
}

/* A door may write its object with CR between the members, or U+2028 in one, where some hosts end a
 * line: all of it is written in plain characters, as --json prints. */
static void put_answer(postern_bytes id, const char *message, postern_bytes object,
                       postern_buf *out)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(2 * REQUEST_MAX);
    postern_json_writer w = { .out = &line };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "jsonrpc", "2.0");
    postern_json_put_raw(&w, "id", id);
    postern_json_open_object(&w, "error");
    postern_json_put_integer(&w, "code", REFUSED);
    postern_json_put_str(&w, "message", message);
    postern_json_put_raw(&w, "data", object);
    postern_json_close_object(&w);
    postern_json_close_object(&w);
    safe_json_add(postern_buf_bytes(&line), out);
    out->failed |= line.failed;
    postern_buf_add_byte(out, '\n');
}

/* One piece: a host that reads nothing is not waited for. */
static void send_answer(int fd, const postern_buf *out)
{
    if (!out->failed && write(fd, out->ptr, out->len) < 0)
        return; /* it is gone, and standard error has said why */
}

static void answer_host(int in_fd, int out_fd, const char *message, postern_bytes object)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(REQUEST_MAX);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * REQUEST_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes line, id;

    if (!read_line(in_fd, &in))
        return;
    line = (postern_bytes){ in.ptr, postern_bytes_find(postern_buf_bytes(&in), '\n') };
    if (postern_json_scan(&j, line, NULL) != POSTERN_OK || !find_id(&j, &id))
        return;
    put_answer(id, message, object, &out);
    send_answer(out_fd, &out);
}

void connect_mcp_refuse(const struct connect_plan *plan, const struct connect_answer *answer,
                        const postern_error *err, int in_fd, int out_fd)
{
    POSTERN_AUTO_BUF object = POSTERN_BUF_INIT(CONNECT_OBJECT_MAX);

    if (strcmp(plan->target.service, "mcp") != 0)
        return;
    if (answer != NULL) {
        answer_host(in_fd, out_fd, connect_refusal_text(answer), answer->json);
        return;
    }
    connect_put_failure(err, &object);
    if (!object.failed)
        answer_host(in_fd, out_fd, postern_err_text(err->code), postern_buf_bytes(&object));
}
