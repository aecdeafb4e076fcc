/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/door/relay.c on a real loop between two real peers: loopback TCP or unix sockets, OpenSSL
 * at the far ends.  A peer that has a will of its own runs in a thread; everything else happens in
 * steps of the test.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "../support/alloc_fail.h"
#include "../support/effort.h"
#include "door/pipes.h"
#include "door/relay.h"
#include "door/tls.h"
#include "door_certs.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SLOW 1
#endif
#endif
#ifdef IS_SLOW
#define BIG (8u << 20)
#else
#define BIG (test_effort(16, 64) << 20)
#endif
#define PATIENCE_S 60 /* for a whole test: far more than any needs */

enum kind { TCP = 0, UNIX = 1, CLIENT_TLS = 2, BACKEND_TLS = 4 };
static const struct {
    const char *name;
    int kind;
} kinds[] = {
    { "plain", TCP },
    { "plain, unix sockets", UNIX },
    { "TLS client", CLIENT_TLS },
    { "TLS backend", BACKEND_TLS },
    { "TLS on both", CLIENT_TLS | BACKEND_TLS },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- the world ---- */

struct rig {
    struct event_base *base;
    struct event *tick; /* so that the loop looks at what threads have done */
    struct relay_pool *pool;
    struct relay *relay;
    struct leg client, backend;         /* the relay's */
    struct leg far_client, far_backend; /* the peers' */
    bool has_ended;
    relay_end why;
    uint64_t up, down;
    char text[192];
};

static struct test_cert ca, leaf;
static SSL_CTX *server_ctx, *client_ctx;

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void on_end(void *arg, relay_end why)
{
    struct rig *r = arg;

    assert_false(r->has_ended);
    r->has_ended = true;
    r->why = why;
    r->up = relay_bytes_up(r->relay);
    r->down = relay_bytes_down(r->relay);
    snprintf(r->text, sizeof r->text, "%s", relay_end_text(r->relay));
    relay_free(r->relay);
    r->relay = NULL;
}

/* Both ends in turn, in this thread. */
static void shake_hands(struct leg *server, struct leg *client)
{
    int a = 0, b = 0;

    server->ssl = SSL_new(server_ctx);
    client->ssl = SSL_new(client_ctx);
    assert_int_equal(SSL_set_fd(server->ssl, server->fd) + SSL_set_fd(client->ssl, client->fd), 2);
    SSL_set_accept_state(server->ssl);
    SSL_set_connect_state(client->ssl);
    while (a != 1 || b != 1) {
        if (b != 1)
            b = SSL_do_handshake(client->ssl);
        if (a != 1)
            a = SSL_do_handshake(server->ssl);
        assert_true(a == 1 || SSL_get_error(server->ssl, a) == SSL_ERROR_WANT_READ);
        assert_true(b == 1 || SSL_get_error(client->ssl, b) == SSL_ERROR_WANT_READ);
    }
}

static void connect_rig(struct rig *r, int kind)
{
    struct timeval tick = { .tv_usec = 2000 };
    int c[2], b[2];

    *r = (struct rig){ .base = event_base_new() };
    assert_non_null(r->base);
    r->tick = event_new(r->base, -1, EV_PERSIST, on_tick, NULL);
    assert_int_equal(event_add(r->tick, &tick), 0);
    assert_int_equal(relay_pool_new(r->base, &r->pool, NULL), POSTERN_OK);
    if (kind & UNIX) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
    } else {
        test_tcp_pair(c);
        test_tcp_pair(b);
    }
    for (int i = 0; i < 2; i++) {
        test_set_blocking(c[i], 0);
        test_set_blocking(b[i], 0);
    }
    r->far_client.fd = c[0];
    r->client.fd = c[1];
    r->backend.fd = b[0];
    r->far_backend.fd = b[1];
    if (kind & CLIENT_TLS)
        shake_hands(&r->client, &r->far_client);
    if (kind & BACKEND_TLS)
        shake_hands(&r->far_backend, &r->backend);
}

/* Of a fixed size: with those that grow, what stands still may move a moment later. */
static void set_small_buffers(struct rig *r)
{
    const int fds[] = { r->client.fd, r->backend.fd, r->far_client.fd, r->far_backend.fd };
    int size = 65536;

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    }
}

static void start_relay(struct rig *r, postern_bytes early)
{
    postern_error err = { 0 };

    if (relay_new(r->pool, r->client, r->backend, early, (struct relay_owner){ on_end, r },
                  &r->relay, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static void start_rig(struct rig *r, int kind)
{
    connect_rig(r, kind);
    start_relay(r, POSTERN_BYTES_NONE);
}

static void close_far(struct leg *leg)
{
    SSL_free(leg->ssl);
    if (leg->fd >= 0)
        assert_int_equal(close(leg->fd), 0);
    *leg = (struct leg){ .fd = -1 };
}

static void stop_rig(struct rig *r)
{
    relay_free(r->relay);
    relay_pool_free(r->pool);
    event_free(r->tick);
    event_base_free(r->base);
    close_far(&r->far_client);
    close_far(&r->far_backend);
    ERR_clear_error();
}

static void turn(struct rig *r)
{
    assert_int_equal(event_base_loop(r->base, EVLOOP_NONBLOCK), 0);
}

/* Everything that can move has moved when a few turns moved nothing. */
static void settle(struct rig *r)
{
    uint64_t before = UINT64_MAX;

    for (int still = 0; still < 20 && !r->has_ended;) {
        uint64_t now = relay_bytes_up(r->relay) + relay_bytes_down(r->relay);

        still = now == before ? still + 1 : 0;
        before = now;
        turn(r);
    }
}

static void run_to_end(struct rig *r)
{
    while (!r->has_ended)
        assert_int_equal(event_base_loop(r->base, EVLOOP_ONCE), 0);
}

static void assert_ended(struct rig *r, relay_end why, const char *text)
{
    run_to_end(r);
    if (r->why != why || strstr(r->text, text) == NULL)
        fail_msg("ended %d (%s), not %d (%s)", r->why, r->text, why, text);
}

/* ---- peers, step by step ---- */

enum { AGAIN = -1, ENDED = 0, RESET = -2, BROKEN = -3 };

/* Bytes taken, or AGAIN, RESET, BROKEN. */
static ssize_t put(const struct leg *leg, const void *bytes, size_t len)
{
    ssize_t n;

    if (leg->ssl != NULL) {
        size_t did = 0;
        int ok;

        ERR_clear_error();
        ok = SSL_write_ex(leg->ssl, bytes, len, &did);
        if (ok == 1)
            return (ssize_t)did;
        switch (SSL_get_error(leg->ssl, ok)) {
        case SSL_ERROR_WANT_WRITE:
        case SSL_ERROR_WANT_READ:
            return AGAIN;
        case SSL_ERROR_SYSCALL:
            return RESET;
        default:
            return BROKEN;
        }
    }
    n = send(leg->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 ? n : errno == EAGAIN ? AGAIN : RESET;
}

/* Bytes, ENDED (FIN; close_notify), AGAIN, RESET, BROKEN (TLS without its end, or wrong). */
static ssize_t get(const struct leg *leg, void *room, size_t room_size)
{
    ssize_t n;

    if (leg->ssl != NULL) {
        size_t did = 0;
        int ok;

        ERR_clear_error();
        errno = 0;
        ok = SSL_read_ex(leg->ssl, room, room_size, &did);
        if (ok == 1)
            return (ssize_t)did;
        switch (SSL_get_error(leg->ssl, ok)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return AGAIN;
        case SSL_ERROR_ZERO_RETURN:
            return ENDED;
        case SSL_ERROR_SYSCALL:
            return RESET;
        default:
            return BROKEN;
        }
    }
    n = recv(leg->fd, room, room_size, MSG_DONTWAIT);
    return n >= 0 ? n : errno == EAGAIN ? AGAIN : RESET;
}

static void say_end(const struct leg *leg)
{
    if (leg->ssl != NULL)
        assert_true(SSL_shutdown(leg->ssl) >= 0);
    else
        assert_int_equal(shutdown(leg->fd, SHUT_WR), 0);
}

static void reset(struct leg *leg)
{
    struct linger now = { 1, 0 };

    assert_int_equal(setsockopt(leg->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close_far(leg);
}

/* What comes next that is not AGAIN, while the relay works. */
static ssize_t await(struct rig *r, const struct leg *leg, void *room, size_t room_size)
{
    ssize_t n;

    while ((n = get(leg, room, room_size)) == AGAIN)
        assert_int_equal(event_base_loop(r->base, EVLOOP_ONCE), 0);
    return n;
}

static void await_text(struct rig *r, const struct leg *leg, const char *want)
{
    char room[256];
    size_t len = 0;

    while (len < strlen(want)) {
        ssize_t n = await(r, leg, room + len, sizeof room - 1 - len);

        if (n <= 0)
            fail_msg("%zd instead of \"%s\"", n, want + len);
        len += (size_t)n;
    }
    room[len] = '\0';
    assert_string_equal(room, want);
}

/* As much as the way there takes; how much that was. */
static size_t stuff(struct rig *r, const struct leg *leg)
{
    static const uint8_t zeros[65536];
    size_t total = 0;
    ssize_t n;

    for (int still = 0; still < 50;) {
        if ((n = put(leg, zeros, sizeof zeros)) == AGAIN) {
            still++;
            turn(r);
            continue;
        }
        assert_true(n > 0);
        total += (size_t)n;
        still = 0;
        assert_true(total < 256u << 20); /* somebody buffers without end */
    }
    return total;
}

/* ---- a peer with a will of its own ---- */

/* What a peer says: bytes of words of which no two are the same, so each has its place. */
struct speech {
    uint64_t word;
    size_t used; /* bytes of it */
};

struct peer {
    struct leg leg;
    uint64_t seed;
    size_t left; /* to send */
    size_t chunk_max, read_max;
    struct speech says, hears; /* the other one's */
    size_t sent_len, received_len;
    bool has_said_end, has_heard_wrong;
    ssize_t last; /* of get() */
    pthread_t thread;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void speak(struct speech *s, uint8_t *room, size_t len)
{
    while (len > 0) {
        size_t n = sizeof s->word - s->used < len ? sizeof s->word - s->used : len;

        if (n == sizeof s->word)
            memcpy(room, &s->word, sizeof s->word);
        else
            memcpy(room, (const uint8_t *)&s->word + s->used, n);
        room += n;
        len -= n;
        s->used += n;
        if (s->used == sizeof s->word) {
            s->word += UINT64_C(0x9E3779B97F4A7C15);
            s->used = 0;
        }
    }
}

/* Returns true when it did something. */
static bool send_some(struct peer *p, uint8_t *room, size_t *ret_ready)
{
    ssize_t n;

    if (p->left == 0) {
        if (!p->has_said_end)
            say_end(&p->leg);
        p->has_said_end = true;
        return false;
    }
    if (*ret_ready == 0) {
        *ret_ready = 1 + next_random(&p->seed) % p->chunk_max;
        if (*ret_ready > p->left)
            *ret_ready = p->left;
        speak(&p->says, room, *ret_ready);
    }
    n = put(&p->leg, room, *ret_ready);
    if (n <= 0)
        return false;
    p->sent_len += (size_t)n;
    memmove(room, room + n, *ret_ready - (size_t)n);
    *ret_ready -= (size_t)n;
    p->left -= (size_t)n;
    return true;
}

static bool receive_some(struct peer *p, uint8_t *room, uint8_t *want)
{
    p->last = get(&p->leg, room, 1 + next_random(&p->seed) % p->read_max);
    if (p->last <= 0)
        return false;
    speak(&p->hears, want, (size_t)p->last);
    p->has_heard_wrong |= memcmp(room, want, (size_t)p->last) != 0;
    p->received_len += (size_t)p->last;
    return true;
}

static void *run_peer(void *arg)
{
    struct peer *p = arg;
    uint8_t *out = malloc(p->chunk_max), *in = malloc(p->read_max), *want = malloc(p->read_max);
    size_t ready = 0;

    p->last = AGAIN;
    while (p->left > 0 || !p->has_said_end || p->last == AGAIN || p->last > 0) {
        bool did = send_some(p, out, &ready);

        if (p->last == AGAIN || p->last > 0)
            did |= receive_some(p, in, want);
        if (p->last == RESET || p->last == BROKEN)
            break;
        if (!did && (p->left > 0 || p->last == AGAIN)) {
            struct pollfd fd = { p->leg.fd, (short)(POLLIN | (p->left > 0 ? POLLOUT : 0)), 0 };

            (void)poll(&fd, 1, 100);
        }
    }
    free(out);
    free(in);
    free(want);
    return NULL;
}

static void start_peer(struct peer *p, struct leg leg, struct speech says, struct speech hears)
{
    p->leg = leg;
    p->says = says;
    p->hears = hears;
    assert_int_equal(pthread_create(&p->thread, NULL, run_peer, p), 0);
}

static void join_peers(struct peer *a, struct peer *b)
{
    assert_int_equal(pthread_join(a->thread, NULL) + pthread_join(b->thread, NULL), 0);
    assert_int_equal(b->received_len, a->sent_len);
    assert_int_equal(a->received_len, b->sent_len);
    assert_false(a->has_heard_wrong || b->has_heard_wrong);
}

static void exchange(struct rig *r, struct peer client, struct peer backend)
{
    size_t up = client.left, down = backend.left;
    struct speech of_client = { .word = client.seed << 32 };
    struct speech of_backend = { .word = backend.seed << 32 };

    start_peer(&client, r->far_client, of_client, of_backend);
    start_peer(&backend, r->far_backend, of_backend, of_client);
    assert_ended(r, RELAY_FINISHED, "");
    join_peers(&client, &backend);
    assert_int_equal(client.last, ENDED);
    assert_int_equal(backend.last, ENDED);
    assert_int_equal(backend.received_len, up);
    assert_int_equal(client.received_len, down);
    assert_int_equal(r->up, up);
    assert_int_equal(r->down, down);
}

static void bytes_pass_both_ways_at_once_unchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        start_rig(&r, kinds[i].kind);
        exchange(&r,
                 (struct peer){ .seed = 7, .left = BIG, .chunk_max = 100000, .read_max = 200000 },
                 (struct peer){ .seed = 8, .left = BIG, .chunk_max = 70000, .read_max = 90000 });
        stop_rig(&r);
    }
}

static void slow_readers_and_tiny_writes_lose_nothing(void **state)
{
    size_t up = test_effort(100000, 300000), down = test_effort(1000000, 4000000);

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        start_rig(&r, kinds[i].kind);
        exchange(&r, (struct peer){ .seed = 3, .left = up, .chunk_max = 9, .read_max = 70 },
                 (struct peer){ .seed = 4, .left = down, .chunk_max = 150000, .read_max = 11 });
        stop_rig(&r);
    }
}

static void without_descriptors_for_pipes_bytes_are_copied(void **state)
{
    struct rlimit old, low;
    struct rig r;

    (void)state;
    start_rig(&r, TCP);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 3; /* lower than any that is open: no new one can be had */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(pipe((int[2]){ 0, 0 }), -1);
    exchange(&r, (struct peer){ .seed = 5, .left = BIG, .chunk_max = 100000, .read_max = 200000 },
             (struct peer){ .seed = 6, .left = BIG, .chunk_max = 70000, .read_max = 90000 });
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    stop_rig(&r);
}

static void a_pipe_is_held_only_while_bytes_are_in_it(void **state)
{
    size_t before = test_count_fds();
    struct rig r;
    static uint8_t room[1 << 20];

    (void)state;
    connect_rig(&r, TCP);
    set_small_buffers(&r);
    start_relay(&r, POSTERN_BYTES_NONE);
    (void)stuff(&r, &r.far_client); /* in a pipe, in front of a backend that does not read */
    assert_false(relay_is_quiet(r.relay));
    for (;;) {
        ssize_t n = get(&r.far_backend, room, sizeof room);

        turn(&r);
        if (n == AGAIN && relay_is_quiet(r.relay))
            break;
    }
    assert_int_equal(stuff(&r, &r.far_client) > 0, 1);
    relay_free(r.relay); /* with bytes in it: closed */
    r.relay = NULL;
    stop_rig(&r);
    assert_int_equal(test_count_fds(), before);
}

static void single_bytes_go_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        start_rig(&r, kinds[i].kind);
        for (int n = 0; n < 500; n++) {
            uint8_t byte = (uint8_t)n, got;

            assert_int_equal(put(&r.far_client, &byte, 1), 1);
            assert_int_equal(await(&r, &r.far_backend, &got, 1), 1);
            assert_int_equal(got, byte);
            assert_int_equal(put(&r.far_backend, &byte, 1), 1);
            assert_int_equal(await(&r, &r.far_client, &got, 1), 1);
            assert_int_equal(got, byte);
        }
        assert_true(relay_is_quiet(r.relay));
        assert_int_equal(relay_bytes_up(r.relay), 500);
        assert_int_equal(relay_bytes_down(r.relay), 500);
        stop_rig(&r);
    }
}

static void after_a_big_transfer_small_messages_still_go(void **state)
{
    static const uint8_t big[200000];
    static uint8_t room[200000];
    struct rig r;

    (void)state;
    start_rig(&r, TCP);
    for (int i = 0; i < 20; i++) {
        size_t sent = 0, got = 0;

        while (got < sizeof big) {
            ssize_t n =
                sent == sizeof big ? AGAIN : put(&r.far_client, big + sent, sizeof big - sent);

            sent += n > 0 ? (size_t)n : 0;
            turn(&r);
            n = get(&r.far_backend, room, sizeof room);
            got += n > 0 ? (size_t)n : 0;
        }
        assert_int_equal(put(&r.far_client, "x", 1), 1);
        await_text(&r, &r.far_backend, "x");
    }
    stop_rig(&r);
}

/* ---- ends ---- */

static void half_close_leaves_the_other_way_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * KINDS; i++) {
        struct rig r;
        struct leg *first, *second;
        char room[8];

        start_rig(&r, kinds[i / 2].kind);
        first = i % 2 == 0 ? &r.far_client : &r.far_backend;
        second = i % 2 == 0 ? &r.far_backend : &r.far_client;
        assert_int_equal(put(first, "last words", 10), 10);
        say_end(first);
        await_text(&r, second, "last words");
        assert_int_equal(await(&r, second, room, sizeof room), ENDED);
        settle(&r);
        assert_false(r.has_ended);
        assert_int_equal(put(second, "answer", 6), 6);
        await_text(&r, first, "answer");
        assert_int_equal(put(second, "and more", 8), 8);
        await_text(&r, first, "and more");
        assert_false(r.has_ended);
        say_end(second);
        assert_int_equal(await(&r, first, room, sizeof room), ENDED);
        assert_ended(&r, RELAY_FINISHED, "");
        stop_rig(&r);
    }
}

static void a_reset_is_told_as_who_is_gone_and_is_handed_on_as_a_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * KINDS; i++) {
        bool is_client = i % 2 == 0;
        struct rig r;
        char room[8];

        if (kinds[i / 2].kind & UNIX)
            continue; /* knows none */
        start_rig(&r, kinds[i / 2].kind);
        assert_int_equal(put(&r.far_client, "ping", 4), 4);
        await_text(&r, &r.far_backend, "ping");
        reset(is_client ? &r.far_client : &r.far_backend);
        assert_ended(&r, is_client ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE,
                     is_client ? "client: Connection reset" : "backend: Connection reset");
        assert_int_equal(await(&r, is_client ? &r.far_backend : &r.far_client, room, sizeof room),
                         RESET);
        assert_int_equal(r.up, 4);
        stop_rig(&r);
    }
}

static void a_reset_in_the_middle_of_a_transfer_ends_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        if (kinds[i].kind & UNIX)
            continue;
        start_rig(&r, kinds[i].kind);
        assert_true(stuff(&r, &r.far_client) > 0);
        reset(&r.far_backend); /* with bytes for it under way, and unread at it */
        assert_ended(&r, RELAY_BACKEND_GONE, "backend: ");
        stop_rig(&r);
    }
}

/* The sender is not read while the receiver stands still: nothing else would tell. */
static void a_client_that_goes_while_the_backend_stands_still_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        if (kinds[i].kind & UNIX)
            continue;
        start_rig(&r, kinds[i].kind);
        (void)stuff(&r, &r.far_client);
        reset(&r.far_client);
        assert_ended(&r, RELAY_CLIENT_GONE, "client: Connection reset");
        stop_rig(&r);
    }
}

static void tls_cut_without_close_notify_is_an_abort_not_an_end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        struct leg *cut, *rest;
        char room[8];

        start_rig(&r, i == 0 ? CLIENT_TLS : BACKEND_TLS);
        cut = i == 0 ? &r.far_client : &r.far_backend;
        rest = i == 0 ? &r.far_backend : &r.far_client;
        assert_int_equal(put(cut, "DROP TABLE a", 12), 12);
        await_text(&r, rest, "DROP TABLE a");
        assert_int_equal(shutdown(cut->fd, SHUT_WR), 0); /* as anybody on the way can */
        assert_ended(&r, i == 0 ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE, "without close_notify");
        assert_int_equal(await(&r, rest, room, sizeof room), RESET);
        stop_rig(&r);
    }
    for (int i = 0; i < 2; i++) { /* and from TLS to TLS no close_notify is made up */
        struct rig r;
        struct leg *cut, *rest;
        char room[8];
        ssize_t got;

        start_rig(&r, CLIENT_TLS | BACKEND_TLS);
        cut = i == 0 ? &r.far_client : &r.far_backend;
        rest = i == 0 ? &r.far_backend : &r.far_client;
        assert_int_equal(shutdown(cut->fd, SHUT_WR), 0);
        assert_ended(&r, i == 0 ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE, "without close_notify");
        got = await(&r, rest, room, sizeof room);
        assert_true(got == RESET || got == BROKEN);
        stop_rig(&r);
    }
}

static void bytes_that_are_no_tls_end_a_tls_leg(void **state)
{
    static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        char room[8];

        start_rig(&r, i == 0 ? CLIENT_TLS : BACKEND_TLS);
        assert_true(write(i == 0 ? r.far_client.fd : r.far_backend.fd, garbage, sizeof garbage) >
                    0);
        assert_ended(&r, RELAY_FAILED, i == 0 ? "client: " : "backend: ");
        assert_int_equal(await(&r, i == 0 ? &r.far_backend : &r.far_client, room, sizeof room),
                         RESET);
        assert_int_equal(r.up + r.down, 0);
        stop_rig(&r);
    }
}

static void a_changed_record_is_not_delivered(void **state)
{
    static const uint8_t forged[] = { 0x17, 3, 3, 0, 32, [5 ... 36] = 0x5A };
    struct rig r;
    char room[8];

    (void)state;
    start_rig(&r, CLIENT_TLS);
    assert_int_equal(write(r.far_client.fd, forged, sizeof forged), sizeof forged);
    assert_ended(&r, RELAY_FAILED, "bad record mac");
    assert_int_equal(await(&r, &r.far_backend, room, sizeof room), RESET);
    stop_rig(&r);
}

static void freeing_it_resets_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;
        char room[8];

        if (kinds[i].kind & UNIX)
            continue;
        start_rig(&r, kinds[i].kind);
        settle(&r);
        relay_free(r.relay);
        r.relay = NULL;
        assert_int_equal(await(&r, &r.far_client, room, sizeof room), RESET);
        assert_int_equal(await(&r, &r.far_backend, room, sizeof room), RESET);
        assert_false(r.has_ended);
        stop_rig(&r);
    }
}

static void a_goodbye_tells_both_that_it_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;
        char room[8];

        start_rig(&r, kinds[i].kind);
        settle(&r);
        relay_say_goodbye(r.relay);
        relay_free(r.relay);
        r.relay = NULL;
        assert_int_equal(await(&r, &r.far_client, room, sizeof room), ENDED);
        assert_int_equal(await(&r, &r.far_backend, room, sizeof room), ENDED);
        stop_rig(&r);
    }
}

static void a_goodbye_is_no_end_to_who_has_not_got_everything(void **state)
{
    static char room[1 << 20];
    const int least = 1;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;
        ssize_t n;

        if (kinds[i].kind & UNIX)
            continue;
        connect_rig(&r, kinds[i].kind);
        set_small_buffers(&r);
        /* What is kept is more than this has room for before it says that it is writable. */
        assert_int_equal(setsockopt(r.backend.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
        start_relay(&r, POSTERN_BYTES_NONE);
        (void)stuff(&r, &r.far_client);
        relay_say_goodbye(r.relay);
        relay_free(r.relay);
        r.relay = NULL;
        do
            n = await(&r, &r.far_backend, room, sizeof room);
        while (n > 0);
        assert_true(n == RESET || n == BROKEN);
        stop_rig(&r);
    }
}

/* ---- back-pressure ---- */

static void a_backend_that_does_not_read_stops_the_client(void **state)
{
    static uint8_t room[1 << 20];

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;
        size_t sent, got = 0;
        uint64_t read_up;
        int unread = 0;

        connect_rig(&r, kinds[i].kind);
        set_small_buffers(&r);
        start_relay(&r, POSTERN_BYTES_NONE);
        sent = stuff(&r, &r.far_client);
        read_up = relay_bytes_up(r.relay);
        assert_true(sent > read_up); /* what it stopped at is still the client's or the kernel's */
        assert_true(read_up <= PIPE_BYTES + 4 * 131072); /* the kernel doubles buffers */
        assert_false(relay_is_quiet(r.relay));
        assert_int_equal(ioctl(r.client.fd, FIONREAD, &unread), 0);
        assert_true(unread > 0);
        settle(&r);
        assert_int_equal(relay_bytes_up(r.relay), read_up);
        while (got < sent) {
            ssize_t n = await(&r, &r.far_backend, room, sizeof room);

            assert_true(n > 0);
            got += (size_t)n;
        }
        assert_int_equal(got, sent);
        settle(&r);
        assert_true(relay_is_quiet(r.relay));
        stop_rig(&r);
    }
}

static void a_stalled_way_up_does_not_stop_the_way_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;
        static uint8_t room[4096];

        start_rig(&r, kinds[i].kind);
        (void)stuff(&r, &r.far_client);
        for (int n = 0; n < 100; n++) {
            assert_int_equal(put(&r.far_backend, "down", 4), 4);
            await_text(&r, &r.far_client, "down");
        }
        (void)room;
        stop_rig(&r);
    }
}

static void last_byte_time_moves_with_bytes_only(void **state)
{
    struct rig r;
    int64_t start, later;
    struct timespec t;

    (void)state;
    start_rig(&r, TCP);
    start = relay_last_byte_ms(r.relay);
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &t), 0);
    assert_true(llabs((long long)t.tv_sec * 1000 + t.tv_nsec / 1000000 - start) < 5000);
    do {
        turn(&r);
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &t), 0);
        later = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    } while (later < start + 5);
    assert_int_equal(relay_last_byte_ms(r.relay), start);
    assert_int_equal(put(&r.far_backend, "x", 1), 1);
    await_text(&r, &r.far_client, "x");
    assert_true(relay_last_byte_ms(r.relay) >= later);
    stop_rig(&r);
}

/* ---- beginnings ---- */

static void bytes_behind_the_login_come_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        connect_rig(&r, kinds[i].kind);
        assert_int_equal(put(&r.far_client, " then these", 11), 11);
        start_relay(&r, POSTERN_BYTES_LIT("first these,"));
        assert_false(relay_is_quiet(r.relay));
        await_text(&r, &r.far_backend, "first these, then these");
        assert_int_equal(relay_bytes_up(r.relay), 23);
        assert_true(relay_is_quiet(r.relay));
        stop_rig(&r);
    }
}

static void as_many_early_bytes_as_allowed_arrive_and_one_more_is_refused(void **state)
{
    static uint8_t bytes[RELAY_GATHER_BYTES + 1];
    static uint8_t room[RELAY_GATHER_BYTES];

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        size_t before = test_count_fds(), got = 0;
        struct rig r;
        postern_error err = { 0 };

        connect_rig(&r, kinds[i].kind);
        start_relay(&r, (postern_bytes){ bytes, RELAY_GATHER_BYTES });
        while (got < RELAY_GATHER_BYTES) {
            ssize_t n = await(&r, &r.far_backend, room, sizeof room);

            assert_true(n > 0);
            got += (size_t)n;
        }
        stop_rig(&r);
        connect_rig(&r, kinds[i].kind);
        assert_int_equal(relay_new(r.pool, r.client, r.backend,
                                   (postern_bytes){ bytes, sizeof bytes },
                                   (struct relay_owner){ on_end, &r }, &r.relay, &err),
                         POSTERN_ERR_USAGE);
        assert_null(r.relay);
        stop_rig(&r);
        assert_int_equal(test_count_fds(), before);
    }
}

static void what_the_login_left_in_the_ssl_is_relayed(void **state)
{
    struct rig r;
    char byte;

    (void)state;
    for (int read_ahead = 0; read_ahead < 2; read_ahead++) {
        connect_rig(&r, CLIENT_TLS);
        SSL_set_read_ahead(r.client.ssl, read_ahead);
        assert_int_equal(put(&r.far_client, "abc", 3), 3);
        assert_int_equal(put(&r.far_client, "def", 3), 3);
        assert_int_equal(put(&r.far_client, "ghi", 3), 3);
        assert_int_equal(SSL_read(r.client.ssl, &byte, 1), 1);
        start_relay(&r, POSTERN_BYTES_LIT("a")); /* nothing more comes: no socket gets readable */
        await_text(&r, &r.far_backend, "abcdefghi");
        stop_rig(&r);
    }
}

static void a_peer_that_is_gone_before_the_start_is_told_from_the_loop(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct rig r;

        if (kinds[i].kind & UNIX)
            continue;
        connect_rig(&r, kinds[i].kind);
        reset(&r.far_backend);
        start_relay(&r, POSTERN_BYTES_LIT("early"));
        assert_false(r.has_ended);
        assert_ended(&r, RELAY_BACKEND_GONE, "backend: ");
        stop_rig(&r);
    }
}

/* ---- messages of TLS that are no data ---- */

static void a_key_update_in_the_middle_disturbs_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        struct leg *tls, *plain;

        start_rig(&r, i == 0 ? CLIENT_TLS : BACKEND_TLS);
        tls = i == 0 ? &r.far_client : &r.far_backend;
        plain = i == 0 ? &r.far_backend : &r.far_client;
        for (int n = 0; n < 50; n++) {
            assert_int_equal(put(tls, "before", 6), 6);
            assert_int_equal(SSL_key_update(tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
            assert_int_equal(put(tls, " after", 6), 6);
            await_text(&r, plain, "before after");
            assert_int_equal(put(plain, "back", 4), 4);
            await_text(&r, tls, "back");
        }
        stop_rig(&r);
    }
}

static void who_asks_for_key_updates_and_never_reads_is_ended(void **state)
{
    struct rig r;

    (void)state;
    connect_rig(&r, CLIENT_TLS);
    set_small_buffers(&r);
    start_relay(&r, POSTERN_BYTES_NONE);
    (void)stuff(&r, &r.far_backend); /* the client takes nothing any more */
    for (size_t n = 0; !r.has_ended; n++) {
        assert_true(n < 200000);
        if (SSL_key_update(r.far_client.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
            put(&r.far_client, "x", 1) <= 0)
            ERR_clear_error();
        turn(&r);
        {
            char room[4096];

            while (get(&r.far_backend, room, sizeof room) > 0)
                ;
        }
    }
    assert_int_equal(r.why, RELAY_FAILED);
    assert_non_null(strstr(r.text, "does not read them"));
    stop_rig(&r);
}

/* ---- many, memory ---- */

static void two_hundred_sessions_share_one_pool_and_leave_nothing(void **state)
{
    enum { COUNT = 200 };
    static struct rig rigs[COUNT];
    size_t before = test_count_fds();

    (void)state;
    connect_rig(&rigs[0], TCP);
    start_relay(&rigs[0], POSTERN_BYTES_NONE);
    for (size_t i = 1; i < COUNT; i++) {
        connect_rig(&rigs[i], i % 3 == 0 ? CLIENT_TLS : TCP);
        relay_pool_free(rigs[i].pool);
        event_free(rigs[i].tick);
        event_base_free(rigs[i].base);
        rigs[i].pool = rigs[0].pool;
        rigs[i].base = rigs[0].base;
        start_relay(&rigs[i], POSTERN_BYTES_NONE);
    }
    for (size_t i = 0; i < COUNT; i++)
        (void)put(&rigs[i].far_client, "hello", 5);
    for (size_t i = 0; i < COUNT; i++)
        await_text(&rigs[i], &rigs[i].far_backend, "hello");
    for (size_t i = COUNT; --i > 0;) {
        relay_free(rigs[i].relay);
        close_far(&rigs[i].far_client);
        close_far(&rigs[i].far_backend);
    }
    stop_rig(&rigs[0]);
    assert_int_equal(test_count_fds(), before);
}

static void more_stalled_ways_than_pipes_go_on_by_copying(void **state)
{
    enum { COUNT = PIPES_MAX + 20 };
    static struct rig rigs[COUNT];
    static uint8_t room[1 << 20];
    size_t before = test_count_fds();
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 4 * COUNT + 2 * PIPES_MAX + 100)
        skip();
    for (size_t i = 0; i < COUNT; i++) {
        connect_rig(&rigs[i], TCP);
        set_small_buffers(&rigs[i]);
        if (i > 0) {
            relay_pool_free(rigs[i].pool);
            event_free(rigs[i].tick);
            event_base_free(rigs[i].base);
            rigs[i].pool = rigs[0].pool;
            rigs[i].base = rigs[0].base;
        }
        start_relay(&rigs[i], POSTERN_BYTES_NONE);
        (void)stuff(&rigs[i], &rigs[i].far_client);
    }
    assert_true(test_count_fds() <= before + 4 * COUNT + 2 * PIPES_MAX + 8);
    assert_true(test_count_fds() >= before + 4 * COUNT + PIPES_MAX);
    for (size_t i = 0; i < COUNT; i++)
        while (!relay_is_quiet(rigs[i].relay)) {
            (void)get(&rigs[i].far_backend, room, sizeof room);
            turn(&rigs[i]);
        }
    for (size_t i = COUNT; --i > 0;) {
        relay_free(rigs[i].relay);
        close_far(&rigs[i].far_client);
        close_far(&rigs[i].far_backend);
    }
    stop_rig(&rigs[0]);
    assert_int_equal(test_count_fds(), before);
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct rig *r = arg;
    struct leg client, backend;
    struct relay *relay = NULL;
    int c[2], b[2];
    postern_err e;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, c), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b), 0);
    client = (struct leg){ .fd = c[0] };
    backend = (struct leg){ .fd = b[0] };
    e = relay_new(r->pool, client, backend, POSTERN_BYTES_LIT("early"),
                  (struct relay_owner){ on_end, r }, &relay, err);
    relay_free(relay);
    assert_int_equal(close(c[1]) + close(b[1]), 0);
    return e;
}

static postern_err make_pool_once(void *arg, postern_error *err)
{
    struct relay_pool *pool = NULL;
    postern_err e = relay_pool_new(arg, &pool, err);

    relay_pool_free(pool);
    return e;
}

static void no_memory_is_said_and_nothing_leaks(void **state)
{
    size_t before = test_count_fds();
    struct rig r;

    (void)state;
    connect_rig(&r, TCP);
    assert_true(alloc_fail_sweep(make_once, &r, POSTERN_OK) >= 2);
    assert_true(alloc_fail_sweep(make_pool_once, r.base, POSTERN_OK) >= 2);
    close_far(&r.client);
    close_far(&r.backend);
    stop_rig(&r);
    assert_int_equal(test_count_fds(), before);
}

static void no_memory_for_what_a_side_does_not_take_ends_the_relay(void **state)
{
    struct rig r;

    (void)state;
    connect_rig(&r, CLIENT_TLS);
    set_small_buffers(&r);
    start_relay(&r, POSTERN_BYTES_NONE);
    alloc_fail_arm(1); /* the first that the relay itself makes: for the rest of a write */
    for (int i = 0; i < 10000 && !r.has_ended; i++) {
        static const uint8_t zeros[65536];

        (void)put(&r.far_client, zeros, sizeof zeros);
        turn(&r);
    }
    assert_true(alloc_fail_disarm());
    assert_ended(&r, RELAY_FAILED, "backend: out of memory");
    stop_rig(&r);
}

/* ---- all tests ---- */

static size_t fds_before;

static int begin_test(void **state)
{
    (void)state;
    (void)alarm(PATIENCE_S);
    fds_before = test_count_fds();
    return 0;
}

static int end_test(void **state)
{
    (void)state;
    (void)alarm(0);
    if (test_count_fds() == fds_before)
        return 0;
    print_error("descriptors: %zu before, %zu after\n", fds_before, test_count_fds());
    return -1;
}

static int make_world(void **state)
{
    (void)state;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -1;
    ca = test_cert_new(NULL, NULL, -60, 3600);
    leaf = test_cert_new(&ca, "DNS:localhost", -60, 3600);
    server_ctx = test_server_ctx(&leaf, NULL);
    client_ctx = test_client_ctx(&ca, NULL);
    return 0;
}

static int free_world(void **state)
{
    (void)state;
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    test_cert_free(&ca);
    test_cert_free(&leaf);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_pass_both_ways_at_once_unchanged),
        TEST(slow_readers_and_tiny_writes_lose_nothing),
        TEST(without_descriptors_for_pipes_bytes_are_copied),
        TEST(a_pipe_is_held_only_while_bytes_are_in_it),
        TEST(single_bytes_go_there_and_back),
        TEST(after_a_big_transfer_small_messages_still_go),
        TEST(half_close_leaves_the_other_way_open),
        TEST(a_reset_is_told_as_who_is_gone_and_is_handed_on_as_a_reset),
        TEST(a_reset_in_the_middle_of_a_transfer_ends_both),
        TEST(a_client_that_goes_while_the_backend_stands_still_is_noticed),
        TEST(tls_cut_without_close_notify_is_an_abort_not_an_end),
        TEST(bytes_that_are_no_tls_end_a_tls_leg),
        TEST(a_changed_record_is_not_delivered),
        TEST(freeing_it_resets_both),
        TEST(a_goodbye_tells_both_that_it_is_the_end),
        TEST(a_goodbye_is_no_end_to_who_has_not_got_everything),
        TEST(a_backend_that_does_not_read_stops_the_client),
        TEST(a_stalled_way_up_does_not_stop_the_way_down),
        TEST(last_byte_time_moves_with_bytes_only),
        TEST(bytes_behind_the_login_come_first),
        TEST(as_many_early_bytes_as_allowed_arrive_and_one_more_is_refused),
        TEST(what_the_login_left_in_the_ssl_is_relayed),
        TEST(a_peer_that_is_gone_before_the_start_is_told_from_the_loop),
        TEST(a_key_update_in_the_middle_disturbs_nothing),
        TEST(who_asks_for_key_updates_and_never_reads_is_ended),
        TEST(two_hundred_sessions_share_one_pool_and_leave_nothing),
        TEST(more_stalled_ways_than_pipes_go_on_by_copying),
        TEST(no_memory_is_said_and_nothing_leaks),
        TEST(no_memory_for_what_a_side_does_not_take_ends_the_relay),
    };

    return cmocka_run_group_tests_name("relay", tests, make_world, free_world);
}
