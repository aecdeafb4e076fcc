/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sides that say far more than anybody can use, at sidecar/door/inspect.c with the MCP adapter: other
 * sessions of the loop have their turn, and what the door keeps for them has a bound.  The test is
 * the owner and both far ends.
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

#include "adapters/mcp_calls.h"
#include "door/inspect.h"
#include "door_certs.h"

#define PATIENCE_S 60
#define FAR 2 /* a session's far ends, by enum adapter_side */
#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
/* Steps of one session before another has had its turn: its own round, and what is left of one that was
 * begun when the other one's bytes came. */
#define STEPS_MAX (2 * INSPECT_ACTIONS_PER_WAKE)
/* What a socket of these tests keeps for each direction, as the kernel counts it. */
#define SOCKET_ROOM 131072

struct session {
    struct inspect *inspect;
    int far[FAR];
    adapter_ruling ruling; /* of everything */
    size_t steps, judged;
    struct session *wakes; /* it speaks when this one has begun */
    struct session *watched;
    size_t watched_steps; /* of that one when this one was judged first */
};

static struct event_base *base;
static struct relay_pool *pool;

/* ---- the owner ---- */

static void on_judge(void *arg, const struct adapter_action *a)
{
    static postern_failure refusal = { .code = POSTERN_ERR_POLICY, .ref = "R-1" };
    struct session *s = arg;
    const struct adapter_verdict v = {
        .ruling = s->ruling, .denied = { .failure = &refusal, .because = "", .contact = "" }
    };

    if (s->judged++ == 0 && s->watched != NULL)
        s->watched_steps = s->watched->steps;
    inspect_settle(s->inspect, a->id, &v);
}

/* Asked before each step. */
static bool on_room(void *arg)
{
    struct session *s = arg;

    if (s->steps++ == 0 && s->wakes != NULL)
        assert_int_equal(send(s->wakes->far[ADAPTER_CLIENT], PING, sizeof PING - 1, MSG_NOSIGNAL),
                         sizeof PING - 1);
    return true;
}

static void on_login(void *arg, const struct adapter_login *login)
{
    (void)arg;
    (void)login;
    fail_msg("a login inside of a session");
}

static void on_leave(void *arg)
{
    (void)arg;
}

static void on_end(void *arg, relay_end why)
{
    struct session *s = arg;

    fail_msg("it ended, %d: %s", why, inspect_end_text(s->inspect));
}

/* ---- the world ---- */

static void make_room_small(int fd)
{
    int room = SOCKET_ROOM;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    test_set_blocking(fd, 0);
}

static void begin(struct session *s)
{
    const struct adapter *mcp = adapter_find("mcp");
    struct inspect_parts p = { .adapter = mcp, .take_state = calloc(1, mcp->state_size) };
    const struct inspect_owner owner = { on_judge, on_room, on_login, on_leave, on_end, s };
    int c[2], b[2];

    /* What is written to such a one is there at once: who comes when is the door's doing alone. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
    for (int i = 0; i < 2; i++) {
        make_room_small(c[i]);
        make_room_small(b[i]);
    }
    s->far[ADAPTER_CLIENT] = c[0];
    s->far[ADAPTER_BACKEND] = b[0];
    p.take_client.fd = c[1];
    p.take_backend.fd = b[1];
    assert_non_null(p.take_state);
    assert_int_equal(inspect_new(pool, &p, owner, &s->inspect, NULL), POSTERN_OK);
}

static void end(struct session *s)
{
    inspect_free(s->inspect);
    assert_int_equal(close(s->far[0]) + close(s->far[1]), 0);
}

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    assert_non_null(base);
    assert_int_equal(relay_pool_new(base, &pool, NULL), POSTERN_OK);
    alarm(PATIENCE_S);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alarm(0);
    relay_pool_free(pool);
    event_base_free(base);
    return 0;
}

static void turn(void)
{
    assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

/* As much of `line`, again and again, as the socket takes now; returns the bytes.  *at: of the first
 * line those that were taken before. */
static size_t pour(int fd, const char *line, size_t *at)
{
    static char many[65536];
    size_t len = strlen(line), whole = sizeof many / len * len, sum = 0;
    ssize_t n;

    for (size_t i = 0; i < whole; i += len)
        memcpy(many + i, line, len);
    while ((n = send(fd, many + *at, whole - *at, MSG_NOSIGNAL)) > 0) {
        sum += (size_t)n;
        *at = (*at + (size_t)n) % len;
    }
    assert_int_equal(errno, EAGAIN);
    return sum;
}

static size_t drink(int fd)
{
    static char room[65536];
    size_t sum = 0;
    ssize_t n;

    while ((n = recv(fd, room, sizeof room, 0)) > 0)
        sum += (size_t)n;
    assert_int_equal(n, -1);
    return sum;
}

/* ---- turns ---- */

static const struct {
    const char *what;
    enum adapter_side from;
    const char *line;
} floods[] = {
    { "blank lines of a client", ADAPTER_CLIENT, "\n" },
    { "blank lines of a server", ADAPTER_BACKEND, "\r\n" },
    { "what a server logs", ADAPTER_BACKEND, "x\n" },
    { "answers of a client's that nobody waits for", ADAPTER_CLIENT, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n" },
    { "answers of a server's that nobody waits for", ADAPTER_BACKEND, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n" },
    { "notifications of a client", ADAPTER_CLIENT, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n" },
    { "notifications of a server", ADAPTER_BACKEND,
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n" },
    { "cancellations of nothing", ADAPTER_CLIENT,
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":9}}\n" },
};
#define FLOODS (sizeof floods / sizeof floods[0])

/* The other session speaks when the flood has begun: it must not wait until that has run dry. */
static void who_floods_its_door_does_not_stop_the_others_of_its_loop(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLOODS; i++) {
        struct session other = { .ruling = ADAPTER_RELEASE };
        struct session flood = { .ruling = ADAPTER_RELEASE, .wakes = &other };
        size_t at = 0, lines;

        other.watched = &flood;
        begin(&flood);
        begin(&other);
        lines = pour(flood.far[floods[i].from], floods[i].line, &at) / strlen(floods[i].line);
        assert_true(lines > 2 * STEPS_MAX); /* else it is none */
        while (other.judged == 0)
            turn();
        if (other.watched_steps > STEPS_MAX)
            fail_msg("%s: %zu steps of %zu lines before the other's turn", floods[i].what,
                     other.watched_steps, lines);
        while (flood.steps < lines) { /* and nothing of it is left lying */
            turn();
            (void)drink(flood.far[ADAPTER_CLIENT]);
            (void)drink(flood.far[ADAPTER_BACKEND]);
        }
        end(&flood);
        end(&other);
    }
}

/* ---- bounds ---- */

#define CALL "{\"jsonrpc\":\"2.0\",\"id\":\"%07zu\",\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n"
/* Read ahead, waiting for verdicts, and to be sent: what the headers say, and some slack of blocks. */
#define KEPT_MAX (ADAPTER_READ_AHEAD + RELAY_GATHER_BYTES + MCP_WAITING_MAX + INSPECT_OWN_STOP + (1u << 20))
#define POURED_MAX (64u << 20)

/* Until nothing of it has moved for a while; returns how many bytes went in. */
static size_t pour_until_it_stops(struct session *s, enum adapter_side from, const char *line)
{
    size_t sum = 0, at = 0, still = 0;

    while (still < 200) {
        size_t n = pour(s->far[from], line, &at);

        still = n > 0 ? 0 : still + 1;
        sum += n;
        turn();
        if (sum > POURED_MAX)
            fail_msg("%zu bytes went in and nobody has read one", sum);
    }
    return sum;
}

/* Nobody reads what is passed on: the one who says it is not read either, and hears of none of it lost. */
static void notifications_that_nobody_reads_stop_who_sends_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLOODS; i++) {
        enum adapter_side from = floods[i].from, to = from == ADAPTER_CLIENT ? ADAPTER_BACKEND : ADAPTER_CLIENT;
        struct session s = { .ruling = ADAPTER_RELEASE };
        size_t poured, passed = 0, rest;

        if (strstr(floods[i].line, "\"method\"") == NULL)
            continue;
        begin(&s);
        poured = pour_until_it_stops(&s, from, floods[i].line);
        assert_true(inspect_bytes_up(s.inspect) + inspect_bytes_down(s.inspect) < KEPT_MAX + 8 * SOCKET_ROOM);
        rest = poured % strlen(floods[i].line); /* of a line that was cut */
        while (passed < poured - rest) {
            passed += drink(s.far[to]);
            turn();
        }
        assert_int_equal(passed, poured - rest);
        end(&s);
    }
}

/* Calls of which each is another one, in one piece. */
static size_t pour_calls(struct session *s, size_t *number)
{
    char line[sizeof CALL + 16];
    size_t sum = 0, still = 0, len = 0, at = 0;

    while (still < 200) {
        ssize_t n;

        if (at == len) {
            len = (size_t)snprintf(line, sizeof line, CALL, (*number)++);
            at = 0;
        }
        n = send(s->far[ADAPTER_CLIENT], line + at, len - at, MSG_NOSIGNAL);
        if (n > 0) {
            at += (size_t)n;
            sum += (size_t)n;
            still = 0;
            continue;
        }
        still++;
        turn();
        if (sum > POURED_MAX)
            fail_msg("%zu bytes went in and nobody has read one", sum);
    }
    return sum;
}

/* Held, or refused to somebody who does not read why: both sides' memory is the door's. */
static void calls_that_go_nowhere_stop_who_sends_them(void **state)
{
    static const adapter_ruling rulings[] = { ADAPTER_HOLD, ADAPTER_REFUSE, ADAPTER_RELEASE };

    (void)state;
    for (size_t i = 0; i < sizeof rulings / sizeof rulings[0]; i++) {
        struct session s = { .ruling = rulings[i] };
        size_t number = 0;

        begin(&s);
        assert_true(pour_calls(&s, &number) > 0);
        assert_true(inspect_bytes_up(s.inspect) < KEPT_MAX + 8 * SOCKET_ROOM);
        if (rulings[i] != ADAPTER_REFUSE)
            assert_int_equal(s.judged, ADAPTER_PENDING_MAX);
        end(&s);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(who_floods_its_door_does_not_stop_the_others_of_its_loop),
        T(notifications_that_nobody_reads_stop_who_sends_them),
        T(calls_that_go_nowhere_stop_who_sends_them),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
