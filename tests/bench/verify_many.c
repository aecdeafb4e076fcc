/* SPDX-License-Identifier: BSD-2-Clause */
/* See verify_many.h. */
#include "config.h"

#include "verify_many.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS_MAX 8
/* Checks of one thread in a round: its share of the tokens, several times over. */
#define SHARE  (TOKENS / THREADS_MAX)
#define ROUNDS 8

static const int thread_counts[] = { 1, 2, 8 };
#define COUNTS (sizeof thread_counts / sizeof *thread_counts)

struct worker {
    pthread_t thread;
    pthread_barrier_t *barrier;
    struct bench *b;
    struct candidate c;
    size_t first; /* of its tokens */
    double cpu_s;
};

/* One prepares for all: nobody may be at work when the clock is put forward. */
static void prepare(struct worker *w)
{
    int who = pthread_barrier_wait(w->barrier);

    if (who == PTHREAD_BARRIER_SERIAL_THREAD && w->c.prepare != NULL)
        w->c.prepare(w->b);
    (void)pthread_barrier_wait(w->barrier); /* fails for no barrier that is one */
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int r = 0; r < ROUNDS; r++) {
        double start;

        prepare(w);
        start = rig_now_s(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < SHARE; i++)
            w->c.check(w->b, &w->b->tokens[w->first + i]);
        w->cpu_s += rig_now_s(CLOCK_THREAD_CPUTIME_ID) - start;
    }
    return NULL;
}

/* CPU time and wall time of one check, in ns. */
static void run_threads(struct bench *b, struct candidate c, int count, double *ret_cpu,
                        double *ret_wall)
{
    struct worker workers[THREADS_MAX];
    pthread_barrier_t barrier;
    double start = rig_now_s(CLOCK_MONOTONIC), cpu_s = 0;
    double checks = (double)count * SHARE * ROUNDS;

    if (pthread_barrier_init(&barrier, NULL, (unsigned)count) != 0)
        rig_die("pthread_barrier_init", NULL);
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){
            .barrier = &barrier, .b = b, .c = c, .first = (size_t)i * SHARE
        };
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            rig_die("pthread_create", NULL);
    }
    for (int i = 0; i < count; i++) {
        if (pthread_join(workers[i].thread, NULL) != 0)
            rig_die("pthread_join", NULL);
        cpu_s += workers[i].cpu_s;
    }
    (void)pthread_barrier_destroy(&barrier); /* nobody waits */
    *ret_cpu = cpu_s * 1e9 / checks;
    *ret_wall = (rig_now_s(CLOCK_MONOTONIC) - start) * 1e9 / checks;
}

void verify_measure_threads(struct bench *b, const char *name, struct candidate c, int rounds)
{
    static double cpu[COUNTS][RIG_ROUNDS_MAX], wall[COUNTS][RIG_ROUNDS_MAX];
    double one_cpu = 0, one_wall = 0;

    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < COUNTS; i++)
            run_threads(b, c, thread_counts[i], &cpu[i][r], &wall[i][r]);
    for (size_t i = 0; i < COUNTS; i++) {
        double cpu_ns = rig_median(cpu[i], rounds), wall_ns = rig_median(wall[i], rounds);

        one_cpu = i == 0 ? cpu_ns : one_cpu;
        one_wall = i == 0 ? wall_ns : one_wall;
        printf("{\"name\":\"verify/%s/%s/threads-%d\",\"value\":%.0f,\"unit\":\"1/CPU-s\","
               "\"ratio\":%.3f,\"against\":\"threads-1\",\"wall\":%.0f,\"wall_ratio\":%.3f}\n",
               b->alg, name, thread_counts[i], 1e9 / cpu_ns, one_cpu / cpu_ns, 1e9 / wall_ns,
               one_wall / wall_ns);
    }
    fflush(stdout);
}
