/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a door's relay costs: CPU time per GB against bare loops that do nothing but move bytes (an
 * edge-triggered epoll with splice(2), and one that gathers 64 KiB around OpenSSL), the time of a
 * small round trip, memory of an idle TLS session, and what is left when 3,000 have gone.  One JSON
 * object a line; `ratio` is ours / theirs (smaller is better), median of turns taken alternately.
 *
 *     tests/bench/door_relay [ROUNDS [MEGABYTES]]
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "door/pipes.h"
#include "door/relay.h"
#include "door/reserve.h"
#include "door/tls.h"

#define ROUNDS     11
#define ROUNDS_MAX 101
#define MEGABYTES  256
#define CHUNK      65536
#define PINGS      5000
#define SESSIONS   3000

static SSL_CTX *server_ctx, *client_ctx;
static size_t total_bytes;

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "door_relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        die("clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- sockets ---- */

static int listen_here(struct sockaddr_in *ret)
{
    socklen_t len = sizeof *ret;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (fd < 0 || bind(fd, (struct sockaddr *)ret, len) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)ret, &len) != 0)
        die("listen");
    return fd;
}

static int connect_to(const struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof *a) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        die("connect");
    return fd;
}

static int accept_from(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        die("accept");
    return fd;
}

static void set_blocking(int fd, bool is_blocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 ||
        fcntl(fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
        die("fcntl");
}

/* near is the relay's. */
static void make_pair(struct leg *near, struct leg *far)
{
    struct sockaddr_in a;
    int listener = listen_here(&a);

    *far = (struct leg){ .fd = connect_to(&a) };
    *near = (struct leg){ .fd = accept_from(listener) };
    (void)close(listener);
    set_blocking(near->fd, false);
}

static void shake_hands(struct leg *server, struct leg *client)
{
    int a = 0, b = 0;

    set_blocking(client->fd, false);
    server->ssl = SSL_new(server_ctx);
    client->ssl = SSL_new(client_ctx);
    if (server->ssl == NULL || client->ssl == NULL || SSL_set_fd(server->ssl, server->fd) != 1 ||
        SSL_set_fd(client->ssl, client->fd) != 1)
        die("SSL_new");
    SSL_set_accept_state(server->ssl);
    SSL_set_connect_state(client->ssl);
    while (a != 1 || b != 1) {
        b = b == 1 ? 1 : SSL_do_handshake(client->ssl);
        a = a == 1 ? 1 : SSL_do_handshake(server->ssl);
    }
    set_blocking(client->fd, true);
}

static void close_leg(struct leg *leg)
{
    SSL_free(leg->ssl);
    (void)close(leg->fd);
}

/* ---- the two ends: threads of their own, not counted ---- */

struct far {
    struct leg client, backend;
    bool is_up;
};

/* The end of this turn, for whoever relays. */
static void hang_up(struct far *far)
{
    (void)shutdown(far->client.fd, SHUT_RDWR);
    (void)shutdown(far->backend.fd, SHUT_RDWR);
}

static void *run_source(void *arg)
{
    struct far *far = arg;
    struct leg *leg = far->is_up ? &far->client : &far->backend;
    static const uint8_t zeros[CHUNK];

    for (size_t left = total_bytes; left > 0;) {
        size_t n = left < CHUNK ? left : CHUNK;

        if (leg->ssl != NULL) {
            int did = SSL_write(leg->ssl, zeros, (int)n);

            if (did <= 0)
                die("source");
            left -= (size_t)did;
        } else {
            ssize_t did = send(leg->fd, zeros, n, MSG_NOSIGNAL);

            if (did <= 0)
                die("source");
            left -= (size_t)did;
        }
    }
    return NULL;
}

static void *run_sink(void *arg)
{
    struct far *far = arg;
    struct leg *leg = far->is_up ? &far->backend : &far->client;
    size_t got = 0;
    uint8_t *room = malloc(4 * CHUNK);

    while (room != NULL && got < total_bytes) {
        ssize_t n =
            leg->ssl != NULL ? SSL_read(leg->ssl, room, CHUNK) : recv(leg->fd, room, 4 * CHUNK, 0);

        if (n <= 0 && (leg->ssl == NULL || SSL_get_error(leg->ssl, (int)n) != SSL_ERROR_WANT_READ))
            die("sink");
        got += n > 0 ? (size_t)n : 0;
    }
    free(room);
    hang_up(far);
    return NULL;
}

/* ---- theirs: bare loops ---- */

static void watch(int epoll, int fd)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                             .data = { .fd = fd } };

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll_ctl");
}

static bool is_later(ssize_t n)
{
    return n < 0 && errno == EAGAIN;
}

/* One direction, as long as it goes.  False: over. */
static bool splice_on(int from, int to, const int pipe_fds[2], size_t *held, size_t chunk)
{
    for (;;) {
        ssize_t n;

        while (*held > 0) {
            n = splice(pipe_fds[0], NULL, to, NULL, *held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
            if (is_later(n))
                return true;
            if (n <= 0)
                return false;
            *held -= (size_t)n;
        }
        n = splice(from, NULL, pipe_fds[1], NULL, chunk, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (is_later(n))
            return true;
        if (n <= 0)
            return false;
        *held = (size_t)n;
    }
}

static void splice_barely(struct leg client, struct leg backend, size_t chunk)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), up[2], down[2];
    size_t held_up = 0, held_down = 0;
    bool is_up = true;

    if (epoll < 0 || pipe2(up, O_NONBLOCK | O_CLOEXEC) != 0 ||
        pipe2(down, O_NONBLOCK | O_CLOEXEC) != 0 || fcntl(up[1], F_SETPIPE_SZ, (int)chunk) < 0 ||
        fcntl(down[1], F_SETPIPE_SZ, (int)chunk) < 0)
        die("bare splice");
    watch(epoll, client.fd);
    watch(epoll, backend.fd);
    while (is_up) {
        struct epoll_event e[2];

        if (epoll_wait(epoll, e, 2, -1) < 0)
            die("epoll_wait");
        is_up = splice_on(client.fd, backend.fd, up, &held_up, chunk) &&
                splice_on(backend.fd, client.fd, down, &held_down, chunk);
    }
    (void)close(epoll);
    for (int i = 0; i < 2; i++)
        (void)(close(up[i]) + close(down[i]));
    close_leg(&client);
    close_leg(&backend);
}

static void run_bare_splice(struct leg client, struct leg backend)
{
    splice_barely(client, backend, CHUNK);
}

static void run_big_splice(struct leg client, struct leg backend)
{
    splice_barely(client, backend, PIPE_BYTES);
}

/* Gathers up to CHUNK from `from` into room; 0: over, -1: later. */
static ssize_t gather(const struct leg *from, uint8_t *room)
{
    size_t len = 0;

    while (len < CHUNK) {
        ssize_t n;

        if (from->ssl != NULL) {
            n = SSL_read(from->ssl, room + len, (int)(CHUNK - len));
            if (n <= 0)
                return len > 0                                                   ? (ssize_t)len
                       : SSL_get_error(from->ssl, (int)n) == SSL_ERROR_WANT_READ ? -1
                                                                                 : 0;
        } else {
            n = recv(from->fd, room + len, CHUNK - len, MSG_DONTWAIT);
            if (n <= 0)
                return len > 0 ? (ssize_t)len : is_later(n) ? -1 : 0;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
}

struct held {
    uint8_t room[CHUNK];
    size_t at, len;
};

/* False: over. */
static bool gather_on(const struct leg *from, const struct leg *to, struct held *h)
{
    for (;;) {
        ssize_t n;

        while (h->at < h->len) {
            if (to->ssl != NULL) {
                n = SSL_write(to->ssl, h->room + h->at, (int)(h->len - h->at));
                if (n <= 0)
                    return SSL_get_error(to->ssl, (int)n) == SSL_ERROR_WANT_WRITE;
            } else {
                n = send(to->fd, h->room + h->at, h->len - h->at, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n <= 0)
                    return is_later(n);
            }
            h->at += (size_t)n;
        }
        n = gather(from, h->room);
        if (n <= 0)
            return n < 0;
        h->at = 0;
        h->len = (size_t)n;
    }
}

static void run_bare_gather(struct leg client, struct leg backend)
{
    static struct held up, down;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool is_up = true;

    if (epoll < 0)
        die("bare gather");
    up.at = up.len = down.at = down.len = 0;
    watch(epoll, client.fd);
    watch(epoll, backend.fd);
    while (is_up) {
        struct epoll_event e[2];

        if (epoll_wait(epoll, e, 2, -1) < 0)
            die("epoll_wait");
        is_up = gather_on(&client, &backend, &up) && gather_on(&backend, &client, &down);
    }
    (void)close(epoll);
    close_leg(&client);
    close_leg(&backend);
}

/* ---- ours ---- */

struct ours {
    struct event_base *base;
    struct relay_pool *pool;
    struct relay *relay;
};

static void on_end(void *arg, relay_end why)
{
    struct ours *o = arg;

    (void)why;
    relay_free(o->relay);
    (void)event_base_loopexit(o->base, NULL);
}

static struct ours *our_loop(void)
{
    static struct ours o;

    if (o.base == NULL && ((o.base = event_base_new()) == NULL ||
                           relay_pool_new(o.base, &o.pool, NULL) != POSTERN_OK))
        die("event loop");
    return &o;
}

static void run_ours(struct leg client, struct leg backend)
{
    struct ours *o = our_loop();

    if (relay_new(o->pool, client, backend, POSTERN_BYTES_NONE, (struct relay_owner){ on_end, o },
                  &o->relay, NULL) != POSTERN_OK ||
        event_base_dispatch(o->base) < 0)
        die("relay");
}

/* ---- bulk ---- */

typedef void (*relay_fn)(struct leg client, struct leg backend);

/* CPU seconds of this thread per GB. */
static double run_bulk(relay_fn relay, bool is_tls, bool is_up)
{
    struct leg client, backend;
    struct far far = { .is_up = is_up };
    pthread_t source, sink;
    double start, spent;

    make_pair(&client, &far.client);
    make_pair(&backend, &far.backend);
    if (is_tls)
        shake_hands(&client, &far.client);
    if (pthread_create(&source, NULL, run_source, &far) != 0 ||
        pthread_create(&sink, NULL, run_sink, &far) != 0)
        die("thread");
    start = now_s(CLOCK_THREAD_CPUTIME_ID);
    relay(client, backend);
    spent = now_s(CLOCK_THREAD_CPUTIME_ID) - start;
    (void)pthread_join(source, NULL);
    (void)pthread_join(sink, NULL);
    close_leg(&far.client);
    close_leg(&far.backend);
    return spent / ((double)total_bytes / 1e9);
}

/* ---- round trips ---- */

static void *run_echo(void *arg)
{
    struct leg *leg = &((struct far *)arg)->backend;
    uint8_t room[256];
    ssize_t n;

    while ((n = recv(leg->fd, room, sizeof room, 0)) > 0)
        if (send(leg->fd, room, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    return NULL;
}

static void *run_pings(void *arg)
{
    struct far *far = arg;
    struct leg *leg = &far->client;
    uint8_t room[64] = { 0 };

    for (int i = 0; i < PINGS; i++) {
        ssize_t n;

        if ((leg->ssl != NULL ? SSL_write(leg->ssl, room, sizeof room)
                              : send(leg->fd, room, sizeof room, MSG_NOSIGNAL)) != sizeof room)
            die("ping");
        for (size_t got = 0; got<sizeof room; got += n> 0 ? (size_t)n : 0) {
            n = leg->ssl != NULL ? SSL_read(leg->ssl, room, sizeof room)
                                 : recv(leg->fd, room, sizeof room, 0);
            if (n <= 0 &&
                (leg->ssl == NULL || SSL_get_error(leg->ssl, (int)n) != SSL_ERROR_WANT_READ))
                die("pong");
        }
    }
    hang_up(far);
    return NULL;
}

/* CPU microseconds of this thread per round trip. */
static double run_small(relay_fn relay, bool is_tls, bool unused)
{
    struct leg client, backend;
    struct far far = { .is_up = true };
    pthread_t echo, pings;
    double start, spent;

    (void)unused;
    make_pair(&client, &far.client);
    make_pair(&backend, &far.backend);
    if (is_tls)
        shake_hands(&client, &far.client);
    if (pthread_create(&echo, NULL, run_echo, &far) != 0 ||
        pthread_create(&pings, NULL, run_pings, &far) != 0)
        die("thread");
    start = now_s(CLOCK_THREAD_CPUTIME_ID);
    relay(client, backend);
    spent = now_s(CLOCK_THREAD_CPUTIME_ID) - start;
    (void)pthread_join(echo, NULL);
    (void)pthread_join(pings, NULL);
    close_leg(&far.client);
    close_leg(&far.backend);
    return spent / PINGS * 1e6;
}

/* ---- comparing ---- */

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

struct contest {
    const char *name, *unit, *against;
    double (*run)(relay_fn relay, bool is_tls, bool is_up);
    relay_fn bare;
    bool is_tls, is_up;
};

static void compare(const struct contest *c, int rounds)
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratio[ROUNDS_MAX];
    double before = c->run(c->bare, c->is_tls, c->is_up);

    for (int i = 0; i < rounds; i++) {
        double after;

        ours[i] = c->run(run_ours, c->is_tls, c->is_up);
        after = c->run(c->bare, c->is_tls, c->is_up);
        theirs[i] = (before + after) / 2;
        ratio[i] = ours[i] / theirs[i];
        before = after;
    }
    printf("{\"name\":\"door-relay/%s\",\"value\":%.4f,\"unit\":\"%s\",\"ratio\":%.3f,"
           "\"against\":\"%s\"}\n",
           c->name, median(ours, rounds), c->unit, median(ratio, rounds), c->against);
    printf("{\"name\":\"door-relay/%s/%s\",\"value\":%.4f,\"unit\":\"%s\"}\n", c->name, c->against,
           median(theirs, rounds), c->unit);
    (void)fflush(stdout);
}

/* ---- memory ---- */

/* KiB that this process has for itself. */
static long pss_kib(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "Pss:", 4) == 0)
            kib = strtol(line + 4, NULL, 10);
    if (f == NULL || fclose(f) != 0 || kib < 0)
        die("/proc/self/smaps_rollup");
    return kib;
}

struct crowd {
    struct relay *relays[SESSIONS];
};

static void on_crowd_end(void *arg, relay_end why)
{
    (void)arg;
    (void)why;
    die("a session ended");
}

static void admit(struct ours *o, struct crowd *c, size_t i, int listener, int backends)
{
    struct leg client = { .fd = accept_from(listener) }, backend = { .fd = accept_from(backends) };

    client.ssl = SSL_new(server_ctx);
    if (client.ssl == NULL || SSL_set_fd(client.ssl, client.fd) != 1 || SSL_accept(client.ssl) != 1)
        die("SSL_accept");
    set_blocking(client.fd, false);
    set_blocking(backend.fd, false);
    if (relay_new(o->pool, client, backend, POSTERN_BYTES_LIT("early"),
                  (struct relay_owner){ on_crowd_end, NULL }, &c->relays[i], NULL) != POSTERN_OK)
        die("relay_new");
}

/* The door's side, in a process of its own: what it says is its memory alone. */
static void run_door(int listener, int backends, int report)
{
    static struct crowd crowd;
    struct ours *o = our_loop();
    long start, full, left, numbers[3];

    if (reserve_descriptors(o->base, 2 * SESSIONS + 64, NULL) != POSTERN_OK)
        die("reserve_descriptors");
    admit(o, &crowd, 0, listener, backends); /* what the first one costs is the start's */
    start = pss_kib();
    for (size_t i = 1; i < SESSIONS; i++)
        admit(o, &crowd, i, listener, backends);
    for (int i = 0; i < 20; i++)
        (void)event_base_loop(o->base, EVLOOP_NONBLOCK);
    full = pss_kib();
    for (size_t i = 0; i < SESSIONS; i++)
        relay_free(crowd.relays[i]);
    left = pss_kib();
    numbers[0] = start;
    numbers[1] = full;
    numbers[2] = left;
    if (write(report, numbers, sizeof numbers) != sizeof numbers)
        die("report");
    exit(0);
}

static void measure_memory(void)
{
    struct rlimit limit;
    struct sockaddr_in a, b;
    int listener = listen_here(&a), backends = listen_here(&b), report[2];
    long numbers[3];
    pid_t door;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || pipe2(report, O_CLOEXEC) != 0 ||
        (door = fork()) < 0)
        die("fork");
    if (door == 0)
        run_door(listener, backends, report[1]);
    for (size_t i = 0; i < SESSIONS; i++) { /* stay open until the door has reported */
        SSL *ssl = SSL_new(client_ctx);

        if (ssl == NULL || SSL_set_fd(ssl, connect_to(&a)) != 1 || connect_to(&b) < 0 ||
            SSL_connect(ssl) != 1)
            die("SSL_connect");
    }
    (void)close(report[1]);
    if (read(report[0], numbers, sizeof numbers) != sizeof numbers ||
        waitpid(door, NULL, 0) != door)
        die("door");
    printf("{\"name\":\"door-relay/idle-tls-session\",\"value\":%.2f,\"unit\":\"KiB\"}\n",
           (double)(numbers[1] - numbers[0]) / (SESSIONS - 1));
    printf("{\"name\":\"door-relay/left-after-%d\",\"value\":%.2f,\"unit\":\"MiB\"}\n", SESSIONS,
           (double)(numbers[2] - numbers[0]) / 1024);
}

int main(int argc, char **argv)
{
    static const struct contest contests[] = {
        { "plain-down", "s/GB", "bare-splice", run_bulk, run_bare_splice, false, false },
        { "plain-up", "s/GB", "bare-splice", run_bulk, run_bare_splice, false, true },
        { "plain-down-2", "s/GB", "bare-splice-big-pipe", run_bulk, run_big_splice, false, false },
        { "plain-up-2", "s/GB", "bare-splice-big-pipe", run_bulk, run_big_splice, false, true },
        { "tls-down", "s/GB", "bare-gather", run_bulk, run_bare_gather, true, false },
        { "tls-up", "s/GB", "bare-gather", run_bulk, run_bare_gather, true, true },
        { "plain-round-trip", "us", "bare-gather", run_small, run_bare_gather, false, false },
        { "tls-round-trip", "us", "bare-gather", run_small, run_bare_gather, true, false },
    };
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
    postern_buf pem = POSTERN_BUF_INIT(16);

    total_bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : MEGABYTES) << 20;
    if (rounds < 1 || rounds > ROUNDS_MAX || total_bytes == 0)
        die("usage: door_relay [ROUNDS [MEGABYTES]]");
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        tls_server_context_for_loopback(&server_ctx, &pem, NULL) != POSTERN_OK ||
        (client_ctx = SSL_CTX_new(TLS_client_method())) == NULL)
        die("TLS");
    measure_memory(); /* first: the heap is new */
    for (size_t i = 0; i < sizeof contests / sizeof contests[0]; i++)
        compare(&contests[i], rounds);
    postern_buf_free(&pem);
    return 0;
}
