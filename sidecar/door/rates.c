/* SPDX-License-Identifier: BSD-2-Clause */
/* See rates.h. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "rates.h"

#define BUCKETS 4096 /* four in each when it is full */
#define RETRY_FULL_MS 1000

struct window {
    LIST_ENTRY(window) in_bucket;
    TAILQ_ENTRY(window) in_use; /* the longest unused first */
    uint64_t hash;
    struct postern_policy_rate rate;
    int64_t  newest;             /* number of its newest step: now_ms / step */
    uint64_t steps[RATE_STEPS + 1]; /* step n is at n % (RATE_STEPS + 1) */
    size_t   key_len;
    char     key[]; /* issuer, agent, rule, each with its NUL */
};
LIST_HEAD(window_bucket, window);
TAILQ_HEAD(window_list, window);

struct rates {
    pthread_mutex_t lock;
    size_t count;
    struct window_list used;
    struct window_bucket buckets[BUCKETS];
};

struct key {
    const char *parts[3];
    uint64_t    hash;
    size_t      len;
};

/* ---- keys ---- */

static struct key make_key(const char *issuer, const char *agent, const char *rule)
{
    struct key k = { { issuer, agent, rule }, 14695981039346656037u, 0 }; /* FNV-1a */

    for (size_t i = 0; i < 3; i++)
        for (const char *at = k.parts[i];; at++) {
            k.hash = (k.hash ^ (uint8_t)*at) * 1099511628211u;
            k.len++;
            if (*at == '\0')
                break;
        }
    return k;
}

static bool is_of(const struct window *w, const struct key *k)
{
    const char *at = w->key;

    if (w->hash != k->hash || w->key_len != k->len)
        return false;
    for (size_t i = 0; i < 3; at += strlen(at) + 1, i++)
        if (strcmp(at, k->parts[i]) != 0)
            return false;
    return true;
}

static struct window *find(struct rates *r, const struct key *k)
{
    struct window *w;

    LIST_FOREACH (w, &r->buckets[k->hash % BUCKETS], in_bucket)
        if (is_of(w, k))
            return w;
    return NULL;
}

/* ---- windows ---- */

static int64_t step_ms(const struct window *w)
{
    int64_t ms = (w->rate.period_s * 1000 + RATE_STEPS - 1) / RATE_STEPS;

    return ms > 0 ? ms : 1;
}

static uint64_t *step_at(struct window *w, int64_t n)
{
    return &w->steps[(uint64_t)n % (RATE_STEPS + 1)];
}

/* Steps that are over are forgotten. */
static void advance(struct window *w, int64_t now_ms)
{
    int64_t now = now_ms / step_ms(w);

    if (now - w->newest > RATE_STEPS)
        memset(w->steps, 0, sizeof w->steps);
    else
        for (int64_t n = w->newest + 1; n <= now; n++)
            *step_at(w, n) = 0;
    if (now > w->newest)
        w->newest = now;
}

static uint64_t used(const struct window *w)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < RATE_STEPS + 1; i++)
        sum += w->steps[i];
    return sum;
}

/* Another rate under the same label: the policy was changed.  What was used counts as of now. */
static void set_rate(struct window *w, struct postern_policy_rate rate, int64_t now_ms)
{
    uint64_t before = used(w);

    if (w->rate.count == rate.count && w->rate.period_s == rate.period_s)
        return;
    memset(w->steps, 0, sizeof w->steps);
    w->rate = rate;
    w->newest = now_ms / step_ms(w);
    *step_at(w, w->newest) = before;
}

/* Until the oldest step that counts is out of the window. */
static int64_t wait_of(struct window *w, int64_t now_ms)
{
    for (int64_t n = w->newest - RATE_STEPS; n <= w->newest; n++)
        if (n >= 0 && *step_at(w, n) != 0)
            return (n + RATE_STEPS + 1) * step_ms(w) - now_ms;
    return step_ms(w);
}

static void drop(struct rates *r, struct window *w)
{
    LIST_REMOVE(w, in_bucket);
    TAILQ_REMOVE(&r->used, w, in_use);
    r->count--;
    free(w);
}

/* The longest unused may count for long still, while another's is over: some are looked at.  Those
 * of the same action are the last of all, and not among them. */
static bool make_room(struct rates *r, int64_t now_ms)
{
    struct window *w = TAILQ_FIRST(&r->used), *next;

    if (r->count < RATES_MAX)
        return true;
    for (int i = 0; i < 64 && w != NULL; i++, w = next) {
        next = TAILQ_NEXT(w, in_use);
        advance(w, now_ms);
        if (used(w) == 0) {
            drop(r, w);
            return true;
        }
    }
    return false;
}

static struct window *add(struct rates *r, const struct key *k, const struct rate_use *use,
                          int64_t now_ms)
{
    struct window *w = make_room(r, now_ms) ? calloc(1, sizeof *w + k->len) : NULL;
    char *at;

    if (w == NULL)
        return NULL;
    at = w->key;
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(k->parts[i]) + 1;

        memcpy(at, k->parts[i], len);
        at += len;
    }
    w->hash = k->hash;
    w->key_len = k->len;
    w->rate = use->rate;
    w->newest = now_ms / step_ms(w);
    LIST_INSERT_HEAD(&r->buckets[k->hash % BUCKETS], w, in_bucket);
    TAILQ_INSERT_TAIL(&r->used, w, in_use);
    r->count++;
    return w;
}

/* ---- taking ---- */

static postern_err look(struct rates *r, const struct key *k, const struct rate_use *use,
                        int64_t now_ms, struct window **ret, int64_t *ret_wait_ms,
                        postern_error *err)
{
    struct window *w = find(r, k);

    if (w == NULL)
        w = add(r, k, use, now_ms);
    if (w == NULL) {
        *ret_wait_ms = RETRY_FULL_MS;
        return POSTERN_FAIL(err, RATE, "%zu rates are counted already, or no memory", r->count);
    }
    set_rate(w, use->rate, now_ms);
    advance(w, now_ms);
    TAILQ_REMOVE(&r->used, w, in_use);
    TAILQ_INSERT_TAIL(&r->used, w, in_use);
    *ret = w;
    if (use->rate.count > 0 && used(w) < (uint64_t)use->rate.count)
        return POSTERN_OK;
    *ret_wait_ms = wait_of(w, now_ms);
    return POSTERN_FAIL(err, RATE, "rule %s allows %lld in %lld s", use->rule,
                        (long long)use->rate.count, (long long)use->rate.period_s);
}

static postern_err take_all(struct rates *r, const char *issuer, const char *agent,
                            const struct rate_use *uses, size_t count, int64_t now_ms,
                            int64_t *ret_wait_ms, postern_error *err)
{
    struct window *windows[RATES_PER_ACTION_MAX];

    if (count > RATES_PER_ACTION_MAX)
        return POSTERN_FAIL(err, RATE, "an action under %zu rules with a rate", count);
    for (size_t i = 0; i < count; i++) {
        struct key k = make_key(issuer, agent, uses[i].rule);

        POSTERN_TRY(look(r, &k, &uses[i], now_ms, &windows[i], ret_wait_ms, err));
    }
    for (size_t i = 0; i < count; i++)
        ++*step_at(windows[i], windows[i]->newest);
    return POSTERN_OK;
}

postern_err rates_take(struct rates *r, const char *issuer, const char *agent,
                       const struct rate_use *uses, size_t count, int64_t now_ms,
                       int64_t *ret_wait_ms, postern_error *err)
{
    postern_err e;

    *ret_wait_ms = RETRY_FULL_MS;
    pthread_mutex_lock(&r->lock);
    e = take_all(r, issuer, agent, uses, count, now_ms, ret_wait_ms, err);
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* ---- life ---- */

postern_err rates_new(struct rates **ret, postern_error *err)
{
    struct rates *r = calloc(1, sizeof *r);

    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "rates of a door");
    }
    TAILQ_INIT(&r->used);
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_INIT(&r->buckets[i]);
    *ret = r;
    return POSTERN_OK;
}

void rates_free(struct rates *r)
{
    if (r == NULL)
        return;
    while (!TAILQ_EMPTY(&r->used))
        drop(r, TAILQ_FIRST(&r->used));
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}
