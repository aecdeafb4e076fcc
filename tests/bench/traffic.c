/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of tests/bench/door: a backend, and clients that go through whatever stands before it.
 *
 *     traffic serve PORT     the backend; the first byte of a connection says what it does: E echo,
 *                            S swallow then answer, P<digits>. pour, { an MCP server
 *     traffic down|up  PORT BYTES      [tls] [login FILE]     one transfer, checked by its length
 *     traffic rtt      PORT COUNT      [tls] [login FILE]     64 bytes there and back; p50 and p99
 *     traffic connect  PORT COUNT      [tls] [login FILE]     connections one after another
 *     traffic hold     PORT COUNT      [tls] [login FILE]     "held"; closed at a line of stdin
 *     traffic get|call PORT COUNT      [tls] [login FILE]     actions one by one: traffic_calls.c
 *
 * FILE holds a login and is sent first; a line that begins with OK or +OK must come back.  TLS:
 * nothing is verified, because nothing but time is asked here.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

#define PIECE      65536
#define MESSAGE    64
#define THREAD_KIB 64 /* stack of a backend's thread: thousands of them */

static char piece[PIECE];

void traffic_die(const char *what)
{
    fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
    exit(1);
}

double traffic_now_s(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        traffic_die("clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void set_nodelay(int fd)
{
    const int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        traffic_die("TCP_NODELAY");
}

/* ---- backend ---- */

static void serve_echo(int fd)
{
    char room[MESSAGE];
    ssize_t n;

    while ((n = recv(fd, room, sizeof room, 0)) > 0)
        if (send(fd, room, (size_t)n, MSG_NOSIGNAL) != n)
            return;
}

static void serve_swallow(int fd)
{
    char *room = malloc(PIECE);
    ssize_t n;

    while (room != NULL && (n = recv(fd, room, PIECE, 0)) > 0)
        if (room[n - 1] == '!') { /* the last byte of a transfer */
            (void)send(fd, "!", 1, MSG_NOSIGNAL);
            break;
        }
    free(room);
}

static void serve_pour(int fd)
{
    char digit;
    size_t left = 0;

    while (recv(fd, &digit, 1, 0) == 1 && digit >= '0' && digit <= '9')
        left = left * 10 + (size_t)(digit - '0');
    while (left > 0) {
        ssize_t n = send(fd, piece, left < PIECE ? left : PIECE, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        left -= (size_t)n;
    }
    (void)recv(fd, &digit, 1, 0); /* until the client has it all */
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char what = 0;

    if (recv(fd, &what, 1, 0) == 1) {
        if (what == 'E')
            serve_echo(fd);
        else if (what == 'S')
            serve_swallow(fd);
        else if (what == '{')
            traffic_serve_calls(fd);
        else
            serve_pour(fd);
    }
    close(fd);
    return NULL;
}

static int serve(const char *port)
{
    struct sockaddr_in at = loopback(port);
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_attr_t small;

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
        traffic_die("listen");
    if (pthread_attr_init(&small) != 0 ||
        pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED) != 0 ||
        pthread_attr_setstacksize(&small, THREAD_KIB * 1024) != 0)
        traffic_die("thread attributes");
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        set_nodelay(fd);
        if (pthread_create(&thread, &small, serve_one, (void *)(intptr_t)fd) != 0)
            traffic_die("pthread_create");
    }
}

/* ---- client ---- */

void traffic_put(struct link *l, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = l->ssl != NULL ? SSL_write(l->ssl, bytes, (int)len)
                                   : send(l->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            traffic_die("sending");
        bytes += n;
        len -= (size_t)n;
    }
}

size_t traffic_get(struct link *l, char *room, size_t size)
{
    ssize_t n = l->ssl != NULL ? SSL_read(l->ssl, room, (int)size) : recv(l->fd, room, size, 0);

    if (n <= 0)
        traffic_die("receiving");
    return (size_t)n;
}

static void log_in(const struct client *c, struct link *l)
{
    char line[TRAFFIC_LOGIN_MAX];
    size_t len = 0;

    traffic_put(l, c->login, c->login_len);
    do {
        if (len == sizeof line)
            traffic_die("answer is too long");
        len += traffic_get(l, line + len, sizeof line - len);
    } while (line[len - 1] != '\n');
    if (len < 3 || (memcmp(line, "OK ", 3) != 0 && memcmp(line, "+OK", 3) != 0)) {
        (void)fwrite(line, 1, len, stderr);
        traffic_die("refused");
    }
}

struct link traffic_dial(const struct client *c)
{
    struct sockaddr_in at = loopback(c->port);
    struct link l = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    if (l.fd < 0 || connect(l.fd, (const struct sockaddr *)&at, sizeof at) != 0)
        traffic_die("connect");
    set_nodelay(l.fd);
    if (c->tls != NULL && ((l.ssl = SSL_new(c->tls)) == NULL || SSL_set_fd(l.ssl, l.fd) != 1 ||
                           SSL_connect(l.ssl) != 1))
        traffic_die("TLS");
    if (c->login_len != 0)
        log_in(c, &l);
    return l;
}

void traffic_hang_up(struct link *l)
{
    if (l->ssl != NULL)
        (void)SSL_shutdown(l->ssl);
    SSL_free(l->ssl);
    close(l->fd);
}

static void echo(struct link *l, size_t len)
{
    char room[MESSAGE];

    traffic_put(l, piece, len);
    while (len > 0)
        len -= traffic_get(l, room, len);
}

static void transfer_up(const struct client *c, size_t bytes)
{
    struct link l = traffic_dial(c);
    char answer;

    traffic_put(&l, "S", 1);
    for (size_t left = bytes - 1; left > 0;) {
        size_t n = left < PIECE ? left : PIECE;

        traffic_put(&l, piece, n);
        left -= n;
    }
    traffic_put(&l, "!", 1);
    (void)traffic_get(&l, &answer, 1);
    traffic_hang_up(&l);
}

static void transfer_down(const struct client *c, size_t bytes)
{
    struct link l = traffic_dial(c);
    char order[32], room[PIECE];
    int len = snprintf(order, sizeof order, "P%zu.", bytes);

    traffic_put(&l, order, (size_t)len);
    while (bytes > 0)
        bytes -= traffic_get(&l, room, bytes < PIECE ? bytes : PIECE);
    traffic_hang_up(&l);
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void traffic_tell(double *us, size_t count)
{
    qsort(us, count, sizeof *us, compare_numbers);
    printf("%.2f %.2f\n", us[count / 2], us[count - 1 - count / 100]);
    (void)fflush(stdout); /* what cannot be told shows where it is missing */
}

static void ping(const struct client *c, size_t count)
{
    struct link l = traffic_dial(c);
    double *us = calloc(count, sizeof *us);

    if (us == NULL)
        traffic_die("calloc");
    traffic_put(&l, "E", 1);
    for (size_t i = 0; i < count; i++) {
        double begin_s = traffic_now_s();

        echo(&l, MESSAGE);
        us[i] = (traffic_now_s() - begin_s) * 1e6;
    }
    traffic_hang_up(&l);
    traffic_tell(us, count);
    free(us);
}

static void connect_each(const struct client *c, size_t count)
{
    while (count-- > 0) {
        struct link l = traffic_dial(c);

        traffic_put(&l, "E", 1);
        echo(&l, 1);
        traffic_hang_up(&l);
    }
}

static void hold(const struct client *c, size_t count)
{
    struct link *links = calloc(count, sizeof *links);
    char line[16];

    if (links == NULL)
        traffic_die("calloc");
    for (size_t i = 0; i < count; i++) {
        links[i] = traffic_dial(c);
        traffic_put(&links[i], "E", 1);
        echo(&links[i], 1);
    }
    printf("held\n");
    (void)fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return; /* whoever started us is gone */
    for (size_t i = 0; i < count; i++)
        traffic_hang_up(&links[i]);
    free(links);
}

static void read_login(struct client *c, const char *path)
{
    FILE *in = fopen(path, "r");

    if (in == NULL)
        traffic_die(path);
    c->login_len = fread(c->login, 1, sizeof c->login, in);
    (void)fclose(in);
}

static int usage(void)
{
    fprintf(stderr, "usage: traffic serve PORT\n"
                    "       traffic down|up|rtt|connect|hold|get|call PORT COUNT [tls] "
                    "[login FILE]\n");
    return 2;
}

static const struct {
    const char *name;
    void (*run)(const struct client *c, size_t count);
} verbs[] = {
    { "down", transfer_down }, { "up", transfer_up }, { "rtt", ping }, { "connect", connect_each },
    { "hold", hold }, { "get", traffic_gets }, { "call", traffic_tool_calls },
};

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* what it refuses shows when it is missing */
}

int main(int argc, char **argv)
{
    static struct client c;

    memset(piece, 'x', sizeof piece);
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2]);
    if (argc < 4)
        return usage();
    c.port = argv[2];
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "tls") == 0 && (c.tls = SSL_CTX_new(TLS_client_method())) == NULL)
            traffic_die("TLS");
        if (strcmp(argv[i], "login") == 0 && i + 1 < argc)
            read_login(&c, argv[++i]);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            verbs[i].run(&c, strtoul(argv[3], NULL, 10));
            return 0;
        }
    return usage();
}
