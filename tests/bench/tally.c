/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What counting an action costs a door (`log summary`), beside the digest of the arguments of one that is recorded.  While the
 * audit child's side drains now and then, as each second does.  One JSON object a line; figures are medians of the thread's CPU time.
 *
 *     tests/bench/tally
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <postern-private/args_digest.h>

#include "audit/tally_memory.h"

#define ROUNDS 201
#define BATCH  1024
#define NOW_MS INT64_C(1796119200000)

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "tally: %s\n", what);
    exit(1);
}

static double cpu_s(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        die("clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void drain(struct tally_memory *m)
{
    struct tally_cursor at = { 0 };
    struct tally_sum s;

    while (tally_next(m, &at, &s))
        tally_mark(m, &s.place);
}

static void print(const char *name, double rounds[ROUNDS])
{
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"ns\"}\n", name, rounds[ROUNDS / 2] / BATCH * 1e9);
}

/* `sessions` read in turn, each with two actions. */
static void measure_tally(const char *name, size_t sessions)
{
    struct tally_memory *m = NULL;
    struct tally *t = NULL;
    double rounds[ROUNDS];
    char ids[64][16];
    int fd = -1;

    if (tally_memory_make(&fd, NULL) != POSTERN_OK || tally_memory_map(fd, &m, NULL) != POSTERN_OK ||
        tally_new(m, getpid(), &t, NULL) != POSTERN_OK)
        die("memory");
    for (size_t i = 0; i < 64; i++)
        if (snprintf(ids[i], sizeof ids[i], "S-%010zu", i) < 0)
            die("snprintf");
    for (size_t round = 0; round < ROUNDS; round++) {
        double begin = cpu_s();

        for (size_t i = 0; i < BATCH; i++) {
            const struct tally_of of = { .session = ids[i % sessions], .door = "cache", .agent = "agent-7",
                                         .human = "alice@example.org", .purpose = "nightly invoices",
                                         .action = i % 2 == 0 ? "redis:GET" : "redis:HGETALL", .rule = "cache:read" };

            if (!tally_add(t, &of, NOW_MS))
                die("not counted");
        }
        rounds[round] = cpu_s() - begin;
        drain(m);
    }
    print(name, rounds);
    tally_free(t);
    tally_memory_free(m);
    (void)close(fd);
}

static void measure_digest(void)
{
    const struct args_digest_key key = { { 1 } };
    struct args_digest_maker *m = args_digest_maker_new(&key);
    const postern_bytes pieces[] = { POSTERN_BYTES_LIT("stock:4711"), POSTERN_BYTES_LIT("17") };
    double rounds[ROUNDS];
    char text[ARGS_DIGEST_MAX];

    for (size_t round = 0; round < ROUNDS; round++) {
        double begin = cpu_s();

        for (size_t i = 0; i < BATCH; i++)
            if (m == NULL || !args_digest_make_with(m, "redis:SET", NULL, pieces, 2, text))
                die("no digest");
        rounds[round] = cpu_s() - begin;
    }
    print("digest of two arguments", rounds);
    args_digest_maker_free(m);
}

int main(void)
{
    measure_tally("one action counted, one session", 1);
    measure_tally("one action counted, 64 sessions in turn", 64);
    measure_digest();
    return 0;
}
