/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor of tests/bench/door: one thread that moves bytes between each connection it takes and one
 * it makes, with splice(2) through a pipe for each way, and does nothing else: no login, no
 * TLS, no time-out, no record, no limit.
 *
 *     tests/bench/splice PORT BACKEND_PORT
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_BYTES 262144 /* as the relay has them */
#define READY_MAX 64

struct way {
    int pipe[2];
    size_t piped;
    int is_over;
};

struct pair;
struct end {
    struct pair *pair;
    int fd;
};

struct pair {
    struct end ends[2];
    struct way ways[2]; /* ways[i] leads from ends[i] to the other */
};

static int epoll_fd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void set_nodelay(int fd)
{
    const int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        die("TCP_NODELAY");
}

static void end_pair(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        close(p->ends[i].fd);
        if (p->ways[i].pipe[0] >= 0) {
            close(p->ways[i].pipe[0]);
            close(p->ways[i].pipe[1]);
        }
    }
    free(p);
}

static int open_pipe(struct way *w)
{
    if (w->pipe[0] >= 0)
        return 1;
    if (pipe2(w->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
        return 0;
    return fcntl(w->pipe[1], F_SETPIPE_SZ, PIPE_BYTES) > 0;
}

/* 0: nothing more for now · 1: again · -1: an error */
static int move(struct way *w, int from, int to)
{
    ssize_t n = 0;

    if (w->piped == 0 && !w->is_over) {
        n = splice(from, NULL, w->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        w->piped = (size_t)n;
        if (n == 0) {
            w->is_over = 1;
            return shutdown(to, SHUT_WR) == 0 ? 0 : -1;
        }
    }
    while (w->piped > 0) {
        n = splice(w->pipe[0], NULL, to, NULL, w->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? 0 : -1;
        w->piped -= (size_t)n;
    }
    return !w->is_over;
}

static void turn(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        int more = open_pipe(&p->ways[i]) ? 1 : -1;

        while (more == 1) /* edge-triggered: to the end */
            more = move(&p->ways[i], p->ends[i].fd, p->ends[1 - i].fd);
        if (more < 0) {
            end_pair(p);
            return;
        }
    }
    if (p->ways[0].is_over && p->ways[1].is_over)
        end_pair(p);
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void watch(int fd, void *arg)
{
    /* Level-triggered would wake for room that nobody needs. */
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data = { .ptr = arg } };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll_ctl");
}

static void take(int listener, const struct sockaddr_in *backend)
{
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct pair *p;

    if (client < 0)
        return;
    if ((p = calloc(1, sizeof *p)) == NULL)
        die("calloc");
    p->ends[0] = (struct end){ p, client };
    p->ends[1] = (struct end){ p, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    for (int i = 0; i < 2; i++) {
        p->ways[i].pipe[0] = -1;
        set_nodelay(p->ends[i].fd);
    }
    if (connect(p->ends[1].fd, (const struct sockaddr *)backend, sizeof *backend) != 0 &&
        errno != EINPROGRESS)
        die("connect");
    for (int i = 0; i < 2; i++)
        watch(p->ends[i].fd, &p->ends[i]);
}

static int listen_at(const char *port)
{
    struct sockaddr_in at = loopback(port);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event e = { .events = EPOLLIN };

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_in backend;
    int listener;

    if (argc != 3) {
        fprintf(stderr, "usage: splice PORT BACKEND_PORT\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll_create1");
    listener = listen_at(argv[1]);
    backend = loopback(argv[2]);
    for (;;) {
        struct epoll_event ready[READY_MAX];
        int count = epoll_wait(epoll_fd, ready, READY_MAX, -1);

        /* Both ends of a pair may be in one batch, and the first may free it: one at a time then. */
        for (int i = 0; i < count; i++) {
            struct end *e = ready[i].data.ptr;

            if (e == NULL) {
                take(listener, &backend);
                continue;
            }
            for (int j = i + 1; j < count; j++)
                if (ready[j].data.ptr != NULL && ((struct end *)ready[j].data.ptr)->pair == e->pair) {
                    e = NULL; /* the later one does both ways */
                    break;
                }
            if (e != NULL)
                turn(e->pair);
        }
    }
}
