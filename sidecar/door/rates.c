/* SPDX-License-Identifier: BSD-2-Clause */
/* See rates.h. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <postern-private/sha256.h>

#include "rates_memory.h"

#define BUCKETS 4096 /* four in each when it is full */
#define RETRY_FULL_MS 1000
/* What a policy may write, and what a count of many years would be: others are nobody's numbers. */
#define PERIOD_MAX_S (366 * 86400)
#define USED_MAX     (INT64_C(1) << 53)

_Static_assert(RATE_NAME_LEN == SHA256_LEN, "a slot's name");
_Static_assert(RATES_MAX <= UINT16_MAX, "a slot's number");

struct window {
    LIST_ENTRY(window) in_bucket;
    TAILQ_ENTRY(window) in_use; /* the longest unused first */
    uint64_t hash;
    struct rate_slot *at; /* its numbers */
    size_t   key_len;
    char     key[]; /* issuer, agent, rule, each with its NUL */
};
LIST_HEAD(window_bucket, window);
TAILQ_HEAD(window_list, window);

struct rates {
    pthread_mutex_t lock;
    struct window_list used;
    struct window_bucket buckets[BUCKETS];
    struct rate_slot *slots; /* RATES_MAX; each has a window, or is left by another door, or free */
    struct rate_slot *own;   /* the same, unless they are shared */
    size_t free_count, left_count;
    uint16_t free[RATES_MAX]; /* numbers of slots */
    uint16_t left[RATES_MAX]; /* likewise, by their names: whoever chose those, none is slow to find */
    int64_t  swept_ms;        /* when all were looked at */
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

static int64_t step_ms(const struct rate_slot *w)
{
    int64_t ms = (w->rate.period_s * 1000 + RATE_STEPS - 1) / RATE_STEPS;

    return ms > 0 ? ms : 1;
}

static uint64_t *step_at(struct rate_slot *w, int64_t n)
{
    return &w->steps[(uint64_t)n % (RATE_STEPS + 1)];
}

/* Steps that are over are forgotten. */
static void advance(struct rate_slot *w, int64_t now_ms)
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

static uint64_t used(const struct rate_slot *w)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < RATE_STEPS + 1; i++)
        sum += w->steps[i];
    return sum;
}

/* Of steps that may have been after then_ms.  No more than counts when another door reads it. */
static uint64_t used_after(struct rate_slot *w, int64_t then_ms)
{
    uint64_t sum = 0;

    for (int64_t n = w->newest - RATE_STEPS; n <= w->newest; n++)
        if (n >= 0 && (n + 1) * step_ms(w) > then_ms)
            sum += *step_at(w, n);
    return sum < USED_MAX ? sum : USED_MAX;
}

/* Another rate under the same label: the policy was changed.  What was used within the new period
 * counts as of now. */
static void set_rate(struct rate_slot *w, struct postern_policy_rate rate, int64_t now_ms)
{
    uint64_t before;

    if (w->rate.count == rate.count && w->rate.period_s == rate.period_s)
        return;
    before = used_after(w, now_ms - rate.period_s * 1000);
    memset(w->steps, 0, sizeof w->steps);
    w->rate = rate;
    w->newest = now_ms / step_ms(w);
    *step_at(w, w->newest) = before;
}

/* Until the oldest step that counts is out of the window. */
static int64_t wait_of(struct rate_slot *w, int64_t now_ms)
{
    for (int64_t n = w->newest - RATE_STEPS; n <= w->newest; n++)
        if (n >= 0 && *step_at(w, n) != 0)
            return (n + RATE_STEPS + 1) * step_ms(w) - now_ms;
    return step_ms(w);
}

/* ---- what another door left ---- */

static bool is_named(const struct rate_slot *w)
{
    static const uint8_t nobody[RATE_NAME_LEN];

    return memcmp(w->name, nobody, sizeof nobody) != 0;
}

/* Numbers that a door may have written; a step that is to come would never be over. */
static bool is_sane(const struct rate_slot *w, int64_t now_ms)
{
    if (!is_named(w) || w->rate.count < 1 || w->rate.period_s < 1 ||
        w->rate.period_s > PERIOD_MAX_S || w->newest < 0 || w->newest > now_ms / step_ms(w))
        return false;
    for (size_t i = 0; i < RATE_STEPS + 1; i++)
        if (w->steps[i] > USED_MAX)
            return false;
    return true;
}

static void free_slot(struct rates *r, struct rate_slot *w)
{
    memset(w, 0, sizeof *w);
    r->free[r->free_count++] = (uint16_t)(w - r->slots);
}

/* Where in left[] a name stands, or would. */
static size_t place_of(const struct rates *r, const uint8_t name[RATE_NAME_LEN], bool *ret_is_there)
{
    size_t low = 0, high = r->left_count;

    *ret_is_there = false;
    while (low < high && !*ret_is_there) {
        size_t middle = (low + high) / 2;
        int order = memcmp(r->slots[r->left[middle]].name, name, RATE_NAME_LEN);

        if (order < 0)
            low = middle + 1;
        else
            high = middle;
        *ret_is_there = order == 0;
    }
    return high;
}

/* False: another is called so, which no door leaves. */
static bool add_left(struct rates *r, const struct rate_slot *w)
{
    bool is_there;
    size_t at = place_of(r, w->name, &is_there);

    if (is_there)
        return false;
    memmove(&r->left[at + 1], &r->left[at], (r->left_count - at) * sizeof r->left[0]);
    r->left[at] = (uint16_t)(w - r->slots);
    r->left_count++;
    return true;
}

/* NULL: nothing is left of it.  Else it is the caller's. */
static struct rate_slot *take_left(struct rates *r, const uint8_t name[RATE_NAME_LEN])
{
    bool is_there;
    size_t at = place_of(r, name, &is_there);
    struct rate_slot *w;

    if (!is_there)
        return NULL;
    w = &r->slots[r->left[at]];
    r->left_count--;
    memmove(&r->left[at], &r->left[at + 1], (r->left_count - at) * sizeof r->left[0]);
    return w;
}

/* Those of whom nothing counts any more. */
static void sweep_left(struct rates *r, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->left_count; i++) {
        struct rate_slot *w = &r->slots[r->left[i]];

        advance(w, now_ms);
        if (used(w) != 0)
            r->left[kept++] = r->left[i];
        else
            free_slot(r, w);
    }
    r->left_count = kept;
}

/* Every slot is somebody's, or free: the lowest are taken first.  Only the first `count` were ever
 * written to. */
static void sort_slots(struct rates *r, size_t count, int64_t now_ms)
{
    r->free_count = 0;
    for (size_t i = RATES_MAX; i-- > count;)
        r->free[r->free_count++] = (uint16_t)i;
    for (size_t i = count; i-- > 0;) {
        struct rate_slot *w = &r->slots[i];
        bool is_kept = is_sane(w, now_ms);

        if (is_kept) {
            advance(w, now_ms);
            is_kept = used(w) != 0 && add_left(r, w);
        }
        if (!is_kept)
            free_slot(r, w);
    }
}

/* ---- a place for one more ---- */

static void drop(struct rates *r, struct window *w)
{
    LIST_REMOVE(w, in_bucket);
    TAILQ_REMOVE(&r->used, w, in_use);
    free_slot(r, w->at);
    free(w);
}

/* Those of the same action are the last of all, and are not looked at: the caller has them in
 * hand. */
static void sweep_windows(struct rates *r, int64_t now_ms)
{
    struct window *w = TAILQ_FIRST(&r->used), *next;
    size_t windows = RATES_MAX - r->free_count - r->left_count;

    for (size_t i = 0; i + RATES_PER_ACTION_MAX < windows; i++, w = next) {
        next = TAILQ_NEXT(w, in_use);
        advance(w->at, now_ms);
        if (used(w->at) == 0)
            drop(r, w);
    }
}

/* The longest unused may count for a month, while others' are over: so all are looked at, and
 * seldom. */
static bool make_room(struct rates *r, int64_t now_ms)
{
    if (r->free_count == 0 && now_ms - r->swept_ms >= RETRY_FULL_MS) {
        r->swept_ms = now_ms;
        sweep_windows(r, now_ms);
        sweep_left(r, now_ms);
    }
    return r->free_count != 0;
}

/* NULL: there is none. */
static struct rate_slot *take_slot(struct rates *r, const struct window *w,
                                   const struct rate_use *use, int64_t now_ms)
{
    uint8_t name[RATE_NAME_LEN]; /* where texts have no room */
    struct rate_slot *at;

    if (!sha256_make((postern_bytes){ (const uint8_t *)w->key, w->key_len }, name))
        return NULL;
    at = take_left(r, name);
    if (at != NULL || !make_room(r, now_ms))
        return at;
    at = &r->slots[r->free[--r->free_count]];
    at->rate = use->rate;
    at->newest = now_ms / step_ms(at);
    memcpy(at->name, name, sizeof name); /* with its name it counts */
    return at;
}

static struct window *add(struct rates *r, const struct key *k, const struct rate_use *use,
                          int64_t now_ms)
{
    struct window *w = calloc(1, sizeof *w + k->len);
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
    w->at = take_slot(r, w, use, now_ms);
    if (w->at == NULL) {
        free(w);
        return NULL;
    }
    LIST_INSERT_HEAD(&r->buckets[k->hash % BUCKETS], w, in_bucket);
    TAILQ_INSERT_TAIL(&r->used, w, in_use);
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
        return POSTERN_FAIL(err, RATE, "%zu rates are counted already, or no memory",
                            RATES_MAX - r->free_count);
    }
    set_rate(w->at, use->rate, now_ms);
    advance(w->at, now_ms);
    TAILQ_REMOVE(&r->used, w, in_use);
    TAILQ_INSERT_TAIL(&r->used, w, in_use);
    *ret = w;
    if (use->rate.count > 0 && used(w->at) < (uint64_t)use->rate.count)
        return POSTERN_OK;
    *ret_wait_ms = wait_of(w->at, now_ms);
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
        ++*step_at(windows[i]->at, windows[i]->at->newest);
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

static bool prepare(struct rates *r)
{
    r->own = calloc(RATES_MAX, sizeof *r->own);
    if (r->own == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r->own);
        return false;
    }
    r->slots = r->own;
    TAILQ_INIT(&r->used);
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_INIT(&r->buckets[i]);
    sort_slots(r, 0, 0);
    return true;
}

postern_err rates_new(struct rates **ret, postern_error *err)
{
    struct rates *r = calloc(1, sizeof *r);

    if (r == NULL || !prepare(r)) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "rates of a door");
    }
    *ret = r;
    return POSTERN_OK;
}

postern_err rates_share(struct rates *r, int fd, int64_t now_ms, postern_error *err)
{
    size_t count;

    if (!TAILQ_EMPTY(&r->used) || r->slots != r->own)
        return POSTERN_FAIL(err, USAGE, "rates are counted already");
    POSTERN_TRY(rates_memory_map(fd, &r->slots, &count, err));
    free(r->own);
    r->own = NULL;
    sort_slots(r, count, now_ms);
    return POSTERN_OK;
}

/* What was counted stays where it is shared. */
void rates_free(struct rates *r)
{
    struct window *w, *next;

    if (r == NULL)
        return;
    for (w = TAILQ_FIRST(&r->used); w != NULL; w = next) {
        next = TAILQ_NEXT(w, in_use);
        free(w);
    }
    if (r->slots != r->own)
        rates_memory_unmap(r->slots);
    free(r->own);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}
