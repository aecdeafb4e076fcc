/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evhttp ↔ struct http_request, struct answer; see http.h.  What evhttp does not limit is
 * http_connections.c's business.  Request bytes and answers that may hold secrets are wiped as far
 * as libevent lets us reach them.
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "http_connections.h"
#include "log.h"
#include "output.h"
#include "work.h"

/* A request whose answer is being worked at. */
struct pending {
    LIST_ENTRY(pending) entry;
    struct http_server *server;
    struct evhttp_request *req; /* without a connection when that ended meanwhile */
    struct answer_job *job;
};

struct http_server {
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *sockets[HTTP_LISTENERS_MAX];
    size_t socket_count;
    struct http_connections *connections;
    http_handler handler;
    void *arg;
    struct work *work;
    LIST_HEAD(pending_list, pending) pending;
};

/* ---- requests ---- */

static const struct {
    enum evhttp_cmd_type type;
    const char *name;
} methods[] = {
    { EVHTTP_REQ_GET, "GET" },       { EVHTTP_REQ_POST, "POST" },
    { EVHTTP_REQ_HEAD, "HEAD" },     { EVHTTP_REQ_PUT, "PUT" },
    { EVHTTP_REQ_DELETE, "DELETE" }, { EVHTTP_REQ_OPTIONS, "OPTIONS" },
    { EVHTTP_REQ_TRACE, "TRACE" },   { EVHTTP_REQ_CONNECT, "CONNECT" },
    { EVHTTP_REQ_PATCH, "PATCH" },
};

static const char *method_name(enum evhttp_cmd_type type)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].type == type)
            return methods[i].name;
    return "";
}

static ev_uint16_t all_methods(void)
{
    ev_uint16_t all = 0;

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        all |= (ev_uint16_t)methods[i].type;
    return all;
}

/* Two readers could take different ones of these. */
static const char *const single_headers[] = { "Host", "Authorization", "Content-Type",
                                              "Content-Length", "Transfer-Encoding", "Cookie",
                                              "Origin", "Sec-Fetch-Site" };

static bool has_repeated_header(struct evkeyvalq *headers)
{
    size_t counts[sizeof single_headers / sizeof *single_headers] = { 0 };

    for (struct evkeyval *h = headers->tqh_first; h != NULL; h = h->next.tqe_next)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            if (evutil_ascii_strcasecmp(h->key, single_headers[i]) == 0 && ++counts[i] > 1)
                return true;
    return false;
}

/* The authority of an absolute request target wins over Host (RFC 9112 §3.2.2). */
static const char *find_host(struct evhttp_request *req, char *room, size_t room_size)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *host = evhttp_uri_get_host(uri);
    int port = evhttp_uri_get_port(uri), n;

    if (host == NULL)
        return evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
    n = port < 0 ? snprintf(room, room_size, "%s", host)
                 : snprintf(room, room_size, "%s:%d", host, port);
    return n < 0 || (size_t)n >= room_size ? "" : room;
}

/* Every local user may bind any address of 127.0.0.0/8: together they are one source, or nobody's
 * guesses would be counted. */
static const char *find_source(struct evhttp_request *req)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    char *address = NULL;
    ev_uint16_t port = 0;

    if (c != NULL)
        evhttp_connection_get_peer(c, &address, &port);
    if (address == NULL)
        return "";
    return strncmp(address, "127.", 4) == 0 ? "127.0.0.1" : address;
}

static void wipe_text(const char *owned_by_evhttp)
{
    if (owned_by_evhttp != NULL)
        postern_wipe((char *)(uintptr_t)owned_by_evhttp, strlen(owned_by_evhttp));
}

/* ---- answers ---- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 303, "See Other" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 421, "Misdirected Request" },
    { 429, "Too Many Requests" },
    { 503, "Service Unavailable" },
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Internal Server Error";
}

static void add_header(struct evhttp_request *req, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0' &&
        evhttp_add_header(evhttp_request_get_output_headers(req), name, value) != 0)
        log_problem("http: header %s could not be sent", name);
}

static void add_number(struct evhttp_request *req, const char *name, size_t number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%zu", number); /* 20 digits at most */
    add_header(req, name, text);
}

/*
 * A page must not be framed (RFC 9700 §4.16), nor tell others where the person was; it tells
 * ourselves, or browsers would send "Origin: null" with its forms.  No Cross-Origin-Opener-Policy:
 * agents on the web open us in a window that is to come back to them.
 */
static void add_page_headers(struct evhttp_request *req, const struct answer *a)
{
    add_header(req, "Content-Security-Policy", a->page_policy);
    add_header(req, "X-Frame-Options", "DENY");
    add_header(req, "Referrer-Policy", "same-origin");
    add_header(req, "Cross-Origin-Resource-Policy", "same-origin");
}

static void cut(struct evhttp_request *req)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);

    if (c != NULL)
        http_connections_cut(evhttp_connection_get_bufferevent(c));
}

static void send_answer(struct evhttp_request *req, struct answer *a)
{
    struct evbuffer *out = evbuffer_new();
    bool is_head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;

    if (a->body.failed || a->location.failed || a->status == 0)
        answer_internal(a);
    add_header(req, "Location", postern_buf_cstr(&a->location));
    add_header(req, "Set-Cookie", a->set_cookie);
    add_header(req, "Set-Cookie", a->set_known_cookie);
    if (a->page_policy[0] != '\0')
        add_page_headers(req, a);
    add_header(req, "Content-Type", a->content_type);
    add_header(req, "Cache-Control", a->cache_control);
    if (strcmp(a->cache_control, "no-store") == 0)
        add_header(req, "Pragma", "no-cache"); /* RFC 6749 §5.1 */
    add_header(req, "X-Content-Type-Options", "nosniff");
    add_header(req, "Allow", a->allow);
    add_header(req, "WWW-Authenticate", a->challenge);
    if (a->retry_after_s > 0)
        add_number(req, "Retry-After", (size_t)a->retry_after_s);
    add_header(req, "Connection", "close");
    add_number(req, "Content-Length", a->body.len);
    if (out == NULL || (!is_head && !output_move(&a->body, out))) {
        log_problem("http: out of memory for an answer");
        cut(req);
    }
    evhttp_send_reply(req, a->status, reason_of(a->status), out);
    if (out != NULL)
        evbuffer_free(out);
}

/* ---- answers that take a while ---- */

static void on_done(void *arg)
{
    struct pending *p = arg;
    AUTO_ANSWER a = ANSWER_INIT;

    LIST_REMOVE(p, entry);
    p->job->finish(p->job, &a);
    p->job->work.free(&p->job->work);
    send_answer(p->req, &a); /* a request without connection is only freed by that */
    free(p);
}

/* False: the answer is complete at once, and says that there is too much to do. */
static bool postpone(struct http_server *s, struct evhttp_request *req, struct answer *a)
{
    struct pending *p = malloc(sizeof *p);

    if (p != NULL)
        *p = (struct pending){ .server = s, .req = req, .job = a->take_job };
    if (p == NULL || !work_submit(s->work, &a->take_job->work, on_done, p)) {
        free(p);
        answer_busy(a);
        return false;
    }
    LIST_INSERT_HEAD(&s->pending, p, entry);
    a->take_job = NULL;
    return true;
}

static void drop_pending(struct http_server *s)
{
    while (!LIST_EMPTY(&s->pending)) {
        struct pending *p = LIST_FIRST(&s->pending);

        LIST_REMOVE(p, entry);
        work_cancel(s->work, p);
        if (evhttp_request_get_connection(p->req) == NULL)
            evhttp_request_free(p->req); /* else evhttp frees it with the connection */
        free(p);
    }
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct http_server *s = arg;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = evhttp_uri_get_path(uri);
    char host[512];
    AUTO_ANSWER a = ANSWER_INIT;
    struct http_request rq = {
        .method = method_name(evhttp_request_get_command(req)),
        .path = path == NULL ? "" : path,
        .query = evhttp_uri_get_query(uri),
        .host = find_host(req, host, sizeof host),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
        .cookie = evhttp_find_header(headers, "Cookie"),
        .origin = evhttp_find_header(headers, "Origin"),
        .fetch_site = evhttp_find_header(headers, "Sec-Fetch-Site"),
        .source = find_source(req),
        .has_repeated_header = has_repeated_header(headers),
    };
    size_t body_len = evbuffer_get_length(in);

    rq.body = (postern_bytes){ evbuffer_pullup(in, -1), body_len };
    if (body_len != 0 && rq.body.ptr == NULL)
        answer_internal(&a);
    else
        s->handler(s->arg, &rq, &a);
    wipe_text(rq.authorization);
    wipe_text(rq.cookie);
    if (rq.body.ptr != NULL)
        postern_wipe((uint8_t *)(uintptr_t)rq.body.ptr, body_len);
    if (a.take_job == NULL || !postpone(s, req, &a))
        send_answer(req, &a);
}

/* ---- the server ---- */

static postern_err add_socket(struct http_server *s, int take_fd, postern_error *err)
{
    struct evconnlistener *l = NULL;

    if (s->socket_count < HTTP_LISTENERS_MAX && evutil_make_socket_nonblocking(take_fd) == 0)
        l = evconnlistener_new(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                               0, take_fd);
    if (l == NULL) {
        (void)close(take_fd); /* nothing was sent */
        return POSTERN_FAIL(err, SYSTEM, "listening: %m");
    }
    s->sockets[s->socket_count] = evhttp_bind_listener(s->http, l);
    if (s->sockets[s->socket_count] == NULL) {
        evconnlistener_free(l);
        return POSTERN_FAIL(err, NOMEM, "listening");
    }
    http_connections_watch(s->connections, l);
    s->socket_count++;
    return POSTERN_OK;
}

static void configure(struct http_server *s)
{
    evhttp_set_max_headers_size(s->http, HTTP_HEADERS_MAX);
    evhttp_set_max_body_size(s->http, HTTP_BODY_MAX);
    evhttp_set_timeout(s->http, HTTP_IDLE_S);
    evhttp_set_allowed_methods(s->http, all_methods()); /* routes.c answers 405 as JSON */
    evhttp_set_default_content_type(s->http, NULL);
    evhttp_set_bevcb(s->http, http_connections_add, s->connections);
    evhttp_set_gencb(s->http, on_request, s);
}

static postern_err start(struct http_server *s, const postern_clock *clock, const int *take_fds,
                         size_t fd_count, postern_error *err)
{
    postern_err result = POSTERN_OK;

    s->http = evhttp_new(s->base);
    if (s->http == NULL ||
        http_connections_new(s->base, clock, &s->connections, err) != POSTERN_OK) {
        for (size_t i = 0; i < fd_count; i++)
            (void)close(take_fds[i]); /* nothing was sent */
        return POSTERN_FAIL(err, NOMEM, "http server");
    }
    configure(s);
    for (size_t i = 0; i < fd_count; i++) { /* all of them: each is closed or kept */
        postern_err e = add_socket(s, take_fds[i], err);

        if (e != POSTERN_OK)
            result = e;
    }
    return result;
}

postern_err http_server_new(const struct http_setup *setup, const int *take_fds, size_t fd_count,
                            struct http_server **ret, postern_error *err)
{
    struct http_server *s = calloc(1, sizeof *s);
    postern_err e;

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "http server");
    s->base = setup->base;
    s->handler = setup->handler;
    s->arg = setup->arg;
    s->work = setup->work;
    LIST_INIT(&s->pending);
    e = start(s, setup->clock, take_fds, fd_count, err);
    if (e != POSTERN_OK) {
        http_server_free(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

void http_server_drain(struct http_server *s)
{
    http_connections_unwatch(s->connections);
    for (size_t i = 0; i < s->socket_count; i++)
        evhttp_del_accept_socket(s->http, s->sockets[i]);
    s->socket_count = 0;
}

bool http_server_is_idle(struct http_server *s)
{
    return http_connections_count(s->connections) == 0;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    if (s->connections != NULL)
        http_connections_unwatch(s->connections);
    drop_pending(s);
    if (s->http != NULL)
        evhttp_free(s->http); /* its connections too: theirs are released below */
    http_connections_free(s->connections);
    free(s);
}
