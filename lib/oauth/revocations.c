/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table from kind and name to time, with open addressing; names come from our own issuer's
 * register, not from strangers.  Each kind has a share of its own, so that many of one never push
 * out or refuse another.  Filled by context.c, asked by judge.c.
 */
#include "revocations.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS_MIN 64 /* a power of two; the table is at most half full */

struct slot {
    char *name; /* NULL: free */
    int64_t before_s;
    postern_revocation_kind kind;
};

struct revocations {
    /* Something was told or is expected.  Never false again; until then nobody takes the lock,
     * which a login would seven times. */
    atomic_bool is_in_use;
    pthread_mutex_t lock;
    bool is_expected, is_ready;
    struct slot *slots;
    size_t slot_count, used;
    size_t used_by[POSTERN_REVOCATION_KINDS];
};

static const char *const kind_names[POSTERN_REVOCATION_KINDS] = {
    [POSTERN_REVOCATION_CLIENT] = "client",
    [POSTERN_REVOCATION_JTI] = "jti",
    [POSTERN_REVOCATION_GRANT] = "grant",
};

const char *postern_revocation_kind_name(postern_revocation_kind kind)
{
    return (size_t)kind < POSTERN_REVOCATION_KINDS ? kind_names[kind] : NULL;
}

postern_err postern_revocations_new(struct revocations **ret, postern_error *err)
{
    struct revocations *r = calloc(1, sizeof *r);

    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "revocations");
    }
    atomic_init(&r->is_in_use, false);
    *ret = r;
    return POSTERN_OK;
}

void postern_revocations_free(struct revocations *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->slot_count; i++)
        free(r->slots[i].name);
    free(r->slots);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* FNV-1a, 64 bit, over the kind and the name. */
static size_t hash(postern_revocation_kind kind, postern_bytes name)
{
    uint64_t h = (14695981039346656037u ^ (uint64_t)kind) * 1099511628211u;

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.ptr[i]) * 1099511628211u;
    return (size_t)(h ^ (h >> 32));
}

static bool is_slot_of(const struct slot *slot, postern_revocation_kind kind, postern_bytes name)
{
    return slot->kind == kind && postern_bytes_equal_str(name, slot->name);
}

/* The name's slot, or the free one where it belongs.  There is always a free one. */
static struct slot *find_slot(struct slot *slots, size_t slot_count, postern_revocation_kind kind,
                              postern_bytes name)
{
    size_t i = hash(kind, name) & (slot_count - 1);

    while (slots[i].name != NULL && !is_slot_of(&slots[i], kind, name))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

/* Into a table of `slot_count`, without the entries from before `oldest_s`. */
static postern_err rebuild(struct revocations *r, size_t slot_count, int64_t oldest_s,
                           postern_error *err)
{
    struct slot *slots = calloc(slot_count, sizeof *slots);

    if (slots == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations");
    for (size_t i = 0; i < r->slot_count; i++) {
        struct slot *old = &r->slots[i];

        if (old->name == NULL)
            continue;
        if (old->before_s >= oldest_s) {
            *find_slot(slots, slot_count, old->kind, postern_bytes_str(old->name)) = *old;
            continue;
        }
        r->used--;
        r->used_by[old->kind]--;
        free(old->name);
    }
    free(r->slots);
    r->slots = slots;
    r->slot_count = slot_count;
    return POSTERN_OK;
}

static postern_err make_room(struct revocations *r, postern_revocation_kind kind, int64_t now_s,
                             postern_error *err)
{
    if (r->used_by[kind] >= POSTERN_REVOCATIONS_MAX)
        POSTERN_TRY(rebuild(r, r->slot_count, now_s - POSTERN_REVOCATION_KEEP_S, err));
    if (r->used_by[kind] >= POSTERN_REVOCATIONS_MAX)
        return POSTERN_FAIL(err, BUSY, "more than %d revocations by %s within %d s",
                            POSTERN_REVOCATIONS_MAX, kind_names[kind], POSTERN_REVOCATION_KEEP_S);
    if (r->slot_count == 0)
        return rebuild(r, SLOTS_MIN, INT64_MIN, err);
    return (r->used + 1) * 2 > r->slot_count ? rebuild(r, r->slot_count * 2, INT64_MIN, err)
                                             : POSTERN_OK;
}

static postern_err put(struct revocations *r, postern_revocation_kind kind, postern_bytes name,
                       int64_t before_s, int64_t now_s, postern_error *err)
{
    struct slot *slot = r->slot_count == 0 ? NULL : find_slot(r->slots, r->slot_count, kind, name);

    if (slot != NULL && slot->name != NULL) {
        slot->before_s = before_s > slot->before_s ? before_s : slot->before_s;
        return POSTERN_OK;
    }
    POSTERN_TRY(make_room(r, kind, now_s, err));
    slot = find_slot(r->slots, r->slot_count, kind, name);
    slot->name = strndup((const char *)name.ptr, name.len);
    if (slot->name == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations");
    slot->kind = kind;
    slot->before_s = before_s;
    atomic_store(&r->is_in_use, true);
    r->used++;
    r->used_by[kind]++;
    return POSTERN_OK;
}

void postern_revocations_expect(struct revocations *r)
{
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->is_in_use, true);
    r->is_expected = true;
    pthread_mutex_unlock(&r->lock);
}

void postern_revocations_set_ready(struct revocations *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_ready = true;
    pthread_mutex_unlock(&r->lock);
}

postern_err postern_revocations_add(struct revocations *r, postern_revocation_kind kind,
                                    postern_bytes name, int64_t before_s, int64_t now_s,
                                    postern_error *err)
{
    postern_err e;

    if (postern_revocation_kind_name(kind) == NULL || name.len == 0)
        return POSTERN_FAIL(err, USAGE, "a revocation needs a kind and a name");
    pthread_mutex_lock(&r->lock);
    e = put(r, kind, name, before_s, now_s, err);
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* A client may be registered again under its name; a token and a grant are named once for ever, so
 * that when theirs was issued does not matter. */
static bool is_older(const struct slot *slot, int64_t iat_s)
{
    return slot->kind != POSTERN_REVOCATION_CLIENT || iat_s <= slot->before_s;
}

/* NULL: not that we know. */
static const struct slot *find_revocation(const struct revocations *r, postern_revocation_kind kind,
                                          postern_bytes name, int64_t iat_s)
{
    const struct slot *slot;

    if (r->used_by[kind] == 0 || name.len == 0)
        return NULL;
    slot = find_slot(r->slots, r->slot_count, kind, name);
    return slot->name != NULL && is_older(slot, iat_s) ? slot : NULL;
}

static postern_err refuse(const struct slot *slot, postern_error *err)
{
    char quoted[300];

    (void)postern_error_quote(slot->name, strlen(slot->name), quoted, sizeof quoted);
    if (slot->kind == POSTERN_REVOCATION_JTI)
        return POSTERN_FAIL(err, REVOKED, "token \"%s\", or one that it came from, was revoked",
                            quoted);
    if (slot->kind == POSTERN_REVOCATION_GRANT)
        return POSTERN_FAIL(err, REVOKED, "the authorization \"%s\" that it came from was ended",
                            quoted);
    return POSTERN_FAIL(err, REVOKED, "client \"%s\" was removed after this token was issued",
                        quoted);
}

/* What was told already counts, though more may come. */
static postern_err check(const struct revocations *r, postern_revocation_kind kind,
                         postern_bytes name, int64_t iat_s, postern_error *err)
{
    const struct slot *slot = find_revocation(r, kind, name, iat_s);

    if (slot != NULL)
        return refuse(slot, err);
    if (r->is_expected && !r->is_ready)
        return POSTERN_FAIL(err, REVOCATIONS_UNKNOWN,
                            "the issuer has not sent its revocations yet");
    return POSTERN_OK;
}
postern_err postern_revocations_check(struct revocations *r, postern_revocation_kind kind,
                                      postern_bytes name, int64_t iat_s, postern_error *err)
{
    postern_err e;

    if (postern_revocation_kind_name(kind) == NULL)
        return POSTERN_FAIL(err, USAGE, "a revocation of no kind");
    if (!atomic_load(&r->is_in_use))
        return POSTERN_OK;
    pthread_mutex_lock(&r->lock);
    e = check(r, kind, name, iat_s, err);
    pthread_mutex_unlock(&r->lock);
    return e;
}
