/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table from client to time, with open addressing; names come from our own issuer's
 * register, not from strangers. Filled by context.c, asked by validate.c.
 */
#include "revocations.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS_MIN 64 /* a power of two; the table is at most half full */

struct slot {
    char *client_id; /* NULL: free */
    int64_t before_s;
};

struct revocations {
    pthread_mutex_t lock;
    bool is_expected, is_ready;
    struct slot *slots;
    size_t slot_count, used;
};

postern_err postern_revocations_new(struct revocations **ret, postern_error *err)
{
    struct revocations *r = calloc(1, sizeof *r);

    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "revocations");
    }
    *ret = r;
    return POSTERN_OK;
}

void postern_revocations_free(struct revocations *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->slot_count; i++)
        free(r->slots[i].client_id);
    free(r->slots);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* FNV-1a, 64 bit. */
static size_t hash(postern_bytes name)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.ptr[i]) * 1099511628211u;
    return (size_t)(h ^ (h >> 32));
}

/* The client's slot, or the free one where it belongs.  There is always a free one. */
static struct slot *find_slot(struct slot *slots, size_t slot_count, postern_bytes client_id)
{
    size_t i = hash(client_id) & (slot_count - 1);

    while (slots[i].client_id != NULL && !postern_bytes_equal_str(client_id, slots[i].client_id))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

/* Into a table of `slot_count`, without the entries from before `oldest_s`. */
static postern_err rebuild(struct revocations *r, size_t slot_count, int64_t oldest_s,
                           postern_error *err)
{
    struct slot *slots = calloc(slot_count, sizeof *slots);
    size_t used = 0;

    if (slots == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations");
    for (size_t i = 0; i < r->slot_count; i++) {
        struct slot *old = &r->slots[i];

        if (old->client_id == NULL)
            continue;
        if (old->before_s < oldest_s) {
            free(old->client_id);
            continue;
        }
        *find_slot(slots, slot_count, postern_bytes_str(old->client_id)) = *old;
        used++;
    }
    free(r->slots);
    r->slots = slots;
    r->slot_count = slot_count;
    r->used = used;
    return POSTERN_OK;
}

static postern_err make_room(struct revocations *r, int64_t now_s, postern_error *err)
{
    if (r->used >= POSTERN_REVOCATIONS_MAX)
        POSTERN_TRY(rebuild(r, r->slot_count, now_s - POSTERN_REVOCATION_KEEP_S, err));
    if (r->used >= POSTERN_REVOCATIONS_MAX)
        return POSTERN_FAIL(err, BUSY, "more than %d clients were revoked within %d s",
                            POSTERN_REVOCATIONS_MAX, POSTERN_REVOCATION_KEEP_S);
    if (r->slot_count == 0)
        return rebuild(r, SLOTS_MIN, INT64_MIN, err);
    return (r->used + 1) * 2 > r->slot_count ? rebuild(r, r->slot_count * 2, INT64_MIN, err)
                                             : POSTERN_OK;
}

static postern_err put(struct revocations *r, postern_bytes client_id, int64_t before_s,
                       int64_t now_s, postern_error *err)
{
    struct slot *slot = r->slot_count == 0 ? NULL : find_slot(r->slots, r->slot_count, client_id);

    if (slot != NULL && slot->client_id != NULL) {
        slot->before_s = before_s > slot->before_s ? before_s : slot->before_s;
        return POSTERN_OK;
    }
    POSTERN_TRY(make_room(r, now_s, err));
    slot = find_slot(r->slots, r->slot_count, client_id);
    slot->client_id = strndup((const char *)client_id.ptr, client_id.len);
    if (slot->client_id == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations");
    slot->before_s = before_s;
    r->used++;
    return POSTERN_OK;
}

void postern_revocations_expect(struct revocations *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_expected = true;
    pthread_mutex_unlock(&r->lock);
}

void postern_revocations_set_ready(struct revocations *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_ready = true;
    pthread_mutex_unlock(&r->lock);
}

postern_err postern_revocations_add(struct revocations *r, postern_bytes client_id,
                                    int64_t before_s, int64_t now_s, postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&r->lock);
    e = put(r, client_id, before_s, now_s, err);
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* NULL: not that we know. */
static const struct slot *find_removal(const struct revocations *r, postern_bytes client_id,
                                       int64_t iat_s)
{
    const struct slot *slot;

    if (r->used == 0 || client_id.len == 0)
        return NULL;
    slot = find_slot(r->slots, r->slot_count, client_id);
    return slot->client_id == NULL || iat_s > slot->before_s ? NULL : slot;
}

/* What was told already counts, though more may come. */
static postern_err check(const struct revocations *r, postern_bytes client_id, int64_t iat_s,
                         postern_error *err)
{
    const struct slot *slot = find_removal(r, client_id, iat_s);

    if (slot != NULL)
        return POSTERN_FAIL(err, REVOKED, "client \"%s\" was removed after this token was issued",
                            slot->client_id);
    if (r->is_expected && !r->is_ready)
        return POSTERN_FAIL(err, REVOCATIONS_UNKNOWN,
                            "the issuer has not sent its revocations yet");
    return POSTERN_OK;
}

postern_err postern_revocations_check(struct revocations *r, postern_bytes client_id, int64_t iat_s,
                                      postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&r->lock);
    e = check(r, client_id, iat_s, err);
    pthread_mutex_unlock(&r->lock);
    return e;
}
