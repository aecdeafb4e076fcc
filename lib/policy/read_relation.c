/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relations: lines such as `user alice is owner of "doc:q3"`, and the test `user is owner of arg.doc`.
 * Called by read.c and read_test.c.
 */
#include "policy/read.h"

#include "base/ascii.h"

static bool is_relation_name(postern_bytes name)
{
    if (name.len == 0 || name.len >= POSTERN_POLICY_NAME_MAX || !postern_ascii_is_alpha(*name.ptr))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!postern_ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '_' && name.ptr[i] != '-')
            return false;
    return !postern_word_is_reserved(name) && !postern_bytes_equal_str(name, "of");
}

/* The one of that name, made when it is new. */
static postern_err find_or_make(struct parser *p, postern_bytes name, struct relation **ret)
{
    struct relation *r;
    void *memory;

    for (r = p->policy->relations; r != NULL; r = r->next)
        if (postern_bytes_equal_str(name, r->name)) {
            *ret = r;
            return POSTERN_OK;
        }
    if (p->policy->relation_count == POLICY_RELATION_NAMES_MAX)
        return postern_parse_fail(p, &p->tokens[0], "more than %d names of relations in one policy",
                                  POLICY_RELATION_NAMES_MAX);
    POSTERN_TRY(postern_parse_alloc(p, sizeof *r, &memory));
    r = memory;
    POSTERN_TRY(postern_parse_keep(p, name, &r->name));
    r->next = p->policy->relations;
    p->policy->relations = r;
    p->policy->relation_count++;
    *ret = r;
    return POSTERN_OK;
}

static postern_err parse_is(struct parser *p, struct relation **ret)
{
    const struct token *t;

    if (!postern_parse_take_word(p, "is"))
        return postern_parse_expected(p, "`is`");
    t = p->at;
    if (!postern_parse_take(p, TOKEN_WORD) || !is_relation_name(t->text)) {
        p->at = t;
        return postern_parse_expected(p, "a relation: a letter and up to 63 of a-z A-Z 0-9 _ -");
    }
    return find_or_make(p, t->text, ret);
}

/* ---- lines ---- */

static bool is_literal(const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL ? !is_literal(&i->set->list) : i->pattern.kind != PATTERN_LITERAL)
            return false;
    return true;
}

static postern_err count_pairs(struct parser *p, const struct tie *tie)
{
    p->policy->tie_pairs += tie->party.list.count * tie->objects.count;
    if (p->policy->tie_pairs > POSTERN_POLICY_RELATIONS_MAX)
        return postern_parse_fail(p, &p->tokens[0], "more than %d relations in one policy",
                                  POSTERN_POLICY_RELATIONS_MAX);
    return POSTERN_OK;
}

static void add_tie(struct parser *p, struct tie *tie)
{
    *p->policy->ties_end = tie;
    p->policy->ties_end = &tie->next;
    tie->relation->is_said = true;
    tie->relation->has_groups = tie->relation->has_groups || tie->party.kind == PARTY_GROUP;
}

static postern_err parse_objects(struct parser *p, struct tie *tie)
{
    if (!postern_parse_take_word(p, "of"))
        return postern_parse_expected(p, "`of`");
    POSTERN_TRY(postern_parse_list(p, &tie->objects));
    if (!is_literal(&tie->party.list) || !is_literal(&tie->objects))
        return postern_parse_fail(p, &p->tokens[0],
                                  "a relation is between names, without patterns and variables");
    return count_pairs(p, tie);
}

/* `nobody is banned`: there is such a relation, and it may be empty. */
postern_err postern_parse_tie(struct parser *p)
{
    struct tie *tie;
    void *memory;

    POSTERN_TRY(postern_parse_alloc(p, sizeof *tie, &memory));
    tie = memory;
    tie->file = p->file;
    POSTERN_TRY(postern_parse_party(p, "user group agent nobody", &tie->party));
    POSTERN_TRY(parse_is(p, &tie->relation));
    if (tie->party.kind != PARTY_NOBODY)
        POSTERN_TRY(parse_objects(p, tie));
    add_tie(p, tie);
    return POSTERN_OK;
}

/* ---- tests ---- */

bool postern_parse_is_relation(const struct parser *p)
{
    return (postern_parse_is_word(p, "user") || postern_parse_is_word(p, "agent")) &&
           p->at[1].kind == TOKEN_WORD && postern_bytes_equal_str(p->at[1].text, "is");
}

postern_err postern_parse_relation(struct parser *p, const struct target *target, struct test *ret)
{
    ret->attr = ATTR_RELATION;
    ret->who = postern_parse_is_word(p, "agent") ? PARTY_AGENT : PARTY_USER;
    p->at++;
    POSTERN_TRY(parse_is(p, &ret->relation));
    if (!postern_parse_take_word(p, "of"))
        return POSTERN_OK;
    if (!postern_parse_starts_with(p, "arg."))
        return postern_parse_expected(p, "an argument; without `of` the resource is meant");
    return postern_parse_argument(p, target, &ret->claim);
}
