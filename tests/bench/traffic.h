/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of tests/bench/traffic, and what it does with actions (traffic_calls.c).  Not for
 * anything else: whatever fails ends the process. */
#ifndef POSTERN_BENCH_TRAFFIC_H
#define POSTERN_BENCH_TRAFFIC_H

#include <stddef.h>

#include <openssl/ssl.h>

#define TRAFFIC_LOGIN_MAX 16384

struct client {
    const char *port;
    SSL_CTX *tls; /* NULL: plain */
    char login[TRAFFIC_LOGIN_MAX];
    size_t login_len; /* 0: none */
};

struct link {
    int fd;
    SSL *ssl;
};

void traffic_die(const char *what) __attribute__((noreturn));
double traffic_now_s(void);

/* Connected and logged in. */
struct link traffic_dial(const struct client *c);
void traffic_hang_up(struct link *l);
void traffic_put(struct link *l, const char *bytes, size_t len);
/* As many as have come, and at least one. */
size_t traffic_get(struct link *l, char *room, size_t size);
/* p50 and p99; sorts them. */
void traffic_tell(double *us, size_t count);

/* An MCP server on a connection whose first byte, a brace, was read: it answers each request. */
void traffic_serve_calls(int fd);
void traffic_gets(const struct client *c, size_t count);
void traffic_tool_calls(const struct client *c, size_t count);

#endif
