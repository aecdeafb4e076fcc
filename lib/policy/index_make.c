/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the index: each rule is filed once, in the dimension that sets it apart best, by the first
 * bytes of its patterns in small letters: what differs in case, or is cut off at an '@', is found in
 * the same place and told apart by match.c.  Called by policy.c.
 */
#include <stdlib.h>

#include "policy/index_keys.h"

/* Actions for which a rule is filed one by one; a rule for more is filed for its protocol. */
#define ACTIONS_MAX 8
/* Entries while the index is made: 32 MiB.  Where full lists make more (16,384 rules of three times
 * 256 names), only short ones are filed by name. */
#define ENTRIES_MAX (2u << 20)
#define KEYS_FEW    16

/* One rule under one key; sorted by both. */
struct entry {
    uint64_t key;
    uint32_t rule;
};

/* ---- what one rule may be filed under ---- */

/* Where the keys of a rule go. */
struct keys {
    uint64_t *room;
    size_t count, max;
    uint64_t *lengths; /* of the dimension; NULL: not wanted */
};

static void put_key(struct keys *k, uint64_t key)
{
    k->room[k->count++] = key;
}

/* False: one of them begins with anything. */
static bool put_list(struct keys *k, enum dimension dimension, const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next) {
        const struct pattern *p = &i->pattern;
        size_t len = p->prefix_len < PREFIX_MAX ? p->prefix_len : PREFIX_MAX;

        if (i->set != NULL) {
            if (!put_list(k, dimension, &i->set->list))
                return false;
            continue;
        }
        if (len == 0 || k->count == k->max)
            return false;
        if (k->lengths != NULL)
            k->lengths[dimension] |= UINT64_C(1) << (len - 1);
        put_key(k, key_of_text(dimension, p->ops, len));
    }
    return true;
}

static bool put_party(struct keys *k, enum dimension dimension, const struct rule *r)
{
    static const enum dimension of_kind[PARTY_KINDS] = {
        [PARTY_NONE] = DIM_COUNT,   [PARTY_ANYONE] = DIM_COUNT, [PARTY_NOBODY] = DIM_COUNT,
        [PARTY_AGENT] = DIM_AGENT,  [PARTY_USER] = DIM_USER,    [PARTY_GROUP] = DIM_GROUP,
        [PARTY_CLIENT] = DIM_CLIENT, [PARTY_ISSUER] = DIM_ISSUER,
    };

    if (of_kind[r->who.party.kind] == dimension)
        return put_list(k, dimension, &r->who.party.list);
    return of_kind[r->who.human.kind] == dimension && put_list(k, dimension, &r->who.human.list);
}

static bool may_take_unknown(const struct rule *r)
{
    if (r->target.takes_unknown)
        return true;
    for (const struct action_item *i = r->target.items; i != NULL; i = i->next)
        if (i->kind == ACTION_NAME || i->kind == ACTION_GLOB)
            return policy_protocols[r->target.protocol].is_inspected;
    return false;
}

/* The actions that it means, and the one that stands for those that no table has. */
static bool put_actions(struct keys *k, const struct rule *r)
{
    const struct target *t = &r->target;
    const struct protocol *protocol = &policy_protocols[t->protocol];

    if (t->protocol == PROTOCOL_ANY)
        return false;
    if (t->protocol == PROTOCOL_LOGIN) {
        put_key(k, key_of_text(DIM_ACTION, t->service, strlen(t->service)));
        return true;
    }
    for (size_t i = 0; i < protocol->row_count; i++) {
        if (!postern_policy_action_is_in(t->known, i))
            continue;
        if (k->count == ACTIONS_MAX)
            return false;
        put_key(k, key_of_number(DIM_ACTION, t->protocol, i));
    }
    if (may_take_unknown(r))
        put_key(k, key_of_number(DIM_ACTION, t->protocol, protocol->row_count));
    return true;
}

/* The keys of a rule in a dimension; false: it cannot be filed there. */
static bool put_keys(struct keys *k, enum dimension dimension, const struct rule *r)
{
    k->count = 0;
    switch (dimension) {
    case DIM_RESOURCE:
        return r->target.has_resources && put_list(k, dimension, &r->target.resources);
    case DIM_ACTION:
        return put_actions(k, r);
    case DIM_REST:
        put_key(k, key_of_number(DIM_REST, r->target.protocol, 0));
        return true;
    case DIM_AGENT:
    case DIM_CLIENT:
    case DIM_USER:
    case DIM_ISSUER:
    case DIM_GROUP:
        return put_party(k, dimension, r);
    case DIM_COUNT:
        break;
    }
    return false;
}

/* ---- building ---- */

struct builder {
    struct rule *const *rules;
    size_t rule_count;
    uint64_t room[POLICY_ITEMS_MAX + 2]; /* keys of one rule in one dimension */
    size_t keys_max;                     /* of names: longer lists are not filed by them */
    struct entry *entries;
    size_t count;
    uint8_t *chosen; /* the dimension of each rule */
};

/* All keys of a rule: of every dimension where it can stand, or of the one that was chosen. */
static size_t add_entries(struct builder *b, size_t rule, bool is_chosen_only, bool is_counting)
{
    size_t added = 0;

    for (int d = 0; d < DIM_COUNT; d++) {
        struct keys k = { .room = b->room, .max = b->keys_max };

        if ((is_chosen_only && b->chosen[rule] != d) ||
            !put_keys(&k, (enum dimension)d, b->rules[rule]))
            continue;
        for (size_t i = 0; i < k.count && !is_counting; i++)
            b->entries[b->count++] = (struct entry){ b->room[i], (uint32_t)rule };
        added += k.count;
    }
    return added;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Entries sorted, each once. */
static void sort_entries(struct builder *b)
{
    size_t kept = 0;

    if (b->count == 0)
        return;
    qsort(b->entries, b->count, sizeof *b->entries, compare_entries);
    for (size_t i = 1; i < b->count; i++)
        if (compare_entries(&b->entries[i], &b->entries[kept]) != 0)
            b->entries[++kept] = b->entries[i];
    b->count = kept + 1;
}

static size_t lower_bound(const struct builder *b, uint64_t key)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (b->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t count_under(const struct builder *b, uint64_t key)
{
    size_t end = key == UINT64_MAX ? b->count : lower_bound(b, key + 1);

    return end - lower_bound(b, key);
}

/* The dimension in which the fullest of its lists is the shortest. */
static uint8_t choose(struct builder *b, size_t rule)
{
    uint8_t best = DIM_REST;
    size_t best_count = SIZE_MAX;

    for (int d = 0; d < DIM_COUNT; d++) {
        struct keys k = { .room = b->room, .max = b->keys_max };
        size_t fullest = 0;

        if (!put_keys(&k, (enum dimension)d, b->rules[rule]))
            continue;
        for (size_t i = 0; i < k.count; i++) {
            size_t count = count_under(b, b->room[i]);

            fullest = count > fullest ? count : fullest;
        }
        if (fullest < best_count) {
            best_count = fullest;
            best = (uint8_t)d;
        }
    }
    return best;
}

/* ---- slots ---- */

static void add_to_slot(struct rule_index *x, uint64_t key, uint32_t start)
{
    size_t i = slot_of(x, key);

    while (x->slots[i].count != 0 && x->slots[i].key != key)
        i = (i + 1) & (x->slot_count - 1);
    if (x->slots[i].count == 0)
        x->slots[i] = (struct slot){ .key = key, .start = start };
    x->slots[i].count++;
}

static postern_err fill_slots(struct rule_index *x, const struct builder *b, postern_error *err)
{
    x->slot_count = 16;
    while (x->slot_count < 2 * b->count)
        x->slot_count *= 2;
    x->slots = calloc(x->slot_count, sizeof *x->slots);
    x->rules = calloc(b->count + 1, sizeof *x->rules);
    if (x->slots == NULL || x->rules == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    for (size_t i = 0; i < b->count; i++) {
        x->rules[i] = b->entries[i].rule;
        add_to_slot(x, b->entries[i].key, (uint32_t)i);
    }
    return POSTERN_OK;
}

/* A deny matches what is not known, and a hold may, so they are filed under that, too. */
static postern_err fill_unknown(struct rule_index *x, const struct builder *b, postern_error *err)
{
    size_t used = 0;

    x->unknown_rules = calloc(b->rule_count + 1, sizeof *x->unknown_rules);
    if (x->unknown_rules == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    for (int d = 0; d < DIM_COUNT; d++) {
        x->unknown[d].rules = x->unknown_rules + used;
        for (size_t i = 0; i < b->rule_count; i++)
            if (b->chosen[i] == d && b->rules[i]->verdict != POSTERN_VERDICT_ALLOW)
                x->unknown_rules[used++] = (uint32_t)i;
        x->unknown[d].count = (size_t)(x->unknown_rules + used - x->unknown[d].rules);
    }
    return POSTERN_OK;
}

static void note_lengths(struct rule_index *x, struct builder *b)
{
    for (size_t i = 0; i < b->rule_count; i++) {
        struct keys k = { .room = b->room, .max = b->keys_max, .lengths = x->lengths };

        (void)put_keys(&k, (enum dimension)b->chosen[i], b->rules[i]); /* it was chosen: it can */
    }
}

static size_t count_entries(struct builder *b)
{
    size_t most = 0;

    for (size_t i = 0; i < b->rule_count; i++)
        most += add_entries(b, i, false, true);
    return most;
}

static postern_err reserve(struct builder *b, postern_error *err)
{
    size_t most;

    b->keys_max = POLICY_ITEMS_MAX;
    most = count_entries(b);
    if (most > ENTRIES_MAX) {
        b->keys_max = KEYS_FEW;
        most = count_entries(b);
    }
    b->entries = calloc(most + 1, sizeof *b->entries);
    b->chosen = calloc(b->rule_count + 1, 1);
    return b->entries == NULL || b->chosen == NULL ? POSTERN_FAIL(err, NOMEM, "policy")
                                                   : POSTERN_OK;
}

static void file_all(struct builder *b, bool is_chosen_only)
{
    b->count = 0;
    for (size_t i = 0; i < b->rule_count; i++)
        (void)add_entries(b, i, is_chosen_only, false);
    sort_entries(b);
}

static postern_err build(struct builder *b, struct rule_index *x, postern_error *err)
{
    POSTERN_TRY(reserve(b, err));
    file_all(b, false);
    for (size_t i = 0; i < b->rule_count; i++)
        b->chosen[i] = choose(b, i);
    file_all(b, true);
    note_lengths(x, b);
    POSTERN_TRY(fill_slots(x, b, err));
    return fill_unknown(x, b, err);
}

postern_err postern_index_make(struct rule *const *rules, size_t count, struct rule_index **ret,
                               postern_error *err)
{
    struct builder b = { .rules = rules, .rule_count = count };
    struct rule_index *x = calloc(1, sizeof *x);
    postern_err e;

    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    e = build(&b, x, err);
    free(b.entries);
    free(b.chosen);
    if (e != POSTERN_OK) {
        postern_index_free(x);
        return e;
    }
    *ret = x;
    return POSTERN_OK;
}

void postern_index_free(struct rule_index *x)
{
    if (x == NULL)
        return;
    free(x->rules);
    free(x->slots);
    free(x->unknown_rules);
    free(x);
}
