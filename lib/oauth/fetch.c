/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fetch.h.  One epoll descriptor stands for the whole fetch: it holds the exchange that is in
 * flight, and at the end an eventfd that stays readable, so that each of those who wait wakes up.
 */
#include "fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "grant/op.h"

struct fetch {
    atomic_uint refs;
    pthread_mutex_t lock; /* of everything below but the descriptors */
    const struct fetch_kind *kind;
    void *job;
    const postern_http_transport *transport;
    postern_clock clock;
    int64_t deadline_ms, stepped_ms;        /* monotonic */
    struct postern_http_exchange *exchange; /* NULL between two */
    postern_err verdict;                    /* UNSET: none yet */
    postern_error why;
    int epoll_fd, done_fd;
};

/* ---- life ---- */

static void end_exchange(struct fetch *f)
{
    int fd;

    if (f->exchange == NULL)
        return;
    if ((fd = f->transport->fd(f->exchange)) >= 0)
        (void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it is about to be closed anyway */
    f->transport->free(f->exchange);
    f->exchange = NULL;
}

static void destroy(struct fetch *f)
{
    end_exchange(f);
    f->kind->free(f->job);
    if (f->done_fd >= 0)
        (void)close(f->done_fd);
    if (f->epoll_fd >= 0)
        (void)close(f->epoll_fd);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

struct fetch *postern_fetch_ref(struct fetch *f)
{
    atomic_fetch_add(&f->refs, 1);
    return f;
}

void postern_fetch_free(struct fetch *f)
{
    if (f != NULL && atomic_fetch_sub(&f->refs, 1) == 1)
        destroy(f);
}

static inline void auto_free_fetch(struct fetch **f)
{
    postern_fetch_free(*f);
}

static struct fetch *allocate(const struct fetch_kind *kind, void *take_job)
{
    struct fetch *f = calloc(1, sizeof *f);

    if (f != NULL && pthread_mutex_init(&f->lock, NULL) == 0) {
        atomic_init(&f->refs, 1);
        f->kind = kind;
        f->job = take_job;
        f->epoll_fd = f->done_fd = -1;
        return f;
    }
    free(f);
    kind->free(take_job);
    return NULL;
}

postern_err postern_fetch_new(const struct fetch_kind *kind, void *take_job,
                              const postern_http_transport *transport, const postern_clock *clock,
                              int deadline_ms, struct fetch **ret, postern_error *err)
{
    __attribute__((cleanup(auto_free_fetch))) struct fetch *f = allocate(kind, take_job);

    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", kind->name);
    f->transport = transport;
    f->clock = postern_clock_or_system(clock);
    f->stepped_ms = f->clock.mono_ms(f->clock.arg);
    f->deadline_ms = f->stepped_ms + deadline_ms;
    if ((f->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_create1: %m");
    if ((f->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "eventfd: %m");
    *ret = POSTERN_STEAL(f);
    return POSTERN_OK;
}

/* ---- steps, with the lock held ---- */

static postern_err watch(struct fetch *f, int fd, postern_error *err)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_ctl: %m");
    return POSTERN_OK;
}

static postern_err start_exchange(struct fetch *f, postern_error *err)
{
    struct postern_http_request rq = { 0 };
    int fd;

    POSTERN_TRY(f->kind->ask(f->job, &rq, err));
    rq.deadline_ms = (int)(f->deadline_ms - f->stepped_ms);
    POSTERN_TRY(f->transport->start(f->transport, &rq, &f->exchange, err));
    fd = f->transport->fd(f->exchange);
    return fd < 0 ? POSTERN_OK : watch(f, fd, err);
}

static postern_err step_exchange(struct fetch *f, postern_error *err)
{
    postern_err e = f->transport->step(f->exchange, err);

    if (e == POSTERN_AGAIN)
        return e;
    if (e == POSTERN_OK)
        e = f->kind->take(f->job, f->transport->response(f->exchange), err);
    end_exchange(f);
    return e;
}

/* AGAIN: an exchange is in flight. */
static postern_err advance(struct fetch *f, postern_error *err)
{
    postern_err e;

    if (f->stepped_ms >= f->deadline_ms)
        return POSTERN_FAIL(err, TIMEOUT, "%s: not done in time", f->kind->name);
    do { /* as often as the job has something to ask; each time it waits the deadline is looked at
          */
        if (f->exchange == NULL)
            POSTERN_TRY(start_exchange(f, err));
        e = step_exchange(f, err);
    } while (e == POSTERN_AGAIN && f->exchange == NULL);
    return e;
}

/* A step without a result, or with a success that is none, is no success. */
static void finish(struct fetch *f, postern_err e)
{
    static const uint64_t one = 1;

    if (e == POSTERN_ERR_UNSET || (e != POSTERN_OK && f->why.code != e))
        e = POSTERN_FAIL(&f->why, INTERNAL, "%s: a step without a result", f->kind->name);
    end_exchange(f);
    f->verdict = e;
    /* Were one of the two to fail, those who wait would notice at their time-out (wait_ms 0). */
    if (write(f->done_fd, &one, sizeof one) == (ssize_t)sizeof one)
        (void)watch(f, f->done_fd, NULL);
}

postern_err postern_fetch_step(struct fetch *f, postern_error *err)
{
    postern_err verdict;

    pthread_mutex_lock(&f->lock);
    f->stepped_ms = f->clock.mono_ms(f->clock.arg);
    if (f->verdict == POSTERN_ERR_UNSET) {
        postern_err e = advance(f, &f->why);

        if (e != POSTERN_AGAIN)
            finish(f, e);
    }
    verdict = f->verdict == POSTERN_ERR_UNSET ? POSTERN_AGAIN : f->verdict;
    if (verdict != POSTERN_OK && verdict != POSTERN_AGAIN && err != NULL)
        *err = f->why;
    pthread_mutex_unlock(&f->lock);
    return verdict;
}

/* ---- for those who wait ---- */

void *postern_fetch_job(struct fetch *f)
{
    void *job;

    pthread_mutex_lock(&f->lock);
    job = f->verdict == POSTERN_ERR_UNSET ? NULL : f->job;
    pthread_mutex_unlock(&f->lock);
    return job;
}

int postern_fetch_fd(const struct fetch *f)
{
    return f->epoll_fd;
}

int postern_fetch_wait_ms(struct fetch *f)
{
    int wait_ms = 0;

    pthread_mutex_lock(&f->lock);
    if (f->verdict == POSTERN_ERR_UNSET && f->exchange != NULL)
        wait_ms = f->transport->wait_ms(f->exchange);
    pthread_mutex_unlock(&f->lock);
    return wait_ms < 0 ? 0 : wait_ms;
}

bool postern_fetch_is_abandoned(struct fetch *f)
{
    bool is_abandoned;

    if (atomic_load(&f->refs) > 1)
        return false;
    pthread_mutex_lock(&f->lock);
    is_abandoned = f->verdict == POSTERN_ERR_UNSET &&
                   f->clock.mono_ms(f->clock.arg) - f->stepped_ms > POSTERN_FETCH_ABANDONED_MS;
    pthread_mutex_unlock(&f->lock);
    return is_abandoned;
}
