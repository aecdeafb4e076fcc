/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/work.c: jobs run outside of the loop, two at a time, a few wait, none is lost. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "issuer/work.h"

struct counters {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool may_go; /* jobs wait for that */
    int running, most, ran, freed, done;
};

struct counted {
    struct job job;
    struct counters *c;
    pthread_t ran_in;
};

static void run_counted(struct job *j)
{
    struct counted *t = (struct counted *)j;
    struct counters *c = t->c;

    t->ran_in = pthread_self();
    (void)pthread_mutex_lock(&c->lock);
    c->running++;
    c->most = c->running > c->most ? c->running : c->most;
    (void)pthread_cond_broadcast(&c->changed);
    while (!c->may_go)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    c->running--;
    c->ran++;
    (void)pthread_mutex_unlock(&c->lock);
}

static void free_counted(struct job *j)
{
    struct counted *t = (struct counted *)j;

    t->c->freed++;
    free(t);
}

static struct counted *make(struct counters *c)
{
    struct counted *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->job = (struct job){ run_counted, free_counted };
    t->c = c;
    return t;
}

static void on_done(void *arg)
{
    struct counted *t = arg;

    assert_false(pthread_equal(t->ran_in, pthread_self()));
    t->c->done++;
    t->job.free(&t->job);
}

struct place {
    struct event_base *base;
    struct work *work;
    struct counters c;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    if (p == NULL || pthread_mutex_init(&p->c.lock, NULL) != 0 || pthread_cond_init(&p->c.changed, NULL) != 0)
        return -1;
    p->base = event_base_new();
    *state = p;
    return p->base == NULL || work_new(p->base, &p->work, NULL) != POSTERN_OK ? -1 : 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    work_free(p->work);
    event_base_free(p->base);
    (void)pthread_cond_destroy(&p->c.changed);
    (void)pthread_mutex_destroy(&p->c.lock);
    free(p);
    return 0;
}

static void let_go(struct counters *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->may_go = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void wait_running(struct counters *c, int count)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->running < count)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

/* As many as are taken: those that run, and those that wait. */
static int fill(struct place *p, work_done done)
{
    for (int i = 0;; i++) {
        struct counted *t = make(&p->c);

        if (!work_submit(p->work, &t->job, done, t)) {
            free(t);
            return i;
        }
        wait_running(&p->c, i + 1 < WORK_THREADS ? i + 1 : WORK_THREADS);
        assert_true(i < 100);
    }
}

static void two_run_a_few_wait_and_more_are_refused(void **state)
{
    struct place *p = *state;

    assert_int_equal(fill(p, on_done), WORK_THREADS + WORK_QUEUE_MAX);
    let_go(&p->c);
    while (p->c.done < WORK_THREADS + WORK_QUEUE_MAX)
        assert_int_equal(event_base_loop(p->base, EVLOOP_ONCE), 0);
    assert_int_equal(p->c.most, WORK_THREADS);
    assert_int_equal(p->c.freed, WORK_THREADS + WORK_QUEUE_MAX);
}

static void who_cancels_is_not_told_and_the_job_is_freed(void **state)
{
    struct place *p = *state;
    struct counted *waiting, *last;

    assert_int_equal(fill(p, on_done), WORK_THREADS + WORK_QUEUE_MAX);
    let_go(&p->c);
    while (p->c.done < WORK_THREADS + WORK_QUEUE_MAX)
        assert_int_equal(event_base_loop(p->base, EVLOOP_ONCE), 0);
    waiting = make(&p->c);
    last = make(&p->c);
    assert_true(work_submit(p->work, &waiting->job, on_done, waiting));
    work_cancel(p->work, waiting); /* waiting, running or finished: whichever it is */
    assert_true(work_submit(p->work, &last->job, on_done, last));
    while (p->c.freed < WORK_THREADS + WORK_QUEUE_MAX + 2)
        assert_int_equal(event_base_loop(p->base, EVLOOP_ONCE), 0);
    assert_int_equal(p->c.done, WORK_THREADS + WORK_QUEUE_MAX + 1);
}

static void the_end_waits_for_what_runs_and_frees_the_rest(void **state)
{
    struct place *p = *state;
    int count = fill(p, on_done);

    let_go(&p->c);
    work_free(p->work);
    p->work = NULL;
    assert_int_equal(p->c.freed, count);
    assert_int_equal(p->c.done, 0);
    assert_true(p->c.ran >= WORK_THREADS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(two_run_a_few_wait_and_more_are_refused),
        TEST(who_cancels_is_not_told_and_the_job_is_freed),
        TEST(the_end_waits_for_what_runs_and_frees_the_rest),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
