/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actions, one after another on one connection: GET of 64 bytes from a Redis server, and a tool of
 * an MCP server, which is here as well: lines of JSON, answered at once.  What it takes to ask has
 * to be as little as can be, so nothing is parsed that need not be.
 *
 * "ready" is printed behind the login, the first action is asked for at a line of stdin, p50 and
 * p99 are printed, and the connection stays until stdin ends: whoever measures looks at the clocks
 * in between.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "traffic.h"

#define LINE_BYTES 4096
#define VALUE_64   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- the server ---- */

/* The id as it stands there; "": a notification. */
static void find_id(const char *line, char *ret, size_t size)
{
    const char *at = strstr(line, "\"id\":");
    size_t len;

    ret[0] = '\0';
    if (at == NULL)
        return;
    at += strlen("\"id\":");
    len = strcspn(at, ",}");
    if (len >= size)
        traffic_die("an id");
    memcpy(ret, at, len);
    ret[len] = '\0';
}

/* False: nobody is there any more. */
static bool answer(int fd, const char *line)
{
    static const char hello[] =
        "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
        "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}";
    static const char said[] = "{\"content\":[{\"type\":\"text\",\"text\":\"" VALUE_64 "\"}]}";
    const char *result = strstr(line, "\"initialize\"") != NULL ? hello : said;
    char id[64], room[512];
    int len;

    find_id(line, id, sizeof id);
    if (id[0] == '\0')
        return true;
    len = snprintf(room, sizeof room, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id,
                   result);
    if (len < 0 || (size_t)len >= sizeof room)
        traffic_die("an answer");
    return send(fd, room, (size_t)len, MSG_NOSIGNAL) == len;
}

void traffic_serve_calls(int fd)
{
    char *room = malloc(LINE_BYTES), *end;
    size_t len = 1;
    ssize_t n = 1;

    if (room == NULL)
        return;
    room[0] = '{';
    while (n > 0 && len < LINE_BYTES) {
        n = recv(fd, room + len, LINE_BYTES - len, 0);
        if (n > 0)
            len += (size_t)n;
        while (n > 0 && (end = memchr(room, '\n', len)) != NULL) {
            *end++ = '\0';
            if (!answer(fd, room))
                n = 0;
            len -= (size_t)(end - room);
            memmove(room, end, len);
        }
    }
    free(room);
}

/* ---- clients ---- */

static void get_line(struct link *l, char *room, size_t size)
{
    size_t len = 0;

    do {
        if (len + 1 >= size)
            traffic_die("an answer is too long");
        len += traffic_get(l, room + len, size - 1 - len);
    } while (room[len - 1] != '\n');
    room[len] = '\0';
}

static void ask(struct link *l, const char *request, char *room, size_t size)
{
    traffic_put(l, request, strlen(request));
    get_line(l, room, size);
}

typedef void one_action(struct link *l, size_t n);

static void run(struct link *l, size_t count, one_action *act)
{
    double *us = calloc(count, sizeof *us);
    char line[16];

    if (us == NULL)
        traffic_die("calloc");
    printf("ready\n");
    (void)fflush(stdout); /* what cannot be told shows where it is missing */
    if (fgets(line, sizeof line, stdin) == NULL)
        traffic_die("nobody wants it");
    for (size_t i = 0; i < count; i++) {
        double begin_s = traffic_now_s();

        act(l, i);
        us[i] = (traffic_now_s() - begin_s) * 1e6;
    }
    traffic_tell(us, count);
    while (fgets(line, sizeof line, stdin) != NULL)
        continue;
    traffic_hang_up(l);
    free(us);
}

/* Both lines of the answer: the value has no end of line. */
static void get_value(struct link *l, size_t n)
{
    static const char request[] = "*2\r\n$3\r\nGET\r\n$9\r\nkey:bench\r\n";
    static const char wanted[] = "$64\r\n" VALUE_64 "\r\n";
    char room[256];
    size_t len = 0;

    (void)n;
    traffic_put(l, request, sizeof request - 1);
    while (len < sizeof wanted - 1)
        len += traffic_get(l, room + len, sizeof room - len);
    if (len != sizeof wanted - 1 || memcmp(room, wanted, len) != 0)
        traffic_die("another answer to GET");
}

void traffic_gets(const struct client *c, size_t count)
{
    struct link l = traffic_dial(c);
    char room[256];

    ask(&l, "*3\r\n$3\r\nSET\r\n$9\r\nkey:bench\r\n$64\r\n" VALUE_64 "\r\n", room, sizeof room);
    if (strcmp(room, "+OK\r\n") != 0)
        traffic_die(room);
    run(&l, count, get_value);
}

static void call_tool(struct link *l, size_t n)
{
    char room[LINE_BYTES];

    if (snprintf(room, sizeof room,
                 "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"echo\",\"arguments\":{\"message\":\"" VALUE_64 "\"}}}\n",
                 n + 1) < 0)
        traffic_die("a request");
    ask(l, room, room, sizeof room);
    if (strstr(room, "\"content\":[") == NULL)
        traffic_die(room);
}

void traffic_tool_calls(const struct client *c, size_t count)
{
    static const char begun[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
    struct link l = traffic_dial(c);
    char room[LINE_BYTES];

    ask(&l,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
        "\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n",
        room, sizeof room);
    if (strstr(room, "\"serverInfo\"") == NULL)
        traffic_die(room);
    traffic_put(&l, begun, sizeof begun - 1);
    run(&l, count, call_tool);
}
