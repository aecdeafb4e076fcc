/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one real transport, and the only file that knows libcurl: a multi handle of its own per
 * exchange, driven through one epoll descriptor that also holds curl's timer.  https, or http to
 * loopback; no redirect, proxy, netrc, cookie or compression; every address, and every http
 * listener before and after the connection, is judged by judge.c.
 *
 * Secrets: the body is sent from wiped memory; the Authorization line is wiped here before curl
 * frees it.  curl copies both into its request buffer, and the answer through its receive buffer:
 * those are wiped when freed, because we are the first to initialise curl and bring a wiping
 * allocator.  In a process that initialised curl before us they are freed unwiped.  OpenSSL's
 * record buffers hold the last decrypted record until they are reused.
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "http/freshness.h"
#include "http/judge.h"

#define CONNECT_MS      2000  /* facts: a server that needs longer to accept is down for a login */
#define HEADERS_MAX     65536 /* bytes of an answer's header lines */
#define HEADER_LINE_MAX 8192  /* bytes of one of ours: Basic with id and secret, encoded */
#define ROUNDS_MAX      16 /* epoll rounds of one step: bounded work, the rest is still readable */
#define EVENTS_MAX      8
#define RETRY_AFTER_MAX 86400 /* seconds: more is "come back tomorrow" to us */
/* A server that sends less than a byte a second for four seconds holds a place, and nothing else;
 * the deadline would end it too, a little later. */
#define LOW_SPEED_BYTES 1
#define LOW_SPEED_S     4

struct postern_http_exchange {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    postern_secret *body;
    int epoll_fd, timer_fd;
    int deadline_ms;
    struct postern_judge judge;
    size_t headers_len;
    bool is_conditional; /* If-None-Match was sent: 304 is an answer */
    postern_error trouble; /* what a callback found; counts when curl then fails */
    char curl_text[CURL_ERROR_SIZE];
    struct postern_http_response response;
};

/* ---- memory: malloc(3) underneath, so that a host may free(3) what curl gave it ---- */

static void free_wiped(void *p)
{
    if (p != NULL)
        postern_wipe(p, malloc_usable_size(p));
    free(p);
}

static void *realloc_wiped(void *old, size_t size)
{
    size_t old_size = old == NULL ? 0 : malloc_usable_size(old);
    void *p = malloc(size != 0 ? size : 1);

    if (p == NULL)
        return NULL;
    if (old != NULL)
        memcpy(p, old, old_size < size ? old_size : size);
    free_wiped(old);
    return p;
}

static CURLcode global_result = CURLE_FAILED_INIT;
static pthread_once_t global_once = PTHREAD_ONCE_INIT;

/* curl counts initialisations: when the program made one before, its allocator stays. */
static void init_global(void)
{
    global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free_wiped, realloc_wiped,
                                         strdup, calloc);
}

/* ---- callbacks ---- */

/* Keep the gravest of what callbacks found: "untrusted" stands over "nobody listens". */
static void note_trouble(struct postern_http_exchange *x, const postern_error *what)
{
    if (x->trouble.code != POSTERN_ERR_ISSUER_UNTRUSTED)
        x->trouble = *what;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct postern_http_exchange *x = arg;
    postern_error err = { 0 };

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (postern_judge_address(&x->judge, &to->addr, to->addrlen, &err) != POSTERN_OK) {
        note_trouble(x, &err);
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int check_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct postern_http_exchange *x = arg;
    postern_error err = { 0 };

    (void)local_ip;
    (void)local_port;
    if (postern_judge_connected(&x->judge, ip, port, &err) == POSTERN_OK)
        return CURL_PREREQFUNC_OK;
    note_trouble(x, &err);
    return CURL_PREREQFUNC_ABORT;
}

static postern_err append_body(struct postern_http_exchange *x, postern_bytes more,
                               postern_error *err)
{
    postern_buf *b = &x->response.body;

    if (more.len > b->max - b->len)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s sent more than %zu bytes", x->judge.url.host,
                            b->max);
    postern_buf_add(b, more);
    return b->failed ? POSTERN_FAIL(err, NOMEM, "answer of %s", x->judge.url.host) : POSTERN_OK;
}

/* Anything but `len` ends the transfer; `one` is always 1. */
static size_t take_body(char *data, size_t one, size_t len, void *arg)
{
    struct postern_http_exchange *x = arg;
    postern_error err = { 0 };

    (void)one;
    if (append_body(x, (postern_bytes){ (const uint8_t *)data, len }, &err) == POSTERN_OK)
        return len;
    note_trouble(x, &err);
    return 0;
}

static postern_err count_header(struct postern_http_exchange *x, size_t len, postern_error *err)
{
    x->headers_len += len;
    if (x->headers_len > HEADERS_MAX)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s sent more than %d bytes of headers",
                            x->judge.url.host, HEADERS_MAX);
    return POSTERN_OK;
}

/* curl takes all but "chunked" for compression and unpacks it, several layers deep, on this thread;
 * CURLOPT_HTTP_CONTENT_DECODING does not count here.  Each header line comes before the body. */
static postern_err check_transfer(const struct postern_http_exchange *x, postern_bytes line,
                                  postern_error *err)
{
    postern_reader r = { line };

    if (!postern_reader_take_lit_nocase(&r, "transfer-encoding:"))
        return POSTERN_OK;
    while (postern_reader_take_byte(&r, ' ') || postern_reader_take_byte(&r, '\t'))
        continue;
    if (postern_reader_take_lit_nocase(&r, "chunked")) {
        while (postern_reader_take_byte(&r, ' ') || postern_reader_take_byte(&r, '\t') ||
               postern_reader_take_byte(&r, '\r') || postern_reader_take_byte(&r, '\n'))
            continue;
        if (postern_reader_is_done(&r))
            return POSTERN_OK;
    }
    return POSTERN_FAIL(err, ISSUER_ANSWER, "%s sent a Transfer-Encoding other than chunked",
                        x->judge.url.host);
}

static size_t take_header(char *data, size_t one, size_t len, void *arg)
{
    struct postern_http_exchange *x = arg;
    postern_error err = { 0 };

    (void)one;
    if (count_header(x, len, &err) == POSTERN_OK &&
        check_transfer(x, (postern_bytes){ (const uint8_t *)data, len }, &err) == POSTERN_OK)
        return len;
    note_trouble(x, &err);
    return 0;
}

static int set_timer(CURLM *multi, long wait_ms, void *arg)
{
    struct postern_http_exchange *x = arg;
    struct itimerspec t = { 0 }; /* disarmed */

    (void)multi;
    if (wait_ms >= 0) {
        t.it_value.tv_sec = wait_ms / 1000;
        t.it_value.tv_nsec = wait_ms % 1000 * 1000000 + 1; /* all zero would disarm */
    }
    return timerfd_settime(x->timer_fd, 0, &t, NULL) == 0 ? 0 : -1;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    static const uint32_t wanted[] = {
        [CURL_POLL_IN] = EPOLLIN, [CURL_POLL_OUT] = EPOLLOUT, [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT
    };
    struct postern_http_exchange *x = arg;
    struct epoll_event ev = { .data.fd = fd };

    (void)easy;
    (void)per_socket;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* gone already when it was closed */
        return 0;
    }
    if (what < 0 || (size_t)what >= sizeof wanted / sizeof *wanted)
        return -1;
    ev.events = wanted[what];
    if (epoll_ctl(x->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0)
        return 0;
    return errno == ENOENT ? epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &ev) : -1;
}

/* ---- start ---- */

static const struct {
    CURLoption option;
    long value;
} fixed_numbers[] = {
    { CURLOPT_NOSIGNAL, 1 },
    { CURLOPT_FOLLOWLOCATION, 0 },
    { CURLOPT_NETRC, CURL_NETRC_IGNORED },
    { CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
    { CURLOPT_PATH_AS_IS, 1 }, /* what was judged is what is sent */
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_SESSIONID_CACHE, 0 },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
    { CURLOPT_HTTP09_ALLOWED, 0 },
    { CURLOPT_FRESH_CONNECT, 1 }, /* each exchange proves its own connection */
    { CURLOPT_FORBID_REUSE, 1 },
    { CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS },
    { CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES },
    { CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S },
    { CURLOPT_HTTP_CONTENT_DECODING, 0 }, /* nothing was asked for compressed: no bomb is unpacked */
    { CURLOPT_QUICK_EXIT, 1 }, /* do not wait for a resolver thread when an exchange is dropped */
};

static const struct {
    CURLoption option;
    const char *value;
} fixed_texts[] = {
    { CURLOPT_PROXY, "" }, /* "": none, not even the environment's */
    { CURLOPT_NOPROXY, "*" },
    { CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION },
};

/* False when curl refused one of them (out of memory, or built without). */
static bool set_fixed(CURL *easy)
{
    for (size_t i = 0; i < sizeof fixed_numbers / sizeof *fixed_numbers; i++)
        if (curl_easy_setopt(easy, fixed_numbers[i].option, fixed_numbers[i].value) != CURLE_OK)
            return false;
    for (size_t i = 0; i < sizeof fixed_texts / sizeof *fixed_texts; i++)
        if (curl_easy_setopt(easy, fixed_texts[i].option, fixed_texts[i].value) != CURLE_OK)
            return false;
    return true;
}

static bool set_callbacks(struct postern_http_exchange *x)
{
    CURL *easy = x->easy;

    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, x) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_connected) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, x) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, x) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, x) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_text) == CURLE_OK &&
           curl_multi_setopt(x->multi, CURLMOPT_SOCKETFUNCTION, set_socket) == CURLM_OK &&
           curl_multi_setopt(x->multi, CURLMOPT_SOCKETDATA, x) == CURLM_OK &&
           curl_multi_setopt(x->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(x->multi, CURLMOPT_TIMERDATA, x) == CURLM_OK;
}

static bool set_target(struct postern_http_exchange *x, const struct postern_http_request *rq)
{
    CURL *easy = x->easy;

    if (rq->tls_ca_file != NULL &&
        (curl_easy_setopt(easy, CURLOPT_CAINFO, rq->tls_ca_file) != CURLE_OK ||
         curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK))
        return false; /* the file alone counts: the system's folder would widen the trust again */
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            x->judge.url.is_https ? "https" : "http") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, rq->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)x->deadline_ms) == CURLE_OK;
}

static bool add_header(struct postern_http_exchange *x, const char *name, postern_bytes value)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(HEADER_LINE_MAX);
    struct curl_slist *more;

    postern_buf_add_str(&line, name);
    postern_buf_add(&line, value);
    if (postern_buf_cstr(&line) == NULL ||
        (more = curl_slist_append(x->headers, postern_buf_cstr(&line))) == NULL)
        return false;
    x->headers = more;
    return true;
}

static bool set_headers(struct postern_http_exchange *x, const struct postern_http_request *rq)
{
    const char *accept = rq->accept != NULL ? rq->accept : "application/json";

    return add_header(x, "Accept: ", postern_bytes_str(accept)) &&
           add_header(x, "Expect:", POSTERN_BYTES_NONE) && /* empty: curl sends none */
           (rq->etag == NULL || rq->etag[0] == '\0' ||
            add_header(x, "If-None-Match: ", postern_bytes_str(rq->etag))) &&
           (rq->authorization.len == 0 || add_header(x, "Authorization: ", rq->authorization)) &&
           curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK;
}

/* CURLOPT_POSTFIELDS does not copy.  curl adds the form's Content-Type itself. */
static bool set_body(struct postern_http_exchange *x)
{
    postern_bytes b = postern_secret_bytes(x->body);

    return curl_easy_setopt(x->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE, (long)b.len) == CURLE_OK &&
           curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, (const char *)b.ptr) == CURLE_OK;
}

static postern_err open_descriptors(struct postern_http_exchange *x, postern_error *err)
{
    struct epoll_event ev = { .events = EPOLLIN };

    if ((x->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_create1: %m");
    if ((x->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "timerfd_create: %m");
    ev.data.fd = x->timer_fd;
    if (epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, x->timer_fd, &ev) != 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_ctl: %m");
    return POSTERN_OK;
}

static bool prepare(struct postern_http_exchange *x, const struct postern_http_request *rq)
{
    if ((x->easy = curl_easy_init()) == NULL || (x->multi = curl_multi_init()) == NULL)
        return false;
    if (!set_fixed(x->easy) || !set_callbacks(x) || !set_target(x, rq) || !set_headers(x, rq))
        return false;
    if (strcmp(rq->method, "POST") == 0 && !set_body(x))
        return false;
    return curl_multi_add_handle(x->multi, x->easy) == CURLM_OK;
}

static void free_exchange(struct postern_http_exchange *x);

static inline void auto_free_exchange(struct postern_http_exchange **x)
{
    free_exchange(*x);
}

static postern_err start_exchange(const struct postern_http_transport *t,
                                  const struct postern_http_request *rq,
                                  struct postern_http_exchange **ret, postern_error *err)
{
    __attribute__((cleanup(auto_free_exchange))) struct postern_http_exchange *x =
        calloc(1, sizeof *x);

    (void)t;
    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "HTTP exchange");
    x->epoll_fd = x->timer_fd = -1;
    x->deadline_ms = rq->deadline_ms > 0 ? rq->deadline_ms : POSTERN_OP_DEADLINE_MS;
    x->is_conditional = rq->etag != NULL && rq->etag[0] != '\0';
    x->response.body = POSTERN_BUF_INIT(rq->body_max != 0 ? rq->body_max : POSTERN_HTTP_BODY_MAX);
    POSTERN_TRY(postern_judge_url(rq, &x->judge, err));
    if (pthread_once(&global_once, init_global) != 0 || global_result != CURLE_OK)
        return POSTERN_FAIL(err, SYSTEM, "libcurl cannot be initialised");
    POSTERN_TRY(postern_secret_new(rq->body, &x->body, err));
    POSTERN_TRY(open_descriptors(x, err));
    if (!prepare(x, rq))
        return POSTERN_FAIL(err, NOMEM, "HTTP exchange with %s", x->judge.url.host);
    *ret = POSTERN_STEAL(x);
    return POSTERN_OK;
}

/* ---- step ---- */

static const struct {
    CURLcode code;
    postern_err err;
} verdicts[] = {
    { CURLE_OUT_OF_MEMORY, POSTERN_ERR_NOMEM },
    { CURLE_OPERATION_TIMEDOUT, POSTERN_ERR_TIMEOUT },
    { CURLE_PEER_FAILED_VERIFICATION, POSTERN_ERR_ISSUER_UNTRUSTED },
    { CURLE_SSL_CACERT_BADFILE, POSTERN_ERR_CONFIG_FILE },
    { CURLE_WEIRD_SERVER_REPLY, POSTERN_ERR_ISSUER_ANSWER },
    { CURLE_UNSUPPORTED_PROTOCOL, POSTERN_ERR_ISSUER_ANSWER }, /* HTTP/0.9 */
    { CURLE_PARTIAL_FILE, POSTERN_ERR_ISSUER_ANSWER },
    { CURLE_BAD_CONTENT_ENCODING, POSTERN_ERR_ISSUER_ANSWER },
};

/* curl's words for a failure; everything that the table does not name is "cannot be reached". */
static postern_err fail_by_curl(const struct postern_http_exchange *x, CURLcode code,
                                postern_error *err)
{
    postern_err e = POSTERN_ERR_ISSUER_UNREACHABLE;

    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (verdicts[i].code == code)
            e = verdicts[i].err;
    return postern_error_set(err, e, __FILE__, __LINE__, "%s port %u: %s", x->judge.url.host,
                             x->judge.url.port,
                             x->curl_text[0] != '\0' ? x->curl_text : curl_easy_strerror(code));
}

/* "Application/JSON; charset=utf-8" becomes "application/json"; too long is as good as none. */
static void copy_content_type(const char *from, struct postern_http_response *to)
{
    size_t len = from == NULL ? 0 : strcspn(from, "; \t");

    if (len >= sizeof to->content_type)
        len = 0;
    for (size_t i = 0; i < len; i++)
        to->content_type[i] =
            (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] + ('a' - 'A') : from[i]);
    to->content_type[len] = '\0';
}

/* The nth header of that name in the answer itself; NULL: there is none. */
static const char *get_header(const struct postern_http_exchange *x, const char *name, size_t n)
{
    struct curl_header *h;

    return curl_easy_header(x->easy, name, n, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

static void copy_freshness(struct postern_http_exchange *x)
{
    const char *line, *etag = get_header(x, "ETag", 0);

    x->response.max_age_s = -1;
    for (size_t i = 0; (line = get_header(x, "Cache-Control", i)) != NULL; i++)
        x->response.max_age_s =
            postern_freshness_read(postern_bytes_str(line), x->response.max_age_s);
    if ((line = get_header(x, "Age", 0)) != NULL)
        x->response.max_age_s =
            postern_freshness_less_age(x->response.max_age_s, postern_bytes_str(line));
    if (etag == NULL || strlen(etag) >= sizeof x->response.etag ||
        !postern_bytes_is_printable(postern_bytes_str(etag)))
        etag = "";
    memcpy(x->response.etag, etag, strlen(etag) + 1);
}

/* The server's clock; what is no date in a form of RFC 9110 §5.6.7 is as good as none. */
static int64_t read_date(const struct postern_http_exchange *x)
{
    const char *line = get_header(x, "Date", 0);

    return line == NULL ? -1 : (int64_t)curl_getdate(line, NULL);
}

/* RFC 9110 §12.5.3 lets a server code what nobody asked it to; unpacked, 256 KiB can be 256 MiB. */
static postern_err check_coding(const struct postern_http_exchange *x, postern_error *err)
{
    const char *coding = get_header(x, "Content-Encoding", 0);
    char room[80];

    if (coding == NULL || strcasecmp(coding, "identity") == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, ISSUER_ANSWER, "%s coded its answer (%s), which was not asked for",
                        x->judge.url.host,
                        postern_error_quote(coding, strlen(coding), room, sizeof room));
}

static postern_err read_response(struct postern_http_exchange *x, postern_error *err)
{
    char *content_type = NULL;
    curl_off_t retry_after = 0;
    long status = 0;

    if (curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
        curl_easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &content_type) != CURLE_OK ||
        curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after) != CURLE_OK)
        return POSTERN_FAIL(err, INTERNAL, "curl_easy_getinfo");
    if (status >= 300 && status < 400 && !(status == 304 && x->is_conditional))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s answered %ld: redirects are not followed",
                            x->judge.url.host, status);
    x->response.status = (int)status;
    x->response.retry_after_s = -1;
    if (retry_after > 0)
        x->response.retry_after_s =
            (int)(retry_after < RETRY_AFTER_MAX ? retry_after : RETRY_AFTER_MAX);
    copy_content_type(content_type, &x->response);
    copy_freshness(x);
    x->response.date_s = read_date(x);
    return check_coding(x, err);
}

static postern_err finish(struct postern_http_exchange *x, CURLcode code, postern_error *err)
{
    if (code != CURLE_OK && x->trouble.code != POSTERN_ERR_UNSET) {
        if (err != NULL)
            *err = x->trouble;
        return x->trouble.code;
    }
    return code == CURLE_OK ? read_response(x, err) : fail_by_curl(x, code, err);
}

/* Give curl one thing that happened. */
static CURLMcode handle_event(struct postern_http_exchange *x, const struct epoll_event *ev)
{
    uint64_t expirations;
    int running, what = 0;

    if (ev->data.fd == x->timer_fd) {
        if (read(x->timer_fd, &expirations, sizeof expirations) < 0)
            return CURLM_OK; /* disarmed or set anew since epoll_wait: EAGAIN */
        return curl_multi_socket_action(x->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (ev->events & (EPOLLIN | EPOLLHUP))
        what |= CURL_CSELECT_IN;
    if (ev->events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (ev->events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    return curl_multi_socket_action(x->multi, ev->data.fd, what, &running);
}

static bool is_done(struct postern_http_exchange *x, CURLcode *ret)
{
    int left;
    const CURLMsg *m = curl_multi_info_read(x->multi, &left);

    if (m == NULL || m->msg != CURLMSG_DONE)
        return false;
    *ret = m->data.result;
    return true;
}

static postern_err step_exchange(struct postern_http_exchange *x, postern_error *err)
{
    struct epoll_event events[EVENTS_MAX];
    CURLcode code;

    for (int round = 0; round < ROUNDS_MAX; round++) {
        int n = epoll_wait(x->epoll_fd, events, EVENTS_MAX, 0);

        if (n < 0 && errno != EINTR)
            return POSTERN_FAIL(err, SYSTEM, "epoll_wait: %m");
        for (int i = 0; i < n; i++)
            if (handle_event(x, &events[i]) != CURLM_OK)
                return POSTERN_FAIL(err, INTERNAL, "curl_multi_socket_action");
        if (is_done(x, &code))
            return finish(x, code, err);
        if (n == 0)
            break;
    }
    return POSTERN_AGAIN;
}

static int exchange_fd(const struct postern_http_exchange *x)
{
    return x->epoll_fd;
}

/* The timer is in the epoll set: this is only the bound that every wait needs. */
static int exchange_wait_ms(const struct postern_http_exchange *x)
{
    return x->deadline_ms;
}

static const struct postern_http_response *exchange_response(const struct postern_http_exchange *x)
{
    return &x->response;
}

static bool exchange_was_sent(const struct postern_http_exchange *x)
{
    long sent = 0;

    /* Counted by curl before it writes, so it errs towards "sent". */
    return curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK || sent > 0;
}

static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h != NULL; h = h->next)
        postern_wipe(h->data, strlen(h->data)); /* one of them may be Authorization */
    curl_slist_free_all(headers);
}

static void free_exchange(struct postern_http_exchange *x)
{
    if (x == NULL)
        return;
    if (x->multi != NULL && x->easy != NULL)
        (void)curl_multi_remove_handle(x->multi, x->easy); /* fails only when it was never added */
    curl_easy_cleanup(x->easy);
    if (x->multi != NULL)
        (void)curl_multi_cleanup(x->multi);
    free_headers(x->headers);
    postern_secret_free(x->body);
    postern_buf_free(&x->response.body);
    if (x->timer_fd >= 0)
        (void)close(x->timer_fd);
    if (x->epoll_fd >= 0)
        (void)close(x->epoll_fd);
    free(x);
}

const postern_http_transport postern_http_curl = {
    .name = "curl",
    .start = start_exchange,
    .step = step_exchange,
    .fd = exchange_fd,
    .wait_ms = exchange_wait_ms,
    .response = exchange_response,
    .was_sent = exchange_was_sent,
    .free = free_exchange,
};
