/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a piece of a token where none may be?  Looks for every 12-byte window of a token's payload and
 * signature: as they travel, decoded, and in the base64 of a SASL exchange around them.  Of a decoded
 * payload only the claim "canary" counts: subject, issuer, jti and the like are public on purpose.
 * Component tests run it; nothing of ours is linked in.  Tokens come by standard input, one a line; a
 * line without dots (a handle, an opaque token) counts whole.
 *
 *     canary scan file:PATH|pid:PID|procs ...   files, memory of processes, everybody's argv and environment
 *     canary watch                              argv and environment of everybody, again and again until SIGTERM
 *
 * Exit 0: nothing found; 1: found, one line each says where; 2: it could not look.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define WINDOW      12
#define LINE_MAX_   32768      /* a token of 16 KiB, and more */
#define CHUNK       (1 << 20)  /* bytes read at a time */
#define REGION_MAX  (1L << 30) /* a larger mapping is a sanitizer's shadow */
#define FILTER_BITS 24
#define REPORTS_MAX 40         /* lines said; the count goes on */

struct window {
    uint8_t bytes[WINDOW];
    uint16_t token; /* number of its line, from 1 */
    uint16_t at;
    const char *kind; /* NULL: free place */
};

static struct window *table;
static size_t table_size, window_count; /* table_size: a power of two */
static uint8_t filter[1 << (FILTER_BITS - 3)];
static unsigned long found_count, reported;
static volatile sig_atomic_t is_over;

static void die(const char *what)
{
    fprintf(stderr, "canary: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- windows ---- */

static uint64_t hash_of(const uint8_t *bytes)
{
    uint64_t head;
    uint32_t tail;

    memcpy(&head, bytes, sizeof head);
    memcpy(&tail, bytes + sizeof head, sizeof tail);
    return (head ^ ((uint64_t)tail << 17)) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t filter_place(uint64_t hash)
{
    return hash >> (64 - FILTER_BITS);
}

static void insert(struct window w)
{
    size_t i = hash_of(w.bytes) & (table_size - 1);

    while (table[i].kind != NULL && memcmp(table[i].bytes, w.bytes, WINDOW) != 0)
        i = (i + 1) & (table_size - 1);
    if (table[i].kind != NULL)
        return;
    table[i] = w;
    window_count++;
    filter[filter_place(hash_of(w.bytes)) >> 3] |= (uint8_t)(1U << (filter_place(hash_of(w.bytes)) & 7));
}

static void grow(void)
{
    struct window *old = table;
    size_t old_size = table_size;

    table_size = old_size == 0 ? 1 << 16 : old_size * 2;
    table = calloc(table_size, sizeof *table);
    if (table == NULL)
        die("windows");
    window_count = 0;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].kind != NULL)
            insert(old[i]);
    free(old);
}

static void add_windows(const uint8_t *text, size_t len, unsigned token, const char *kind)
{
    for (size_t i = 0; i + WINDOW <= len; i++) {
        struct window w = { .token = (uint16_t)token, .at = (uint16_t)i, .kind = kind };

        memcpy(w.bytes, text + i, WINDOW);
        if (window_count * 2 >= table_size)
            grow();
        insert(w);
    }
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 of `text` when `shift` bytes of something else stand before it; only what is of `text` alone. */
static void add_base64(const uint8_t *text, size_t len, size_t shift, unsigned token)
{
    static uint8_t out[2 * LINE_MAX_];
    size_t n = 0, skip = (3 - shift) % 3;

    for (size_t i = skip; i + 3 <= len; i += 3) {
        uint32_t group = (uint32_t)text[i] << 16 | (uint32_t)text[i + 1] << 8 | text[i + 2];

        for (int bits = 18; bits >= 0; bits -= 6)
            out[n++] = (uint8_t)alphabet[group >> bits & 63];
    }
    add_windows(out, n, token, "base64 of the token's text");
}

static int value_of(uint8_t c)
{
    const char *at;

    if (c == '-')
        c = '+';
    else if (c == '_')
        c = '/';
    at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

static size_t decode(const uint8_t *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    size_t n = 0;
    int have = 0;

    for (size_t i = 0; i < len && value_of(text[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)value_of(text[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

/* As it travels, and with the other two letters of the other base64. */
static void add_text(const uint8_t *text, size_t len, unsigned token, const char *kind)
{
    static uint8_t other[LINE_MAX_];

    add_windows(text, len, token, kind);
    for (size_t i = 0; i < len; i++)
        other[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    add_windows(other, len, token, kind);
}

static void add_canary_claim(const uint8_t *payload, size_t len, unsigned token)
{
    static const char name[] = "\"canary\":";
    const uint8_t *at = memmem(payload, len, name, sizeof name - 1), *after = payload + len, *end;

    if (at == NULL)
        return;
    at = memchr(at + sizeof name - 1, '"', (size_t)(after - at) - (sizeof name - 1));
    end = at == NULL ? NULL : memchr(at + 1, '"', (size_t)(after - at) - 1);
    if (end != NULL)
        add_windows(at + 1, (size_t)(end - at) - 1, token, "decoded payload");
}

static void add_token(const char *line, size_t len, unsigned token)
{
    static uint8_t decoded[LINE_MAX_];
    const uint8_t *text = (const uint8_t *)line, *payload = memchr(line, '.', len), *signature, *end = text + len;

    if (payload == NULL) {
        add_text(text, len, token, "whole");
        for (size_t shift = 0; shift < 3; shift++)
            add_base64(text, len, shift, token);
        return;
    }
    payload++;
    signature = memrchr(line, '.', len);
    if (signature > payload) {
        add_text(payload, (size_t)(signature - payload), token, "payload");
        add_canary_claim(decoded, decode(payload, (size_t)(signature - payload), decoded), token);
    }
    signature++;
    add_text(signature, (size_t)(end - signature), token, "signature");
    add_windows(decoded, decode(signature, (size_t)(end - signature), decoded), token, "decoded signature");
    for (size_t shift = 0; shift < 3; shift++)
        add_base64(payload, (size_t)(end - payload), shift, token);
}

static void read_tokens(void)
{
    static char line[LINE_MAX_];

    for (unsigned n = 1; fgets(line, sizeof line, stdin) != NULL; n++) {
        size_t len = strcspn(line, "\n");

        if (len >= WINDOW)
            add_token(line, len, n);
    }
    if (window_count == 0) {
        errno = EINVAL;
        die("no token on standard input");
    }
}

/* ---- looking ---- */

static void say(const char *where, unsigned long long at, const struct window *w)
{
    found_count++;
    if (reported++ < REPORTS_MAX)
        printf("found in %s at 0x%llx: %s of token %u, byte %u\n", where, at, w->kind, w->token, w->at);
    (void)fflush(stdout); /* whoever plants something waits until it is found */
}

static void look(const uint8_t *bytes, size_t len, const char *where, unsigned long long base)
{
    for (size_t i = 0; i + WINDOW <= len; i++) {
        uint64_t hash = hash_of(bytes + i), place = filter_place(hash);

        if ((filter[place >> 3] >> (place & 7) & 1) == 0)
            continue;
        for (size_t k = hash & (table_size - 1); table[k].kind != NULL; k = (k + 1) & (table_size - 1))
            if (memcmp(table[k].bytes, bytes + i, WINDOW) == 0) {
                say(where, base + i, &table[k]);
                i += WINDOW - 1;
                break;
            }
    }
}

/* From `from` to `end` (~0: the file's), with the overlap that a window may need. */
static void look_through(int fd, unsigned long long from, unsigned long long end, const char *where)
{
    static uint8_t room[CHUNK];

    while (from < end) {
        size_t want = end - from < sizeof room ? (size_t)(end - from) : sizeof room;
        ssize_t got = pread(fd, room, want, (off_t)from);

        if (got <= 0)
            return; /* the end, or a page that nobody can read */
        look(room, (size_t)got, where, from);
        if ((size_t)got < WINDOW)
            return;
        if ((size_t)got < want || from + want == end)
            return;
        from += (size_t)got - (WINDOW - 1);
    }
}

static bool look_at_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    look_through(fd, 0, ~0ULL, path);
    (void)close(fd);
    return true;
}

/* False: the process is gone, or not ours to read. */
static bool look_at_memory(const char *pid)
{
    char path[64], line[512], where[600];
    unsigned long long from, end;
    FILE *maps;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%s/maps", pid);
    maps = fopen(path, "re");
    (void)snprintf(path, sizeof path, "/proc/%s/mem", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (maps != NULL && fd >= 0 && fgets(line, sizeof line, maps) != NULL) {
        char *rest;

        from = strtoull(line, &rest, 16);
        end = *rest == '-' ? strtoull(rest + 1, &rest, 16) : 0;
        if (rest[0] != ' ' || rest[1] != 'r' || end <= from || end - from > REGION_MAX || strstr(line, "[v") != NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(where, sizeof where, "memory of %s (%s)", pid, line);
        look_through(fd, from, end, where);
    }
    if (maps != NULL)
        (void)fclose(maps);
    if (fd >= 0)
        (void)close(fd);
    return maps != NULL && fd >= 0;
}

static unsigned long look_at_everybody(void)
{
    DIR *all = opendir("/proc");
    struct dirent *one;
    unsigned long count = 0;
    char path[300];

    if (all == NULL)
        die("/proc");
    while ((one = readdir(all)) != NULL) {
        if (one->d_name[0] < '1' || one->d_name[0] > '9')
            continue;
        (void)snprintf(path, sizeof path, "/proc/%s/cmdline", one->d_name);
        count += look_at_file(path);
        (void)snprintf(path, sizeof path, "/proc/%s/environ", one->d_name);
        (void)look_at_file(path); /* who ended meanwhile has none */
    }
    (void)closedir(all);
    return count;
}

/* ---- commands ---- */

static void on_term(int signal_number)
{
    (void)signal_number;
    is_over = 1;
}

static int finish(void)
{
    printf("%zu windows, found %lu times\n", window_count, found_count);
    return found_count != 0 || fflush(stdout) != 0;
}

static int scan(int count, char **places)
{
    for (int i = 0; i < count; i++) {
        bool is_done = true;

        if (strncmp(places[i], "file:", 5) == 0)
            is_done = look_at_file(places[i] + 5);
        else if (strncmp(places[i], "pid:", 4) == 0)
            is_done = look_at_memory(places[i] + 4);
        else if (strcmp(places[i], "procs") == 0)
            (void)look_at_everybody();
        else
            errno = EINVAL, is_done = false;
        if (!is_done)
            die(places[i]);
    }
    return finish();
}

static int watch(void)
{
    const struct sigaction term = { .sa_handler = on_term };
    const struct timespec pause = { .tv_nsec = 2000000 };
    unsigned long rounds = 0, seen = 0;

    if (sigaction(SIGTERM, &term, NULL) != 0)
        die("sigaction");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever started it may be killed: it would watch for ever */
    printf("watching\n");
    (void)fflush(stdout);
    for (; !is_over; rounds++) {
        seen += look_at_everybody();
        (void)nanosleep(&pause, NULL); /* others need the processor too */
    }
    printf("%lu rounds, %lu processes\n", rounds, seen);
    return finish();
}

int main(int argc, char **argv)
{
    grow();
    read_tokens();
    if (argc >= 3 && strcmp(argv[1], "scan") == 0)
        return scan(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "watch") == 0)
        return watch();
    errno = EINVAL;
    die("usage: see the head of tests/support/canary.c");
}
