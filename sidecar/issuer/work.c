/* SPDX-License-Identifier: BSD-2-Clause */
/* Two queues under one mutex, threads between them, an eventfd(2) to the loop; see work.h. */
#include "work.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "log.h"

struct task {
    STAILQ_ENTRY(task) entry;
    struct job *job;
    work_done done; /* NULL: cancelled; the loop's alone */
    void *arg;
};
STAILQ_HEAD(task_list, task);

struct work {
    int wake_fd;
    struct event *readable;
    pthread_t threads[WORK_THREADS];
    size_t thread_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    struct task_list waiting, finished;
    struct task *running[WORK_THREADS];
    size_t waiting_count;
    bool is_ending;
};

/* ---- in a thread ---- */

/* NULL: it is time to end. */
static struct task *take_task(struct work *w)
{
    struct task *t;

    while (!w->is_ending && STAILQ_EMPTY(&w->waiting))
        (void)pthread_cond_wait(&w->changed, &w->lock); /* fails for a foreign mutex only */
    if (w->is_ending)
        return NULL;
    t = STAILQ_FIRST(&w->waiting);
    STAILQ_REMOVE_HEAD(&w->waiting, entry);
    w->waiting_count--;
    return t;
}

/* There is one for each thread: which of them it is does not matter. */
static struct task **find_slot(struct work *w)
{
    size_t i = 0;

    while (i + 1 < WORK_THREADS && w->running[i] != NULL)
        i++;
    return &w->running[i];
}

static void finish_task(struct work *w, struct task **slot)
{
    static const uint64_t one = 1;

    STAILQ_INSERT_TAIL(&w->finished, *slot, entry);
    *slot = NULL;
    if (write(w->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable anyway */
}

static void *run_tasks(void *arg)
{
    struct work *w = arg;
    struct task *t;

    (void)pthread_mutex_lock(&w->lock); /* fails for a thread that has it already only */
    while ((t = take_task(w)) != NULL) {
        struct task **slot = find_slot(w);

        *slot = t;
        (void)pthread_mutex_unlock(&w->lock);
        t->job->run(t->job);
        (void)pthread_mutex_lock(&w->lock);
        finish_task(w, slot);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- on the loop ---- */

static void free_task(struct task *t)
{
    t->job->free(t->job);
    free(t);
}

static void free_list(struct task_list *list)
{
    while (!STAILQ_EMPTY(list)) {
        struct task *t = STAILQ_FIRST(list);

        STAILQ_REMOVE_HEAD(list, entry);
        free_task(t);
    }
}

static struct task *take_finished(struct work *w)
{
    struct task *t;

    (void)pthread_mutex_lock(&w->lock);
    t = STAILQ_FIRST(&w->finished);
    if (t != NULL)
        STAILQ_REMOVE_HEAD(&w->finished, entry);
    (void)pthread_mutex_unlock(&w->lock);
    return t;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct work *w = arg;
    uint64_t count;
    struct task *t;

    (void)what; /* only EV_READ is asked for */
    if (read(fd, &count, sizeof count) < 0)
        return; /* nothing there: taken along by the round before */
    while ((t = take_finished(w)) != NULL) {
        work_done done = t->done;
        void *done_arg = t->arg;

        if (done == NULL) {
            free_task(t);
            continue;
        }
        free(t); /* the job is its owner's again */
        done(done_arg);
    }
}

/* Signals are the loop's; a hash needs little stack, its memory is on the heap. */
static bool start_thread(struct work *w)
{
    sigset_t all, before;
    int code;

    (void)sigfillset(&all); /* fails for a bad pointer only */
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    code = pthread_create(&w->threads[w->thread_count], NULL, run_tasks, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        w->thread_count++;
    return code == 0;
}

static bool start_threads(struct work *w)
{
    while (w->thread_count < WORK_THREADS && start_thread(w))
        ;
    if (w->thread_count == 0)
        log_problem("no thread for the passwords of people: %m");
    return w->thread_count != 0; /* one is enough */
}

bool work_submit(struct work *w, struct job *job, work_done done, void *arg)
{
    struct task *t = malloc(sizeof *t);
    bool is_taken;

    if (t == NULL || !start_threads(w)) {
        free(t);
        return false;
    }
    *t = (struct task){ .job = job, .done = done, .arg = arg };
    (void)pthread_mutex_lock(&w->lock);
    is_taken = w->waiting_count < WORK_QUEUE_MAX;
    if (is_taken) {
        STAILQ_INSERT_TAIL(&w->waiting, t, entry);
        w->waiting_count++;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!is_taken)
        free(t);
    return is_taken;
}

static void cancel_in(struct task_list *list, const void *arg)
{
    struct task *t;

    STAILQ_FOREACH (t, list, entry)
        if (t->arg == arg)
            t->done = NULL;
}

void work_cancel(struct work *w, const void *arg)
{
    (void)pthread_mutex_lock(&w->lock);
    cancel_in(&w->waiting, arg);
    cancel_in(&w->finished, arg);
    for (size_t i = 0; i < WORK_THREADS; i++)
        if (w->running[i] != NULL && w->running[i]->arg == arg)
            w->running[i]->done = NULL;
    (void)pthread_mutex_unlock(&w->lock);
}

postern_err work_new(struct event_base *base, struct work **ret, postern_error *err)
{
    struct work *w = calloc(1, sizeof *w);

    if (w == NULL || pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        return POSTERN_FAIL(err, NOMEM, "threads for passwords");
    }
    if (pthread_cond_init(&w->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
        return POSTERN_FAIL(err, NOMEM, "threads for passwords");
    }
    STAILQ_INIT(&w->waiting);
    STAILQ_INIT(&w->finished);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd >= 0)
        w->readable = event_new(base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    if (w->readable == NULL || event_add(w->readable, NULL) != 0) {
        work_free(w);
        return POSTERN_FAIL(err, SYSTEM, "threads for passwords: %m");
    }
    *ret = w;
    return POSTERN_OK;
}

void work_free(struct work *w)
{
    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->is_ending = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->thread_count; i++)
        (void)pthread_join(w->threads[i], NULL); /* ours, and joined once */
    free_list(&w->waiting);
    free_list(&w->finished);
    if (w->readable != NULL)
        event_free(w->readable);
    if (w->wake_fd >= 0)
        (void)close(w->wake_fd);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
