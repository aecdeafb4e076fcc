/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of the status listener; see status.h.  One request each.  Whoever asks for /metrics
 * while the children are being asked waits for that answer; one asking serves all.
 */
#include "status.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <postern-private/clock.h>
#include <postern-private/json.h>

#include "log.h"

#define METRICS_MAX (2 * CHANNEL_MESSAGE_MAX + 16384) /* door's, helper's, ours */

struct probe {
    struct status *owner; /* NULL: free */
    struct bufferevent *bev;
    struct event *deadline;
    uint64_t number;  /* in the order of their coming */
    bool is_waiting;  /* for metrics */
    bool is_answered; /* what still comes is thrown away until the peer closes */
};

struct status {
    struct control *control;
    struct evconnlistener *listener;
    struct probe probes[STATUS_CONNECTIONS_MAX];
    postern_buf door, helper; /* their parts of the metrics */
    unsigned open;            /* children that were asked and have not answered */
    int64_t asked_us;         /* 0: never */
    uint64_t last_number;
};

static size_t count_probes(const struct status *s)
{
    size_t n = 0;

    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        n += s->probes[i].owner != NULL;
    return n;
}

static void close_probe(struct probe *p)
{
    bufferevent_free(p->bev);
    if (p->deadline != NULL)
        event_free(p->deadline);
    *p = (struct probe){ 0 };
}

/* ---- answers ---- */

static const struct answer {
    status_page page;
    const char *line, *type, *body; /* body NULL: written by somebody else */
} fixed_answers[] = {
    { STATUS_BAD, "400 Bad Request", "text/plain", "bad request\n" },
    { STATUS_NOT_FOUND, "404 Not Found", "text/plain", "/healthz /readyz /metrics\n" },
    { STATUS_NOT_ALLOWED, "405 Method Not Allowed", "text/plain", "only GET\n" },
    { STATUS_HEALTHZ, "200 OK", "application/json", "{\"status\":\"alive\"}\n" },
};

static void send_answer(struct probe *p, const char *line, const char *type, postern_bytes body)
{
    struct evbuffer *out = bufferevent_get_output(p->bev);

    p->is_answered = true;
    p->is_waiting = false;
    if (evbuffer_add_printf(out,
                            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                            "Allow: GET\r\nCache-Control: no-store\r\n"
                            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                            line, type, body.len) < 0 ||
        evbuffer_add(out, body.ptr, body.len) != 0)
        close_probe(p);
}

bool status_write_ready(const struct control *c, postern_buf *out)
{
    const struct {
        const char *name;
        bool is_missing;
    } needs[] = {
        { "door", (c->has_doors || link_is_there(c->door)) && !link_is_told(c->door) },
        { "helper", !link_is_told(c->helper) },
        { "audit", !c->is_audited },
    };
    const char *trouble = blocks_file_trouble(c->blocks);
    postern_json_writer w = { out, false };
    bool is_ready = true;

    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        is_ready = is_ready && !needs[i].is_missing;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "status",
                         !is_ready            ? "unready"
                         : trouble[0] != '\0' ? "degraded"
                                              : "ready");
    postern_json_open_array(&w, "missing");
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        postern_json_put_str(&w, NULL, needs[i].is_missing ? needs[i].name : NULL);
    postern_json_close_array(&w);
    postern_json_put_str(&w, "blocks_file", trouble);
    postern_json_close_object(&w);
    postern_buf_add_byte(out, '\n');
    return is_ready;
}

static void answer_ready(struct probe *p)
{
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(4096);
    bool is_ready = status_write_ready(p->owner->control, &body);

    if (body.failed)
        close_probe(p); /* a probe takes that for "no" */
    else
        send_answer(p, is_ready ? "200 OK" : "503 Service Unavailable", "application/json",
                    postern_buf_bytes(&body));
}

/* ---- metrics ---- */

static const char *const end_words[CONTROL_ENDS] = {
    [CONTROL_FAILED] = "failed",
    [CONTROL_DONE] = "done",
    [CONTROL_REFUSED] = "refused",
    [CONTROL_DENIED] = "denied",
};

void status_write_metrics(const struct control *c, postern_buf *out)
{
    postern_buf_addf(out,
                     "# HELP postern_child_connected Lines of the control child that are there.\n"
                     "# TYPE postern_child_connected gauge\n"
                     "postern_child_connected{child=\"door\"} %d\n"
                     "postern_child_connected{child=\"helper\"} %d\n"
                     "postern_child_connected{child=\"audit\"} %d\n",
                     link_is_there(c->door), link_is_there(c->helper), c->is_audited);
    postern_buf_addf(out,
                     "# HELP postern_blocks Lines of the file of blocks.\n"
                     "# TYPE postern_blocks gauge\npostern_blocks %zu\n",
                     blocks_file_list(c->blocks)->count);
    postern_buf_addf(out,
                     "# HELP postern_blocks_file_good 0: a change of the file could not be used.\n"
                     "# TYPE postern_blocks_file_good gauge\npostern_blocks_file_good %d\n",
                     blocks_file_trouble(c->blocks)[0] == '\0');
    postern_buf_add_str(out,
                        "# HELP postern_control_requests_total Requests on the control socket.\n"
                        "# TYPE postern_control_requests_total counter\n");
    for (control_verb v = CONTROL_VERB_NONE; v < CONTROL_VERBS; v++)
        for (int e = 0; e < CONTROL_ENDS; e++)
            postern_buf_addf(out, "postern_control_requests_total{verb=\"%s\",end=\"%s\"} %ju\n",
                             control_verb_name(v), end_words[e], (uintmax_t)c->requests[v][e]);
}

static void answer_metrics(struct probe *p)
{
    struct status *s = p->owner;
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(METRICS_MAX);

    status_write_metrics(s->control, &body);
    postern_buf_add(&body, postern_buf_bytes(&s->door));
    postern_buf_add(&body, postern_buf_bytes(&s->helper));
    if (body.failed)
        close_probe(p);
    else
        send_answer(p, "200 OK", "text/plain; version=0.0.4; charset=utf-8",
                    postern_buf_bytes(&body));
}

static void close_one(struct status *s)
{
    if (--s->open != 0)
        return;
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        if (s->probes[i].owner != NULL && s->probes[i].is_waiting)
            answer_metrics(&s->probes[i]);
}

/* A part ends its last line, or the next one would go on in it. */
static void keep_part(postern_buf *part, link_news news, const struct channel *answer)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_bytes text;

    postern_buf_reset(part);
    if (news != LINK_KNOWS || !channel_type_is(answer, "metrics"))
        return;
    if (!postern_json_string(channel_message(answer),
                             postern_json_member(channel_message(answer), 0, "text"), &scratch,
                             &text) ||
        text.len == 0 || text.ptr[text.len - 1] != '\n')
        return;
    postern_buf_add(part, text);
    if (part->failed)
        postern_buf_reset(part);
}

static void on_door(void *arg, link_news news, const struct channel *answer)
{
    struct status *s = arg;

    keep_part(&s->door, news, answer);
    close_one(s);
}

static void on_helper(void *arg, link_news news, const struct channel *answer)
{
    struct status *s = arg;

    keep_part(&s->helper, news, answer);
    close_one(s);
}

static void begin_metrics(struct probe *p)
{
    struct status *s = p->owner;
    int64_t now_us = clock_mono_us();

    p->is_waiting = true;
    if (s->open != 0)
        return; /* they are being asked */
    s->open = 1;
    if (s->asked_us == 0 || now_us - s->asked_us >= STATUS_CACHE_MS * 1000) {
        s->asked_us = now_us;
        s->open = 3;
        link_ask(s->control->door, "metrics", NULL, 0, on_door, s);
        link_ask(s->control->helper, "metrics", NULL, 0, on_helper, s);
    }
    close_one(s);
}

/* ---- connections ---- */

static void answer_fixed(struct probe *p, status_page page)
{
    for (size_t i = 0; i < sizeof fixed_answers / sizeof *fixed_answers; i++)
        if (fixed_answers[i].page == page)
            send_answer(p, fixed_answers[i].line, fixed_answers[i].type,
                        postern_bytes_str(fixed_answers[i].body));
}

static void answer_page(struct probe *p, status_page page)
{
    if (page == STATUS_READYZ)
        answer_ready(p);
    else if (page == STATUS_METRICS)
        begin_metrics(p);
    else
        answer_fixed(p, page);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct probe *p = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(in);
    status_page page;

    if (!p->is_answered && !p->is_waiting) {
        page = status_request_read((postern_bytes){ evbuffer_pullup(in, -1), len });
        if (page == STATUS_MORE)
            return;
        answer_page(p, page); /* may close the probe */
        if (p->owner == NULL)
            return;
    }
    (void)evbuffer_drain(in, evbuffer_get_length(in)); /* of an own buffer: cannot fail */
}

/* Unread bytes at close(2) would reset the connection and take the answer with them: the peer is
 * told that there is no more, and closes; or the deadline does. */
static void on_written(struct bufferevent *bev, void *arg)
{
    struct probe *p = arg;

    if (p->is_answered && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        (void)shutdown(bufferevent_getfd(bev), SHUT_WR); /* failing means that the peer is gone */
}

/* A peer that closed its sending side is still waiting for its answer. */
static void on_end(struct bufferevent *bev, short what, void *arg)
{
    struct probe *p = arg;
    bool is_owed =
        p->is_waiting || (p->is_answered && evbuffer_get_length(bufferevent_get_output(bev)) != 0);

    if ((what & BEV_EVENT_EOF) != 0 && is_owed && bufferevent_disable(bev, EV_READ) == 0)
        return; /* the deadline ends it */
    close_probe(p);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    close_probe(arg);
}

static void begin(struct probe *p)
{
    static const struct timeval limit = { STATUS_REQUEST_MAX_S, 0 };

    p->deadline = evtimer_new(p->owner->control->base, on_deadline, p);
    bufferevent_setcb(p->bev, on_read, on_written, on_end, p);
    bufferevent_setwatermark(p->bev, EV_READ, 0, STATUS_HEAD_MAX);
    if (p->deadline == NULL || event_add(p->deadline, &limit) != 0 ||
        bufferevent_enable(p->bev, EV_READ | EV_WRITE) != 0) {
        close_probe(p);
        return;
    }
}

/* Anybody on this machine can take all places and say nothing.  A probe says at once what it wants,
 * so the oldest goes; who waits for metrics has said it. */
static struct probe *make_room(struct status *s)
{
    struct probe *oldest = NULL;

    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++) {
        struct probe *p = &s->probes[i];

        if (p->owner == NULL)
            return p;
        if (oldest == NULL || p->is_waiting < oldest->is_waiting ||
            (p->is_waiting == oldest->is_waiting && p->number < oldest->number))
            oldest = p;
    }
    close_probe(oldest);
    return oldest;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg)
{
    struct status *s = arg;
    struct probe *p = make_room(s);
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd,
                               BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);

    (void)address;     /* everybody is told the same */
    (void)address_len; /* likewise */
    if (bev == NULL) {
        (void)close(fd); /* nothing was sent */
        return;
    }
    *p = (struct probe){ .owner = s, .bev = bev, .number = ++s->last_number };
    begin(p);
}

/* ---- life ---- */

postern_err status_new(struct control *c, int take_fd, struct status **ret, postern_error *err)
{
    struct status *s = calloc(1, sizeof *s);

    if (s != NULL && evutil_make_socket_nonblocking(take_fd) == 0)
        s->listener = evconnlistener_new(c->base, on_accept, s,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, take_fd);
    if (s == NULL || s->listener == NULL) {
        (void)close(take_fd); /* nothing was sent */
        free(s);
        return POSTERN_FAIL(err, SYSTEM, "status listener: %m");
    }
    s->control = c;
    s->door = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    s->helper = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    *ret = s;
    return POSTERN_OK;
}

void status_drain(struct status *s)
{
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

bool status_is_idle(const struct status *s)
{
    return count_probes(s) == 0;
}

void status_free(struct status *s)
{
    if (s == NULL)
        return;
    status_drain(s);
    link_cancel(s->control->door, s);
    link_cancel(s->control->helper, s);
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        if (s->probes[i].owner != NULL)
            close_probe(&s->probes[i]);
    postern_buf_free(&s->door);
    postern_buf_free(&s->helper);
    free(s);
}
