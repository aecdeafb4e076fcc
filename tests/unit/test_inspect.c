/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/door/inspect.c and wire.c with a protocol of lines (line_adapter.h) between two real peers:
 * loopback TCP, OpenSSL at the far ends.  The test is the owner: it settles what the words ask for.
 */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "../support/alloc_fail.h"
#include "door/inspect.h"
#include "door_certs.h"
#include "line_adapter.h"

#define PATIENCE_S 60
#define LATER_MAX 64
#define HEARD_MAX (4u << 20)

enum kind { PLAIN = 0, CLIENT_TLS = 1, BACKEND_TLS = 2 };
static const struct {
    const char *name;
    int kind;
} kinds[] = {
    { "plain", PLAIN },
    { "TLS client", CLIENT_TLS },
    { "TLS backend", BACKEND_TLS },
    { "TLS on both", CLIENT_TLS | BACKEND_TLS },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct rig {
    struct event_base *base;
    struct relay_pool *pool;
    struct inspect *inspect;
    struct leg client, backend, far_client, far_backend;
    bool has_ended;
    relay_end why;
    char text[200];
    postern_err code;
    uint64_t later[LATER_MAX]; /* ids of LATER */
    size_t later_count, judged_count, login_count, leaves_count;
    bool is_full; /* nothing may be judged */
    bool answers_login; /* at once */
    bool names_nothing, asks_unnamed;
    char last[4096];
    void *state; /* the adapter's, to come */
};

static struct test_cert ca, leaf;
static SSL_CTX *server_ctx, *client_ctx;
static postern_failure refusal = { .code = POSTERN_ERR_POLICY, .ref = "P-1" };
static char heard[HEARD_MAX + 1];

/* ---- the owner ---- */

static void settle(struct rig *r, uint64_t id, adapter_ruling ruling)
{
    const struct adapter_verdict v = {
        .ruling = ruling, .denied = { .failure = &refusal, .because = "words", .contact = "" }
    };

    inspect_settle(r->inspect, id, &v);
}

/* By the first letter of the word: G… is released, N… refused, L… later, W… held. */
static void on_judge(void *arg, const struct adapter_action *a)
{
    struct rig *r = arg;
    size_t at = (size_t)snprintf(r->last, sizeof r->last, "%s", a->name);

    r->judged_count++;
    r->asks_unnamed = a->has_unnamed;
    for (size_t i = 0; i < a->resource_count && at < sizeof r->last; i++)
        at += (size_t)snprintf(r->last + at, sizeof r->last - at, " %.*s",
                               (int)a->resources[i].len, (const char *)a->resources[i].ptr);
    if (a->name[0] == 'L' || a->name[0] == 'W') {
        assert_true(r->later_count < LATER_MAX);
        r->later[r->later_count++] = a->id;
        if (a->name[0] == 'W')
            settle(r, a->id, ADAPTER_HOLD);
        return;
    }
    settle(r, a->id, a->name[0] == 'G' ? ADAPTER_RELEASE : ADAPTER_REFUSE);
}

static bool on_room(void *arg)
{
    return !((struct rig *)arg)->is_full;
}

static void answer_login(struct rig *r, bool is_granted)
{
    const struct adapter_granted g = { .service = "s", .lease_s = 42, .ref = "P-2" };
    const struct adapter_denied d = { .failure = &refusal, .because = "", .contact = "" };

    inspect_renewed(r->inspect, is_granted ? &g : NULL, is_granted ? NULL : &d);
}

static void on_login(void *arg, const struct adapter_login *login)
{
    struct rig *r = arg;

    r->login_count++;
    snprintf(r->last, sizeof r->last, "%.*s", (int)login->token.len, (const char *)login->token.ptr);
    if (r->answers_login)
        answer_login(r, true);
}

static void on_leave(void *arg)
{
    ((struct rig *)arg)->leaves_count++;
}

static void on_end(void *arg, relay_end why)
{
    struct rig *r = arg;

    assert_false(r->has_ended);
    r->has_ended = true;
    r->why = why;
    r->code = inspect_end_code(r->inspect);
    snprintf(r->text, sizeof r->text, "%s", inspect_end_text(r->inspect));
    if (why == RELAY_DENIED) /* as a session does */
        inspect_say_goodbye(r->inspect, &(struct adapter_denied){ .failure = &refusal });
    inspect_free(r->inspect);
    r->inspect = NULL;
}

/* ---- the world ---- */

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
    int c[2], b[2];

    *r = (struct rig){ .base = event_base_new() };
    assert_non_null(r->base);
    assert_int_equal(relay_pool_new(r->base, &r->pool, NULL), POSTERN_OK);
    r->state = line_state_new();
    assert_non_null(r->state);
    test_tcp_pair(c);
    test_tcp_pair(b);
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

static bool may_see(void *arg, const char *action, postern_bytes resource)
{
    (void)arg;
    (void)action;
    (void)resource;
    return true;
}

static postern_err begin(struct rig *r, const char *up, const char *down, postern_error *err)
{
    const struct inspect_parts p = {
        .take_client = r->client,
        .take_backend = r->backend,
        .adapter = &line_adapter,
        .take_state = r->state,
        .early_up = postern_bytes_str(up),
        .early_down = postern_bytes_str(down),
        .host = { .may_see = may_see, .arg = r },
    };
    const struct inspect_owner owner = { on_judge, on_room, on_login, on_leave, on_end, r };

    return inspect_new(r->pool, &p, owner, &r->inspect, err);
}

static void start(struct rig *r, int kind)
{
    postern_error err = { 0 };

    connect_rig(r, kind);
    if (begin(r, "", "", &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static void close_far(struct leg *leg)
{
    SSL_free(leg->ssl);
    if (leg->fd >= 0)
        assert_int_equal(close(leg->fd), 0);
    *leg = (struct leg){ .fd = -1 };
}

static void stop(struct rig *r)
{
    inspect_free(r->inspect);
    relay_pool_free(r->pool);
    event_base_free(r->base);
    close_far(&r->far_client);
    close_far(&r->far_backend);
    ERR_clear_error();
}

static void turn(struct rig *r)
{
    assert_true(event_base_loop(r->base, EVLOOP_NONBLOCK) >= 0); /* 1: nothing is waited for */
}

/* Everything that can move has moved. */
static void turns(struct rig *r)
{
    for (int i = 0; i < 40; i++)
        turn(r);
}

/* ---- the far ends ---- */

static ssize_t put_some(const struct leg *leg, const char *text, size_t len)
{
    ssize_t n;

    if (leg->ssl != NULL) {
        size_t did = 0;

        ERR_clear_error();
        return SSL_write_ex(leg->ssl, text, len, &did) == 1 ? (ssize_t)did : -1;
    }
    n = send(leg->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n;
}

static void say(struct rig *r, const struct leg *leg, const char *text)
{
    size_t len = strlen(text), at = 0;

    while (at < len) {
        ssize_t n = put_some(leg, text + at, len - at);

        at += n > 0 ? (size_t)n : 0;
        turn(r);
    }
}

/* Bytes that are there; 0: none; -1: the end; -2: reset. */
static ssize_t get_some(const struct leg *leg, char *room, size_t size)
{
    ssize_t n;

    if (leg->ssl != NULL) {
        size_t did = 0;
        int ok;

        ERR_clear_error();
        ok = SSL_read_ex(leg->ssl, room, size, &did);
        if (ok == 1)
            return (ssize_t)did;
        switch (SSL_get_error(leg->ssl, ok)) {
        case SSL_ERROR_WANT_READ:
            return 0;
        case SSL_ERROR_ZERO_RETURN:
            return -1;
        default:
            return -2;
        }
    }
    n = recv(leg->fd, room, size, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN ? 0 : -2;
    return n == 0 ? -1 : n;
}

/* Exactly that comes next. */
static void hears(struct rig *r, const struct leg *leg, const char *want)
{
    size_t len = strlen(want), at = 0;
    alarm(PATIENCE_S);

    while (at < len) {
        ssize_t n = get_some(leg, heard + at, len - at);

        if (n < 0) {
            heard[at] = '\0';
            fail_msg("ended (%zd) after \"%s\", not \"%s\"", n, heard, want);
        }
        at += (size_t)n;
        if (!r->has_ended)
            turn(r);
    }
    heard[at] = '\0';
    assert_string_equal(heard, want);
    alarm(0);
}

static void hears_nothing(struct rig *r, const struct leg *leg)
{
    char c;

    if (!r->has_ended)
        turns(r);
    assert_int_equal(get_some(leg, &c, 1), 0);
}

static void hears_end(struct rig *r, const struct leg *leg, ssize_t how)
{
    char c;
    ssize_t n;

    alarm(PATIENCE_S);
    while ((n = get_some(leg, &c, 1)) == 0)
        if (!r->has_ended)
            turn(r);
    assert_int_equal(n, how);
    alarm(0);
}

static void end_of(const struct leg *leg)
{
    if (leg->ssl != NULL)
        assert_true(SSL_shutdown(leg->ssl) >= 0);
    else
        assert_int_equal(shutdown(leg->fd, SHUT_WR), 0);
}

static void await_end(struct rig *r, relay_end why)
{
    alarm(PATIENCE_S);
    while (!r->has_ended)
        assert_true(event_base_loop(r->base, EVLOOP_ONCE) >= 0);
    alarm(0);
    if (r->why != why)
        fail_msg("ended %d (%s), not %d", r->why, r->text, why);
}

/* ---- tests ---- */

static void what_is_allowed_goes_through_as_it_was_sent(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;

        start(&r, kinds[k].kind);
        say(&r, &r.far_client, "GET  a   b\nNO c\nGET d\n");
        hears(&r, &r.far_backend, "GET  a   b\nGET d\n");
        assert_int_equal(r.judged_count, 3);
        say(&r, &r.far_backend, "one\n");
        hears(&r, &r.far_client, "one\n-policy P-1 0 words\n");
        say(&r, &r.far_backend, "two\n");
        hears(&r, &r.far_client, "two\n");
        turns(&r);
        assert_true(inspect_is_quiet(r.inspect));
        assert_int_equal(inspect_bytes_up(r.inspect), 22);
        assert_int_equal(inspect_bytes_down(r.inspect), 8);
        stop(&r);
    }
}

static void what_is_refused_is_never_sent(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_client, "NO a\nNO b\n");
    hears(&r, &r.far_client, "-policy P-1 0 words\n-policy P-1 0 words\n");
    hears_nothing(&r, &r.far_backend);
    stop(&r);
}

static void the_verdicts_do_not_depend_on_how_the_bytes_come(void **state)
{
    static const char text[] = "GET a\nNO b\nMANY GET 3\nSIZE 5\nhello\nAGAIN tok\nGET z\n";
    static const char want[] = "GET a\nGET 1\nGET 2\nGET 3\nSIZE 5\nhelloGET z\n";

    (void)state;
    for (size_t k = 0; k < KINDS; k++)
        for (size_t cut = 1; cut < sizeof text - 1; cut += kinds[k].kind == PLAIN ? 1 : 7) {
            struct rig r;
            char first[sizeof text], fixed[sizeof text + 8];

            snprintf(fixed, sizeof fixed, "%s", text);
            memmove(strstr(fixed, "hello\n") + 5, strstr(fixed, "hello\n") + 6,
                    strlen(strstr(fixed, "hello\n") + 6) + 1);
            start(&r, kinds[k].kind);
            r.answers_login = true;
            memcpy(first, fixed, cut);
            first[cut] = '\0';
            say(&r, &r.far_client, first);
            turns(&r);
            say(&r, &r.far_client, fixed + (cut < strlen(fixed) ? cut : strlen(fixed)));
            hears(&r, &r.far_backend, want);
            assert_int_equal(r.judged_count, 6);
            assert_int_equal(r.login_count, 1);
            stop(&r);
        }
}

static void a_byte_at_a_time_is_the_same_again(void **state)
{
    static const char text[] = "GET a\nNO b\nGET c\n";
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    for (size_t i = 0; i < sizeof text - 1; i++)
        say(&r, &r.far_client, (char[2]){ text[i], '\0' });
    hears(&r, &r.far_backend, "GET a\nGET c\n");
    assert_int_equal(r.judged_count, 3);
    for (const char *at = "1\n2\n"; *at != '\0'; at++)
        say(&r, &r.far_backend, (char[2]){ *at, '\0' });
    hears(&r, &r.far_client, "1\n-policy P-1 0 words\n2\n");
    stop(&r);
}

static void nothing_overtakes_what_waits_for_its_verdict(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_client, "LATER a\nGET b\nLATER c\nNO d\n");
    hears_nothing(&r, &r.far_backend);
    assert_int_equal(r.judged_count, 4);
    assert_false(inspect_is_quiet(r.inspect));
    settle(&r, r.later[1], ADAPTER_RELEASE); /* in any order */
    hears_nothing(&r, &r.far_backend);
    settle(&r, r.later[0], ADAPTER_RELEASE);
    hears(&r, &r.far_backend, "LATER a\nGET b\nLATER c\n");
    say(&r, &r.far_backend, "1\n2\n3\n");
    hears(&r, &r.far_client, "1\n2\n3\n-policy P-1 0 words\n");
    stop(&r);
}

static void a_verdict_that_comes_late_may_be_a_no(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_client, "LATER a\nGET b\n");
    turns(&r);
    settle(&r, r.later[0], ADAPTER_REFUSE);
    hears(&r, &r.far_backend, "GET b\n");
    hears(&r, &r.far_client, "-policy P-1 0 words\n");
    stop(&r);
}

static void what_is_held_lets_others_pass_and_comes_when_it_is_approved(void **state)
{
    const struct adapter_verdict yes = { .ruling = ADAPTER_RELEASE };
    const struct adapter_verdict no = { .ruling = ADAPTER_REFUSE,
                                        .denied = { .failure = &refusal, .because = "late" } };
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_client, "WAIT WRITE a\nWAIT WRITE b\nGET c\n");
    hears(&r, &r.far_client, "HELD\nHELD\n");
    hears(&r, &r.far_backend, "GET c\n");
    assert_false(inspect_is_quiet(r.inspect));
    inspect_resume_held(r.inspect);
    inspect_resume_held(r.inspect);
    end_of(&r.far_client); /* in time: what is on its way comes first */
    turns(&r);
    inspect_settle(r.inspect, r.later[0], &yes);
    hears(&r, &r.far_backend, "WAIT WRITE a\n");
    assert_int_equal(r.leaves_count, 0);
    inspect_settle(r.inspect, r.later[1], &no);
    hears(&r, &r.far_client, "-policy P-1 0 late\n");
    hears_end(&r, &r.far_backend, -1);
    assert_true(r.leaves_count > 0);
    stop(&r);
}

static void a_backend_that_asks_is_judged_too(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_backend, "!GETS\n!NOPE\n");
    hears(&r, &r.far_client, "!asked\n");
    hears(&r, &r.far_backend, "!denied\n");
    stop(&r);
}

static void what_came_with_the_login_and_the_greeting_is_judged_first(void **state)
{
    struct rig r;

    (void)state;
    connect_rig(&r, PLAIN);
    assert_int_equal(begin(&r, "GET a\nGE", "$3\nabc", NULL), POSTERN_OK);
    hears(&r, &r.far_backend, "GET a\n");
    say(&r, &r.far_client, "T b\n");
    hears(&r, &r.far_backend, "GET b\n");
    hears(&r, &r.far_client, "$3\nabc");
    stop(&r);
}

static char *many(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i % 26);
    text[len] = '\0';
    return text;
}

/* Each takes what it likes and the bytes are those that were sent. */
static void big_answers_pass_slow_readers(void **state)
{
    enum { BIG = 3u << 20 };
    char head[32], *body = many(BIG);

    (void)state;
    snprintf(head, sizeof head, "$%u\n", BIG);
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;
        size_t sent = 0, got = 0, head_len = strlen(head);

        start(&r, kinds[k].kind);
        say(&r, &r.far_backend, head);
        hears(&r, &r.far_client, head);
        alarm(PATIENCE_S);
        while (got < BIG) {
            ssize_t n = sent < BIG ? put_some(&r.far_backend, body + sent, BIG - sent) : 0;

            sent += n > 0 ? (size_t)n : 0;
            turn(&r);
            n = get_some(&r.far_client, heard + got, got % 3 == 0 ? 100 : 50000);
            assert_true(n >= 0);
            got += (size_t)n;
        }
        alarm(0);
        assert_memory_equal(heard, body, BIG);
        assert_int_equal(inspect_bytes_down(r.inspect), BIG + head_len);
        stop(&r);
    }
    free(body);
}

/* A client that does not read does not make the door read its backend without end. */
static void a_client_that_does_not_read_stalls_its_backend(void **state)
{
    enum { BIG = 16u << 20 };
    char head[32], *body = many(1u << 20);
    struct rig r;
    size_t sent = 0;
    int small = 65536, still = 0;

    (void)state;
    snprintf(head, sizeof head, "$%u\n", BIG);
    start(&r, PLAIN);
    assert_int_equal(setsockopt(r.client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(r.far_client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(r.backend.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(r.far_backend.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    say(&r, &r.far_backend, head);
    while (still < 200) {
        ssize_t n = put_some(&r.far_backend, body, 65536);

        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (size_t)n : 0;
        turn(&r);
        assert_true(sent < BIG / 2);
    }
    free(body);
    stop(&r);
}

/* The same of a backend that does not read, however much its client has to say. */
static void a_backend_that_does_not_read_stalls_its_client(void **state)
{
    enum { BIG = 16u << 20 };
    char head[32], *body = many(1u << 20);
    struct rig r;
    size_t sent = 0;
    int small = 65536, still = 0;

    (void)state;
    snprintf(head, sizeof head, "SIZE %u\n", BIG);
    start(&r, PLAIN);
    assert_int_equal(setsockopt(r.backend.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(r.far_backend.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    say(&r, &r.far_client, head);
    while (still < 200) {
        ssize_t n = put_some(&r.far_client, body, 65536);

        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (size_t)n : 0;
        turn(&r);
        assert_true(sent < BIG);
    }
    free(body);
    stop(&r);
}

/* Refused all the time, and never reading why. */
static void a_client_that_is_refused_and_does_not_read_is_not_read_either(void **state)
{
    struct rig r;
    size_t sent = 0;
    int small = 65536, still = 0;

    (void)state;
    start(&r, PLAIN);
    assert_int_equal(setsockopt(r.client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(r.far_client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    while (still < 200) {
        ssize_t n = put_some(&r.far_client, "NO a\nNO b\nNO c\nNO d\n", 20);

        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (size_t)n : 0;
        turn(&r);
        assert_true(sent < (32u << 20));
    }
    stop(&r);
}

/* All of a long pipeline before the first answer is read, as many clients do. */
static void a_long_pipeline_may_be_sent_before_anything_is_read(void **state)
{
    enum { LINES = 20000 };
    struct rig r;
    size_t asked = 0, answered = 0;

    (void)state;
    start(&r, PLAIN);
    alarm(PATIENCE_S);
    for (int i = 0; i < LINES; i++)
        say(&r, &r.far_client, "GET a\n");
    while (answered < LINES) {
        char room[6];
        ssize_t n = get_some(&r.far_backend, room, 6);

        if (n > 0) {
            while (n < 6) {
                ssize_t more = get_some(&r.far_backend, room + n, 6 - (size_t)n);

                assert_true(more >= 0);
                n += more;
                turn(&r);
            }
            asked++;
            say(&r, &r.far_backend, "ok\n");
        }
        turn(&r);
        while (get_some(&r.far_client, room, 3) == 3)
            answered++;
    }
    alarm(0);
    assert_int_equal(asked, LINES);
    assert_int_equal(r.judged_count, LINES);
    stop(&r);
}

static void each_side_may_end_before_the_other(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;

        start(&r, kinds[k].kind);
        say(&r, &r.far_client, "GET a\nLATER b\ncut");
        hears(&r, &r.far_backend, "GET a\n");
        end_of(&r.far_client);
        hears_nothing(&r, &r.far_backend); /* b may still come */
        assert_int_equal(r.leaves_count, 0);
        settle(&r, r.later[0], ADAPTER_RELEASE);
        hears(&r, &r.far_backend, "LATER b\n");
        hears_end(&r, &r.far_backend, -1);
        assert_true(r.leaves_count > 0);
        say(&r, &r.far_backend, "1\n2\n");
        end_of(&r.far_backend);
        hears(&r, &r.far_client, "1\n2\n");
        hears_end(&r, &r.far_client, -1);
        await_end(&r, RELAY_FINISHED);
        stop(&r);
    }
}

static void a_reset_is_told_to_the_other_side(void **state)
{
    const struct linger reset = { .l_onoff = 1 };
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    assert_int_equal(setsockopt(r.far_client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close_far(&r.far_client);
    await_end(&r, RELAY_CLIENT_GONE);
    hears_end(&r, &r.far_backend, -2);
    stop(&r);
    start(&r, PLAIN);
    assert_int_equal(setsockopt(r.far_backend.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close_far(&r.far_backend);
    await_end(&r, RELAY_BACKEND_GONE);
    hears_end(&r, &r.far_client, -2);
    stop(&r);
}

static void what_nobody_understands_ends_it_with_a_word(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;

        start(&r, kinds[k].kind);
        say(&r, &r.far_client, "GET a\nBROKEN\nGET b\n");
        await_end(&r, RELAY_BROKEN);
        assert_int_equal(r.code, POSTERN_ERR_MESSAGE_MALFORMED);
        hears(&r, &r.far_client, "BYE broken\n");
        hears(&r, &r.far_backend, "GET a\n");
        hears_end(&r, &r.far_backend, -1);
        stop(&r);
    }
}

static void what_is_allowed_no_more_ends_it_and_its_owner_says_why(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;

        start(&r, kinds[k].kind);
        say(&r, &r.far_client, "GET a\nDENIED\nGET b\n");
        await_end(&r, RELAY_DENIED);
        assert_int_equal(r.code, POSTERN_ERR_POLICY);
        hears(&r, &r.far_client, "BYE policy\n");
        hears(&r, &r.far_backend, "GET a\n");
        hears_end(&r, &r.far_backend, -1);
        stop(&r);
    }
}

static void a_message_without_end_ends_it(void **state)
{
    char *line = many(ADAPTER_READ_AHEAD + 1000);
    struct rig r;
    size_t at = 0;

    (void)state;
    start(&r, PLAIN);
    alarm(PATIENCE_S);
    while (!r.has_ended) {
        ssize_t n = at < ADAPTER_READ_AHEAD + 1000
                        ? put_some(&r.far_client, line + at, ADAPTER_READ_AHEAD + 1000 - at)
                        : 0;

        at += n > 0 ? (size_t)n : 0;
        turn(&r);
    }
    alarm(0);
    assert_int_equal(r.why, RELAY_BROKEN);
    free(line);
    hears_end(&r, &r.far_backend, -1);
    stop(&r);
}

static void a_message_as_long_as_may_be_is_judged_whole(void **state)
{
    char *line = many(ADAPTER_MESSAGE_MAX);
    struct rig r;

    (void)state;
    memcpy(line, "GET ", 4);
    line[ADAPTER_MESSAGE_MAX - 1] = '\n';
    start(&r, CLIENT_TLS);
    say(&r, &r.far_client, line);
    hears(&r, &r.far_backend, line);
    assert_int_equal(r.judged_count, 1);
    free(line);
    stop(&r);
}

static void a_longer_lease_is_asked_for_and_answered_in_its_place(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    say(&r, &r.far_client, "AGAIN tok-1\nGET a\n");
    turns(&r);
    assert_int_equal(r.login_count, 1);
    assert_string_equal(r.last, "tok-1");
    hears_nothing(&r, &r.far_backend); /* nothing more is read of that side */
    answer_login(&r, true);
    hears(&r, &r.far_client, "RENEWED 42\n");
    hears(&r, &r.far_backend, "GET a\n");
    say(&r, &r.far_client, "AGAIN tok-2\nGET b\n");
    turns(&r);
    answer_login(&r, false);
    hears(&r, &r.far_client, "-policy P-1 0 \n");
    hears(&r, &r.far_backend, "GET b\n");
    stop(&r);
}

static void nothing_is_judged_while_there_is_no_room_for_a_record(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    r.is_full = true;
    say(&r, &r.far_client, "GET a\n");
    turns(&r);
    assert_int_equal(r.judged_count, 0);
    r.is_full = false;
    hears(&r, &r.far_backend, "GET a\n"); /* asked again by a timer */
    stop(&r);
}

static void not_more_wait_for_their_verdict_than_may(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    for (int i = 0; i < LINE_PENDING_MAX + 5; i++)
        say(&r, &r.far_client, "LATER a\n");
    turns(&r);
    assert_int_equal(r.judged_count, LINE_PENDING_MAX); /* the adapter says that it is full */
    settle(&r, r.later[0], ADAPTER_RELEASE);
    turns(&r);
    say(&r, &r.far_backend, "1\n");
    turns(&r);
    assert_int_equal(r.judged_count, LINE_PENDING_MAX + 1);
    stop(&r);
}

static void its_last_word_is_the_protocols(void **state)
{
    const struct adapter_denied why = { .failure = &refusal, .because = "", .contact = "" };

    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct rig r;

        start(&r, kinds[k].kind);
        say(&r, &r.far_client, "GET a\n");
        hears(&r, &r.far_backend, "GET a\n");
        inspect_say_goodbye(r.inspect, &why);
        inspect_free(r.inspect);
        r.inspect = NULL;
        r.has_ended = true;
        hears(&r, &r.far_client, "BYE policy\n");
        hears_end(&r, &r.far_client, -1);
        hears_end(&r, &r.far_backend, -1);
        stop(&r);
    }
}

static void one_that_is_cut_resets_both(void **state)
{
    struct rig r;

    (void)state;
    start(&r, PLAIN);
    inspect_free(r.inspect);
    r.inspect = NULL;
    r.has_ended = true;
    hears_end(&r, &r.far_client, -2);
    hears_end(&r, &r.far_backend, -2);
    stop(&r);
}

static void too_much_behind_a_login_is_refused(void **state)
{
    char *text = many(RELAY_GATHER_BYTES + 1);
    struct rig r;

    (void)state;
    connect_rig(&r, PLAIN);
    assert_int_equal(begin(&r, text, "", NULL), POSTERN_ERR_USAGE);
    assert_null(r.inspect);
    free(text);
    r.has_ended = true;
    hears_end(&r, &r.far_client, -2);
    stop(&r);
}

/* ---- memory ---- */

static void a_round_without_memory_ends_the_session_or_changes_nothing(void **state)
{
    bool is_through = false;

    (void)state;
    for (unsigned nth = 1; !is_through; nth++) {
        struct rig r;
        postern_err e;
        postern_error err = { 0 };

        connect_rig(&r, PLAIN);
        alloc_fail_arm(nth);
        e = begin(&r, "GET early\n", "", &err);
        if (e == POSTERN_OK) {
            (void)put_some(&r.far_client, "GET a\nNO b\nGE", 13);
            for (int i = 0; i < 10 && !r.has_ended; i++)
                turn(&r);
            (void)put_some(&r.far_client, "T c\n", 4);
            (void)put_some(&r.far_backend, "1\n2\n", 4);
            for (int i = 0; i < 10 && !r.has_ended; i++)
                turn(&r);
        } else {
            assert_int_equal(e, POSTERN_ERR_NOMEM);
        }
        is_through = !alloc_fail_disarm();
        if (e != POSTERN_OK)
            r.has_ended = true;
        if (is_through) {
            assert_int_equal(e, POSTERN_OK);
            hears(&r, &r.far_backend, "GET early\nGET a\nGET c\n");
        }
        stop(&r);
    }
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    ca = test_cert_new(NULL, NULL, -60, 3600);
    leaf = test_cert_new(&ca, "DNS:a.example", -60, 3600);
    server_ctx = test_server_ctx(&leaf, NULL);
    client_ctx = test_client_ctx(&ca, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    test_cert_free(&leaf);
    test_cert_free(&ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allowed_goes_through_as_it_was_sent),
        cmocka_unit_test(what_is_refused_is_never_sent),
        cmocka_unit_test(the_verdicts_do_not_depend_on_how_the_bytes_come),
        cmocka_unit_test(a_byte_at_a_time_is_the_same_again),
        cmocka_unit_test(nothing_overtakes_what_waits_for_its_verdict),
        cmocka_unit_test(a_verdict_that_comes_late_may_be_a_no),
        cmocka_unit_test(what_is_held_lets_others_pass_and_comes_when_it_is_approved),
        cmocka_unit_test(a_backend_that_asks_is_judged_too),
        cmocka_unit_test(what_came_with_the_login_and_the_greeting_is_judged_first),
        cmocka_unit_test(big_answers_pass_slow_readers),
        cmocka_unit_test(a_client_that_does_not_read_stalls_its_backend),
        cmocka_unit_test(a_backend_that_does_not_read_stalls_its_client),
        cmocka_unit_test(a_client_that_is_refused_and_does_not_read_is_not_read_either),
        cmocka_unit_test(a_long_pipeline_may_be_sent_before_anything_is_read),
        cmocka_unit_test(each_side_may_end_before_the_other),
        cmocka_unit_test(a_reset_is_told_to_the_other_side),
        cmocka_unit_test(what_nobody_understands_ends_it_with_a_word),
        cmocka_unit_test(what_is_allowed_no_more_ends_it_and_its_owner_says_why),
        cmocka_unit_test(a_message_without_end_ends_it),
        cmocka_unit_test(a_message_as_long_as_may_be_is_judged_whole),
        cmocka_unit_test(a_longer_lease_is_asked_for_and_answered_in_its_place),
        cmocka_unit_test(nothing_is_judged_while_there_is_no_room_for_a_record),
        cmocka_unit_test(not_more_wait_for_their_verdict_than_may),
        cmocka_unit_test(its_last_word_is_the_protocols),
        cmocka_unit_test(one_that_is_cut_resets_both),
        cmocka_unit_test(too_much_behind_a_login_is_refused),
        cmocka_unit_test(a_round_without_memory_ends_the_session_or_changes_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
