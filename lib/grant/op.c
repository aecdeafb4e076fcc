/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine of every operation: it keeps the deadline, the final verdict, the ring of events and
 * the results, and asks the class for everything else.  Opens nothing, waits only in
 * postern_op_run().  Called by hosts through postern/op.h.
 */
#include "grant/op.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern-private/clock.h>

/* Most operations have none, so the ring is no part of what each of them zeroes and wipes. */
struct postern_op_events {
    postern_event ring[POSTERN_OP_EVENTS];
    unsigned head, count;
};

/* ---- clocks ---- */

static int64_t system_now_s(void *arg)
{
    (void)arg;
    return clock_wall_s();
}

static int64_t system_mono_ms(void *arg)
{
    (void)arg;
    return clock_coarse_ms();
}

postern_clock postern_clock_or_system(const postern_clock *clock)
{
    postern_clock c = clock == NULL ? (postern_clock){ NULL, NULL, NULL } : *clock;

    if (c.now_s == NULL)
        c.now_s = system_now_s;
    if (c.mono_ms == NULL)
        c.mono_ms = system_mono_ms;
    return c;
}

int64_t postern_op_now_s(const postern_op *op)
{
    return op->clock.now_s(op->clock.arg);
}

int64_t postern_op_mono_ms(const postern_op *op)
{
    return op->clock.mono_ms(op->clock.arg);
}

/* ---- life ---- */

postern_err postern_op_new(const struct postern_op_class *class, const postern_clock *clock,
                           int deadline_ms, postern_op **ret, postern_error *err)
{
    postern_op *op;

    if (class->size < sizeof *op || class->step == NULL || deadline_ms < 0)
        return POSTERN_FAIL(err, USAGE, "%s: no operation, or a negative deadline", class->name);
    op = calloc(1, class->size);
    if (op == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", class->name);
    op->class = class;
    op->clock = postern_clock_or_system(clock);
    op->deadline_mono_ms =
        postern_op_mono_ms(op) + (deadline_ms == 0 ? POSTERN_OP_DEADLINE_MS : deadline_ms);
    op->pid = class->is_ours == NULL ? getpid() : 0;
    *ret = op;
    return POSTERN_OK;
}

static void drop_results(postern_op *op)
{
    postern_grant_free(POSTERN_STEAL(op->grant));
    postern_secret_free(POSTERN_STEAL(op->token));
}

void postern_op_free(postern_op *op)
{
    size_t size;

    if (op == NULL)
        return;
    size = op->class->size;
    if (op->class->destroy != NULL)
        op->class->destroy(op);
    drop_results(op);
    free(op->events);
    if (op->failure != NULL)
        postern_wipe(op->failure, sizeof *op->failure);
    free(op->failure);
    postern_wipe(op, size);
    free(op);
}

/* ---- steps ---- */

static bool is_final(const postern_op *op)
{
    return op->verdict != POSTERN_ERR_UNSET;
}

static bool is_ours(const postern_op *op)
{
    return op->class->is_ours == NULL ? getpid() == op->pid : op->class->is_ours(op);
}

static int64_t remaining_ms(const postern_op *op)
{
    int64_t left = op->deadline_mono_ms - postern_op_mono_ms(op);

    return left < 0 ? 0 : left;
}

static postern_err time_out(const postern_op *op, postern_error *err)
{
    const char *awaited = op->class->awaits == NULL ? NULL : op->class->awaits(op);

    if (awaited == NULL)
        return POSTERN_FAIL(err, TIMEOUT, "%s: not done in time", op->class->name);
    return POSTERN_FAIL(err, TIMEOUT, "%s: not done in time: %s", op->class->name, awaited);
}

/* What the class said, with nothing else than OK, AGAIN and the codes of the table getting through.
 */
static postern_err step_class(postern_op *op)
{
    postern_error *why = &op->verdict_error;
    postern_err e;

    if (!is_ours(op))
        return op->class->after_fork != POSTERN_ERR_UNSET
                   ? postern_error_set(why, op->class->after_fork, __FILE__, __LINE__,
                                       "%s: begun before fork(2)", op->class->name)
                   : POSTERN_FAIL(why, USAGE, "%s: begun before fork(2)", op->class->name);
    if (remaining_ms(op) == 0)
        return time_out(op, why);
    why->code = POSTERN_ERR_UNSET;
    e = op->class->step(op, why);
    if (e == POSTERN_OK || (e == POSTERN_AGAIN && remaining_ms(op) > 0))
        return e;
    if (e == POSTERN_AGAIN)
        return time_out(op, why);
    if (postern_err_class(e) == POSTERN_CLASS_INTERNAL && e != POSTERN_ERR_INTERNAL)
        return POSTERN_FAIL(why, INTERNAL, "%s: a step without a result", op->class->name);
    if (why->code != e)
        return postern_error_set(why, e, __FILE__, __LINE__, "%s", op->class->name);
    return e;
}

postern_failure *postern_op_tell(postern_op *op)
{
    if (op->failure == NULL)
        op->failure = calloc(1, sizeof *op->failure);
    return op->failure;
}

/* Make `e` the verdict for good; what is not proved leaves no result behind, and can be told or is
 * undecided. */
static void finish(postern_op *op, postern_err e)
{
    if (e != POSTERN_OK && postern_op_tell(op) == NULL)
        e = POSTERN_FAIL(&op->verdict_error, NOMEM, "%s", op->class->name);
    op->verdict = e;
    if (op->failure != NULL)
        op->failure->code = e;
    if (e != POSTERN_OK)
        drop_results(op);
}

static postern_err say_verdict(const postern_op *op, postern_error *err)
{
    if (op->verdict != POSTERN_OK && err != NULL)
        *err = op->verdict_error;
    return op->verdict;
}

postern_err postern_op_step(postern_op *op, postern_error *err)
{
    postern_err e;

    if (is_final(op))
        return say_verdict(op, err);
    e = step_class(op);
    if (e == POSTERN_AGAIN)
        return e;
    finish(op, e);
    return say_verdict(op, err);
}

/* Of an op that is ours and has no verdict; so the next one, too. */
static int get_fd(const postern_op *op)
{
    return op->class->fd == NULL ? -1 : op->class->fd(op);
}

static int get_wait_ms(const postern_op *op)
{
    int64_t left = remaining_ms(op);
    int wait_ms = -1;

    if (op->class->wait_ms != NULL)
        wait_ms = op->class->wait_ms(op);
    if (wait_ms >= 0 && wait_ms < left)
        return wait_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int postern_op_fd(const postern_op *op)
{
    return is_final(op) || !is_ours(op) ? -1 : get_fd(op);
}

int postern_op_wait_ms(const postern_op *op)
{
    return is_final(op) || !is_ours(op) ? 0 : get_wait_ms(op);
}

/* One poll(2), after a step that found it ours.  What cannot be polled would spin until the deadline: it
 * is a verdict. */
static void wait_once(postern_op *op, int64_t most_ms)
{
    struct pollfd p = { .fd = get_fd(op), .events = POLLIN };
    int wait_ms = get_wait_ms(op);
    int n = poll(&p, p.fd >= 0 ? 1 : 0, wait_ms < most_ms ? wait_ms : (int)most_ms);

    if (n < 0 && errno != EINTR)
        finish(op, POSTERN_FAIL(&op->verdict_error, SYSTEM, "poll: %m"));
    else if (n > 0 && (p.revents & POLLNVAL) != 0)
        finish(op, POSTERN_FAIL(&op->verdict_error, INTERNAL,
                                "%s: waits for a descriptor that is closed", op->class->name));
}

/* Bounded by the system's clock too: the op's own may be a test's that stands still. */
postern_err postern_op_run(postern_op *op, postern_error *err)
{
    int64_t end_ms = system_mono_ms(NULL) + remaining_ms(op);

    while (postern_op_step(op, NULL) == POSTERN_AGAIN) {
        int64_t left = end_ms - system_mono_ms(NULL);

        if (left > 0)
            wait_once(op, left);
        else
            finish(op, time_out(op, &op->verdict_error));
    }
    return say_verdict(op, err);
}

/* ---- events and results ---- */

static void drop_oldest(struct postern_op_events *all)
{
    all->head = (all->head + 1) % POSTERN_OP_EVENTS;
    all->count--;
}

postern_event *postern_op_emit(postern_op *op, const char *static_name)
{
    struct postern_op_events *all = op->events;
    postern_event *e;

    if (all == NULL)
        all = op->events = calloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    if (all->count == POSTERN_OP_EVENTS)
        drop_oldest(all);
    e = &all->ring[(all->head + all->count++) % POSTERN_OP_EVENTS];
    *e = (postern_event){ .name = static_name };
    return e;
}

bool postern_op_next_event(postern_op *op, postern_event *ret_event)
{
    if (op->events == NULL || op->events->count == 0)
        return false;
    *ret_event = op->events->ring[op->events->head];
    drop_oldest(op->events);
    return true;
}

const postern_failure *postern_op_failure(const postern_op *op)
{
    static const postern_failure none = { .code = POSTERN_ERR_UNSET }, ok = { .code = POSTERN_OK },
                                 no_memory = { .code = POSTERN_ERR_NOMEM };

    if (op->failure != NULL)
        return op->failure;
    if (!is_final(op))
        return &none;
    return op->verdict == POSTERN_OK ? &ok : &no_memory;
}

postern_grant *postern_op_take_grant(postern_op *op)
{
    return op->verdict == POSTERN_OK ? POSTERN_STEAL(op->grant) : NULL;
}

postern_secret *postern_op_take_token(postern_op *op)
{
    return op->verdict == POSTERN_OK ? POSTERN_STEAL(op->token) : NULL;
}
