/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocked agents, sorted by name so that a login costs a handful of comparisons, and the
 * longest block of a name first so that it alone is looked at.  Control sends the whole list
 * whenever it changes; here it is swapped under a lock.
 */
#include "blocks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "grant/grant.h"

_Static_assert(POSTERN_AGENT_MAX > POSTERN_IDENTITY_MAX, "every agent can be blocked");

struct blocks {
    atomic_bool
        is_in_use; /* told or expected; never false again; until then nobody needs the lock */
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
    atomic_init(&b->is_in_use, false);
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
    atomic_store(&b->is_in_use, true);
    b->is_expected = true;
    pthread_mutex_unlock(&b->lock);
}

/* Without end is the longest. */
static int64_t get_end_s(const postern_block *block)
{
    return block->until_s == 0 ? INT64_MAX : block->until_s;
}

static int compare_blocks(const void *a, const void *b)
{
    const postern_block *x = a, *y = b;
    int order = strcmp(x->agent, y->agent);

    return order != 0 ? order : (get_end_s(x) < get_end_s(y)) - (get_end_s(x) > get_end_s(y));
}

static bool is_text(const char *field, size_t size)
{
    return memchr(field, '\0', size) != NULL;
}

static postern_err check_texts(const postern_block *list, size_t count, postern_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!is_text(list[i].agent, sizeof list[i].agent) ||
            !is_text(list[i].reason, sizeof list[i].reason) ||
            !is_text(list[i].contact, sizeof list[i].contact))
            return POSTERN_FAIL(err, USAGE, "block %zu holds a text without end", i);
    return POSTERN_OK;
}

postern_err postern_blocks_set(struct blocks *b, const postern_block *list, size_t count,
                               postern_error *err)
{
    postern_block *copy, *old;

    if (count > POSTERN_BLOCKS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d blocked agents", POSTERN_BLOCKS_MAX);
    POSTERN_TRY(check_texts(list, count, err));
    copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu blocks", count);
    if (count != 0)
        memcpy(copy, list, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare_blocks);
    pthread_mutex_lock(&b->lock);
    atomic_store(&b->is_in_use, true);
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

/* The first entry that is not before that name; an agent may stand there more than once (a fleet's
 * merged file). */
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
    size_t i = find_first(b, name);

    if (i == b->count || compare_name(name, b->list[i].agent) != 0)
        return NULL;
    return now_s < get_end_s(&b->list[i]) ? &b->list[i] : NULL;
}

static postern_err check(const struct blocks *b, postern_bytes agent, int64_t now_s,
                         postern_failure *ret_failure, postern_error *err)
{
    const postern_block *block;
    char quoted[300];

    if (b->is_expected && !b->is_told)
        return POSTERN_FAIL(err, REVOCATIONS_UNKNOWN, "the blocked agents are not known yet");
    block = agent.len == 0 ? NULL : find_in_force(b, agent, now_s);
    if (block == NULL)
        return POSTERN_OK;
    if (ret_failure != NULL) {
        memcpy(ret_failure->because, block->reason, sizeof ret_failure->because);
        memcpy(ret_failure->contact, block->contact, sizeof ret_failure->contact);
    }
    return POSTERN_FAIL(err, BLOCKED, "agent \"%s\" is blocked",
                        postern_error_quote(agent.ptr, agent.len, quoted, sizeof quoted));
}

postern_err postern_blocks_check(struct blocks *b, postern_bytes agent, int64_t now_s,
                                 postern_failure *ret_failure, postern_error *err)
{
    postern_err e;

    if (!atomic_load(&b->is_in_use))
        return POSTERN_OK;
    pthread_mutex_lock(&b->lock);
    e = check(b, agent, now_s, ret_failure, err);
    pthread_mutex_unlock(&b->lock);
    return e;
}
