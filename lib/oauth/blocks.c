/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocked agents, sorted by name so that a login costs a handful of comparisons.  Control
 * sends the whole list whenever it changes; here it is swapped under a lock.
 */
#include "blocks.h"

#include <pthread.h>
#include <stdlib.h>

struct blocks {
    pthread_mutex_t lock;
    bool is_expected, is_told;
    postern_block *list; /* sorted by agent */
    size_t count;
};

postern_err postern_blocks_new(struct blocks **ret, postern_error *err)
{
    struct blocks *b = calloc(1, sizeof *b);

    if (b == NULL || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return POSTERN_FAIL(err, NOMEM, "blocks");
    }
    *ret = b;
    return POSTERN_OK;
}

void postern_blocks_free(struct blocks *b)
{
    if (b == NULL)
        return;
    free(b->list);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

void postern_blocks_expect(struct blocks *b)
{
    pthread_mutex_lock(&b->lock);
    b->is_expected = true;
    pthread_mutex_unlock(&b->lock);
}

static int compare_agents(const void *a, const void *b)
{
    return strcmp(((const postern_block *)a)->agent, ((const postern_block *)b)->agent);
}

postern_err postern_blocks_set(struct blocks *b, const postern_block *list, size_t count,
                               postern_error *err)
{
    postern_block *copy, *old;

    if (count > POSTERN_BLOCKS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d blocked agents", POSTERN_BLOCKS_MAX);
    copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu blocks", count);
    if (count != 0)
        memcpy(copy, list, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare_agents);
    pthread_mutex_lock(&b->lock);
    old = b->list;
    b->list = copy;
    b->count = count;
    b->is_told = true;
    pthread_mutex_unlock(&b->lock);
    free(old);
    return POSTERN_OK;
}

static int compare_name(postern_bytes name, const char *agent)
{
    size_t len = strlen(agent), common = name.len < len ? name.len : len;
    int order = common == 0 ? 0 : memcmp(name.ptr, agent, common);

    return order != 0 ? order : (name.len > len) - (name.len < len);
}

/* The first entry of that name; an agent may stand there more than once (a fleet's merged file). */
static size_t find_first(const struct blocks *b, postern_bytes name)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_name(name, b->list[middle].agent) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const postern_block *find_in_force(const struct blocks *b, postern_bytes name, int64_t now_s)
{
    for (size_t i = find_first(b, name); i < b->count; i++) {
        if (compare_name(name, b->list[i].agent) != 0)
            return NULL;
        if (b->list[i].until_s == 0 || now_s < b->list[i].until_s)
            return &b->list[i];
    }
    return NULL;
}

static postern_err check(const struct blocks *b, postern_bytes agent, int64_t now_s,
                         postern_failure *ret_failure, postern_error *err)
{
    const postern_block *block;

    if (b->is_expected && !b->is_told)
        return POSTERN_FAIL(err, REVOCATIONS_UNKNOWN, "the blocked agents are not known yet");
    if (b->count == 0 || agent.len == 0 || (block = find_in_force(b, agent, now_s)) == NULL)
        return POSTERN_OK;
    if (ret_failure != NULL) {
        memcpy(ret_failure->because, block->reason, sizeof ret_failure->because);
        memcpy(ret_failure->contact, block->contact, sizeof ret_failure->contact);
    }
    return POSTERN_FAIL(err, BLOCKED, "agent \"%s\" is blocked", block->agent);
}

postern_err postern_blocks_check(struct blocks *b, postern_bytes agent, int64_t now_s,
                                 postern_failure *ret_failure, postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&b->lock);
    e = check(b, agent, now_s, ret_failure, err);
    pthread_mutex_unlock(&b->lock);
    return e;
}
