/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door's side of the counters: which slot is whose is kept here, in memory of its own; the
 * shared one is looked at when a slot is.  A session's next action is nearly always one that was
 * counted before: then this is a hash, a comparison and four stores.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../shared_memory.h"
#include "tally_inner.h"

/* Slots that one hash may be in: enough that a table of which half is in use refuses next to
 * nobody. */
#define PROBES 16

struct tally {
    struct tally_slot *slots;
    struct tally_memory *memory;
    uint64_t hash[TALLY_SLOTS];    /* of the slot's texts; 0: nothing of ours */
    uint64_t written[TALLY_SLOTS]; /* as seen last */
};

/* ---- memory ---- */

postern_err tally_memory_make(int *ret_fd, postern_error *err)
{
    return shared_memory_make("postern-tally", sizeof(struct tally_shared), ret_fd, err);
}

void tally_memory_free(struct tally_memory *m)
{
    if (m == NULL)
        return;
    (void)munmap(m->shared, sizeof *m->shared); /* ours and whole: cannot fail */
    free(m);
}

postern_err tally_memory_map(int fd, struct tally_memory **ret, postern_error *err)
{
    struct tally_memory *m;
    void *at = NULL;

    POSTERN_TRY(shared_memory_map(fd, sizeof *m->shared, &at, err));
    m = calloc(1, sizeof *m);
    if (m == NULL) {
        (void)munmap(at, sizeof *m->shared);
        return POSTERN_FAIL(err, NOMEM, "memory for counters");
    }
    m->shared = at;
    /* The supervisor's other children have no business there. */
    if (madvise(m->shared, sizeof *m->shared, MADV_DONTFORK) != 0) {
        tally_memory_free(m);
        return POSTERN_FAIL(err, SYSTEM, "memory for counters: %m");
    }
    *ret = m;
    return POSTERN_OK;
}

/* ---- regions ---- */

postern_err tally_new(struct tally_memory *m, pid_t pid, struct tally **ret, postern_error *err)
{
    struct tally *t = calloc(1, sizeof *t);

    if (t == NULL)
        return POSTERN_FAIL(err, NOMEM, "counters of a loop");
    for (size_t i = 0; i < TALLY_REGIONS; i++) {
        uint64_t nobody = 0;

        if (!atomic_compare_exchange_strong(&m->shared->owner[i], &nobody, OWNER_OF(pid)))
            continue;
        t->slots = m->shared->slots[i];
        t->memory = m;
        *ret = t;
        return POSTERN_OK;
    }
    free(t);
    return POSTERN_FAIL(err, LIMIT, "no counters are free");
}

void tally_free(struct tally *t)
{
    free(t);
}

void tally_memory_orphan(struct tally_memory *m, pid_t pid)
{
    for (size_t i = 0; i < TALLY_REGIONS; i++) {
        uint64_t owner = OWNER_OF(pid);

        (void)atomic_compare_exchange_strong(&m->shared->owner[i], &owner, owner | OWNER_GONE);
    }
}

/* ---- counting ---- */

/* The texts as a slot holds them. */
struct key {
    uint16_t len[TALLY_FIELDS];
    size_t   text_len;
    char     texts[TALLY_TEXTS_MAX + sizeof(uint64_t)]; /* zeros behind: hashed in eights */
};

static bool make_key(const struct tally_of *what, struct key *k)
{
    const char *const fields[TALLY_FIELDS] = { what->session, what->door,   what->agent,
                                               what->human,   what->purpose, what->action,
                                               what->rule,    what->user_rule };

    k->text_len = 0;
    for (size_t i = 0; i < TALLY_FIELDS; i++) {
        size_t len = fields[i] == NULL ? 0 : strlen(fields[i]);

        if (len > TALLY_TEXTS_MAX - k->text_len)
            return false;
        if (len != 0)
            memcpy(k->texts + k->text_len, fields[i], len);
        k->len[i] = (uint16_t)len;
        k->text_len += len;
    }
    memset(k->texts + k->text_len, 0, sizeof(uint64_t));
    return true;
}

/* Where to look, no more: what is found there is compared.  Whoever makes names collide makes
 * himself records instead of counts. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static uint64_t hash_key(const struct key *k)
{
    uint64_t h = k->text_len, word;

    for (size_t i = 0; i < sizeof k->len; i += sizeof word) {
        memcpy(&word, (const char *)k->len + i, sizeof word);
        h = mix(h, word);
    }
    for (size_t i = 0; i < k->text_len; i += sizeof word) {
        memcpy(&word, k->texts + i, sizeof word);
        h = mix(h, word);
    }
    return h | 1; /* 0 is nobody's */
}

static bool is_same(const struct tally_slot *s, const struct key *k)
{
    return memcmp(s->len, k->len, sizeof k->len) == 0 &&
           memcmp(s->texts, k->texts, k->text_len) == 0;
}

static bool is_drained(const struct tally_slot *s)
{
    return atomic_load_explicit(&s->count, memory_order_relaxed) ==
           atomic_load_explicit(&s->written, memory_order_acquire);
}

/* Nobody looks at the texts of a drained slot; the version is for a reader who does all the same. */
static void write_texts(struct tally_slot *s, const struct key *k)
{
    uint64_t version = atomic_load_explicit(&s->version, memory_order_relaxed) | 1;

    atomic_store_explicit(&s->version, version, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    memcpy(s->len, k->len, sizeof k->len);
    memcpy(s->texts, k->texts, k->text_len);
    atomic_store_explicit(&s->version, version + 1, memory_order_release);
}

/* The slot of this key; one that holds nothing is taken when there is none.  TALLY_SLOTS: none. */
static size_t find_slot(struct tally *t, const struct key *k, uint64_t hash)
{
    size_t free_slot = TALLY_SLOTS, slot = (size_t)(hash >> 16) % TALLY_SLOTS;

    for (size_t i = 0; i < PROBES; i++, slot = (slot + 1) % TALLY_SLOTS) {
        if (t->hash[slot] == hash && is_same(&t->slots[slot], k))
            return slot;
        if (free_slot == TALLY_SLOTS && is_drained(&t->slots[slot]))
            free_slot = slot;
    }
    if (free_slot == TALLY_SLOTS)
        return TALLY_SLOTS;
    t->hash[free_slot] = hash;
    write_texts(&t->slots[free_slot], k);
    return free_slot;
}

/* Since when something waits here, and has waited too long; a clock that was set back says nothing
 * about that, and counts as too long until the slot is drained. */
static bool is_stale(const struct tally_slot *s, int64_t now_ms)
{
    int64_t first_ms = atomic_load_explicit(&s->first_ms, memory_order_relaxed);

    return now_ms - first_ms > TALLY_STALE_MS || first_ms - now_ms > TALLY_STALE_MS;
}

static bool count_one(struct tally *t, size_t slot, int64_t now_ms)
{
    struct tally_slot *s = &t->slots[slot];
    uint64_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
    uint64_t written = atomic_load_explicit(&s->written, memory_order_acquire);

    if (count == written)
        atomic_store_explicit(&s->first_ms, now_ms, memory_order_relaxed);
    else if (written != t->written[slot]) /* what waits came after the one before */
        atomic_store_explicit(&s->first_ms,
                              atomic_load_explicit(&s->last_ms, memory_order_relaxed),
                              memory_order_relaxed);
    else if (is_stale(s, now_ms))
        return false;
    t->written[slot] = written;
    atomic_store_explicit(&s->last_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&s->count, count + 1, memory_order_release);
    return true;
}

bool tally_add(struct tally *t, const struct tally_of *what, int64_t now_ms)
{
    struct key k;
    size_t slot;

    if (t == NULL ||
        atomic_load_explicit(&t->memory->shared->is_stuck, memory_order_acquire) != 0 ||
        !make_key(what, &k))
        return false;
    slot = find_slot(t, &k, hash_key(&k));
    return slot < TALLY_SLOTS && count_one(t, slot, now_ms);
}
