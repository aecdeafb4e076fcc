/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a decision costs: the last rule of a policy of 64, 1,024 and 4,096 decides, and every one
 * before it is looked at.  Names and globs, a set of eight, a template, tests of scope, claim,
 * source and time.  One JSON object a line; figures are medians of the thread's CPU time.
 *
 *     tests/bench/policy
 */
#include <postern/policy.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 201
#define BATCH  16 /* decisions in a round: above the clock's grain */
#define NOW_S  INT64_C(1796119200)

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "policy: %s\n", what);
    exit(1);
}

static double cpu_s(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        die("clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Rules that do not match: by name, by glob, by set, by resource, by test; then one that does. */
static postern_policy *make_policy(size_t rules)
{
    static const struct {
        const char *before, *after;
    } shapes[] = {
        { "deny agent bot-", " to raw:connect\n" },
        { "allow agent pool-", "-* for anyone to raw:connect on cache\n" },
        { "allow agent $team to raw:connect on db-", "\n" },
        { "allow agent worker-* to raw:connect on \"stream-${agent}-", "\"\n" },
        { "allow agent worker-* to raw:connect on cache if scope has cache.read-", "\n" },
        { "deny anyone to * if claim.tenant = tenant-", "\n" },
        { "deny user u", " to *\n" },
        { "deny agent worker-* to * if source in (10.0.0.0/8) and time sat-sun 00:00-24:00 and "
          "chain > ",
          "\n" },
    };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO(policy) p = NULL;
    postern_error err;
    char name[32];

    if (postern_policy_new(&p, &err) != POSTERN_OK)
        die(err.detail);
    for (size_t i = 0; i < rules;) { /* 1,024 a file */
        size_t end = i + 1024 < rules ? i + 1024 : rules;

        postern_buf_reset(&text);
        postern_buf_add_str(&text, "set $team = a,b,c,d,e,f,g-*,worker-*\n");
        (void)snprintf(name, sizeof name, "f%zu", i);
        for (; i < end; i++) {
            size_t shape = i % (sizeof shapes / sizeof *shapes);

            postern_buf_addf(&text, "%s%zu%s", shapes[shape].before, i, shapes[shape].after);
        }
        if (end == rules)
            postern_buf_add_str(&text, "allow agent worker-* to raw:connect on cache\n");
        if (postern_policy_add(p, name, name, postern_buf_bytes(&text), &err) != POSTERN_OK)
            die(err.detail);
    }
    if (postern_policy_finish(p, &err) != POSTERN_OK)
        die(err.detail);
    return POSTERN_STEAL(p);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure_us(const postern_policy *p, const postern_policy_question *q)
{
    double rounds[ROUNDS];
    postern_decision d;

    for (int i = 0; i < ROUNDS; i++) {
        double start_s = cpu_s();

        for (int k = 0; k < BATCH; k++) {
            postern_policy_decide(p, q, &d);
            if (d.verdict != POSTERN_VERDICT_ALLOW)
                die("the last rule did not decide");
        }
        rounds[i] = (cpu_s() - start_s) / BATCH * 1e6;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2];
}

int main(void)
{
    static const size_t sizes[] = { 64, 1024, POSTERN_POLICY_RULES_MAX };
    static const char claims[] = "{\"iss\":\"https://as.example\",\"sub\":\"alice\",\"aud\":\"x\","
                                 "\"exp\":1,\"iat\":1,\"jti\":\"a\",\"client_id\":\"worker-7\","
                                 "\"scope\":\"cache.read\",\"tenant\":\"acme\",\"groups\":[\"a\"]}";
    postern_policy_subject s = { .agent = "worker-7",
                                 .client = "worker-7",
                                 .user = "alice",
                                 .issuer = "https://as.example",
                                 .scope = "cache.read cache.write",
                                 .claims = postern_bytes_str(claims) };
    postern_policy_question q = { .size = sizeof q,
                                  .subject = &s,
                                  .source = "10.1.2.3",
                                  .protocol = "raw",
                                  .action = "connect",
                                  .resource = postern_bytes_str("cache"),
                                  .now_s = NOW_S };

    if (postern_policy_subject_prepare(&s, NULL) != POSTERN_OK)
        die("claims");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        POSTERN_AUTO(policy) p = make_policy(sizes[i] - 1);

        printf("{\"name\":\"decision, %zu rules\",\"value\":%.2f,\"unit\":\"us\"}\n", sizes[i],
               measure_us(p, &q));
    }
    postern_policy_subject_clear(&s);
    return 0;
}
