/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evhttp ↔ struct http_request, struct answer; see http.h.  evhttp itself has no limit on connections and none on the time
 * of a whole request, so each connection's bufferevent is kept in a table, swept once a second.  Request bytes and
 * answers that may hold secrets are wiped as far as libevent lets us reach them.
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "log.h"

#define LISTENERS_MAX 8 /* ROLE_LISTEN_MAX */
#define SWEEP_MS 1000
#define PAUSE_SWEEP_MS 50 /* while nobody is accepted: how long a free place may go unnoticed */

struct connection {
    struct bufferevent *bev;    /* one reference is ours */
    struct timeval      end;    /* monotonic */
};

struct http_server {
    struct event_base         *base;
    struct evhttp             *http;
    struct evhttp_bound_socket *sockets[LISTENERS_MAX];
    size_t                     socket_count;
    struct event              *sweep;
    http_handler               handler;
    void                      *arg;
    bool                       is_paused;
    size_t                     connection_count;
    struct connection          connections[HTTP_CONNECTIONS_MAX];
};

/* ---- connections -------------------------------------------------------------------------------------------------- */

/* evhttp has freed its connection: the last thing it does to a bufferevent is to clear the callbacks. */
static bool is_over(struct bufferevent *bev)
{
    bufferevent_data_cb on_read = NULL, on_write = NULL;
    bufferevent_event_cb on_event = NULL;

    bufferevent_getcb(bev, &on_read, &on_write, &on_event, NULL);
    return on_read == NULL && on_write == NULL && on_event == NULL;
}

static struct timeval mono_now(const struct http_server *s)
{
    struct timeval now = { 0, 0 };

    (void)event_base_gettimeofday_cached(s->base, &now); /* fails for a NULL base only */
    return now;
}

/* The peer sees the end at once; evhttp sees it as end of file and frees the connection. */
static void cut(const struct connection *c)
{
    evutil_socket_t fd = bufferevent_getfd(c->bev);

    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR); /* an error means that it is closed already */
}

static void sweep_connections(struct http_server *s)
{
    struct timeval now = mono_now(s);
    size_t kept = 0;

    for (size_t i = 0; i < s->connection_count; i++) {
        struct connection *c = &s->connections[i];

        if (is_over(c->bev)) {
            (void)bufferevent_decref(c->bev); /* says whether it was the last reference: it was */
            continue;
        }
        if (evutil_timercmp(&now, &c->end, >))
            cut(c);
        s->connections[kept++] = *c;
    }
    s->connection_count = kept;
}

static void set_accepting(struct http_server *s, bool is_on)
{
    s->is_paused = !is_on;
    for (size_t i = 0; i < s->socket_count; i++) {
        struct evconnlistener *l = evhttp_bound_socket_get_listener(s->sockets[i]);

        (void)(is_on ? evconnlistener_enable(l) : evconnlistener_disable(l)); /* the next sweep tries again */
    }
}

static void schedule_sweep(struct http_server *s)
{
    int ms = s->is_paused ? PAUSE_SWEEP_MS : SWEEP_MS;
    struct timeval wait = { ms / 1000, (ms % 1000) * 1000 };

    (void)event_add(s->sweep, &wait); /* an event that is pending already only gets a new time */
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    sweep_connections(s);
    if (s->is_paused && s->connection_count < HTTP_CONNECTIONS_MAX)
        set_accepting(s, true);
    schedule_sweep(s);
}

static void pause_accepting(struct http_server *s)
{
    set_accepting(s, false);
    schedule_sweep(s);
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener; /* all are paused */
    log_problem("accept: %m; new connections wait");
    pause_accepting(arg);
}

/* A bufferevent for each new connection; evhttp gives it the descriptor and owns the other reference. */
static struct bufferevent *make_bufferevent(struct event_base *base, void *arg)
{
    struct http_server *s = arg;
    struct bufferevent *bev;

    sweep_connections(s);
    if (s->connection_count == HTTP_CONNECTIONS_MAX)
        return NULL; /* cannot be: accepting stopped one before */
    bev = bufferevent_socket_new(base, -1, 0);
    if (bev == NULL)
        return NULL; /* evhttp makes one itself, fails likewise and closes */
    bufferevent_incref(bev);
    s->connections[s->connection_count] = (struct connection){ bev, mono_now(s) };
    s->connections[s->connection_count++].end.tv_sec += HTTP_REQUEST_MAX_S;
    if (s->connection_count == HTTP_CONNECTIONS_MAX)
        pause_accepting(s);
    return bev;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static const struct {
    enum evhttp_cmd_type type;
    const char          *name;
} methods[] = {
    { EVHTTP_REQ_GET, "GET" },       { EVHTTP_REQ_POST, "POST" },       { EVHTTP_REQ_HEAD, "HEAD" },
    { EVHTTP_REQ_PUT, "PUT" },       { EVHTTP_REQ_DELETE, "DELETE" },   { EVHTTP_REQ_OPTIONS, "OPTIONS" },
    { EVHTTP_REQ_TRACE, "TRACE" },   { EVHTTP_REQ_CONNECT, "CONNECT" }, { EVHTTP_REQ_PATCH, "PATCH" },
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
static const char *const single_headers[] = { "Host", "Authorization", "Content-Type", "Content-Length",
                                              "Transfer-Encoding" };

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
    n = port < 0 ? snprintf(room, room_size, "%s", host) : snprintf(room, room_size, "%s:%d", host, port);
    return n < 0 || (size_t)n >= room_size ? "" : room;
}

static const char *find_source(struct evhttp_request *req)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    char *address = NULL;
    ev_uint16_t port = 0;

    if (c != NULL)
        evhttp_connection_get_peer(c, &address, &port);
    return address == NULL ? "" : address;
}

static void wipe_text(const char *owned_by_evhttp)
{
    if (owned_by_evhttp != NULL)
        postern_wipe((char *)(uintptr_t)owned_by_evhttp, strlen(owned_by_evhttp));
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static const struct {
    int         status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },          { 400, "Bad Request" },          { 401, "Unauthorized" },
    { 404, "Not Found" },   { 405, "Method Not Allowed" },   { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" }, { 421, "Misdirected Request" }, { 429, "Too Many Requests" },
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

static void wipe_sent(const void *data, size_t len, void *arg)
{
    postern_buf *owned = arg;

    (void)data; /* the buffer's */
    (void)len;  /* likewise */
    postern_buf_free(owned);
    free(owned);
}

/* The body moves into `out` without a copy and is wiped when it was sent. */
static bool move_body(struct answer *a, struct evbuffer *out)
{
    postern_buf *owned = malloc(sizeof *owned);

    if (owned == NULL)
        return false;
    *owned = a->body;
    a->body = POSTERN_BUF_INIT(ANSWER_BODY_MAX);
    if (evbuffer_add_reference(out, owned->ptr, owned->len, wipe_sent, owned) == 0)
        return true;
    wipe_sent(NULL, 0, owned);
    return false;
}

static void send_answer(struct evhttp_request *req, struct answer *a)
{
    struct evbuffer *out = evbuffer_new();
    bool is_head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;

    if (a->body.failed || a->status == 0)
        answer_internal(a);
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
    if (out == NULL || (!is_head && !move_body(a, out))) {
        log_problem("http: out of memory for an answer");
        cut(&(struct connection){ .bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(req)) });
    }
    evhttp_send_reply(req, a->status, reason_of(a->status), out);
    if (out != NULL)
        evbuffer_free(out);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct http_server *s = arg;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
    char host[512];
    AUTO_ANSWER a = ANSWER_INIT;
    struct http_request rq = {
        .method = method_name(evhttp_request_get_command(req)),
        .path = path == NULL ? "" : path,
        .host = find_host(req, host, sizeof host),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
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
    if (rq.body.ptr != NULL)
        postern_wipe((uint8_t *)(uintptr_t)rq.body.ptr, body_len);
    send_answer(req, &a);
}

/* ---- the server --------------------------------------------------------------------------------------------------- */

static postern_err add_socket(struct http_server *s, int take_fd, postern_error *err)
{
    struct evconnlistener *l = NULL;

    if (s->socket_count < LISTENERS_MAX && evutil_make_socket_nonblocking(take_fd) == 0)
        l = evconnlistener_new(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, take_fd);
    if (l == NULL) {
        (void)close(take_fd); /* nothing was sent */
        return POSTERN_FAIL(err, SYSTEM, "listening: %m");
    }
    evconnlistener_set_error_cb(l, on_accept_error);
    s->sockets[s->socket_count] = evhttp_bind_listener(s->http, l);
    if (s->sockets[s->socket_count] == NULL) {
        evconnlistener_free(l);
        return POSTERN_FAIL(err, NOMEM, "listening");
    }
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
    evhttp_set_bevcb(s->http, make_bufferevent, s);
    evhttp_set_gencb(s->http, on_request, s);
}

static postern_err start(struct http_server *s, const int *take_fds, size_t fd_count, postern_error *err)
{
    postern_err result = POSTERN_OK;

    s->http = evhttp_new(s->base);
    s->sweep = evtimer_new(s->base, on_sweep, s);
    if (s->http == NULL || s->sweep == NULL) {
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
    schedule_sweep(s);
    return result;
}

postern_err http_server_new(struct event_base *base, const int *take_fds, size_t fd_count,
                            http_handler handler, void *arg, struct http_server **ret, postern_error *err)
{
    struct http_server *s = calloc(1, sizeof *s);
    postern_err e;

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "http server");
    s->base = base;
    s->handler = handler;
    s->arg = arg;
    e = start(s, take_fds, fd_count, err);
    if (e != POSTERN_OK) {
        http_server_free(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

void http_server_drain(struct http_server *s)
{
    for (size_t i = 0; i < s->socket_count; i++)
        evhttp_del_accept_socket(s->http, s->sockets[i]);
    s->socket_count = 0;
}

bool http_server_is_idle(struct http_server *s)
{
    sweep_connections(s);
    return s->connection_count == 0;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    if (s->http != NULL)
        evhttp_free(s->http);
    sweep_connections(s);
    if (s->sweep != NULL)
        event_free(s->sweep);
    free(s);
}
