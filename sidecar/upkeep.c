/* SPDX-License-Identifier: BSD-2-Clause */
/* See upkeep.h. */
#include "config.h"

#include <stdlib.h>

#include <postern/upkeep.h>

#include "event_log.h"
#include "log.h"
#include "timer.h"
#include "upkeep.h"

struct upkeep {
    struct event_base *base;
    postern_context *ctx;
    postern_op *op;      /* the round; NULL: between two */
    struct event *round; /* when the next one begins */
    struct event *ready; /* of op: its descriptor or its time */
    struct event *forget;
};

static void schedule(struct upkeep *u)
{
    int64_t in_ms = postern_upkeep_in_ms(u->ctx);

    if (in_ms >= 0) /* else all keys come from files */
        timer_schedule(u->round, in_ms < UPKEEP_PAUSE_MS ? UPKEEP_PAUSE_MS : in_ms);
}

static void end_round(struct upkeep *u, postern_err e, const postern_error *err)
{
    if (e != POSTERN_OK && e != POSTERN_ERR_TIMEOUT)
        log_error("fetching ahead what issuers publish", err);
    postern_op_free(u->op);
    u->op = NULL;
    schedule(u);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* False: no memory. */
static bool wait_for_op(struct upkeep *u)
{
    int fd = postern_op_fd(u->op), wait_ms = postern_op_wait_ms(u->op);
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

    if (u->ready == NULL)
        u->ready = event_new(u->base, fd, fd < 0 ? 0 : EV_READ, on_ready, u);
    else if (event_assign(u->ready, u->base, fd, fd < 0 ? 0 : EV_READ, on_ready, u) != 0)
        return false;
    return u->ready != NULL && event_add(u->ready, &wait) == 0;
}

static void advance(struct upkeep *u)
{
    postern_error err = { 0 };
    postern_err e = postern_op_step(u->op, &err);

    log_events(u->op);
    if (e == POSTERN_AGAIN && !wait_for_op(u))
        e = POSTERN_FAIL(&err, NOMEM, "waiting for an issuer");
    if (e != POSTERN_AGAIN)
        end_round(u, e, &err);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    advance(arg);
}

static void on_round(evutil_socket_t fd, short what, void *arg)
{
    struct upkeep *u = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    if (postern_upkeep_start(u->ctx, &u->op, &err) != POSTERN_OK)
        end_round(u, err.code, &err);
    else
        advance(u);
}

static void on_forget(evutil_socket_t fd, short what, void *arg)
{
    struct upkeep *u = arg;

    (void)fd;
    (void)what;
    postern_upkeep_forget(u->ctx);
}

/* Again and again, while there is a context. */
static bool start_forgetting(struct upkeep *u)
{
    struct timeval pause = { .tv_sec = UPKEEP_FORGET_S };

    u->forget = event_new(u->base, -1, EV_PERSIST, on_forget, u);
    return u->forget != NULL && event_add(u->forget, &pause) == 0;
}

postern_err upkeep_new(struct event_base *base, postern_context *ctx, struct upkeep **ret,
                       postern_error *err)
{
    struct upkeep *u = calloc(1, sizeof *u);

    if (u == NULL)
        return POSTERN_FAIL(err, NOMEM, "upkeep");
    u->base = base;
    u->ctx = postern_context_ref(ctx);
    u->round = event_new(base, -1, 0, on_round, u);
    if (!start_forgetting(u) || u->round == NULL || (postern_upkeep_in_ms(ctx) >= 0 && !timer_start(u->round, 0))) {
        upkeep_free(u);
        return POSTERN_FAIL(err, NOMEM, "upkeep");
    }
    *ret = u;
    return POSTERN_OK;
}

void upkeep_free(struct upkeep *u)
{
    if (u == NULL)
        return;
    timer_free(u->round);
    timer_free(u->forget);
    if (u->ready != NULL)
        event_free(u->ready);
    postern_op_free(u->op);
    postern_context_free(u->ctx);
    free(u);
}
