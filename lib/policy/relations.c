/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relations between names: each line says some, and a table answers for one in a step, however many
 * there are.  Nothing follows from anything: who owns a folder owns what is in it only when a line
 * says so (doc/decisions/0096).  Called by policy.c and match_test.c.
 */
#include "policy/relations.h"

#include <stdlib.h>

#include "base/nearest.h"

struct pair_slot {
    const struct relation *relation; /* NULL: free */
    enum party_kind kind;
    const char *who, *object;
};
struct relation_table {
    struct pair_slot *slots; /* open addressing */
    size_t slot_count;       /* a power of two, at most half full */
};

/* ---- hashing: FNV-1a, 64 bits ---- */

static uint64_t add_bytes(uint64_t hash, postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.ptr[i]) * UINT64_C(1099511628211);
    return (hash ^ 0x100) * UINT64_C(1099511628211); /* an end that no text has */
}

static size_t start_of(const struct relation_table *t, const struct relation *relation,
                       enum party_kind kind, postern_bytes who, postern_bytes object)
{
    uint64_t hash = (UINT64_C(14695981039346656037) ^ (uint64_t)kind) * UINT64_C(1099511628211);

    hash = add_bytes(hash, postern_bytes_str(relation->name));
    hash = add_bytes(add_bytes(hash, who), object);
    return (size_t)(hash ^ hash >> 32) & (t->slot_count - 1);
}

/* The slot of these, or the free one where they would be. */
static struct pair_slot *find(const struct relation_table *t, const struct relation *relation,
                              enum party_kind kind, postern_bytes who, postern_bytes object)
{
    for (size_t i = start_of(t, relation, kind, who, object);; i = (i + 1) & (t->slot_count - 1)) {
        struct pair_slot *s = &t->slots[i];

        if (s->relation == NULL ||
            (s->relation == relation && s->kind == kind && postern_bytes_equal_str(who, s->who) &&
             postern_bytes_equal_str(object, s->object)))
            return s;
    }
}

bool postern_relation_holds(const struct relation_table *t, const struct relation *relation,
                            enum party_kind kind, postern_bytes who, postern_bytes object)
{
    if (who.len >= POSTERN_POLICY_TEXT_MAX || object.len >= POSTERN_POLICY_TEXT_MAX)
        return false; /* no line names it, and a key of a megabyte is not hashed for each rule */
    return find(t, relation, kind, who, object)->relation != NULL;
}

/* ---- making ---- */

static void add_pair(struct relation_table *t, const struct tie *tie, const char *who,
                     const char *object)
{
    *find(t, tie->relation, tie->party.kind, postern_bytes_str(who), postern_bytes_str(object)) =
        (struct pair_slot){ tie->relation, tie->party.kind, who, object };
}

static void add_objects(struct relation_table *t, const struct tie *tie, const char *who,
                        const struct list *objects)
{
    for (const struct item *i = objects->first; i != NULL; i = i->next)
        if (i->set != NULL)
            add_objects(t, tie, who, &i->set->list);
        else
            add_pair(t, tie, who, i->pattern.ops);
}

static void add_parties(struct relation_table *t, const struct tie *tie, const struct list *parties)
{
    for (const struct item *i = parties->first; i != NULL; i = i->next)
        if (i->set != NULL)
            add_parties(t, tie, &i->set->list);
        else
            add_objects(t, tie, i->pattern.ops, &tie->objects);
}

/* A slip in a deny would let everybody by. */
static postern_err fail_unsaid(const postern_policy *p, const struct rule *r, const char *name,
                               postern_error *err)
{
    const char *nearest = NULL;
    size_t best = POSTERN_NEAREST_MAX;

    for (const struct relation *other = p->relations; other != NULL; other = other->next)
        if (other->is_said && postern_nearest_is_slip(name, other->name, &best))
            nearest = other->name;
    return POSTERN_FAIL(err, RULES,
                        "%s:%d:1: no line says who is %s%s%s%s; `nobody is %s` says that it may be "
                        "empty",
                        r->file->path, r->line, name, nearest == NULL ? "" : " (did you mean ",
                        nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?)", name);
}

static postern_err check_rules(const postern_policy *p, postern_error *err)
{
    for (const struct rule *r = p->rules; r != NULL; r = r->next)
        for (const struct test *t = r->tests; t != NULL; t = t->next)
            if (t->attr == ATTR_RELATION && !t->relation->is_said)
                return fail_unsaid(p, r, t->relation->name, err);
    return POSTERN_OK;
}

postern_err postern_relations_make(const postern_policy *p, struct relation_table **ret,
                                   postern_error *err)
{
    struct relation_table *t;

    POSTERN_TRY(check_rules(p, err));
    t = calloc(1, sizeof *t);
    if (t == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    t->slot_count = 2;
    while (t->slot_count < 2 * p->tie_pairs)
        t->slot_count *= 2;
    t->slots = calloc(t->slot_count, sizeof *t->slots);
    if (t->slots == NULL) {
        free(t);
        return POSTERN_FAIL(err, NOMEM, "policy");
    }
    for (const struct tie *tie = p->ties; tie != NULL; tie = tie->next)
        add_parties(t, tie, &tie->party.list);
    *ret = t;
    return POSTERN_OK;
}

void postern_relations_free(struct relation_table *t)
{
    if (t == NULL)
        return;
    free(t->slots);
    free(t);
}
