/* SPDX-License-Identifier: BSD-2-Clause */
/* See greeting.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../timer.h"
#include "greeting.h"
#include "tls.h"

struct greeting {
    struct event_base *base;
    struct greeting_owner owner;
    const struct adapter *adapter;
    void *state;
    struct leg leg;
    struct event *ready;
    postern_buf said, heard;
    size_t said_at;
    bool is_asked; /* the adapter, whether anything is to be heard at all */
    int64_t deadline_ms;
    postern_error why;
};

/* ---- outcomes ---- */

/* The owner frees g in it. */
static void give_up(struct greeting *g)
{
    leg_close(&g->leg);
    (void)event_del(g->ready);
    g->owner.done(g->owner.arg, g->leg, POSTERN_BYTES_NONE, &g->why);
}

static void succeed(struct greeting *g, size_t used)
{
    struct leg leg = g->leg;
    postern_bytes rest = postern_buf_bytes(&g->heard);

    if (used != 0)
        rest = (postern_bytes){ rest.ptr + used, rest.len - used };
    g->leg = (struct leg){ .fd = -1 };
    (void)event_del(g->ready);
    g->owner.done(g->owner.arg, leg, rest, NULL);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void wait_for(struct greeting *g, short what)
{
    int64_t left = g->deadline_ms - clock_mono_ms();
    struct timeval limit = { .tv_sec = left > 0 ? left / 1000 : 0,
                             .tv_usec = left > 0 ? left % 1000 * 1000 : 0 };

    (void)event_del(g->ready); /* not pending is fine */
    if (event_assign(g->ready, g->base, g->leg.fd, what, on_ready, g) == 0 &&
        event_add(g->ready, &limit) == 0)
        return;
    (void)POSTERN_FAIL(&g->why, NOMEM, "greeting a backend"); /* told */
    give_up(g);
}

/* ---- bytes ---- */

/* 0: later, *ret_wants says when; -1: over. */
static ssize_t judge_tls(struct greeting *g, int result, short *ret_wants)
{
    int e;

    if (result > 0)
        return result;
    e = SSL_get_error(g->leg.ssl, result);
    *ret_wants = e == SSL_ERROR_WANT_WRITE ? EV_WRITE : EV_READ;
    tls_forget_errors();
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t judge_socket(ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

static ssize_t send_some(struct greeting *g, postern_bytes bytes, short *ret_wants)
{
    *ret_wants = EV_WRITE;
    tls_forget_errors();
    if (g->leg.ssl != NULL)
        return judge_tls(g, SSL_write(g->leg.ssl, bytes.ptr, (int)bytes.len), ret_wants);
    return judge_socket(send(g->leg.fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static ssize_t receive_some(struct greeting *g, uint8_t *room, size_t size, short *ret_wants)
{
    *ret_wants = EV_READ;
    tls_forget_errors();
    if (g->leg.ssl != NULL)
        return judge_tls(g, SSL_read(g->leg.ssl, room, (int)size), ret_wants);
    return judge_socket(recv(g->leg.fd, room, size, MSG_DONTWAIT));
}

/* >0 everything is said · 0 later · -1 over */
static ssize_t say(struct greeting *g, short *ret_wants)
{
    while (g->said_at < g->said.len) {
        ssize_t n = send_some(
            g, (postern_bytes){ g->said.ptr + g->said_at, g->said.len - g->said_at }, ret_wants);

        if (n <= 0)
            return n;
        g->said_at += (size_t)n;
    }
    postern_buf_reset(&g->said); /* a password was in it */
    g->said_at = 0;
    return 1;
}

/* ---- the adapter ---- */

typedef enum heard { HEARD_BROKEN = 0, HEARD_MORE, HEARD_ALL } heard;

/* *ret_used: of what was heard, for ALL. */
static heard judge(struct greeting *g, size_t *ret_used)
{
    size_t at = 0, used;
    adapter_step step;

    do {
        used = 0;
        step = g->adapter->inspector->greeted(
            g->state,
            (postern_bytes){ at == 0 ? g->heard.ptr : g->heard.ptr + at, g->heard.len - at }, &used,
            &g->said, &g->why);
        at += used;
    } while (step == ADAPTER_STEP_AGAIN && used != 0 && at <= g->heard.len);
    *ret_used = at;
    if (at > g->heard.len || g->said.failed)
        return HEARD_BROKEN;
    if (step == ADAPTER_STEP_PASS)
        return HEARD_ALL;
    if (at != 0)
        memmove(g->heard.ptr, g->heard.ptr + at, g->heard.len - at);
    g->heard.len -= at;
    return step == ADAPTER_STEP_MORE || step == ADAPTER_STEP_AGAIN ? HEARD_MORE : HEARD_BROKEN;
}

static void give_up_with(struct greeting *g, const char *what)
{
    if (g->why.code == POSTERN_ERR_UNSET)
        (void)POSTERN_FAIL(&g->why, BACKEND, "%s", what); /* told */
    g->why.code = g->why.code == POSTERN_ERR_NOMEM ? POSTERN_ERR_NOMEM : POSTERN_ERR_BACKEND;
    give_up(g);
}

/* What is heard while there is something to say is heard later. */
static void go_on(struct greeting *g)
{
    uint8_t room[4096];
    short wants;
    size_t used = 0;
    heard h = HEARD_MORE;
    ssize_t n;

    while ((n = say(g, &wants)) > 0 &&
           (!g->is_asked || (n = receive_some(g, room, sizeof room, &wants)) > 0)) {
        if (g->is_asked)
            postern_buf_add(&g->heard, (postern_bytes){ room, (size_t)n });
        g->is_asked = true;
        h = g->heard.failed ? HEARD_BROKEN : judge(g, &used);
        if (h != HEARD_MORE)
            break;
    }
    if (n == 0)
        wait_for(g, wants);
    else if (n < 0)
        give_up_with(g, "it ended the connection instead of its greeting");
    else if (h == HEARD_ALL && say(g, &wants) > 0)
        succeed(g, used);
    else
        give_up_with(g, "its greeting is not this protocol's");
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct greeting *g = arg;

    (void)fd;
    if (what & EV_TIMEOUT)
        give_up_with(g, "no greeting in time");
    else
        go_on(g);
}

/* ---- life ---- */

postern_err greeting_start(struct event_base *base, struct leg take_leg,
                           const struct greeting_request *rq, struct greeting_owner owner,
                           struct greeting **ret, postern_error *err)
{
    struct greeting *g = calloc(1, sizeof *g);
    postern_err e;

    if (g == NULL || (g->ready = event_new(base, take_leg.fd, EV_WRITE, on_ready, g)) == NULL) {
        leg_close(&take_leg);
        free(g);
        return POSTERN_FAIL(err, NOMEM, "greeting a backend");
    }
    *g = (struct greeting){ .base = base,
                            .owner = owner,
                            .adapter = rq->adapter,
                            .state = rq->state,
                            .leg = take_leg,
                            .ready = g->ready,
                            .said = POSTERN_BUF_INIT(GREETING_SAID_MAX),
                            .heard = POSTERN_BUF_INIT(GREETING_HEARD_MAX),
                            .deadline_ms = clock_mono_ms() + GREETING_MS };
    e = rq->adapter->inspector->greet(rq->state, rq->as, &g->said, err);
    if (e == POSTERN_OK && g->said.failed)
        e = POSTERN_FAIL(err, NOMEM, "greeting a backend");
    if (e == POSTERN_OK && event_add(g->ready, NULL) != 0)
        e = POSTERN_FAIL(err, NOMEM, "greeting a backend");
    if (e != POSTERN_OK) {
        greeting_free(g);
        return e;
    }
    *ret = g;
    return POSTERN_OK;
}

void greeting_free(struct greeting *g)
{
    if (g == NULL)
        return;
    timer_free(g->ready);
    leg_close(&g->leg);
    postern_buf_free(&g->said);
    postern_buf_free(&g->heard);
    free(g);
}
