/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/http/http_curl.c against a server on loopback in a child process: the one unit test with a
 * socket, because what libcurl really does is the question.  No sleeps: the server answers at once
 * or waits for the client to go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/judge.h"

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\n"

/* ---- the server ---- */

static const struct {
    const char *path, *answer;
} answers[] = {
    { "/json", JSON_HEAD "Content-Length: 7\r\n\r\n{\"a\":1}" },
    { "/dated", JSON_HEAD "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
    { "/odd-date", JSON_HEAD "Date: yesterday\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
    { "/chunked",
      JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n" },
    { "/until-close", JSON_HEAD "\r\n{\"a\":1}" },
    { "/cut", JSON_HEAD "Content-Length: 8\r\n\r\n{\"a\":1}" },
    { "/redirect", "HTTP/1.1 302 Found\r\nLocation: /json\r\nContent-Length: 0\r\n\r\n" },
    { "/later", "HTTP/1.1 429 Too Many\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n" },
    { "/unauthorized", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Type: text/html\r\n"
                       "Content-Length: 2\r\n\r\nno" },
    { "/kept", JSON_HEAD "ETag: \"v1\"\r\nCache-Control: public\r\nCache-Control: max-age=600\r\nAge: 100\r\n"
                         "Content-Length: 2\r\n\r\n{}" },
    { "/not-kept", JSON_HEAD "Cache-Control: no-store, max-age=600\r\nContent-Length: 2\r\n\r\n{}" },
    { "/odd-etag", JSON_HEAD "ETag: \"\xc3\xa9\"\r\nContent-Length: 2\r\n\r\n{}" },
    { "/same", "HTTP/1.1 304 Not Modified\r\nETag: \"v2\"\r\nCache-Control: max-age=60\r\n\r\n" },
    { "/gzip", JSON_HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b" },
    { "/br", JSON_HEAD "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}" },
    { "/identity", JSON_HEAD "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}" },
    { "/te-unknown", JSON_HEAD "Transfer-Encoding: x-zip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
    { "/te-twice",
      JSON_HEAD "Transfer-Encoding: chunked\r\ntransfer-encoding:gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
    { "/te-loud", JSON_HEAD "TRANSFER-ENCODING: \t Chunked \r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
    { "/http09", "hello, I have no headers at all\n" },
    { "/garbage", "HTTP/9.9 what\r\n\r\n" },
    { "/close", "" },
    { "/long-type",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Type: "
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n" },
};

/* {"a":1} */
static const char gzipped[] = "\037\213\010\000\000\000\000\000\002\003\253\126\112\124\262\062\254\005\000\257\254\033\126\007\000\000\000";

static bool send_all(int fd, const char *text, size_t len)
{
    while (len != 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* `count` times `unit`: bodies and headers beyond the limits, to the end or as long as anybody
 * reads: who comes next is waiting. */
static void send_many(int fd, const char *unit, size_t count)
{
    while (count-- > 0 && send_all(fd, unit, strlen(unit)))
        continue;
}

/* The request with its body, NUL-terminated; false when the client went away. */
static bool read_request(int fd, char *room, size_t room_size)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, room + len, room_size - 1 - len);
        const char *head_end, *length;

        if (n <= 0)
            return false;
        len += (size_t)n;
        room[len] = '\0';
        if ((head_end = strstr(room, "\r\n\r\n")) == NULL)
            continue;
        length = strstr(room, "Content-Length: ");
        if (length == NULL || strlen(head_end + 4) >= strtoul(length + 16, NULL, 10))
            return true;
    }
}

static void answer_request(int fd, const char *rq)
{
    char head[128];

    for (size_t i = 0; i < COUNT(answers); i++) {
        size_t len = strlen(answers[i].path);
        const char *path = strchr(rq, ' ') + 1;

        if (strncmp(path, answers[i].path, len) == 0 && path[len] == ' ') {
            send_all(fd, answers[i].answer, strlen(answers[i].answer));
            return;
        }
    }
    if (strstr(rq, " /echo ") != NULL) {
        (void)snprintf(head, sizeof head, JSON_HEAD "Content-Length: %zu\r\n\r\n", strlen(rq));
        send_all(fd, head, strlen(head));
        send_all(fd, rq, strlen(rq));
    } else if (strstr(rq, " /huge ") != NULL) {
        send_many(fd, JSON_HEAD "\r\n", 1);
        send_many(fd, "0123456789abcdef", 1 << 20);
    } else if (strstr(rq, " /headers ") != NULL) {
        send_many(fd, JSON_HEAD, 1);
        send_many(fd, "X-Filler: 0123456789abcdef\r\n", 1 << 16);
    } else if (strstr(rq, " /te-gzip ") != NULL) {
        send_many(fd, JSON_HEAD "Transfer-Encoding: gzip\r\n\r\n", 1);
        send_all(fd, gzipped, sizeof gzipped - 1);
    } else if (strstr(rq, " /silent ") != NULL) {
        (void)!read(fd, head, sizeof head); /* until the client gives up */
    }
}

static void serve(int listener)
{
    char rq[16384];
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (read_request(fd, rq, sizeof rq))
            answer_request(fd, rq);
        (void)close(fd);
    }
}

/* ---- the client's side ---- */

static struct {
    int listener;
    pid_t pid;
    unsigned port;
} server;

static int listen_on(uint16_t port, unsigned *ret_port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    socklen_t len = sizeof sa;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *ret_port = ntohs(sa.sin_port);
    return fd;
}

static int start_server(void **state)
{
    (void)state;
    server.listener = listen_on(0, &server.port);
    server.pid = fork();
    if (server.pid == 0) {
        serve(server.listener);
        _exit(0);
    }
    return server.pid > 0 ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    (void)kill(server.pid, SIGKILL);
    (void)waitpid(server.pid, NULL, 0);
    return close(server.listener);
}

struct fetched {
    postern_err verdict;
    postern_error err;
    int status, retry_after_s, max_age_s;
    int64_t date_s;
    char etag[POSTERN_HTTP_ETAG_MAX];
    char content_type[128], body[20000];
    unsigned wakes;
};

/* One exchange under poll(2). */
static struct fetched fetch(const struct postern_http_request *rq)
{
    static const postern_http_transport *const t = &postern_http_curl;
    struct postern_http_exchange *x = NULL;
    struct fetched f = { 0 };

    f.verdict = t->start(t, rq, &x, &f.err);
    if (f.verdict != POSTERN_OK)
        return f;
    while ((f.verdict = t->step(x, &f.err)) == POSTERN_AGAIN) {
        struct pollfd p = { .fd = t->fd(x), .events = POLLIN };

        assert_true(t->wait_ms(x) >= 0);
        assert_true(poll(&p, 1, t->wait_ms(x)) >= 0);
        f.wakes++;
    }
    if (f.verdict == POSTERN_OK) {
        const struct postern_http_response *r = t->response(x);

        f.status = r->status;
        f.retry_after_s = r->retry_after_s;
        f.max_age_s = r->max_age_s;
        f.date_s = r->date_s;
        memcpy(f.etag, r->etag, sizeof f.etag);
        (void)snprintf(f.content_type, sizeof f.content_type, "%s", r->content_type);
        (void)snprintf(f.body, sizeof f.body, "%.*s", (int)r->body.len, (const char *)r->body.ptr);
    }
    t->free(x);
    return f;
}

static struct fetched fetch_with_etag(const char *host, const char *path, const char *etag)
{
    char url[256];
    struct postern_http_request rq = {
        .method = "GET",
        .url = url,
        .is_host_configured = true,
        .allow_loopback_http = true,
        .check_listener = true,
        .listener_uid = getuid(),
        .deadline_ms = 20000,
        .etag = etag,
    };

    (void)snprintf(url, sizeof url, "http://%s:%u%s", host, server.port, path);
    return fetch(&rq);
}

static struct fetched fetch_path(const char *host, const char *path)
{
    return fetch_with_etag(host, path, NULL);
}

static void assert_verdict(const char *path, const struct fetched *f, postern_err want)
{
    if (f->verdict != want)
        fail_msg("%s: %s: %s", path, postern_err_reason(f->verdict), f->err.detail);
}

static void answers_are_read_however_they_are_framed(void **state)
{
    static const char *const paths[] = { "/json", "/chunked", "/until-close" };

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct fetched f = fetch_path("127.0.0.1", paths[i]);

        assert_verdict(paths[i], &f, POSTERN_OK);
        assert_int_equal(f.status, 200);
        assert_string_equal(f.content_type, "application/json");
        assert_string_equal(f.body, "{\"a\":1}");
        assert_int_equal(f.retry_after_s, -1);
        assert_true(f.wakes < 20); /* no busy loop */
    }
}

static void what_is_not_an_answer_is_told_apart_from_no_answer(void **state)
{
    static const struct {
        const char *path;
        postern_err want;
    } cases[] = {
        { "/redirect", POSTERN_ERR_ISSUER_ANSWER },   { "/huge", POSTERN_ERR_ISSUER_ANSWER },
        { "/headers", POSTERN_ERR_ISSUER_ANSWER },    { "/http09", POSTERN_ERR_ISSUER_ANSWER },
        { "/garbage", POSTERN_ERR_ISSUER_ANSWER },    { "/cut", POSTERN_ERR_ISSUER_ANSWER },
        { "/close", POSTERN_ERR_ISSUER_UNREACHABLE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetched f = fetch_path("127.0.0.1", cases[i].path);

        assert_verdict(cases[i].path, &f, cases[i].want);
        assert_int_equal(f.err.code, cases[i].want);
    }
}

static void status_type_and_retry_after_are_reported(void **state)
{
    struct fetched f = fetch_path("127.0.0.1", "/later");

    (void)state;
    assert_verdict("/later", &f, POSTERN_OK);
    assert_int_equal(f.status, 429);
    assert_int_equal(f.retry_after_s, 30);
    assert_string_equal(f.content_type, "");
    f = fetch_path("127.0.0.1", "/unauthorized");
    assert_verdict("/unauthorized", &f, POSTERN_OK);
    assert_int_equal(f.status, 401);
    assert_string_equal(f.content_type, "text/html");
    f = fetch_path("127.0.0.1", "/long-type");
    assert_verdict("/long-type", &f, POSTERN_OK);
    assert_string_equal(f.content_type, "");
}

static void how_long_an_answer_may_be_kept_is_reported(void **state)
{
    static const struct {
        const char *path, *etag;
        int max_age_s;
    } cases[] = { { "/kept", "\"v1\"", 500 },
                  { "/not-kept", "", 0 },
                  { "/json", "", -1 },
                  { "/odd-etag", "", -1 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetched f = fetch_path("127.0.0.1", cases[i].path);

        assert_verdict(cases[i].path, &f, POSTERN_OK);
        assert_string_equal(f.etag, cases[i].etag);
        assert_int_equal(f.max_age_s, cases[i].max_age_s);
    }
}

static void the_servers_clock_is_reported_when_it_tells_it(void **state)
{
    static const struct {
        const char *path;
        int64_t date_s;
    } cases[] = { { "/dated", 784111777 }, { "/odd-date", -1 }, { "/json", -1 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetched f = fetch_path("127.0.0.1", cases[i].path);

        assert_verdict(cases[i].path, &f, POSTERN_OK);
        assert_int_equal(f.date_s, cases[i].date_s);
    }
}

static void not_modified_is_an_answer_to_who_asked_for_it_alone(void **state)
{
    struct fetched f = fetch_with_etag("127.0.0.1", "/same", "\"v1\"");

    (void)state;
    assert_verdict("/same", &f, POSTERN_OK);
    assert_int_equal(f.status, 304);
    assert_string_equal(f.etag, "\"v2\"");
    assert_int_equal(f.max_age_s, 60);
    f = fetch_with_etag("127.0.0.1", "/echo", "\"v1\"");
    assert_non_null(strstr(f.body, "\r\nIf-None-Match: \"v1\"\r\n"));
    f = fetch_path("127.0.0.1", "/same");
    assert_verdict("/same", &f, POSTERN_ERR_ISSUER_ANSWER);
    f = fetch_with_etag("127.0.0.1", "/redirect", "\"v1\"");
    assert_verdict("/redirect", &f, POSTERN_ERR_ISSUER_ANSWER);
}

static void a_compressed_answer_is_refused_and_never_unpacked(void **state)
{
    struct fetched f = fetch_path("127.0.0.1", "/gzip");

    (void)state;
    assert_verdict("/gzip", &f, POSTERN_ERR_ISSUER_ANSWER);
    assert_non_null(strstr(f.err.detail, "coded its answer"));
    f = fetch_path("127.0.0.1", "/br");
    assert_verdict("/br", &f, POSTERN_ERR_ISSUER_ANSWER);
    f = fetch_path("127.0.0.1", "/identity");
    assert_verdict("/identity", &f, POSTERN_OK);
    f = fetch_path("127.0.0.1", "/echo");
    assert_null(strstr(f.body, "Accept-Encoding"));
}

/* curl unpacks these whatever it is told of content: five layers deep, each of which can be a
 * thousand times the one around it. */
static void an_answer_that_is_packed_for_the_way_is_refused_and_never_unpacked(void **state)
{
    static const char *const paths[] = { "/te-gzip", "/te-unknown", "/te-twice" };
    struct fetched loud = fetch_path("127.0.0.1", "/te-loud");

    (void)state;
    assert_verdict("/te-loud", &loud, POSTERN_OK);
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct fetched f = fetch_path("127.0.0.1", paths[i]);

        assert_verdict(paths[i], &f, POSTERN_ERR_ISSUER_ANSWER);
        if (strstr(f.err.detail, "Transfer-Encoding") == NULL)
            fail_msg("%s: %s", paths[i], f.err.detail);
    }
}

static void a_request_says_what_it_must_and_no_more(void **state)
{
    char url[256];
    struct postern_http_request rq = {
        .method = "POST",
        .url = url,
        .authorization = POSTERN_BYTES_LIT("Basic YTpi"),
        .body = POSTERN_BYTES_LIT("grant_type=client_credentials"),
        .is_host_configured = true,
        .allow_loopback_http = true,
        .check_listener = true,
        .listener_uid = getuid(),
        .deadline_ms = 20000,
    };
    static const char *const never[] = { "Accept-Encoding", "Expect", "Cookie", "Proxy", "TE:" };
    struct fetched f;

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", server.port);
    f = fetch(&rq);
    assert_verdict("/echo", &f, POSTERN_OK);
    assert_non_null(strstr(f.body, "POST /echo HTTP/1.1\r\n"));
    assert_non_null(strstr(f.body, "\r\nAuthorization: Basic YTpi\r\n"));
    assert_non_null(strstr(f.body, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_non_null(strstr(f.body, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(f.body, "\r\nUser-Agent: postern/"));
    assert_non_null(strstr(f.body, "\r\n\r\ngrant_type=client_credentials"));
    for (size_t i = 0; i < COUNT(never); i++)
        assert_null(strstr(f.body, never[i]));
    rq = (struct postern_http_request){
        .method = "GET", .url = url, .is_host_configured = true, .allow_loopback_http = true
    };
    f = fetch(&rq);
    assert_verdict("/echo", &f, POSTERN_OK);
    assert_non_null(strstr(f.body, "GET /echo HTTP/1.1\r\n"));
    assert_null(strstr(f.body, "Authorization"));
}

static void the_environment_names_no_proxy_for_us(void **state)
{
    static const char *const names[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
                                         "HTTPS_PROXY", "all_proxy",  "ALL_PROXY" };
    struct fetched f;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
    f = fetch_path("127.0.0.1", "/json");
    assert_verdict("/json", &f, POSTERN_OK);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
}

static void localhost_is_reached_at_its_loopback_address(void **state)
{
    struct fetched f = fetch_path("localhost", "/json");

    (void)state;
    assert_verdict("localhost", &f, POSTERN_OK);
    assert_string_equal(f.body, "{\"a\":1}");
}

static void silence_ends_at_the_deadline(void **state)
{
    char url[256];
    struct postern_http_request rq = { .method = "GET",
                                       .url = url,
                                       .is_host_configured = true,
                                       .allow_loopback_http = true,
                                       .deadline_ms = 100 };
    struct fetched f;

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/silent", server.port);
    f = fetch(&rq);
    assert_verdict("/silent", &f, POSTERN_ERR_TIMEOUT);
    assert_true(f.wakes < 20);
}

static void a_dropped_exchange_leaves_nothing_behind(void **state)
{
    struct postern_http_request rq = { .method = "GET",
                                       .is_host_configured = true,
                                       .allow_loopback_http = true };
    struct postern_http_exchange *x = NULL;
    char url[256];

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/silent", server.port);
    rq.url = url;
    for (int steps = 0; steps < 4; steps++) {
        assert_int_equal(postern_http_curl.start(&postern_http_curl, &rq, &x, NULL), POSTERN_OK);
        for (int i = 0; i < steps; i++)
            assert_int_equal(postern_http_curl.step(x, NULL), POSTERN_AGAIN);
        postern_http_curl.free(x);
    }
    postern_http_curl.free(NULL);
}

static void a_url_that_must_not_be_fetched_is_refused_at_the_start(void **state)
{
    static const char *const urls[] = { "http://sso.example.org/", "ftp://127.0.0.1/",
                                        "https://u:p@h/", "file:///etc/passwd" };
    struct postern_http_request rq = { .method = "GET",
                                       .is_host_configured = true,
                                       .allow_loopback_http = true };
    struct fetched f;

    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        rq.url = urls[i];
        f = fetch(&rq);
        assert_verdict(urls[i], &f, POSTERN_ERR_ISSUER_UNTRUSTED);
    }
    rq.url = "http://127.0.0.1:1/";
    rq.allow_loopback_http = false;
    f = fetch(&rq);
    assert_verdict(rq.url, &f, POSTERN_ERR_ISSUER_UNTRUSTED);
}

static void a_private_address_that_only_a_document_named_is_not_connected_to(void **state)
{
    struct postern_http_request rq = { .method = "GET", .url = "https://127.0.0.1:1/" };
    struct fetched f = fetch(&rq);

    (void)state;
    assert_verdict(rq.url, &f, POSTERN_ERR_ISSUER_UNTRUSTED);
    rq.is_host_configured = true;
    f = fetch(&rq);
    assert_verdict(rq.url, &f, POSTERN_ERR_ISSUER_UNREACHABLE); /* judged fine; nobody is there */
    rq.url = "https://169.254.169.254/latest/meta-data/";
    f = fetch(&rq);
    assert_verdict(rq.url, &f, POSTERN_ERR_ISSUER_UNTRUSTED);
}

static void a_missing_authorities_file_is_not_replaced_by_the_systems(void **state)
{
    char url[256];
    struct postern_http_request rq = { .method = "GET",
                                       .url = url,
                                       .is_host_configured = true,
                                       .tls_ca_file = "/nonexistent/ca.pem" };
    struct fetched f;

    (void)state;
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/json", server.port);
    f = fetch(&rq);
    assert_verdict(url, &f, POSTERN_ERR_CONFIG_FILE);
}

/* ---- what is left in memory ---- */

/* Each letter one behind the one that is sent, so that the program's own text is not found. */
static const char kept_in_header[] = "CBTJD.TFDSFU.WBMVF";
static const char kept_in_body[] = "CPEZ.TFDSFU.WBMVF";

static void write_secret(char *to, const char *shifted)
{
    while (*shifted != '\0')
        *to++ = (char)(*shifted++ - 1);
    *to = '\0';
}

static size_t count_in(const uint8_t *at, size_t len, const char *shifted)
{
    size_t found = 0, wanted = strlen(shifted);

    for (size_t i = 0; i + wanted <= len; i++) {
        size_t same = 0;

        while (same < wanted && at[i + same] == (uint8_t)(shifted[same] - 1))
            same++;
        found += same == wanted;
    }
    return found;
}

/* In the heap that malloc(3) grows by brk(2); a sanitizer has none, and then nothing is found. */
static size_t count_in_heap(const char *shifted)
{
    static uint8_t copy[1 << 22];
    FILE *maps = fopen("/proc/self/maps", "re"), *memory = fopen("/proc/self/mem", "re");
    char line[512];
    size_t found = 0;

    assert_non_null(maps);
    assert_non_null(memory);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *end;
        unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, NULL, 16);

        if (strstr(line, "[heap]") == NULL || to - from > sizeof copy)
            continue;
        assert_int_equal(fseek(memory, (long)from, SEEK_SET), 0);
        assert_int_equal(fread(copy, 1, to - from, memory), to - from);
        found += count_in(copy, to - from, shifted);
    }
    (void)fclose(maps);
    (void)fclose(memory);
    return found;
}

static void no_copy_of_a_secret_outlives_the_exchange(void **state)
{
    char url[64], header[64] = "Basic ", body[64] = "x=";
    struct postern_http_request rq = {
        .method = "POST",
        .url = url,
        .is_host_configured = true,
        .allow_loopback_http = true,
    };
    struct fetched f;

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", server.port);
    write_secret(header + strlen(header), kept_in_header);
    write_secret(body + strlen(body), kept_in_body);
    rq.authorization = postern_bytes_str(header);
    rq.body = postern_bytes_str(body);
    f = fetch(&rq); /* the server sends both back: the answer's buffers count too */
    assert_verdict("/echo", &f, POSTERN_OK);
    assert_non_null(strstr(f.body, header));
    assert_int_equal(count_in_heap(kept_in_header), 0);
    assert_int_equal(count_in_heap(kept_in_body), 0);
}

/* ---- who listens ---- */

/* A uid that neither is root nor owns the test's sockets. */
#define OTHER_UID ((uid_t)(getuid() + 4242))

static void another_users_listener_gets_no_connection(void **state)
{
    char url[256];
    struct postern_http_request rq = { .method = "GET",
                                       .url = url,
                                       .is_host_configured = true,
                                       .allow_loopback_http = true,
                                       .check_listener = true,
                                       .listener_uid = OTHER_UID };
    int fd = -1, status;
    unsigned port;
    pid_t pid = -1;
    struct fetched f;

    (void)state;
    if (getuid() == 0) { /* root trusts root: somebody else must listen */
        int up[2];

        assert_int_equal(pipe(up), 0);
        if ((pid = fork()) == 0) {
            if (setuid(65534) != 0)
                _exit(1);
            fd = listen_on(0, &port);
            (void)!write(up[1], &port, sizeof port);
            _exit(accept(fd, NULL, NULL) >= 0 ? 1 : 2); /* blocks until it is killed */
        }
        assert_int_equal(read(up[0], &port, sizeof port), sizeof port);
        (void)close(up[0]);
        (void)close(up[1]);
    } else {
        fd = listen_on(0, &port);
    }
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/json", port);
    f = fetch(&rq);
    assert_verdict(url, &f, POSTERN_ERR_ISSUER_UNTRUSTED);
    if (pid > 0) {
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* still waiting: nobody came */
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    } else {
        (void)close(fd);
    }
}

static void nobody_listening_is_unreachable(void **state)
{
    char url[256];
    struct postern_http_request rq = { .method = "GET",
                                       .url = url,
                                       .is_host_configured = true,
                                       .allow_loopback_http = true,
                                       .check_listener = true,
                                       .listener_uid = getuid() };
    unsigned port;
    struct fetched f;

    (void)state;
    (void)close(listen_on(0, &port)); /* free again */
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/json", port);
    f = fetch(&rq);
    assert_verdict(url, &f, POSTERN_ERR_ISSUER_UNREACHABLE);
}

static void a_listener_that_changed_while_we_connected_is_untrusted(void **state)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct postern_http_request rq = { .method = "GET",
                                       .is_host_configured = true,
                                       .allow_loopback_http = true,
                                       .check_listener = true,
                                       .listener_uid = getuid() };
    struct postern_judge j;
    unsigned port, same;
    char url[256];
    int fd = listen_on(0, &port);

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    rq.url = url;
    sa.sin_port = htons((uint16_t)port);
    assert_int_equal(postern_judge_url(&rq, &j, NULL), POSTERN_OK);
    assert_int_equal(postern_judge_address(&j, (struct sockaddr *)&sa, sizeof sa, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_judge_connected(&j, "127.0.0.1", (int)port, NULL), POSTERN_OK);
    (void)close(fd);
    assert_int_equal(postern_judge_connected(&j, "127.0.0.1", (int)port, NULL),
                     POSTERN_ERR_ISSUER_UNREACHABLE);
    fd = listen_on((uint16_t)port, &same); /* same user, same port, another socket */
    assert_int_equal(postern_judge_connected(&j, "127.0.0.1", (int)port, NULL),
                     POSTERN_ERR_ISSUER_UNTRUSTED);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_however_they_are_framed),
        cmocka_unit_test(what_is_not_an_answer_is_told_apart_from_no_answer),
        cmocka_unit_test(status_type_and_retry_after_are_reported),
        cmocka_unit_test(how_long_an_answer_may_be_kept_is_reported),
        cmocka_unit_test(the_servers_clock_is_reported_when_it_tells_it),
        cmocka_unit_test(not_modified_is_an_answer_to_who_asked_for_it_alone),
        cmocka_unit_test(a_compressed_answer_is_refused_and_never_unpacked),
        cmocka_unit_test(an_answer_that_is_packed_for_the_way_is_refused_and_never_unpacked),
        cmocka_unit_test(a_request_says_what_it_must_and_no_more),
        cmocka_unit_test(the_environment_names_no_proxy_for_us),
        cmocka_unit_test(localhost_is_reached_at_its_loopback_address),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(a_dropped_exchange_leaves_nothing_behind),
        cmocka_unit_test(a_url_that_must_not_be_fetched_is_refused_at_the_start),
        cmocka_unit_test(a_private_address_that_only_a_document_named_is_not_connected_to),
        cmocka_unit_test(a_missing_authorities_file_is_not_replaced_by_the_systems),
        cmocka_unit_test(no_copy_of_a_secret_outlives_the_exchange),
        cmocka_unit_test(another_users_listener_gets_no_connection),
        cmocka_unit_test(nobody_listening_is_unreachable),
        cmocka_unit_test(a_listener_that_changed_while_we_connected_is_untrusted),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
