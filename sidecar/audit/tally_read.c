/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit child's side of the counters (audit/tally_memory.h).  Whoever broke into a door writes
 * there what he likes: everything is copied once, and only the copy is judged and used.
 */
#include "config.h"

#include <string.h>

#include <postern-private/audit_chain.h>

#include "tally_inner.h"

static bool copy_texts(const struct tally_slot *s, struct tally_sum *ret)
{
    const char **fields[TALLY_FIELDS] = { &ret->of.session, &ret->of.door,    &ret->of.agent,
                                          &ret->of.human,   &ret->of.purpose, &ret->of.action,
                                          &ret->of.rule,    &ret->of.user_rule };
    char texts[TALLY_TEXTS_MAX], *to = ret->texts;
    uint16_t len[TALLY_FIELDS];
    size_t from = 0;

    memcpy(len, s->len, sizeof len);
    memcpy(texts, s->texts, sizeof texts);
    for (size_t i = 0; i < TALLY_FIELDS; i++) {
        if (len[i] > TALLY_TEXTS_MAX - from ||
            !postern_bytes_is_utf8((postern_bytes){ (const uint8_t *)texts + from, len[i] }) ||
            memchr(texts + from, '\0', len[i]) != NULL)
            return false;
        *fields[i] = to;
        memcpy(to, texts + from, len[i]);
        to[len[i]] = '\0';
        to += len[i] + 1;
        from += len[i];
    }
    return true;
}

/* False: they are being written, or are no texts. */
static bool read_texts(const struct tally_slot *s, struct tally_sum *ret)
{
    uint64_t version = atomic_load_explicit(&s->version, memory_order_acquire);
    bool is_good = copy_texts(s, ret);

    atomic_thread_fence(memory_order_acquire);
    return is_good && (version & 1) == 0 &&
           atomic_load_explicit(&s->version, memory_order_relaxed) == version;
}

/* JSON integers are exact up to 2^53-1. */
static int64_t clamp(uint64_t n)
{
    return n > AUDIT_SEQ_MAX ? AUDIT_SEQ_MAX : (int64_t)n;
}

/* What no honest door leaves behind: the count stands, and that it is nobody's. */
static void forget_texts(struct tally_sum *s)
{
    memcpy(s->texts, "", 1);
    s->of = (struct tally_of){ .session = s->texts, .action = s->texts };
}

static bool read_slot(struct tally_memory *m, struct tally_cursor at, struct tally_sum *ret)
{
    const struct tally_slot *s = &m->shared->slots[at.region][at.slot];
    uint64_t count = atomic_load_explicit(&s->count, memory_order_acquire);
    uint64_t written = atomic_load_explicit(&s->written, memory_order_relaxed);

    if (count == written)
        return false;
    ret->place = (struct tally_place){ at.region, at.slot, count };
    ret->count = clamp(count - written); /* around zero, too: whoever lies is counted as he says */
    ret->last_ms = atomic_load_explicit(&s->last_ms, memory_order_relaxed);
    ret->first_ms = atomic_load_explicit(&s->first_ms, memory_order_relaxed);
    if (ret->first_ms > ret->last_ms)
        ret->first_ms = ret->last_ms;
    if (!read_texts(s, ret))
        forget_texts(ret);
    return true;
}

/* Its door has ended, and every slot was looked at since: what was in them is written. */
static void give_back(struct tally_memory *m, size_t region, uint64_t owner)
{
    for (size_t i = 0; i < TALLY_SLOTS; i++) {
        const struct tally_slot *s = &m->shared->slots[region][i];

        if (atomic_load(&s->count) != atomic_load(&s->written))
            return;
    }
    (void)atomic_compare_exchange_strong(&m->shared->owner[region], &owner, 0);
}

bool tally_next(struct tally_memory *m, struct tally_cursor *at, struct tally_sum *ret)
{
    for (; at->region < TALLY_REGIONS; at->region++, at->slot = 0) {
        uint64_t owner = atomic_load(&m->shared->owner[at->region]);

        if (owner == 0)
            continue;
        while (at->slot < TALLY_SLOTS) {
            struct tally_cursor here = *at;

            at->slot++;
            if (read_slot(m, here, ret))
                return true;
        }
        if ((owner & OWNER_GONE) != 0)
            give_back(m, at->region, owner);
    }
    return false;
}

void tally_mark(struct tally_memory *m, const struct tally_place *p)
{
    atomic_store_explicit(&m->shared->slots[p->region][p->slot].written, p->through,
                          memory_order_release);
}

void tally_set_stuck(struct tally_memory *m, bool is_stuck)
{
    atomic_store_explicit(&m->shared->is_stuck, is_stuck ? 1 : 0, memory_order_release);
}
