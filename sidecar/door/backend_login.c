/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exchange → connect → say → hear (backend_login.h).  The answer's line is taken from the socket and
 * not a byte behind it: those are the backend's own, and the relay's to read.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <postern/exchange.h>
#include <postern/oauthbearer.h>
#include <postern-private/clock.h>

#include "backend_login.h"

/* A token of 16 KiB in its message, in base64, and the words around it. */
#define LINE_MAX_BYTES ((POSTERN_TOKEN_MAX + 64) / 3 * 4 + 128)

struct backend_login {
    struct event_base *base;
    struct evdns_base *dns;
    const struct backend_exchange *exchange;
    const struct upstream_target *target;
    struct backend_login_owner owner;
    char session[BACKEND_SESSION_MAX]; /* "": a login */
    struct event *ready;               /* of whatever is waited for */
    postern_op *op;                    /* the exchange */
    postern_secret *token;             /* the door's own */
    struct upstream *upstream;
    struct leg leg;
    postern_buf line;  /* what is said */
    postern_buf heard; /* of the answer's line */
    size_t said;
    int64_t deadline_ms; /* of both */
    postern_error why;
};

/* ---- outcomes ---- */

/* The owner frees b in it. */
static void give_up(struct backend_login *b)
{
    leg_close(&b->leg);
    (void)event_del(b->ready);
    b->owner.done(b->owner.arg, b->leg, NULL, &b->why);
}

static void succeed(struct backend_login *b, const struct backend_answer *answer)
{
    struct leg leg;

    if (b->session[0] != '\0') /* the door closes after the answer to a renewal */
        leg_close(&b->leg);
    leg = b->leg;
    b->leg = (struct leg){ .fd = -1 };
    (void)event_del(b->ready);
    b->owner.done(b->owner.arg, leg, answer, NULL);
}

static void run_out_of_memory(struct backend_login *b)
{
    (void)POSTERN_FAIL(&b->why, NOMEM, "login at the backend");
    give_up(b);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* False: no memory. */
static bool wait_for(struct backend_login *b, int fd, short what, int ms)
{
    struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    (void)event_del(b->ready); /* not pending is fine */
    return event_assign(b->ready, b->base, fd, fd < 0 ? 0 : what, on_ready, b) == 0 &&
           event_add(b->ready, &limit) == 0;
}

/* ---- hear ---- */

/* What is there, without taking it: >0 · 0 nothing now · -1 the end. */
static ssize_t peek(struct backend_login *b, uint8_t *room, size_t size, short *ret_wants)
{
    ssize_t n;
    int got;

    *ret_wants = EV_READ;
    if (b->leg.ssl == NULL) {
        n = recv(b->leg.fd, room, size, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        return n > 0 ? n : -1;
    }
    ERR_clear_error();
    got = SSL_peek(b->leg.ssl, room, (int)size);
    if (got > 0)
        return got;
    switch (SSL_get_error(b->leg.ssl, got)) {
    case SSL_ERROR_WANT_WRITE:
        *ret_wants = EV_WRITE;
        return 0;
    case SSL_ERROR_WANT_READ:
        return 0;
    default:
        ERR_clear_error();
        return -1;
    }
}

/* Exactly what was looked at, behind what came before.  False: the end, or no room for it. */
static bool take(struct backend_login *b, uint8_t *room, size_t len)
{
    ssize_t n;

    ERR_clear_error();
    n = b->leg.ssl != NULL ? SSL_read(b->leg.ssl, room, (int)len)
                           : recv(b->leg.fd, room, len, MSG_DONTWAIT);
    if (n != (ssize_t)len)
        return false;
    postern_buf_add(&b->heard, (postern_bytes){ room, len });
    return !b->heard.failed;
}

static void judge_line(struct backend_login *b)
{
    struct backend_answer answer = { .lease_s = -1 };
    postern_bytes line = postern_buf_bytes(&b->heard);

    line.len -= line.len > 1 && line.ptr[line.len - 2] == '\r' ? 2 : 1;
    if (backend_answer_read(line, b->session[0] != '\0', &answer, &b->why) == POSTERN_OK)
        succeed(b, &answer);
    else
        give_up(b);
    postern_wipe(&answer, sizeof answer);
}

static void wait_for_backend(struct backend_login *b, short what)
{
    int64_t left = b->deadline_ms - clock_mono_ms();

    if (!wait_for(b, b->leg.fd, what, left > 0 ? (int)left : 0))
        run_out_of_memory(b);
}

/* As much as belongs to the line.  False: all that is there was taken, more must come; or it is over,
 * which *ret_n says. */
static bool hear_line(struct backend_login *b, ssize_t *ret_n, short *ret_wants)
{
    uint8_t room[BACKEND_ANSWER_MAX];
    const uint8_t *end = NULL;

    while (end == NULL && (*ret_n = peek(b, room, sizeof room, ret_wants)) > 0) {
        end = memchr(room, '\n', (size_t)*ret_n);
        if (!take(b, room, end != NULL ? (size_t)(end - room) + 1 : (size_t)*ret_n)) {
            *ret_n = -1;
            end = NULL;
            break;
        }
    }
    postern_wipe(room, sizeof room);
    return end != NULL;
}

static void hear(struct backend_login *b)
{
    short wants = EV_READ;
    ssize_t n = -1;

    if (hear_line(b, &n, &wants)) {
        judge_line(b);
    } else if (n == 0) {
        wait_for_backend(b, wants);
    } else {
        (void)POSTERN_FAIL(&b->why, BACKEND,
                           b->heard.failed ? "its answer has no end"
                                           : "it ended the connection instead of an answer");
        give_up(b);
    }
}

/* ---- say ---- */

static postern_err build_line(struct backend_login *b, postern_bytes token, postern_error *err)
{
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX + 64);

    if (b->session[0] != '\0') {
        postern_buf_addf(&b->line, "RENEW %s ", b->session);
        postern_buf_add(&b->line, token);
    } else {
        postern_buf_add_str(&message, "n,,\001auth=Bearer ");
        postern_buf_add(&message, token);
        postern_buf_add_str(&message, "\001\001");
        postern_buf_add_str(&b->line, "AUTH OAUTHBEARER ");
        postern_base64_encode(postern_buf_bytes(&message), &b->line);
    }
    postern_buf_add_str(&b->line, "\r\n");
    return message.failed || b->line.failed ? POSTERN_FAIL(err, NOMEM, "login at the backend")
                                            : POSTERN_OK;
}

/* >0 · 0 nothing now · -1 the end */
static ssize_t write_some(struct backend_login *b, short *ret_wants)
{
    const uint8_t *at = b->line.ptr + b->said;
    size_t len = b->line.len - b->said;
    ssize_t n;
    int put, error;

    *ret_wants = EV_WRITE;
    if (b->leg.ssl == NULL) {
        n = send(b->leg.fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        return n;
    }
    ERR_clear_error();
    put = SSL_write(b->leg.ssl, at, (int)len);
    if (put > 0)
        return put;
    error = SSL_get_error(b->leg.ssl, put);
    ERR_clear_error();
    *ret_wants = error == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void say(struct backend_login *b)
{
    short wants = EV_READ;
    ssize_t n = 1;

    while (b->said < b->line.len && (n = write_some(b, &wants)) > 0)
        b->said += (size_t)n;
    if (n < 0) {
        (void)POSTERN_FAIL(&b->why, BACKEND, "it ended the connection before the login");
        give_up(b);
        return;
    }
    if (b->said == b->line.len) {
        postern_buf_free(&b->line);
        b->said = 0;
        hear(b);
        return;
    }
    wait_for_backend(b, wants);
}

/* ---- connect ---- */

static void on_connected(void *arg, struct leg leg, const postern_error *err)
{
    struct backend_login *b = arg;

    if (err != NULL)
        b->why = *err;
    upstream_free(POSTERN_STEAL(b->upstream));
    if (err != NULL) {
        give_up(b);
        return;
    }
    b->leg = leg;
    b->deadline_ms = clock_mono_ms() + BACKEND_ANSWER_MS;
    say(b);
}

static void connect_backend(struct backend_login *b)
{
    struct upstream_owner owner = { on_connected, b };
    postern_err e = build_line(b, postern_secret_bytes(b->token), &b->why);

    postern_secret_free(POSTERN_STEAL(b->token));
    (void)event_del(b->ready);
    if (e == POSTERN_OK)
        e = upstream_connect(b->base, b->dns, b->target, owner, &b->upstream, &b->why);
    if (e != POSTERN_OK)
        give_up(b);
}

/* ---- exchange ---- */

/* The authorization server's word belongs into the record; which of our stages it was, too. */
static void fail_of_exchange(struct backend_login *b, const postern_error *why)
{
    const char *word = postern_acquire_oauth_error(b->op);

    (void)POSTERN_FAIL(&b->why, BACKEND, "no token for %s: %s%s%s: %s", b->exchange->resource,
                       postern_err_text(why->code), word == NULL ? "" : ": ",
                       word == NULL ? "" : word, why->detail);
    give_up(b);
}

static void step_exchange(struct backend_login *b)
{
    postern_error err = { 0 };
    postern_err e = postern_op_step(b->op, &err);

    if (e == POSTERN_AGAIN) {
        if (!wait_for(b, postern_op_fd(b->op), EV_READ, postern_op_wait_ms(b->op)))
            run_out_of_memory(b);
        return;
    }
    if (e == POSTERN_OK && (b->token = postern_op_take_token(b->op)) == NULL)
        e = POSTERN_FAIL(&err, INTERNAL, "an answer without a token");
    if (e != POSTERN_OK) {
        fail_of_exchange(b, &err);
        return;
    }
    postern_op_free(POSTERN_STEAL(b->op));
    connect_backend(b);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct backend_login *b = arg;

    (void)fd;
    if (b->op != NULL) {
        step_exchange(b);
    } else if ((what & EV_TIMEOUT) != 0) {
        (void)POSTERN_FAIL(&b->why, BACKEND, "it does not answer the login in time");
        give_up(b);
    } else if (b->said < b->line.len) {
        say(b);
    } else {
        hear(b);
    }
}

/* ---- the attempt ---- */

static postern_err begin_exchange(struct backend_login *b, postern_bytes token, postern_error *err)
{
    const postern_exchange rq = {
        .size = sizeof rq,
        .agent = b->exchange->client.agent,
        .subject_token = token,
        .resource = b->exchange->resource,
    };
    postern_error why = { 0 };
    postern_err e = postern_exchange_start(NULL, &rq, &b->op, &why);

    if (e == POSTERN_OK || e == POSTERN_ERR_NOMEM)
        return e == POSTERN_OK ? e : POSTERN_FAIL(err, NOMEM, "login at the backend");
    return POSTERN_FAIL(err, BACKEND, "no token for %s: %s: %s", b->exchange->resource,
                        postern_err_text(why.code), why.detail);
}

static postern_err start(struct backend_login *b, const struct backend_login_request *rq,
                         postern_error *err)
{
    size_t len = rq->session == NULL ? 0 : strlen(rq->session);

    if (len >= sizeof b->session)
        return POSTERN_FAIL(err, BACKEND, "a session's secret of %zu bytes", len);
    if (len != 0)
        memcpy(b->session, rq->session, len);
    b->ready = event_new(b->base, -1, 0, on_ready, b);
    if (b->ready == NULL)
        return POSTERN_FAIL(err, NOMEM, "login at the backend");
    POSTERN_TRY(begin_exchange(b, rq->token, err));
    event_active(b->ready, EV_READ, 0); /* begin, from the loop */
    return POSTERN_OK;
}

postern_err backend_login_start(struct event_base *base, struct evdns_base *dns,
                                const struct backend_login_request *rq,
                                struct backend_login_owner owner, struct backend_login **ret,
                                postern_error *err)
{
    struct backend_login *b = calloc(1, sizeof *b);
    postern_err e;

    if (b == NULL)
        return POSTERN_FAIL(err, NOMEM, "login at the backend");
    *b = (struct backend_login){ .base = base,
                                 .dns = dns,
                                 .exchange = rq->exchange,
                                 .target = rq->target,
                                 .owner = owner,
                                 .leg = { .fd = -1 },
                                 .line = POSTERN_BUF_INIT(LINE_MAX_BYTES),
                                 .heard = POSTERN_BUF_INIT(BACKEND_ANSWER_MAX) };
    e = start(b, rq, err);
    if (e != POSTERN_OK) {
        backend_login_free(b);
        return e;
    }
    *ret = b;
    return POSTERN_OK;
}

void backend_login_free(struct backend_login *b)
{
    if (b == NULL)
        return;
    upstream_free(b->upstream);
    postern_op_free(b->op);
    postern_secret_free(b->token);
    leg_close(&b->leg);
    if (b->ready != NULL)
        event_free(b->ready);
    postern_buf_free(&b->line);
    postern_buf_free(&b->heard);
    postern_wipe(b->session, sizeof b->session);
    free(b);
}
