/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An index of rules by what another one must have for them to take all of it: a party, resource or
 * action that is among theirs, each of their tests.  A rule is filed once, in the way by which the
 * fewest others come upon it: that is counted before, by looking up each rule in every way.
 */
#include "policy/above.h"

#include <stdlib.h>

#include "policy/above_keys.h"

/* Keys that rules offer: some 80 MiB with what they are found by.  Where full lists make more (16,384
 * rules of three times 256 names), only short lists are filed by their names. */
#define OFFERS_MAX  (2u << 20)
#define KEYS_FEW    16
#define ITEMS_TRIED 8 /* of a list that is looked up: the rarest of them is taken */

struct slot {
    uint64_t hash;
    uint32_t offers; /* rules that may be filed here; 0: the slot is free */
    uint32_t hits;   /* rules that look here */
    uint32_t first;  /* entry + 1; 0: none */
};
struct entry {
    uint32_t rule;
    uint32_t next; /* + 1 */
};

/* Slots that one rule can look at: of three names, and of one that is tried beside them, each run. */
#define FOUND_MAX                                                                                  \
    (4 * (1 + BEGIN_MAX + POSTERN_POLICY_TEXT_MAX * RUN_LENGTHS) + POLICY_TESTS_MAX + 4)

struct above {
    const struct rule **rules;
    size_t rule_count;
    uint64_t *tests; /* of all rules, one after the other, by their words */
    size_t *first_test;
    size_t keys_max; /* longer lists are not filed by their names */
    struct slot *slots;
    size_t slot_count; /* a power of two, at most half full */
    uint64_t lengths[SPACE_COUNT][FORM_COUNT]; /* bit n-1: some key has n bytes */
    struct entry *entries;
    size_t entry_count;
    uint32_t *seen_by; /* the rule + 1 that came upon it last */
    uint32_t *answer;
    uint32_t found[FOUND_MAX];
    size_t found_count;
};

/* ---- slots ---- */

/* The slot of a key, or the free one where it would stand. */
static struct slot *slot_of(const struct above *x, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (x->slot_count - 1);

    while (x->slots[i].offers != 0 && x->slots[i].hash != hash)
        i = (i + 1) & (x->slot_count - 1);
    return &x->slots[i];
}

static void offer(struct above *x, const struct key *key)
{
    struct slot *slot = slot_of(x, key->hash);

    slot->hash = key->hash;
    slot->offers++;
    if (key->form != FORM_WHOLE)
        x->lengths[key->space][key->form] |= UINT64_C(1) << (key->len - 1);
}

static uint64_t hits(const struct above *x, const struct key *key)
{
    return slot_of(x, key->hash)->hits;
}

static void file(struct above *x, const struct key *key, size_t rule)
{
    struct slot *slot = slot_of(x, key->hash);

    x->entries[x->entry_count] = (struct entry){ .rule = (uint32_t)rule, .next = slot->first };
    slot->first = (uint32_t)++x->entry_count;
}

/* ---- what a rule is filed under ---- */

static bool is_short(const struct above *x, const struct list *list)
{
    return list->count <= x->keys_max;
}

static void offer_list(struct above *x, unsigned space, const struct list *list)
{
    struct key keys[2];

    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i->set != NULL) {
            offer_list(x, space, &i->set->list);
            continue;
        }
        for (size_t n = postern_above_keys_of_pattern(space, &i->pattern, keys); n != 0; n--)
            offer(x, &keys[n - 1]);
    }
}

/* Of the keys of a pattern the one with fewer hits; false: it covers anything. */
static bool best_key(const struct above *x, unsigned space, const struct pattern *p, struct key *ret)
{
    struct key keys[2];
    size_t count = postern_above_keys_of_pattern(space, p, keys);

    if (count == 0)
        return false;
    *ret = count == 2 && hits(x, &keys[1]) < hits(x, &keys[0]) ? keys[1] : keys[0];
    return true;
}

/* Any of its names may be the one that covers; UINT64_MAX: one covers anything. */
static uint64_t cost_of_list(const struct above *x, unsigned space, const struct list *list)
{
    uint64_t ret = 0, cost;
    struct key key;

    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i->set != NULL) {
            cost = cost_of_list(x, space, &i->set->list);
        } else {
            cost = best_key(x, space, &i->pattern, &key) ? hits(x, &key) : UINT64_MAX;
        }
        if (cost == UINT64_MAX)
            return UINT64_MAX;
        ret += cost;
    }
    return ret;
}

static void file_list(struct above *x, unsigned space, const struct list *list, size_t rule)
{
    struct key key;

    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL)
            file_list(x, space, &i->set->list, rule);
        else if (best_key(x, space, &i->pattern, &key))
            file(x, &key, rule);
}

static void offer_rule(struct above *x, size_t rule)
{
    const struct target *t = &x->rules[rule]->target;
    struct key keys[ACTIONS_MAX + 1];
    struct way ways[WAYS_MAX];

    for (size_t n = postern_above_lists(x->rules[rule], ways); n != 0; n--)
        if (is_short(x, ways[n - 1].list))
            offer_list(x, ways[n - 1].space, ways[n - 1].list);
    for (size_t n = postern_above_keys_of_actions(t, keys); n != 0; n--)
        offer(x, &keys[n - 1]);
    for (size_t i = x->first_test[rule]; i < x->first_test[rule + 1]; i++) {
        keys[0] = postern_above_key_of_test(x->tests[i]);
        offer(x, &keys[0]);
    }
    keys[0] = postern_above_key_of_protocol(t->protocol);
    offer(x, &keys[0]);
}

/* ---- looking ---- */

static void look_at(struct above *x, uint64_t hash)
{
    const struct slot *slot = slot_of(x, hash);

    if (slot->offers != 0)
        x->found[x->found_count++] = (uint32_t)(slot - x->slots);
}

/* Keys of one form that are in the text, from its first byte on. */
static void look_at_lengths(struct above *x, unsigned space, enum form form, const char *text,
                            size_t len)
{
    uint64_t lengths = x->lengths[space][form], hash = above_hash_begin(space, form);

    for (size_t i = 0; i < len && lengths != 0; i++, lengths >>= 1) {
        hash = above_hash_add(hash, (uint8_t)text[i]);
        if ((lengths & 1) != 0)
            look_at(x, hash);
    }
}

/* Every key of a pattern that covers this one. */
static void look_at_pattern(struct above *x, unsigned space, const struct pattern *p)
{
    look_at(x, postern_above_key(space, FORM_WHOLE, p->ops, p->len).hash);
    look_at_lengths(x, space, FORM_BEGINNING, p->ops, p->len);
    for (size_t i = 0; i < p->len; i++)
        look_at_lengths(x, space, FORM_RUN, p->ops + i, p->len - i);
}

static size_t first_patterns(const struct list *list, const struct pattern **room, size_t max)
{
    size_t count = 0;

    for (const struct item *i = list->first; i != NULL && count < max; i = i->next)
        if (i->set != NULL)
            count += first_patterns(&i->set->list, room + count, max - count);
        else
            room[count++] = &i->pattern;
    return count;
}

static uint64_t count_offers(struct above *x, unsigned space, const struct pattern *p)
{
    size_t before = x->found_count;
    uint64_t ret = 0;

    look_at_pattern(x, space, p);
    while (x->found_count > before)
        ret += x->slots[x->found[--x->found_count]].offers;
    return ret;
}

/* Each of its names must be covered, so any of them leads to all that cover the list. */
static void look_at_list(struct above *x, unsigned space, const struct list *list)
{
    const struct pattern *tried[ITEMS_TRIED], *rarest = NULL;
    size_t count = first_patterns(list, tried, ITEMS_TRIED);
    uint64_t fewest = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        uint64_t offers = count == 1 ? 0 : count_offers(x, space, tried[i]);

        if (offers >= fewest)
            continue;
        fewest = offers;
        rarest = tried[i];
    }
    if (rarest != NULL) /* a list has one at least */
        look_at_pattern(x, space, rarest);
}

static void look_at_actions(struct above *x, const struct target *t)
{
    const struct protocol *protocol = &policy_protocols[t->protocol];
    size_t row = 0;

    look_at(x, postern_above_key_of_protocol(PROTOCOL_ANY).hash);
    if (t->protocol == PROTOCOL_ANY)
        return;
    look_at(x, postern_above_key_of_protocol(t->protocol).hash);
    if (t->protocol == PROTOCOL_LOGIN) {
        look_at(x, postern_above_key_of_service(t).hash);
        return;
    }
    while (row < protocol->row_count && !postern_policy_action_is_in(t->known, row))
        row++;
    look_at(x, postern_above_key_of_action(t, row).hash);
}

static void look(struct above *x, size_t rule)
{
    const struct rule *r = x->rules[rule];
    struct way ways[WAYS_MAX];

    x->found_count = 0;
    for (size_t n = postern_above_lists(r, ways); n != 0; n--)
        look_at_list(x, ways[n - 1].space, ways[n - 1].list);
    look_at_actions(x, &r->target);
    for (size_t i = x->first_test[rule]; i < x->first_test[rule + 1]; i++)
        look_at(x, postern_above_key_of_test(x->tests[i]).hash);
}

/* ---- building ---- */

static size_t count_offered(const struct above *x, const struct rule *r)
{
    size_t count = ACTIONS_MAX + 1 + 1; /* and its protocol */
    struct way ways[WAYS_MAX];

    for (size_t n = postern_above_lists(r, ways); n != 0; n--)
        if (is_short(x, ways[n - 1].list))
            count += 2 * ways[n - 1].list->count;
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        count++;
    return count;
}

static size_t count_all_offered(const struct above *x)
{
    size_t ret = 0;

    for (size_t i = 0; i < x->rule_count; i++)
        ret += count_offered(x, x->rules[i]);
    return ret;
}

static postern_err reserve(struct above *x, postern_error *err)
{
    size_t most;

    x->keys_max = POLICY_ITEMS_MAX;
    most = count_all_offered(x);
    if (most > OFFERS_MAX) {
        x->keys_max = KEYS_FEW;
        most = count_all_offered(x);
    }
    for (x->slot_count = 16; x->slot_count < 2 * most;)
        x->slot_count *= 2;
    x->slots = calloc(x->slot_count, sizeof *x->slots);
    x->entries = calloc(most + 1, sizeof *x->entries);
    x->seen_by = calloc(x->rule_count + 1, sizeof *x->seen_by);
    x->answer = calloc(x->rule_count + 1, sizeof *x->answer);
    return x->slots == NULL || x->entries == NULL || x->seen_by == NULL || x->answer == NULL
               ? POSTERN_FAIL(err, NOMEM, "policy")
               : POSTERN_OK;
}

static postern_err hash_tests(struct above *x, postern_error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < x->rule_count; i++) {
        x->first_test[i] = count;
        for (const struct test *t = x->rules[i]->tests; t != NULL; t = t->next)
            POSTERN_TRY(postern_above_hash_test(t, &x->tests[count++], err));
    }
    x->first_test[x->rule_count] = count;
    return POSTERN_OK;
}

static postern_err take_rules(struct above *x, const postern_policy *p, postern_error *err)
{
    size_t tests = 0;

    x->rules = calloc(p->rule_count + 1, sizeof(struct rule *));
    x->first_test = calloc(p->rule_count + 1, sizeof *x->first_test);
    if (x->rules == NULL || x->first_test == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    for (const struct rule *r = p->rules; r != NULL; r = r->next) {
        x->rules[x->rule_count++] = r;
        for (const struct test *t = r->tests; t != NULL; t = t->next)
            tests++;
    }
    x->tests = calloc(tests + 1, sizeof *x->tests);
    return x->tests == NULL ? POSTERN_FAIL(err, NOMEM, "policy") : hash_tests(x, err);
}

static postern_err build(struct above *x, const postern_policy *p, postern_error *err)
{
    POSTERN_TRY(take_rules(x, p, err));
    POSTERN_TRY(reserve(x, err));
    for (size_t i = 0; i < x->rule_count; i++)
        offer_rule(x, i);
    for (size_t i = 0; i < x->rule_count; i++) {
        look(x, i);
        while (x->found_count != 0)
            x->slots[x->found[--x->found_count]].hits++;
    }
    return POSTERN_OK;
}

postern_err postern_above_make(const postern_policy *p, struct above **ret, postern_error *err)
{
    struct above *x = calloc(1, sizeof *x);
    postern_err e;

    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    e = build(x, p, err);
    if (e != POSTERN_OK) {
        postern_above_free(x);
        return e;
    }
    *ret = x;
    return POSTERN_OK;
}

void postern_above_free(struct above *x)
{
    if (x == NULL)
        return;
    free(x->rules);
    free(x->tests);
    free(x->first_test);
    free(x->slots);
    free(x->entries);
    free(x->seen_by);
    free(x->answer);
    free(x);
}

const struct rule *postern_above_rule(const struct above *x, size_t i)
{
    return x->rules[i];
}

/* ---- filing ---- */

/* The least that it costs, and what that is: a list, the actions, a test, or what stands for all. */
struct choice {
    uint64_t cost;
    struct way way; /* list NULL: `keys` */
    struct key keys[ACTIONS_MAX + 1];
    size_t key_count;
};

static void choose_list(const struct above *x, const struct way *way, struct choice *best)
{
    uint64_t cost =
        is_short(x, way->list) ? cost_of_list(x, way->space, way->list) : UINT64_MAX;

    if (cost < best->cost)
        *best = (struct choice){ .cost = cost, .way = *way };
}

static void choose_keys(const struct above *x, const struct key *keys, size_t count,
                        struct choice *best)
{
    uint64_t cost = 0;

    for (size_t i = 0; i < count; i++)
        cost += hits(x, &keys[i]);
    if (count == 0 || cost >= best->cost)
        return;
    *best = (struct choice){ .cost = cost, .key_count = count };
    memcpy(best->keys, keys, count * sizeof *keys);
}

static struct choice choose(const struct above *x, size_t rule)
{
    struct choice best = { .cost = UINT64_MAX };
    const struct rule *r = x->rules[rule];
    struct key keys[ACTIONS_MAX + 1];
    struct way ways[WAYS_MAX];

    for (size_t n = postern_above_lists(r, ways); n != 0; n--)
        choose_list(x, &ways[n - 1], &best);
    choose_keys(x, keys, postern_above_keys_of_actions(&r->target, keys), &best);
    for (size_t i = x->first_test[rule]; i < x->first_test[rule + 1]; i++) {
        keys[0] = postern_above_key_of_test(x->tests[i]);
        choose_keys(x, keys, 1, &best);
    }
    keys[0] = postern_above_key_of_protocol(r->target.protocol);
    choose_keys(x, keys, 1, &best);
    return best;
}

void postern_above_file(struct above *x, size_t i)
{
    struct choice best = choose(x, i);

    if (best.way.list != NULL)
        file_list(x, best.way.space, best.way.list, i);
    for (size_t n = 0; n < best.key_count; n++)
        file(x, &best.keys[n], i);
}

/* ---- finding ---- */

static int compare_rules(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Are the tests of `wide` among those of `narrow`? */
static bool has_tests_of(const struct above *x, size_t wide, size_t narrow)
{
    size_t k;

    for (size_t i = x->first_test[wide]; i < x->first_test[wide + 1]; i++) {
        for (k = x->first_test[narrow]; k < x->first_test[narrow + 1]; k++)
            if (x->tests[i] == x->tests[k])
                break;
        if (k == x->first_test[narrow + 1])
            return false;
    }
    return true;
}

/* Those of one slot that were not come upon yet. */
static size_t take_slot(struct above *x, const struct slot *slot, size_t narrow, size_t count,
                        size_t *work)
{
    uint32_t seen_by = (uint32_t)narrow + 1;

    for (uint32_t e = slot->first; e != 0 && *work != 0; e = x->entries[e - 1].next) {
        uint32_t rule = x->entries[e - 1].rule;

        --*work;
        if (x->seen_by[rule] == seen_by)
            continue;
        x->seen_by[rule] = seen_by;
        if (has_tests_of(x, rule, narrow))
            x->answer[count++] = rule;
    }
    return count;
}

size_t postern_above_find(struct above *x, size_t i, size_t *work, const uint32_t **ret)
{
    size_t count = 0;

    look(x, i);
    for (size_t k = 0; k < x->found_count; k++)
        count = take_slot(x, &x->slots[x->found[k]], i, count, work);
    if (count > 1)
        qsort(x->answer, count, sizeof *x->answer, compare_rules);
    *ret = x->answer;
    return count;
}
