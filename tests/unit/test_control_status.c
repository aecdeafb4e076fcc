/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/status.c over real TCP on loopback: three pages, what they say in which state, and that nobody holds the listener. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/status.h"
#include "control_fixture.h"

struct world {
    struct fixture *f;
    struct status *status;
    struct sockaddr_in address;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    socklen_t size = sizeof w->address;
    void *inner = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (w == NULL || fixture_set_up(&inner) != 0)
        return -1;
    w->f = inner;
    w->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)&w->address, sizeof w->address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&w->address, &size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(status_new(&w->f->control, fd, &w->status, NULL), POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *inner = w->f;

    status_free(w->status);
    free(w);
    return fixture_tear_down(&inner);
}

static int connect_to(struct world *w)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&w->address, sizeof w->address), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything until the other end says that there is no more; the loop runs meanwhile. */
static const char *read_all(struct world *w, int fd)
{
    static char text[262144];
    ssize_t n = -1, len = 0;

    while (n != 0) {
        n = recv(fd, text + len, sizeof text - 1 - (size_t)len, MSG_DONTWAIT);
        if (n > 0)
            len += n;
        else if (n < 0 && errno == EAGAIN)
            assert_true(event_base_loop(w->f->control.base, EVLOOP_ONCE) >= 0);
        else
            break;
    }
    assert_int_equal(n, 0);
    text[len] = '\0';
    close(fd);
    fixture_turn(w->f);
    return text;
}

static const char *ask(struct world *w, const char *request)
{
    int fd = connect_to(w);

    send_text(fd, request);
    return read_all(w, fd);
}

static void assert_answer(const char *got, const char *status, const char *body)
{
    const char *end = strstr(got, "\r\n\r\n");
    char length[64];

    if (strncmp(got, "HTTP/1.1 ", 9) != 0 || strncmp(got + 9, status, strlen(status)) != 0)
        fail_msg("want %s, got %s", status, got);
    assert_non_null(end);
    if (body != NULL)
        assert_string_equal(end + 4, body);
    (void)snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(end + 4));
    assert_non_null(strstr(got, length));
    assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
}

static void a_process_that_answers_is_alive(void **state)
{
    struct world *w = *state;

    assert_answer(ask(w, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), "200 ", "{\"status\":\"alive\"}\n");
    assert_true(status_is_idle(w->status));
}

static void ready_names_what_is_missing(void **state)
{
    static const char *const request = "GET /readyz HTTP/1.1\r\n\r\n";
    struct world *w = *state;
    struct control *c = &w->f->control;

    c->is_audited = false;
    assert_answer(ask(w, request), "503 ", "{\"status\":\"unready\",\"missing\":[\"door\",\"helper\",\"audit\"]}\n");
    c->is_audited = true;
    fixture_connect(w->f, c->helper, &w->f->helper);
    assert_answer(ask(w, request), "503 ", "{\"status\":\"unready\",\"missing\":[\"door\"]}\n");
    fixture_connect(w->f, c->door, &w->f->door);
    assert_answer(ask(w, request), "200 ", "{\"status\":\"ready\",\"missing\":[]}\n");
    test_folder_put(&w->f->folder, "blocks", "broken\n");
    fixture_turn(w->f);
    assert_answer(ask(w, request), "200 ",
                  "{\"status\":\"degraded\",\"missing\":[],\"blocks_file\":\"blocks: line 1: behind the agent there is neither a "
                  "time such as 2026-12-01T00:00:00Z nor -\"}\n");
    channel_free(w->f->door);
    w->f->door = NULL;
    fixture_turn(w->f);
    assert_answer(ask(w, request), "503 ", NULL);
}

static void a_line_that_was_not_told_is_not_ready(void **state)
{
    struct world *w = *state;
    struct control *c = &w->f->control;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    int fds[2];

    c->has_doors = false;
    fixture_connect(w->f, c->helper, &w->f->helper);
    assert_true(status_write_ready(c, &out)); /* no door is configured: none is missed */
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    link_set(c->door, fds[1]);
    assert_false(status_write_ready(c, &out)); /* but one that is there must know the blocks */
    close(fds[0]);
}

static void what_is_no_get_of_a_page_is_refused(void **state)
{
    static const struct { const char *request, *status; } cases[] = {
        { "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "405 " },
        { "HEAD /healthz HTTP/1.1\r\n\r\n", "405 " },
        { "DELETE /readyz HTTP/1.1\r\n\r\n", "405 " },
        { "GET / HTTP/1.1\r\n\r\n", "404 " },
        { "GET /sessions HTTP/1.1\r\n\r\n", "404 " },
        { "GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "400 " },
        { "{\"verb\":\"block\",\"agent\":\"a\"}\n\n", "400 " },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_answer(ask(w, cases[i].request), cases[i].status, NULL);
    assert_non_null(strstr(ask(w, cases[0].request), "\r\nAllow: GET\r\n"));
    assert_int_equal(fake_audit_count, 0);
    assert_int_equal(blocks_file_list(w->f->control.blocks)->count, 0);
}

static void metrics_hold_everybodys_part(void **state)
{
    static const char *const request = "GET /metrics HTTP/1.1\r\n\r\n";
    struct world *w = *state;
    int fd, second;
    const char *got;

    fixture_connect_both(w->f);
    w->f->control.requests[CONTROL_BLOCK][CONTROL_DENIED] = 4;
    fd = connect_to(w);
    send_text(fd, request);
    fixture_turn(w->f);
    second = connect_to(w);
    send_text(second, request);
    fixture_turn(w->f);
    fixture_say(w->f, w->f->door, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"postern_door_x 1\\n\"}",
                (intmax_t)fixture_expect(w->f->door, "metrics"));
    fixture_say(w->f, w->f->helper, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"postern_helper_x 2\\n\"}",
                (intmax_t)fixture_expect(w->f->helper, "metrics"));
    got = read_all(w, fd);
    assert_answer(got, "200 ", NULL);
    assert_non_null(strstr(got, "\npostern_child_connected{child=\"door\"} 1\n"));
    assert_non_null(strstr(got, "\npostern_control_requests_total{verb=\"block\",end=\"denied\"} 4\n"));
    assert_non_null(strstr(got, "\npostern_door_x 1\npostern_helper_x 2\n"));
    assert_non_null(strstr(read_all(w, second), "\npostern_door_x 1\n"));
    assert_non_null(strstr(ask(w, request), "\npostern_helper_x 2\n")); /* kept for a second */
    fixture_expect_silence(w->f->door);
    fixture_expect_silence(w->f->helper);
}

static void metrics_do_without_who_is_away_or_talks_nonsense(void **state)
{
    static const char *const request = "GET /metrics HTTP/1.1\r\n\r\n";
    struct world *w = *state;
    const char *got;
    int fd;

    fixture_connect(w->f, w->f->control.helper, &w->f->helper);
    fd = connect_to(w);
    send_text(fd, request);
    fixture_turn(w->f);
    fixture_say(w->f, w->f->helper, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"no end of line\"}",
                (intmax_t)fixture_expect(w->f->helper, "metrics"));
    got = read_all(w, fd);
    assert_answer(got, "200 ", NULL);
    assert_non_null(strstr(got, "\npostern_child_connected{child=\"door\"} 0\n"));
    assert_null(strstr(got, "no end of line"));
}

/* Every line but a comment is a name, perhaps labels, and a number. */
static void our_own_metrics_can_be_parsed(void **state)
{
    struct world *w = *state;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);
    char *rest, *line;

    status_write_metrics(&w->f->control, &out);
    assert_non_null(postern_buf_cstr(&out));
    for (rest = (char *)(uintptr_t)postern_buf_cstr(&out); (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '#' && line[0] != '\0') {
            const char *value = strrchr(line, ' ');

            assert_non_null(value);
            assert_true(strspn(value + 1, "0123456789") == strlen(value + 1) && value[1] != '\0');
            assert_int_equal(strncmp(line, "postern_", 8), 0);
        }
}

static void a_peer_that_only_stops_sending_is_answered(void **state)
{
    struct world *w = *state;
    int fd = connect_to(w);

    send_text(fd, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_answer(read_all(w, fd), "200 ", NULL);
    fd = connect_to(w);
    send_text(fd, "GET /hea");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_string_equal(read_all(w, fd), "");
}

/* Anybody on the machine can take all places; who asks is answered all the same, and at once. */
static void silent_connections_do_not_keep_a_probe_waiting(void **state)
{
    struct world *w = *state;
    int fds[STATUS_CONNECTIONS_MAX];
    int late;

    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++) {
        fds[i] = connect_to(w);
        fixture_turn(w->f);
    }
    late = connect_to(w);
    send_text(late, "GET /healthz HTTP/1.1\r\n\r\n");
    fixture_turn(w->f);
    assert_int_equal(recv(fds[0], &(char){ 0 }, 1, MSG_DONTWAIT), 0); /* the oldest went */
    for (size_t i = 1; i < STATUS_CONNECTIONS_MAX; i++)
        assert_int_equal(recv(fds[i], &(char){ 0 }, 1, MSG_DONTWAIT), -1);
    assert_answer(read_all(w, late), "200 ", NULL);
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        assert_string_equal(read_all(w, fds[i]), ""); /* STATUS_REQUEST_MAX_S */
}

/* Who has said what he wants stays, however many come after him and say nothing. */
static void who_waits_for_metrics_does_not_make_room_for_who_says_nothing(void **state)
{
    struct world *w = *state;
    int fds[2 * STATUS_CONNECTIONS_MAX];
    int64_t door, helper;
    int fd = connect_to(w);

    fixture_connect_both(w->f);
    send_text(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    fixture_turn(w->f);
    door = fixture_expect(w->f->door, "metrics");
    helper = fixture_expect(w->f->helper, "metrics");
    for (size_t i = 0; i < 2 * STATUS_CONNECTIONS_MAX; i++) {
        fds[i] = connect_to(w);
        fixture_turn(w->f);
    }
    fixture_say(w->f, w->f->door, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"x 1\\n\"}",
                (intmax_t)door);
    fixture_say(w->f, w->f->helper, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"y 1\\n\"}",
                (intmax_t)helper);
    assert_answer(read_all(w, fd), "200 ", NULL);
    for (size_t i = 0; i < 2 * STATUS_CONNECTIONS_MAX; i++)
        close(fds[i]);
    fixture_turn(w->f);
}

static void it_can_be_taken_apart_while_metrics_are_awaited(void **state)
{
    struct world *w = *state;
    int fd = connect_to(w);

    fixture_connect_both(w->f);
    send_text(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    fixture_turn(w->f);
    status_drain(w->status);
    assert_false(status_is_idle(w->status));
    status_free(w->status);
    w->status = NULL;
    fixture_say(w->f, w->f->door, "{\"type\":\"metrics\",\"id\":%jd,\"text\":\"x 1\\n\"}",
                (intmax_t)fixture_expect(w->f->door, "metrics"));
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_process_that_answers_is_alive),
        T(ready_names_what_is_missing),
        T(a_line_that_was_not_told_is_not_ready),
        T(what_is_no_get_of_a_page_is_refused),
        T(metrics_hold_everybodys_part),
        T(metrics_do_without_who_is_away_or_talks_nonsense),
        T(our_own_metrics_can_be_parsed),
        T(a_peer_that_only_stops_sending_is_answered),
        T(silent_connections_do_not_keep_a_probe_waiting),
        T(who_waits_for_metrics_does_not_make_room_for_who_says_nothing),
        T(it_can_be_taken_apart_while_metrics_are_awaited),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as in every child of posternd */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
