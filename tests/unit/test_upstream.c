/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/door/upstream.c on a real loop: backends of loopback that listen, refuse, stay silent,
 * talk nonsense or show the wrong certificate; a name server of the test's own.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <openssl/err.h>

#include "../support/alloc_fail.h"
#include "door/upstream.h"
#include "door_certs.h"

#define LIVE_S     3600L
#define PATIENCE_S 60

static struct test_cert ca, other_ca, good, by_ip, other_name, expired, not_yet, self_signed;
static SSL_CTX *client_ctx;
static struct event_base *base;

/* ---- parsing ---- */

static void places_are_read(void **state)
{
    static const struct {
        const char *text, *host, *port, *path;
        bool is_local;
    } cases[] = {
        { "db.example.org:5432", "db.example.org", "5432", "", false },
        { "redis:6379", "redis", "6379", "", false },
        { "_db.a-b.example:1", "_db.a-b.example", "1", "", false },
        { "localhost:22", "localhost", "22", "", false }, /* a name is what a resolver says */
        { "127.0.0.1:6379", "127.0.0.1", "6379", "", true },
        { "127.9.9.9:65535", "127.9.9.9", "65535", "", true },
        { "128.0.0.1:80", "128.0.0.1", "80", "", false },
        { "192.0.2.1:80", "192.0.2.1", "80", "", false },
        { "[::1]:6379", "::1", "6379", "", true },
        { "[2001:db8::1]:6379", "2001:db8::1", "6379", "", false },
        { "[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", "1", "", false },
        { "[fe80::1%lo]:22", "fe80::1%lo", "22", "", false },
        { "unix:/run/redis.sock", "", "", "/run/redis.sock", true },
        { "unix:/", "", "", "/", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upstream_target t;
        postern_error err = { 0 };

        if (upstream_target_parse(cases[i].text, &t, &err) != POSTERN_OK)
            fail_msg("%s: %s", cases[i].text, err.detail);
        assert_string_equal(t.host, cases[i].host);
        assert_string_equal(t.port, cases[i].port);
        assert_string_equal(t.path, cases[i].path);
        assert_int_equal(t.tls, UPSTREAM_VERIFY_FULL); /* the safe one until somebody says less */
        assert_null(t.tls_ctx);
        assert_int_equal(upstream_target_is_local(&t), cases[i].is_local);
    }
}

static void other_texts_are_no_places(void **state)
{
    static const char label_of_64[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example:80";
    static const char *const cases[] = {
        "",
        ":",
        "host",
        "host:",
        ":80",
        "host:0",
        "host:080",
        "host:65536",
        "host:99999999999",
        "host:-1",
        "host: 80",
        "host:80 ",
        "host:8x",
        "ho st:80",
        "host\t:80",
        "h\xC3\xB6st:80",
        "http://host:80",
        "host/path:80",
        "user@host:80",
        "a..b:80",
        ".a:80",
        "a.:80",
        "-a:80",
        "a-:80",
        "127.1:80",
        "1:80",
        "0x7f000001:80",
        "0177.0.0.1:80",
        "1.2.3.4.5:80",
        "256.1.1.1:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[::1:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[host]:80",
        "[::1]:80x",
        "[::g]:80",
        "[fe80::1%nosuchif0]:22",
        "unix:",
        "unix:run/x",
        "unix:@abstract",
        "tcp:host:80",
        "exec:/bin/sh",
        label_of_64,
    };
    struct upstream_target t = { .port = "7" };
    char long_path[200], long_host[400];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        postern_error err = { 0 };

        if (upstream_target_parse(cases[i], &t, &err) != POSTERN_ERR_CONFIG_VALUE)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_int_equal(err.code, POSTERN_ERR_CONFIG_VALUE);
    }
    memset(long_path, 'a', sizeof long_path);
    memcpy(long_path, "unix:/", 6);
    long_path[5 + 108] = '\0'; /* one byte more than fits with its NUL */
    assert_int_equal(upstream_target_parse(long_path, &t, NULL), POSTERN_ERR_CONFIG_VALUE);
    long_path[5 + 107] = '\0';
    assert_string_equal(t.port, "7"); /* nothing was written so far */
    assert_int_equal(upstream_target_parse(long_path, &t, NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof long_host; i++)
        long_host[i] = i % 2 == 0 ? 'a' : '.';
    memcpy(long_host + 255, ":80", 4);
    assert_int_equal(upstream_target_parse(long_host, &t, NULL), POSTERN_OK);
    memcpy(long_host + 257, ":80", 4);
    long_host[255] = '.';
    long_host[256] = 'a';
    assert_int_equal(upstream_target_parse(long_host, &t, NULL), POSTERN_ERR_CONFIG_VALUE);
}

/* ---- one attempt, and what became of it ---- */

struct attempt {
    struct upstream *u;
    struct upstream_target target;
    bool is_done;
    postern_err code; /* POSTERN_OK: leg */
    struct leg leg;
    char detail[384];
};

static void on_done(void *arg, struct leg leg, const postern_error *err)
{
    struct attempt *a = arg;

    assert_false(a->is_done);
    a->is_done = true;
    a->leg = leg;
    a->code = err == NULL ? POSTERN_OK : err->code;
    snprintf(a->detail, sizeof a->detail, "%s", err == NULL ? "" : err->detail);
    assert_true(err == NULL ? leg.fd >= 0 : leg.fd == -1 && leg.ssl == NULL);
    upstream_free(a->u);
    a->u = NULL;
}

static void start(struct attempt *a, struct evdns_base *dns, const char *where, upstream_tls tls)
{
    *a = (struct attempt){ .leg = { .fd = -1 } };
    assert_int_equal(upstream_target_parse(where, &a->target, NULL), POSTERN_OK);
    a->target.tls = tls;
    a->target.tls_ctx = tls == UPSTREAM_PLAIN ? NULL : client_ctx;
    assert_int_equal(
        upstream_connect(base, dns, &a->target, (struct upstream_owner){ on_done, a }, &a->u, NULL),
        POSTERN_OK);
    assert_false(a->is_done); /* never before it returned */
}

static void run(struct attempt *a)
{
    while (!a->is_done)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
}

static void expect_backend_error(struct attempt *a, const char *why)
{
    run(a);
    if (a->code != POSTERN_ERR_BACKEND || strstr(a->detail, why) == NULL)
        fail_msg("%s: %s, not %s", postern_err_reason(a->code), a->detail, why);
}

static void finish(struct attempt *a)
{
    upstream_free(a->u);
    SSL_free(a->leg.ssl);
    if (a->leg.fd >= 0)
        assert_int_equal(close(a->leg.fd), 0);
}

/* ---- backends ---- */

static int listen_on(const char *ip, int backlog, char *ret_where, size_t room)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    bool is_v6 = strchr(ip, ':') != NULL;
    struct sockaddr *a = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t len = is_v6 ? sizeof v6 : sizeof v4;
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        is_v6 ? inet_pton(AF_INET6, ip, &v6.sin6_addr) : inet_pton(AF_INET, ip, &v4.sin_addr), 1);
    assert_int_equal(bind(fd, a, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, a, &len), 0);
    snprintf(ret_where, room, is_v6 ? "[%s]:%u" : "%s:%u", ip,
             ntohs(is_v6 ? v6.sin6_port : v4.sin_port));
    return fd;
}

struct backend {
    pthread_t thread;
    int listener;
    char where[80];
    SSL_CTX *ctx;      /* NULL: `words` */
    const char *words; /* sent at once, then closed */
    char sni[64];
    int verdict; /* of SSL_accept() */
};

static void *run_backend(void *arg)
{
    struct backend *b = arg;
    int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (b->ctx == NULL) {
        char room[4096]; /* a post-quantum key share alone has 1.2 KB */

        (void)recv(fd, room, sizeof room, 0); /* its hello: a close with unread bytes is a reset */
        (void)send(fd, b->words, strlen(b->words), MSG_NOSIGNAL);
    } else {
        SSL *ssl = SSL_new(b->ctx);
        char byte;

        (void)SSL_set_fd(ssl, fd);
        b->verdict = SSL_accept(ssl);
        if (b->verdict == 1) {
            const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

            snprintf(b->sni, sizeof b->sni, "%s", name == NULL ? "" : name);
            (void)SSL_write(ssl, "hello", 5);
            (void)SSL_read(ssl, &byte, 1);
        }
        SSL_free(ssl);
        ERR_clear_error();
    }
    (void)close(fd);
    return NULL;
}

static void start_backend(struct backend *b, const char *ip, SSL_CTX *ctx, const char *words)
{
    *b = (struct backend){ .ctx = ctx, .words = words };
    b->listener = listen_on(ip, 5, b->where, sizeof b->where);
    assert_int_equal(pthread_create(&b->thread, NULL, run_backend, b), 0);
}

static void stop_backend(struct backend *b)
{
    assert_int_equal(shutdown(b->listener, SHUT_RD), 0);
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    assert_int_equal(close(b->listener), 0);
}

/* ---- plain ---- */

static void a_plain_backend_is_reached_and_its_socket_is_set_up(void **state)
{
    static const char *const ips[] = { "127.0.0.1", "::1" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct attempt a;
        char where[80];
        int listener = listen_on(ips[i], 5, where, sizeof where), on = 0, fd;
        socklen_t len = sizeof on;

        start(&a, NULL, where, UPSTREAM_PLAIN); /* a literal address needs no resolver */
        run(&a);
        assert_int_equal(a.code, POSTERN_OK);
        assert_null(a.leg.ssl);
        assert_int_equal(getsockopt(a.leg.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_true(on != 0);
        assert_int_equal(getsockopt(a.leg.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
        assert_true(on != 0);
        assert_true((fcntl(a.leg.fd, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(a.leg.fd, F_GETFD) & FD_CLOEXEC) != 0);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(close(fd) + close(listener), 0);
        finish(&a);
    }
}

static int listen_on_unix(char path[64], int backlog)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char folder[] = "/tmp/postern-upstream-XXXXXX";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_non_null(mkdtemp(folder));
    snprintf(path, 64, "%s/s", folder);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void remove_unix(char *path)
{
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

static void a_unix_socket_is_reached_or_its_absence_said(void **state)
{
    struct attempt a;
    char path[64], where[80];
    int listener = listen_on_unix(path, 5);

    (void)state;
    snprintf(where, sizeof where, "unix:%s", path);
    start(&a, NULL, where, UPSTREAM_PLAIN);
    run(&a);
    assert_int_equal(a.code, POSTERN_OK);
    finish(&a);
    assert_int_equal(close(listener), 0);
    start(&a, NULL, where, UPSTREAM_PLAIN);
    expect_backend_error(&a, "Connection refused");
    assert_non_null(strstr(a.detail, where));
    start(&a, NULL, "unix:/nonexistent/s", UPSTREAM_PLAIN);
    expect_backend_error(&a, "unix:/nonexistent/s: No such file");
    remove_unix(path);
}

static void a_busy_unix_socket_is_tried_again_until_it_takes_us(void **state)
{
    struct attempt a;
    char path[64], where[80];
    int listener = listen_on_unix(path, 0), filler[8], count = 0, fd;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (; count < 8; count++) {
        filler[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(filler[count], (struct sockaddr *)&address, sizeof address) != 0)
            break;
    }
    assert_true(count < 8);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(close(filler[count]), 0);
    snprintf(where, sizeof where, "unix:%s", path);
    start(&a, NULL, where, UPSTREAM_PLAIN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_false(a.is_done);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC); /* room again */
    run(&a);
    assert_int_equal(a.code, POSTERN_OK);
    finish(&a);
    while (count > 0)
        assert_int_equal(close(filler[--count]), 0);
    assert_int_equal(close(fd) + close(listener), 0);
    remove_unix(path);
}

static void nobody_there_is_said_at_once(void **state)
{
    struct attempt a;
    char where[80];
    int fd = listen_on("127.0.0.1", 1, where, sizeof where);

    (void)state;
    assert_int_equal(close(fd), 0);
    start(&a, NULL, where, UPSTREAM_PLAIN);
    expect_backend_error(&a, "Connection refused");
    assert_non_null(strstr(a.detail, where));
}

/* ---- TLS ---- */

static void connect_tls(struct attempt *a, const struct test_cert *cert, upstream_tls how)
{
    SSL_CTX *ctx = test_server_ctx(cert, NULL);
    struct backend b;

    start_backend(&b, "127.0.0.1", ctx, NULL);
    start(a, NULL, b.where, how);
    run(a);
    if (a->code == POSTERN_OK)
        (void)SSL_shutdown(a->leg.ssl);
    finish(a);
    stop_backend(&b);
    if (a->code == POSTERN_OK)
        assert_string_equal(b.sni, ""); /* RFC 6066 §3: no literal addresses */
    SSL_CTX_free(ctx);
}

static void a_certificate_for_the_address_is_taken(void **state)
{
    struct attempt a;

    (void)state;
    connect_tls(&a, &by_ip, UPSTREAM_VERIFY_FULL);
    assert_int_equal(a.code, POSTERN_OK);
    connect_tls(&a, &by_ip, UPSTREAM_VERIFY_CA);
    assert_int_equal(a.code, POSTERN_OK);
}

static void certificates_that_are_wrong_are_refused_each_with_its_reason(void **state)
{
    const struct {
        const struct test_cert *cert;
        upstream_tls how;
        const char *why; /* NULL: fine */
    } cases[] = {
        { &good, UPSTREAM_VERIFY_FULL, "its certificate is not for 127.0.0.1" },
        { &other_name, UPSTREAM_VERIFY_FULL, "its certificate is not for 127.0.0.1" },
        { &other_name, UPSTREAM_VERIFY_CA, NULL }, /* the name is not looked at, the rest is */
        { &expired, UPSTREAM_VERIFY_FULL, "not valid: certificate has expired" },
        { &expired, UPSTREAM_VERIFY_CA, "not valid: certificate has expired" },
        { &not_yet, UPSTREAM_VERIFY_FULL, "not valid: certificate is not yet valid" },
        { &self_signed, UPSTREAM_VERIFY_FULL, "not valid: self-signed certificate" },
        { &self_signed, UPSTREAM_VERIFY_CA, "not valid: self-signed certificate" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attempt a;

        connect_tls(&a, cases[i].cert, cases[i].how);
        if (cases[i].why == NULL)
            assert_int_equal(a.code, POSTERN_OK);
        else if (a.code != POSTERN_ERR_BACKEND || strstr(a.detail, cases[i].why) == NULL)
            fail_msg("case %zu: %s", i, a.detail);
    }
}

static void a_context_that_does_not_verify_is_made_to(void **state)
{
    SSL_CTX *server = test_server_ctx(&self_signed, NULL);
    struct backend b;
    struct attempt a;

    (void)state;
    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_NONE, NULL);
    start_backend(&b, "127.0.0.1", server, NULL);
    start(&a, NULL, b.where, UPSTREAM_VERIFY_CA);
    expect_backend_error(&a, "not valid");
    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
    stop_backend(&b);
    SSL_CTX_free(server);
}

static void what_a_backend_says_behind_its_handshake_is_not_lost(void **state)
{
    SSL_CTX *server = test_server_ctx(&by_ip, NULL);
    struct backend b;
    struct attempt a;
    char room[8];
    int n;

    (void)state;
    start_backend(&b, "127.0.0.1", server, NULL);
    start(&a, NULL, b.where, UPSTREAM_VERIFY_FULL);
    run(&a);
    assert_int_equal(a.code, POSTERN_OK);
    test_set_blocking(a.leg.fd, 1);
    while ((n = SSL_read(a.leg.ssl, room, sizeof room)) <= 0)
        assert_int_equal(SSL_get_error(a.leg.ssl, n), SSL_ERROR_WANT_READ); /* a ticket */
    assert_memory_equal(room, "hello", 5);
    (void)SSL_shutdown(a.leg.ssl);
    finish(&a);
    stop_backend(&b);
    SSL_CTX_free(server);
}

static void a_backend_that_talks_no_tls_is_told_apart(void **state)
{
    static const struct {
        const char *words, *why;
    } cases[] = {
        { "-ERR unknown command\r\n-ERR unknown command\r\n", "TLS: wrong version number" },
        { "\x15\x03\x03\x00\x02\x02\x28@", "TLS: " }, /* an alert */
        { "\x16\x03\x03\xff\xff@@@@@@@@@@", "TLS: " },
        { "", "TLS: unexpected eof" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct backend b;
        struct attempt a;

        start_backend(&b, "127.0.0.1", NULL, cases[i].words);
        start(&a, NULL, b.where, UPSTREAM_VERIFY_FULL);
        expect_backend_error(&a, cases[i].why);
        assert_non_null(strstr(a.detail, b.where));
        assert_null(strstr(a.detail, "ERR unknown")); /* its words are not repeated */
        assert_null(strchr(a.detail, '@'));
        stop_backend(&b);
    }
}

static void a_unix_socket_has_no_name_to_verify(void **state)
{
    struct attempt a;
    char path[64], where[80];
    int listener = listen_on_unix(path, 5);

    (void)state;
    snprintf(where, sizeof where, "unix:%s", path);
    start(&a, NULL, where, UPSTREAM_VERIFY_FULL);
    expect_backend_error(&a, "no name for verify-full");
    assert_int_equal(upstream_target_parse(where, &a.target, NULL), POSTERN_OK);
    a = (struct attempt){ .target = a.target };
    a.target.tls = UPSTREAM_VERIFY_CA; /* and no context: nothing is trusted by accident */
    assert_int_equal(
        upstream_connect(base, NULL, &a.target, (struct upstream_owner){ on_done, &a }, &a.u, NULL),
        POSTERN_OK);
    expect_backend_error(&a, "no TLS settings");
    assert_int_equal(close(listener), 0);
    remove_unix(path);
}

/* ---- names ---- */

struct names {
    struct evdns_base *dns;
    struct evdns_server_port *port;
    int fd;
    unsigned questions;
    bool is_silent;
};

static void answer(struct evdns_server_request *rq, void *arg)
{
    /* two.test: nobody listens on the first; the backend of the tests on the second */
    static const uint8_t two[] = { 127, 0, 0, 2, 127, 0, 0, 1 }, one[] = { 127, 0, 0, 1 };
    struct names *n = arg;
    int code = 3; /* NXDOMAIN */

    for (int i = 0; i < rq->nquestions; i++) {
        const char *name = rq->questions[i]->name;
        bool is_two = strcasecmp(name, "two.test") == 0;

        n->questions++;
        if (!is_two && strcasecmp(name, "localhost.test") != 0)
            continue;
        code = 0;
        if (rq->questions[i]->type == EVDNS_TYPE_A)
            evdns_server_request_add_a_reply(rq, name, is_two ? 2 : 1, is_two ? two : one, 60);
    }
    if (n->is_silent)
        evdns_server_request_drop(rq);
    else
        evdns_server_request_respond(rq, code);
}

static void start_names(struct names *n)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    char where[32];

    *n = (struct names){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(n->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(n->fd, (struct sockaddr *)&a, &len), 0);
    n->port = evdns_add_server_port_with_base(base, n->fd, 0, answer, n);
    n->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    snprintf(where, sizeof where, "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(evdns_base_nameserver_ip_add(n->dns, where), 0);
    evdns_base_search_clear(n->dns);
}

static void stop_names(struct names *n)
{
    evdns_base_free(n->dns, 1);
    evdns_close_server_port(n->port);                         /* closes the socket */
    assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0); /* what was cancelled comes back */
}

static void a_name_is_resolved_each_time_and_verified_against_the_certificate(void **state)
{
    SSL_CTX *server = test_server_ctx(&good, NULL);
    struct names n;
    unsigned asked = 0;

    (void)state;
    start_names(&n);
    for (int i = 0; i < 2; i++) {
        struct backend b;
        struct attempt a;
        char where[80];

        start_backend(&b, "127.0.0.1", server, NULL);
        snprintf(where, sizeof where, "localhost.test%s", strchr(b.where, ':'));
        start(&a, n.dns, where, UPSTREAM_VERIFY_FULL);
        run(&a);
        assert_int_equal(a.code, POSTERN_OK);
        (void)SSL_shutdown(a.leg.ssl);
        finish(&a);
        stop_backend(&b);
        assert_string_equal(b.sni, "localhost.test");
        assert_true(n.questions > asked);
        asked = n.questions;
    }
    stop_names(&n);
    SSL_CTX_free(server);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    SSL_CTX *server = test_server_ctx(&other_name, NULL);
    struct names n;
    struct backend b;
    struct attempt a;
    char where[80];

    (void)state;
    start_names(&n);
    start_backend(&b, "127.0.0.1", server, NULL);
    snprintf(where, sizeof where, "localhost.test%s", strchr(b.where, ':'));
    start(&a, n.dns, where, UPSTREAM_VERIFY_FULL);
    expect_backend_error(&a, "its certificate is not for localhost.test");
    assert_non_null(strstr(a.detail, b.where)); /* where that was */
    stop_backend(&b);
    stop_names(&n);
    SSL_CTX_free(server);
}

static void the_next_address_of_a_name_is_tried(void **state)
{
    struct names n;
    struct attempt a;
    char where[80], name[100];
    int listener = listen_on("127.0.0.1", 5, where, sizeof where);
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;

    (void)state;
    start_names(&n);
    snprintf(name, sizeof name, "two.test%s", strchr(where, ':'));
    start(&a, n.dns, name, UPSTREAM_PLAIN);
    run(&a);
    assert_int_equal(a.code, POSTERN_OK);
    assert_int_equal(getpeername(a.leg.fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    finish(&a);
    assert_int_equal(close(listener), 0);
    start(&a, n.dns, name, UPSTREAM_PLAIN);
    expect_backend_error(&a, "Connection refused"); /* by the last */
    stop_names(&n);
}

static void a_name_that_does_not_resolve_is_said(void **state)
{
    struct names n;
    struct attempt a;

    (void)state;
    start_names(&n);
    start(&a, n.dns, "nowhere.test:80", UPSTREAM_PLAIN);
    expect_backend_error(&a, "nowhere.test: the name does not resolve");
    start(&a, NULL, "nowhere.test:80", UPSTREAM_PLAIN);
    expect_backend_error(&a, "no resolver");
    stop_names(&n);
}

/* ---- time ---- */

/* Connections fill a listener's queue; the kernel then drops what else comes: a black hole. */
static int fill_queue(const char *where, int fillers[16])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

    a.sin_port = htons((uint16_t)strtoul(strchr(where, ':') + 1, NULL, 10));
    for (int i = 0; i < 16; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&a, sizeof a);
    }
    return 16;
}

/* All at the same time, so that the test lasts as long as one. */
static void everything_that_says_nothing_ends_in_time(void **state)
{
    struct attempt hole, mute, dumb, busy;
    char hole_where[80], mute_where[80], path[64], unix_where[80];
    int hole_fd = listen_on("127.0.0.1", 0, hole_where, sizeof hole_where);
    int mute_fd = listen_on("127.0.0.1", 5, mute_where, sizeof mute_where); /* never accepts */
    int unix_fd = listen_on_unix(path, 0), fillers[16], unix_fillers[2];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct names n;
    struct timespec before, after;

    (void)state;
    (void)fill_queue(hole_where, fillers);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (int i = 0; i < 2; i++) {
        unix_fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(unix_fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    start_names(&n);
    n.is_silent = true;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    snprintf(unix_where, sizeof unix_where, "unix:%s", path);
    start(&hole, NULL, hole_where, UPSTREAM_PLAIN);
    start(&mute, NULL, mute_where, UPSTREAM_VERIFY_FULL);
    start(&dumb, n.dns, "silent.test:80", UPSTREAM_PLAIN);
    start(&busy, NULL, unix_where, UPSTREAM_PLAIN);
    expect_backend_error(&hole, "no answer in time");
    expect_backend_error(&mute, "no TLS handshake in time");
    expect_backend_error(&dumb, "the name server did not answer in time");
    expect_backend_error(&busy, "too busy");
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    assert_true(after.tv_sec - before.tv_sec >= UPSTREAM_CONNECT_MS / 1000 - 1);
    assert_true(after.tv_sec - before.tv_sec <= UPSTREAM_CONNECT_MS / 1000 + 5);
    stop_names(&n);
    for (int i = 0; i < 16; i++)
        assert_int_equal(close(fillers[i]), 0);
    assert_int_equal(close(unix_fillers[0]) + close(unix_fillers[1]), 0);
    assert_int_equal(close(hole_fd) + close(mute_fd) + close(unix_fd), 0);
    remove_unix(path);
}

/* ---- cancelling ---- */

static void it_can_be_cancelled_in_every_state(void **state)
{
    struct attempt a;
    char hole_where[80], mute_where[80];
    int hole_fd = listen_on("127.0.0.1", 0, hole_where, sizeof hole_where), fillers[16];
    int mute_fd = listen_on("127.0.0.1", 50, mute_where, sizeof mute_where);
    struct names n;

    (void)state;
    (void)fill_queue(hole_where, fillers);
    start_names(&n);
    n.is_silent = true;
    for (int turns = 0; turns < 4; turns++) {
        const struct {
            const char *where;
            upstream_tls tls;
        } cases[] = { { hole_where, UPSTREAM_PLAIN },
                      { mute_where, UPSTREAM_VERIFY_FULL },
                      { "silent.test:80", UPSTREAM_PLAIN } };

        for (size_t i = 0; i < 3; i++) {
            start(&a, n.dns, cases[i].where, cases[i].tls);
            for (int t = 0; t < turns; t++)
                assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
            assert_false(a.is_done);
            upstream_free(a.u);
        }
    }
    upstream_free(NULL);
    stop_names(&n);
    for (int i = 0; i < 16; i++)
        assert_int_equal(close(fillers[i]), 0);
    assert_int_equal(close(hole_fd) + close(mute_fd), 0);
}

/* ---- a port that is our own ---- */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    return (fd < 0 || close(fd) == 0) && is_written;
}

/* In a network of its own, where every connection leaves from port 40000. */
static int connect_to_own_port(void)
{
    struct ifreq rq = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    struct attempt a;
    int fd;

    if (unshare(CLONE_NEWNET) != 0)
        return 77;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &rq) != 0 || close(fd) != 0 ||
        !write_text("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000"))
        return 77;
    if (event_reinit(base) != 0)
        return 1;
    start(&a, NULL, "127.0.0.1:40000", UPSTREAM_PLAIN);
    run(&a);
    return a.code == POSTERN_ERR_BACKEND && strstr(a.detail, "refused") != NULL ? 0 : 1;
}

static void a_socket_connected_with_itself_is_no_backend(void **state)
{
    pid_t child;
    int status = 0;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(connect_to_own_port());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* not allowed to make a network */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- memory ---- */

static postern_err connect_once(void *arg, postern_error *err)
{
    struct attempt a = { .leg = { .fd = -1 } };
    postern_err e;

    a.target = *(const struct upstream_target *)arg;
    e = upstream_connect(base, NULL, &a.target, (struct upstream_owner){ on_done, &a }, &a.u, err);
    if (e != POSTERN_OK)
        return e;
    run(&a);
    finish(&a);
    if (a.code != POSTERN_OK)
        (void)postern_error_set(err, a.code, __FILE__, __LINE__, "%s", a.detail);
    return a.code;
}

static void no_memory_is_said_and_nothing_leaks(void **state)
{
    struct upstream_target t;
    char where[80];
    int listener = listen_on("127.0.0.1", 50, where, sizeof where);

    (void)state;
    assert_int_equal(upstream_target_parse(where, &t, NULL), POSTERN_OK);
    t.tls = UPSTREAM_PLAIN;
    assert_true(alloc_fail_sweep(connect_once, &t, POSTERN_OK) >= 1);
    assert_int_equal(close(listener), 0);
}

/* ---- all tests ---- */

static size_t fds_before;

static int begin_test(void **state)
{
    (void)state;
    (void)alarm(PATIENCE_S);
    fds_before = test_count_fds();
    base = event_base_new();
    return base == NULL ? -1 : 0;
}

static int end_test(void **state)
{
    (void)state;
    (void)alarm(0);
    event_base_free(base);
    ERR_clear_error();
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
    ca = test_cert_new(NULL, NULL, -60, LIVE_S);
    other_ca = test_cert_new(NULL, NULL, -60, LIVE_S);
    good = test_cert_new(&ca, "DNS:localhost.test", -60, LIVE_S);
    by_ip = test_cert_new(&ca, "IP:127.0.0.1", -60, LIVE_S);
    other_name = test_cert_new(&ca, "DNS:other.test,IP:127.0.0.2", -60, LIVE_S);
    expired = test_cert_new(&ca, "IP:127.0.0.1", -LIVE_S, -60);
    not_yet = test_cert_new(&ca, "IP:127.0.0.1", 600, LIVE_S);
    self_signed = test_cert_new(NULL, "IP:127.0.0.1", -60, LIVE_S);
    client_ctx = test_client_ctx(&ca, NULL);
    return 0;
}

static int free_world(void **state)
{
    struct test_cert *all[] = { &ca,         &other_ca, &good,    &by_ip,
                                &other_name, &expired,  &not_yet, &self_signed };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        test_cert_free(all[i]);
    SSL_CTX_free(client_ctx);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(places_are_read),
        TEST(other_texts_are_no_places),
        TEST(a_plain_backend_is_reached_and_its_socket_is_set_up),
        TEST(a_unix_socket_is_reached_or_its_absence_said),
        TEST(a_busy_unix_socket_is_tried_again_until_it_takes_us),
        TEST(nobody_there_is_said_at_once),
        TEST(a_certificate_for_the_address_is_taken),
        TEST(certificates_that_are_wrong_are_refused_each_with_its_reason),
        TEST(a_context_that_does_not_verify_is_made_to),
        TEST(what_a_backend_says_behind_its_handshake_is_not_lost),
        TEST(a_backend_that_talks_no_tls_is_told_apart),
        TEST(a_unix_socket_has_no_name_to_verify),
        TEST(a_name_is_resolved_each_time_and_verified_against_the_certificate),
        TEST(a_certificate_for_another_name_is_refused),
        TEST(the_next_address_of_a_name_is_tried),
        TEST(a_name_that_does_not_resolve_is_said),
        TEST(everything_that_says_nothing_ends_in_time),
        TEST(it_can_be_cancelled_in_every_state),
        TEST(a_socket_connected_with_itself_is_no_backend),
        TEST(no_memory_is_said_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("upstream", tests, make_world, free_world);
}
