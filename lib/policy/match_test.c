/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One test of a rule against one question: yes, no or not known, and `not` leaves "not known" what it
 * is.  Pure, without memory.  Called by match.c.
 */
#include "policy/match.h"

#include <stdio.h>

#include "policy/args.h"
#include "policy/facts.h"
#include "policy/relations.h"
#include "policy/under.h"

/* What is not known, and what is open, stays so. */
static enum match negate(enum match m)
{
    return m == MATCH_NO || m == MATCH_YES ? postern_match_of(m == MATCH_NO) : m;
}

/* ---- what the token says ---- */

bool postern_scope_is_among(postern_bytes word, postern_bytes words)
{
    postern_reader r = { words };
    postern_bytes one;

    while (postern_reader_take_until(&r, ' ', &one))
        if (postern_bytes_equal(word, one))
            return true;
    return postern_bytes_equal(word, r.rest);
}

static bool are_all_among(postern_bytes some, postern_bytes words)
{
    postern_reader r = { some };
    postern_bytes one;

    while (postern_reader_take_until(&r, ' ', &one))
        if (one.len != 0 && !postern_scope_is_among(one, words))
            return false;
    return r.rest.len == 0 || postern_scope_is_among(r.rest, words);
}

static enum match test_scope(const struct test *t, const struct asking *a)
{
    postern_bytes scope = postern_bytes_str(a->s->scope);
    postern_bytes want = { (const uint8_t *)t->value.ops, t->value.len };
    bool is_same;

    if (a->s->scope == NULL)
        return MATCH_UNKNOWN;
    if (t->op == OP_HAS)
        return postern_match_of(postern_scope_is_among(want, scope));
    is_same = are_all_among(want, scope) && are_all_among(scope, want);
    return postern_match_of(is_same == (t->op == OP_EQ));
}

static enum match test_text(const struct test *t, postern_bytes text, const struct asking *a)
{
    enum match m;

    if (t->op == OP_IN)
        return postern_list_match(&t->list, text, &a->names);
    m = postern_pattern_says(&t->value, text, &a->names);
    return t->op == OP_NE ? negate(m) : m;
}

static enum match test_purpose(const struct test *t, const struct asking *a)
{
    return a->s->purpose == NULL ? MATCH_UNKNOWN
                                 : test_text(t, postern_bytes_str(a->s->purpose), a);
}

static enum match test_issuer(const struct test *t, const struct asking *a)
{
    return a->issuer.len == 0 ? MATCH_UNKNOWN : test_text(t, a->issuer, a);
}

static enum match test_acr(const struct test *t, const struct asking *a)
{
    static const struct claim_name acr = { { "acr" }, 1 };
    char room[FACTS_DIGITS];
    postern_bytes text;

    return postern_facts_text(a->s->facts, &acr, room, &text) ? test_text(t, text, a)
                                                              : MATCH_UNKNOWN;
}

static enum match test_source(const struct test *t, const struct asking *a)
{
    bool is_held = false;

    if (!a->has_source)
        return MATCH_UNKNOWN;
    for (size_t i = 0; i < t->net_count && !is_held; i++)
        is_held = postern_net_holds(&t->nets[i], &a->source);
    return postern_match_of(is_held == (t->op != OP_NE));
}

static enum match compare(int64_t have, enum op op, int64_t want)
{
    switch (op) {
    case OP_EQ:
        return postern_match_of(have == want);
    case OP_NE:
        return postern_match_of(have != want);
    case OP_LT:
        return postern_match_of(have < want);
    case OP_LE:
        return postern_match_of(have <= want);
    case OP_GT:
        return postern_match_of(have > want);
    case OP_GE:
        return postern_match_of(have >= want);
    case OP_NONE:
    case OP_IN:
    case OP_HAS:
    case OP_LIKE:
    case OP_UNDER:
    case OP_COUNT:
        break;
    }
    return MATCH_UNKNOWN;
}

static enum match test_chain(const struct test *t, const struct asking *a)
{
    return a->s->chain > INT32_MAX ? MATCH_UNKNOWN
                                   : compare((int64_t)a->s->chain, t->op, t->number);
}

static enum match test_auth_age(const struct test *t, const struct asking *a)
{
    int64_t age_s;

    return postern_facts_auth_age(a->s->facts, a->q->now_s, &age_s)
               ? compare(age_s, t->op, t->number)
               : MATCH_UNKNOWN;
}

static enum match test_claim(const struct test *t, const struct asking *a)
{
    char room[FACTS_DIGITS];
    postern_bytes text;
    int64_t number;

    if (t->op == OP_HAS)
        return postern_facts_has(a->s->facts, &t->claim, &t->value, &a->names);
    if (t->value.ops == NULL && t->op != OP_IN)
        return postern_facts_number(a->s->facts, &t->claim, &number)
                   ? compare(number, t->op, t->number)
                   : MATCH_UNKNOWN;
    return postern_facts_text(a->s->facts, &t->claim, room, &text) ? test_text(t, text, a)
                                                                   : MATCH_UNKNOWN;
}

/* ---- arguments and details ---- */

/* Of two numbers: -1, 0 or 1, or what lies between the two when it is not known. */
static enum match compare_signs(int low, int high, enum op op)
{
    enum match ret = compare(low, op, 0);

    for (int sign = low + 1; sign <= high && ret != MATCH_UNKNOWN; sign++)
        if (compare(sign, op, 0) != ret)
            ret = MATCH_UNKNOWN;
    return ret;
}

/* Known only when all that the number may be says the same. */
static enum match compare_number(const struct value *v, enum op op, const struct decimal *want)
{
    struct decimal_range number = v->number;

    if (v->kind != VALUE_NUMBER &&
        !(v->kind == VALUE_BYTES && postern_decimal_read_range(v->text, &number)))
        return MATCH_UNKNOWN;
    return compare_signs(postern_decimal_compare(&number.low, want),
                         postern_decimal_compare(&number.high, want), op);
}

static enum match says_boolean(const struct value *v, const struct pattern *want)
{
    if (v->kind == VALUE_BYTES)
        return postern_match_of(postern_bytes_equal_str(v->text, want->ops));
    return v->kind == VALUE_BOOLEAN ? postern_match_of(v->is_true == want->literal->is_true)
                                    : MATCH_UNKNOWN;
}

static bool is_text(const struct value *v)
{
    return v->kind == VALUE_TEXT || v->kind == VALUE_BYTES;
}

static enum match says_net(const struct value *v, const struct net *want)
{
    char text[64]; /* an address has 45 characters at most */
    struct net address;

    if (!is_text(v) || v->text.len >= sizeof text ||
        memchr(v->text.len == 0 ? "" : (const char *)v->text.ptr, 0, v->text.len) != NULL)
        return MATCH_UNKNOWN;
    (void)snprintf(text, sizeof text, "%.*s", (int)v->text.len, (const char *)v->text.ptr);
    return postern_net_read_address(text, &address) ? postern_match_of(postern_net_holds(want, &address))
                                                    : MATCH_UNKNOWN;
}

/* A text is no number: what another type says is not known. */
static enum match says(const struct value *v, const struct pattern *want, const struct asking *a)
{
    if (want->literal == NULL)
        return is_text(v) ? postern_pattern_says(want, v->text, &a->names) : MATCH_UNKNOWN;
    switch (want->literal->kind) {
    case LITERAL_NUMBER:
        return compare_number(v, OP_EQ, &want->literal->number);
    case LITERAL_BOOLEAN:
        return says_boolean(v, want);
    case LITERAL_NET:
        return says_net(v, &want->literal->net);
    }
    return MATCH_UNKNOWN;
}

/* Yes when one says so; else not known when one does not know. */
static enum match any(enum match one, enum match before)
{
    if (one == MATCH_YES || before == MATCH_YES)
        return MATCH_YES;
    return one == MATCH_UNKNOWN || before == MATCH_UNKNOWN ? MATCH_UNKNOWN : MATCH_NO;
}

static enum match says_under(const struct value *v, const struct pattern *want,
                             const struct asking *a)
{
    return is_text(v) ? postern_under(want, v->text, &a->names) : MATCH_UNKNOWN;
}

static enum match value_in_list(const struct test *t, const struct list *list,
                                const struct value *v, const struct asking *a)
{
    enum match ret = MATCH_NO;

    for (const struct item *i = list->first; i != NULL && ret != MATCH_YES; i = i->next) {
        enum match m = i->set != NULL          ? value_in_list(t, &i->set->list, v, a)
                       : t->op == OP_UNDER ? says_under(v, &i->pattern, a)
                                               : says(v, &i->pattern, a);

        ret = any(m, ret);
    }
    return ret;
}

static enum match value_has(const struct value *array, const struct pattern *want,
                            const struct asking *a)
{
    struct element_walk walk = { .array = array };
    enum match ret = MATCH_NO;
    char room[ARG_TEXT_MAX];
    struct value v;

    if (array->kind != VALUE_ARRAY)
        return MATCH_UNKNOWN;
    while (ret != MATCH_YES && postern_element_next(&walk, room, &v))
        ret = any(says(&v, want, a), ret);
    return ret;
}

static enum match test_value(const struct test *t, const struct value *v, const struct asking *a)
{
    switch (t->op) {
    case OP_EQ:
    case OP_LIKE:
        return says(v, &t->value, a);
    case OP_NE:
        return negate(says(v, &t->value, a));
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        return compare_number(v, t->op, &t->value.literal->number);
    case OP_IN:
        return value_in_list(t, &t->list, v, a);
    case OP_HAS:
        return value_has(v, &t->value, a);
    case OP_UNDER:
        return t->list.first != NULL ? value_in_list(t, &t->list, v, a)
                                     : says_under(v, &t->value, a);
    case OP_NONE:
    case OP_COUNT:
        break;
    }
    return MATCH_UNKNOWN;
}

/* In a list of what may be had, arguments that nobody knows yet may become any. */
static bool is_open(const struct asking *a)
{
    return a->q->is_preview && a->q->args.kind == POSTERN_POLICY_ARGS_UNKNOWN;
}

static enum match test_arg(const struct test *t, const struct asking *a)
{
    char room[ARG_TEXT_MAX];
    struct value v;

    if (is_open(a))
        return MATCH_OPEN;
    v = postern_arg_find(a, &t->claim, room);
    return test_value(t, &v, a);
}

/* Of the resource, or of what an argument names. */
static bool find_object(const struct test *t, const struct asking *a, char room[ARG_TEXT_MAX],
                        postern_bytes *ret)
{
    struct value v;

    *ret = a->resource;
    if (t->claim.count == 0)
        return a->resource.ptr != NULL && !a->is_devious;
    v = postern_arg_find(a, &t->claim, room);
    *ret = v.text;
    return is_text(&v);
}

/* He himself, or one of his groups; whose groups are not known may be in any. */
static enum match user_is(const struct relation_table *table, const struct relation *relation,
                          const struct asking *a, postern_bytes object)
{
    const postern_policy_subject *s = a->s;

    if (s->user == NULL)
        return MATCH_NO;
    if (a->user.len == 0)
        return MATCH_UNKNOWN;
    if (postern_relation_holds(table, relation, PARTY_USER, a->user, object))
        return MATCH_YES;
    if (s->groups == NULL)
        return relation->has_groups ? MATCH_UNKNOWN : MATCH_NO;
    for (size_t i = 0; i < s->group_count; i++)
        if (postern_relation_holds(table, relation, PARTY_GROUP, postern_bytes_str(s->groups[i]),
                                   object))
            return MATCH_YES;
    return MATCH_NO;
}

static enum match test_relation(const struct rule *r, const struct test *t, const struct asking *a)
{
    const struct relation_table *table = r->file->policy->relation_table;
    char room[ARG_TEXT_MAX];
    postern_bytes object;

    if (t->claim.count != 0 && is_open(a))
        return MATCH_OPEN;
    if (!find_object(t, a, room, &object))
        return MATCH_UNKNOWN;
    if (t->who == PARTY_USER)
        return user_is(table, t->relation, a, object);
    return a->agent.len == 0 ? MATCH_UNKNOWN
                             : postern_match_of(postern_relation_holds(table, t->relation, PARTY_AGENT,
                                                                a->agent, object));
}

static enum match test_args(const struct test *t, const struct asking *a)
{
    return is_open(a) ? MATCH_OPEN : postern_args_are_among(a, &t->list);
}

/*
 * Each object of that type is a right of its own (RFC 9396 section 2), and two tests must not take a
 * member of one and a member of another: all objects say the same, or it is not known.
 */
static enum match test_detail(const struct test *t, const struct asking *a)
{
    struct detail_walk walk = { .facts = a->s->facts, .name = &t->claim };
    enum match ret = MATCH_UNKNOWN;
    char room[ARG_TEXT_MAX];
    bool is_first = true;
    struct value v;

    while (postern_detail_next(&walk, room, &v)) {
        enum match m = test_value(t, &v, a);

        if (!is_first && m != ret)
            return MATCH_UNKNOWN;
        ret = m;
        is_first = false;
    }
    return ret;
}

enum match postern_test_match(const struct rule *r, const struct test *t, const struct asking *a)
{
    static enum match (*const tests[ATTR_COUNT])(const struct test *t, const struct asking *a) = {
        [ATTR_SCOPE] = test_scope,   [ATTR_PURPOSE] = test_purpose, [ATTR_ACR] = test_acr,
        [ATTR_ISSUER] = test_issuer,
        [ATTR_SOURCE] = test_source, [ATTR_CHAIN] = test_chain,     [ATTR_AUTH_AGE] = test_auth_age,
        [ATTR_CLAIM] = test_claim,   [ATTR_DETAIL] = test_detail,   [ATTR_ARG] = test_arg,
        [ATTR_ARGS] = test_args,
    };
    enum match m = MATCH_UNKNOWN;

    if (t->attr == ATTR_RELATION)
        m = test_relation(r, t, a);
    else if (t->attr != ATTR_TIME)
        m = tests[t->attr](t, a);
    else if (a->q->now_s >= 0 && a->q->now_s <= POLICY_NUMBER_MAX)
        m = postern_match_of(postern_span_holds(&t->span, a->q->now_s, r->file->zone_s));
    return t->is_not ? negate(m) : m;
}
