/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Redis adapter between a socket and a real server, with a policy of one line, for tests that
 * compare what it judged with what the server did.
 *
 *   redis_judge table                    NAME, classes: the table, a line each
 *   redis_judge keys < REQUESTS          of each request: name, a mark of what is unnamed, keys in hex
 *   redis_judge serve LISTEN BACKEND RECORD
 *       unix sockets; one session after the other, until SIGTERM.  Refused is what touches a key that
 *       begins with "no:", or says "no:" in its first argument, and what nobody can name.  RECORD
 *       gets a line for each verdict: + or -, the name, the arguments in hex.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapters/redis_keys.h"
#include "adapters/redis_request.h"
#include "redis_rig.h"

#define CHUNK 65536

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* ---- the table ---- */

#define REDIS_COMMAND(name, classes, keys) { name, classes },
static const struct { const char *name, *classes; } rows[] = {
#include <postern-private/redis_commands.def>
};
#undef REDIS_COMMAND

static int print_table(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        (void)printf("%s\t%s\n", rows[i].name, rows[i].classes);
    return 0;
}

static void put_hex(FILE *f, postern_bytes b)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(SIZE_MAX / 2);

    postern_hex_encode(b, &text);
    (void)fprintf(f, " =%s", postern_buf_cstr(&text));
}

static void print_keys(postern_bytes request, size_t count)
{
    static const struct redis_keys unknown = KEYS_UNKNOWN;
    postern_bytes *words = calloc(count, sizeof *words), *keys = calloc(count, sizeof *keys);
    struct redis_found found = { .keys = keys, .max = count };
    struct redis_name name;

    if (words == NULL || keys == NULL)
        die("calloc");
    redis_scan_words(request, count, words);
    redis_name_of((struct redis_words){ words, count }, &name);
    redis_keys_find(name.command == NULL ? &unknown : &name.command->keys,
                    (struct redis_words){ words, count }, &found);
    (void)printf("%s %s", name.text[0] == '\0' ? "?" : name.text, found.has_unnamed ? "more" : "-");
    for (size_t i = 0; i < found.count; i++)
        put_hex(stdout, found.keys[i]);
    (void)printf("\n");
    free(words);
    free(keys);
}

static int print_all_keys(void)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(SIZE_MAX / 2);
    uint8_t chunk[CHUNK];
    size_t at = 0, len;

    while ((len = fread(chunk, 1, sizeof chunk, stdin)) != 0)
        postern_buf_add(&in, (postern_bytes){ chunk, len });
    while (at < in.len) {
        struct redis_scan scan = { 0 };
        postern_bytes rest = { in.ptr + at, in.len - at };

        if (redis_scan_step(&scan, rest, SIZE_MAX / 2) != REDIS_SCAN_DONE)
            return 1;
        print_keys(rest, scan.count);
        at += scan.at;
    }
    return 0;
}

/* ---- a session ---- */

static bool begins_with_no(postern_bytes b)
{
    return b.len >= 3 && memcmp(b.ptr, "no:", 3) == 0;
}

static bool judge(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    static const postern_failure failure = { .code = POSTERN_ERR_POLICY, .ref = "R-7Q2M4XKD90" };
    bool is_refused = a->name == NULL || (a->digested_count != 0 && begins_with_no(a->digested[0]));
    FILE *record = r->arg;

    for (size_t i = 0; i < a->resource_count; i++)
        is_refused = is_refused || begins_with_no(a->resources[i]);
    (void)fprintf(record, "%c %s", is_refused ? '-' : '+', a->name == NULL ? "?" : a->name);
    for (size_t i = 0; i < a->digested_count; i++)
        put_hex(record, a->digested[i]);
    (void)fprintf(record, "\n");
    v->ruling = is_refused ? ADAPTER_REFUSE : ADAPTER_RELEASE;
    v->denied.failure = &failure;
    return true;
}

static void write_all(int fd, postern_buf *b)
{
    for (size_t at = 0; at < b->len;) {
        ssize_t n = write(fd, b->ptr + at, b->len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* gone: the other side tells */
        at += (size_t)n;
    }
    postern_buf_reset(b);
}

static int dial(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof to.sun_path)
        die("socket");
    memcpy(to.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    return fd;
}

static bool carry(struct redis_rig *r, const struct pollfd *ends, int from)
{
    static uint8_t chunk[CHUNK];
    ssize_t n = read(ends[from].fd, chunk, sizeof chunk);

    if (n <= 0)
        return false;
    redis_rig_give(r, (enum adapter_side)from, (postern_bytes){ chunk, (size_t)n }, 0);
    write_all(ends[1].fd, &r->to_backend);
    write_all(ends[0].fd, &r->to_client);
    return !r->is_broken;
}

static void serve_session(int client, int backend, FILE *record)
{
    struct redis_rig r;
    struct pollfd ends[2] = { { client, POLLIN, 0 }, { backend, POLLIN, 0 } };
    bool is_open = redis_rig_open(&r, judge, NULL, record);

    /* As if a login had been granted by a backend that wants none. */
    r.adapter->inspector->begin(r.state, NULL);
    while (is_open && poll(ends, 2, -1) > 0)
        for (int i = 0; i < 2 && is_open; i++)
            if (ends[i].revents != 0)
                is_open = carry(&r, ends, i);
    if (r.is_broken)
        (void)fprintf(record, "! %s\n", r.err.detail);
    (void)fflush(record);
    redis_rig_close(&r);
}

static _Noreturn void serve(const char *path, const char *backend, const char *record_path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *record = fopen(record_path, "we");

    if (fd < 0 || record == NULL || strlen(path) >= sizeof at.sun_path)
        die(record_path);
    memcpy(at.sun_path, path, strlen(path));
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
        die(path);
    for (;;) {
        int client = accept(fd, NULL, NULL), there;

        if (client < 0)
            continue;
        there = dial(backend);
        serve_session(client, there, record);
        (void)close(there);
        (void)close(client);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "table") == 0)
        return print_table();
    if (argc == 2 && strcmp(argv[1], "keys") == 0)
        return print_all_keys();
    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        serve(argv[2], argv[3], argv[4]);
    (void)fprintf(stderr, "usage: redis_judge table | keys | serve LISTEN BACKEND RECORD\n");
    return 2;
}
