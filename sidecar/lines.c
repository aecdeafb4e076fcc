/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines between children, as a table (lines.h). */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lines.h"

/*
 * Bytes of messages that may wait for the audit child, which reads a stream once in a few milliseconds
 * (audit/server.h): a thousand records of a kilobyte, as many as a stream may have unwritten.
 */
#define AUDIT_QUEUE_BYTES (1 << 20)

static const struct {
    role_id first, second;
    const char *to_first, *to_second; /* types of the messages that bring the ends */
} lines[] = {
    { ROLE_AUDIT, ROLE_HELPER, "writer", "audit" },
    { ROLE_AUDIT, ROLE_DOOR, "writer", "audit" },
    { ROLE_AUDIT, ROLE_CONTROL, "writer", "audit" },
    { ROLE_ISSUER, ROLE_HELPER, "helper", "issuer" },
    { ROLE_ISSUER, ROLE_DOOR, "door", "issuer" },
    { ROLE_CONTROL, ROLE_HELPER, "helper", "control" },
    { ROLE_CONTROL, ROLE_DOOR, "door", "control" },
    { ROLE_SPAWNER, ROLE_DOOR, "door", "spawner" },
};

struct end {
    struct child *to;
    const char   *type;
    const char   *role; /* of the other end; NULL: the type says it */
    int64_t       loop; /* -1: not said */
};

/* An end whose child closes at this moment needs none: its end of file is coming, and its next
 * start makes its lines. */
static bool send_end(const struct end *e, int fd)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(256);
    postern_json_writer w = { .out = &b };

    if (e->to->channel == NULL)
        return true;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", e->type);
    postern_json_put_str(&w, "role", e->role);
    if (e->loop >= 0)
        postern_json_put_integer(&w, "loop", e->loop);
    postern_json_close_object(&w);
    return !b.failed &&
           channel_send(e->to->channel, postern_buf_bytes(&b), fd, NULL) != POSTERN_AGAIN;
}

/* Without the right to go above the system's bound it is that bound: then a writer waits earlier. */
static void widen(int fd)
{
    int size = AUDIT_QUEUE_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static postern_err make_one(const struct end *a, const struct end *b, bool is_audit,
                            void (*condemn)(struct child *c, const char *why), postern_error *err)
{
    int fds[2];

    POSTERN_TRY(channel_pair(fds, err));
    if (is_audit)
        widen(fds[1]);
    if (!send_end(a, fds[0]))
        condemn(a->to, "does not read its messages");
    if (!send_end(b, fds[1]))
        condemn(b->to, "does not read its messages");
    (void)close(fds[0]);
    (void)close(fds[1]);
    return POSTERN_OK;
}

static bool is_between(role_id first, role_id second, role_id id, role_id with)
{
    if (first != id && second != id)
        return false;
    return with == ROLE_COUNT || with == (first == id ? second : first);
}

postern_err lines_make(role_id id, role_id with, size_t loops, lines_find find,
                       void (*condemn)(struct child *c, const char *why), void *arg,
                       postern_error *err)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct child *first, *second;
        bool is_audit = lines[i].first == ROLE_AUDIT;
        size_t count = is_audit && lines[i].second == ROLE_DOOR ? loops : 1;

        if (!is_between(lines[i].first, lines[i].second, id, with) ||
            (first = find(arg, lines[i].first)) == NULL ||
            (second = find(arg, lines[i].second)) == NULL)
            continue;
        for (size_t loop = 0; loop < count; loop++) {
            struct end a = { first, lines[i].to_first, is_audit ? second->role->name : NULL, -1 };
            struct end b = { second, lines[i].to_second, NULL, is_audit ? (int64_t)loop : -1 };

            POSTERN_TRY(make_one(&a, &b, is_audit, condemn, err));
        }
    }
    return POSTERN_OK;
}
