/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a decision costs in a policy of 10, 1,000 and 10,000 rules of which the last one decides.
 * "unrelated": all others are about other agents, keys, users, tools and services, as in a fleet's one
 * list.  "near": all others are for this agent and this action and fail by a test, so that each has to
 * be looked at.  "key of 1 MiB": what a glob costs that such a key does not match, all of ordinary bytes,
 * and all of bytes with which the glob goes on behind its star.  One JSON object a line; figures are
 * medians of the thread's CPU time.
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

struct shape {
    const char *before, *after; /* the rule's number stands between */
};
static const struct shape unrelated[] = {
    { "deny agent bot-", " to redis:*\n" },
    { "allow agent pool-", "-* for anyone to redis:@read on \"cache:*\"\n" },
    { "allow agent worker-* to redis:GET,MGET on \"team-", ":*\"\n" },
    { "deny user u", " to *\n" },
    { "allow agent worker-* for group staff-", " to redis:@read if scope has x\n" },
    { "allow agent worker-* to mcp:tools/call on tool_", " if arg.path under \"/srv\"\n" },
    { "allow agent worker-* to s-", ":login\n" },
    { "deny agent $team to redis:@write on \"db-", ":*\"\n" },
};
static const struct shape near[] = {
    { "allow agent worker-* to redis:GET on \"cache:*\" if scope has cache.read-", "\n" },
    { "deny anyone to redis:@read if claim.tenant = tenant-", "\n" },
    { "deny agent worker-* to redis:* if source in (10.0.0.0/8) and time sat-sun 00:00-24:00 and chain "
      "> ",
      "\n" },
    { "allow agent worker-* to redis:GET on \"cache:*\" if arg.0 = key-", "\n" },
};
#define SHAPES 8 /* of either kind: near ones come twice */

static const struct shape *shape_of(const struct shape *shapes, size_t i)
{
    return &shapes[shapes == near ? i % 4 : i % SHAPES];
}

static postern_policy *make_policy(size_t rules, const struct shape *shapes)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO(policy) p = NULL;
    postern_error err;

    if (postern_policy_new(&p, &err) != POSTERN_OK)
        die(err.detail);
    postern_buf_add_str(&text, "set $team = a,b,c,d,e,f,g-*,worker-*\n");
    for (size_t i = 1; i < rules; i++)
        postern_buf_addf(&text, "%s%zu%s", shape_of(shapes, i)->before, i, shape_of(shapes, i)->after);
    postern_buf_add_str(&text, "allow agent worker-* to redis:@read on \"cache:*\"\n");
    if (text.failed ||
        postern_policy_add(p, "f", "f", postern_buf_bytes(&text), &err) != POSTERN_OK ||
        postern_policy_finish(p, &err) != POSTERN_OK)
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

static void report(const char *kind, const struct shape *shapes, size_t rules,
                   const postern_policy_question *q)
{
    double start_s = cpu_s(), load_s, us;
    POSTERN_AUTO(policy) p = make_policy(rules, shapes);

    load_s = cpu_s() - start_s;
    us = measure_us(p, q);
    printf("{\"name\":\"decision, %zu rules, %s\",\"value\":%.2f,\"unit\":\"us\"}\n", rules, kind, us);
    printf("{\"name\":\"decisions, %zu rules, %s\",\"value\":%.0f,\"unit\":\"1/s\"}\n", rules, kind,
           1e6 / us);
    printf("{\"name\":\"load, %zu rules, %s\",\"value\":%.1f,\"unit\":\"ms\"}\n", rules, kind,
           load_s * 1e3);
}

static void report_long_key(const char *kind, char fill, postern_policy_question q)
{
    static const char rules[] = "deny anyone to redis:* on \"*:secret:*\"\nallow anyone to redis:*\n";
    const size_t len = 1 << 20;
    POSTERN_AUTO(policy) p = NULL;
    uint8_t *key = malloc(len);
    postern_error err;

    if (key == NULL || postern_policy_new(&p, &err) != POSTERN_OK ||
        postern_policy_add(p, "f", "f", postern_bytes_str(rules), &err) != POSTERN_OK ||
        postern_policy_finish(p, &err) != POSTERN_OK)
        die("rules for a long key");
    memset(key, fill, len);
    q.resource = (postern_bytes){ key, len };
    printf("{\"name\":\"decision, key of 1 MiB, %s\",\"value\":%.2f,\"unit\":\"us\"}\n", kind,
           measure_us(p, &q));
    free(key);
}

int main(void)
{
    static const size_t sizes[] = { 10, 1000, 10000 };
    static const char claims[] = "{\"iss\":\"https://as.example\",\"sub\":\"alice\",\"aud\":\"x\","
                                 "\"exp\":1,\"iat\":1,\"jti\":\"a\",\"client_id\":\"worker-7\","
                                 "\"scope\":\"cache.read\",\"tenant\":\"acme\",\"groups\":[\"a\"]}";
    static const postern_bytes args[] = { POSTERN_BYTES_LIT("cache:1") };
    postern_policy_subject s = { .agent = "worker-7",
                                 .client = "worker-7",
                                 .user = "alice",
                                 .issuer = "https://as.example",
                                 .scope = "cache.read cache.write",
                                 .claims = postern_bytes_str(claims) };
    postern_policy_question q = { .size = sizeof q,
                                  .subject = &s,
                                  .source = "10.1.2.3",
                                  .protocol = "redis",
                                  .action = "GET",
                                  .resource = postern_bytes_str("cache:1"),
                                  .args = { .kind = POSTERN_POLICY_ARGS_LIST, .list = args, .count = 1 },
                                  .now_s = NOW_S };

    if (postern_policy_subject_prepare(&s, NULL) != POSTERN_OK)
        die("claims");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        report("unrelated", unrelated, sizes[i], &q);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        report("near", near, sizes[i], &q);
    report_long_key("ordinary", 'a', q);
    report_long_key("nearly matching", ':', q);
    postern_policy_subject_clear(&s);
    return 0;
}
