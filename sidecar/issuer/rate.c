/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets in one fixed table; see rate.h.  A bucket is stored as the moment at which it will
 * be full again
 * ("generic cell rate"): one number, no timer, nothing to expire.
 */
#include "rate.h"

#include <stdlib.h>

#define WAYS 8 /* buckets in which one key may lie */

struct bucket {
    uint64_t key;       /* 0: never used */
    int64_t full_at_ms; /* in the past: full */
};

struct rate_table {
    uint64_t seed;
    struct bucket buckets[RATE_BUCKETS];
};

postern_err rate_table_new(uint64_t seed, struct rate_table **ret, postern_error *err)
{
    struct rate_table *t = calloc(1, sizeof *t);

    if (t == NULL)
        return POSTERN_FAIL(err, NOMEM, "rate table");
    t->seed = seed;
    *ret = t;
    return POSTERN_OK;
}

void rate_table_free(struct rate_table *t)
{
    free(t);
}

/* FNV-1a from a secret start, NUL included so that ("ab","c") and ("a","bc") differ. */
static uint64_t hash_text(uint64_t h, const char *s)
{
    do {
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    } while (*s++ != '\0');
    return h ^ (h >> 29);
}

static struct bucket *find_bucket(struct rate_table *t, uint64_t key)
{
    struct bucket *set = &t->buckets[key / WAYS * WAYS % RATE_BUCKETS];
    struct bucket *fullest = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_at_ms < fullest->full_at_ms)
            fullest = &set[i];
    }
    *fullest = (struct bucket){ key, INT64_MIN };
    return fullest;
}

static uint64_t make_key(const struct rate_table *t, const struct rate_rule *rule, const char *who,
                         const char *where)
{
    return hash_text(hash_text(hash_text(t->seed, rule->name), who), where) | 1;
}

int rate_take(struct rate_table *t, const struct rate_rule *rule, const char *who,
              const char *where, int64_t now_mono_ms)
{
    struct bucket *b = find_bucket(t, make_key(t, rule, who, where));
    int64_t from_ms = b->full_at_ms > now_mono_ms ? b->full_at_ms : now_mono_ms;
    int64_t missing_ms = from_ms + rule->refill_ms - now_mono_ms;
    int64_t over_ms = missing_ms - (int64_t)rule->burst * rule->refill_ms;

    if (over_ms > 0)
        return (int)((over_ms + 999) / 1000);
    b->full_at_ms = from_ms + rule->refill_ms;
    return 0;
}

void rate_give_back(struct rate_table *t, const struct rate_rule *rule, const char *who,
                    const char *where, int64_t now_mono_ms)
{
    struct bucket *b = find_bucket(t, make_key(t, rule, who, where));

    if (b->full_at_ms > now_mono_ms)
        b->full_at_ms -= rule->refill_ms;
}
