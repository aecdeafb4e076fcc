/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a rule match?  Every part answers yes, no or not known, and `not` leaves "not known" what it
 * is; only here, for the rule as a whole, it becomes an answer: no for an allow, yes for a deny.
 * Pure, without memory.
 */
#include "policy/match.h"

#include "policy/facts.h"

static enum match from_bool(bool is_so)
{
    return is_so ? MATCH_YES : MATCH_NO;
}

static enum match from_pattern(enum pattern_match m)
{
    static const enum match meaning[] = {
        [PATTERN_NO] = MATCH_NO,
        [PATTERN_YES] = MATCH_YES,
        [PATTERN_NOT_KNOWN] = MATCH_UNKNOWN,
    };

    return meaning[m];
}

static enum match negate(enum match m)
{
    return m == MATCH_UNKNOWN ? m : from_bool(m == MATCH_NO);
}

/* Yes when one says so; else not known when one does not know. */
static enum match match_list(const struct list *list, postern_bytes text, const struct asking *a)
{
    enum match ret = MATCH_NO;

    for (const struct item *i = list->first; i != NULL; i = i->next) {
        enum match m = i->set != NULL
                           ? match_list(&i->set->list, text, a)
                           : from_pattern(postern_pattern_match(&i->pattern, text, &a->names));

        if (m == MATCH_YES)
            return MATCH_YES;
        ret = m == MATCH_UNKNOWN ? MATCH_UNKNOWN : ret;
    }
    return ret;
}

/* ---- who ---- */

static enum match match_name(const struct list *list, postern_bytes name, const struct asking *a)
{
    return name.len == 0 ? MATCH_UNKNOWN : match_list(list, name, a);
}

/* The name up to its first '@', or to its last. */
static postern_bytes cut_at(postern_bytes name, bool is_last)
{
    size_t at = postern_bytes_find(name, '@');

    for (size_t i = at; is_last && i < name.len; i++)
        at = name.ptr[i] == '@' ? i : at;
    return (postern_bytes){ name.ptr, at };
}

/*
 * A local account as a deny of a login sees it: under every spelling that a host may make of it.
 * Hosts fold case (Cyrus imapd does by default) and cut their own realm off, some at the first '@',
 * some at the last; what is denied on root must not come in as "Root@example.org".  An allow is for
 * the name as it is.
 */
static enum match match_spellings(const struct list *list, postern_bytes name,
                                  const struct asking *a)
{
    struct asking folding = *a;
    enum match ret;

    folding.names.folds_case = true;
    ret = match_name(list, name, &folding);
    for (int is_last = 0; is_last < 2 && ret != MATCH_YES; is_last++) {
        postern_bytes cut = cut_at(name, is_last != 0);
        enum match m = cut.len == name.len ? MATCH_NO : match_name(list, cut, &folding);

        ret = m == MATCH_NO ? ret : m;
    }
    return ret;
}

static enum match match_account(const struct rule *r, const struct list *list, postern_bytes name,
                                const struct asking *a)
{
    if (a->protocol == PROTOCOL_LOGIN && r->verdict == POSTERN_VERDICT_DENY)
        return match_spellings(list, name, a);
    return match_name(list, name, a);
}

static enum match match_user(const struct rule *r, const struct list *list, const struct asking *a)
{
    return a->s->user == NULL ? MATCH_NO : match_account(r, list, a->user, a);
}

/*
 * Groups are the human's.  Where there is none, those of the token are the agent's own: they do not
 * help it to an allow, and a deny may see them.
 */
static enum match match_group(const struct list *list, const struct asking *a)
{
    const postern_policy_subject *s = a->s;
    enum match ret = MATCH_NO;

    if (s->groups == NULL)
        return s->user == NULL ? MATCH_NO : MATCH_UNKNOWN;
    for (size_t i = 0; i < s->group_count && ret != MATCH_YES; i++) {
        enum match m = match_name(list, postern_bytes_str(s->groups[i]), a);

        ret = m == MATCH_NO ? ret : m;
    }
    return ret == MATCH_YES && s->user == NULL ? MATCH_UNKNOWN : ret;
}

static enum match match_party(const struct rule *r, const struct party *party,
                              const struct asking *a)
{
    switch (party->kind) {
    case PARTY_NONE:
        return MATCH_YES;
    case PARTY_ANYONE:
        return MATCH_YES;
    case PARTY_AGENT:
        return match_name(&party->list, a->agent, a);
    case PARTY_CLIENT:
        return match_name(&party->list, a->client, a);
    case PARTY_ISSUER:
        return match_name(&party->list, a->issuer, a);
    case PARTY_USER:
        return match_user(r, &party->list, a);
    case PARTY_GROUP:
        return match_group(&party->list, a);
    case PARTY_NOBODY:
    case PARTY_KINDS:
        break;
    }
    return MATCH_UNKNOWN;
}

static enum match match_human(const struct rule *r, const struct asking *a)
{
    const struct party *human = &r->who.human;

    if (human->kind == PARTY_ANYONE)
        return from_bool(a->s->user != NULL);
    if (human->kind == PARTY_NOBODY)
        return from_bool(a->s->user == NULL);
    return match_party(r, human, a);
}

/* ---- to what ---- */

static bool match_action(const struct target *t, const struct asking *a)
{
    if (t->protocol == PROTOCOL_ANY)
        return true;
    if (t->protocol != a->protocol || (t->actions & a->action) == 0)
        return false;
    return t->protocol != PROTOCOL_LOGIN || strcmp(t->service, a->service) == 0;
}

static enum match match_resource(const struct rule *r, const struct asking *a)
{
    const struct target *t = &r->target;

    if (!t->has_resources)
        return MATCH_YES;
    return a->resource.ptr == NULL ? MATCH_UNKNOWN : match_account(r, &t->resources, a->resource, a);
}

/* ---- tests ---- */

static bool is_among(postern_bytes word, postern_bytes words)
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
        if (one.len != 0 && !is_among(one, words))
            return false;
    return r.rest.len == 0 || is_among(r.rest, words);
}

static enum match test_scope(const struct test *t, const struct asking *a)
{
    postern_bytes scope = postern_bytes_str(a->s->scope);
    postern_bytes want = { (const uint8_t *)t->value.ops, t->value.len };
    bool is_same;

    if (a->s->scope == NULL)
        return MATCH_UNKNOWN;
    if (t->op == OP_HAS)
        return from_bool(is_among(want, scope));
    is_same = are_all_among(want, scope) && are_all_among(scope, want);
    return from_bool(is_same == (t->op == OP_EQ));
}

static enum match test_text(const struct test *t, postern_bytes text, const struct asking *a)
{
    enum match m;

    if (t->op == OP_IN)
        return match_list(&t->list, text, a);
    m = from_pattern(postern_pattern_match(&t->value, text, &a->names));
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
    return from_bool(is_held == (t->op != OP_NE));
}

static enum match compare(int64_t have, enum op op, int64_t want)
{
    switch (op) {
    case OP_EQ:
        return from_bool(have == want);
    case OP_NE:
        return from_bool(have != want);
    case OP_LT:
        return from_bool(have < want);
    case OP_LE:
        return from_bool(have <= want);
    case OP_GT:
        return from_bool(have > want);
    case OP_GE:
        return from_bool(have >= want);
    case OP_NONE:
    case OP_IN:
    case OP_HAS:
    case OP_LIKE:
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

static enum match match_test(const struct rule *r, const struct test *t, const struct asking *a)
{
    static enum match (*const tests[ATTR_COUNT])(const struct test *t, const struct asking *a) = {
        [ATTR_SCOPE] = test_scope,   [ATTR_PURPOSE] = test_purpose, [ATTR_ACR] = test_acr,
        [ATTR_ISSUER] = test_issuer,
        [ATTR_SOURCE] = test_source, [ATTR_CHAIN] = test_chain,     [ATTR_AUTH_AGE] = test_auth_age,
        [ATTR_CLAIM] = test_claim,
    };
    enum match m = MATCH_UNKNOWN;

    if (t->attr != ATTR_TIME)
        m = tests[t->attr](t, a);
    else if (a->q->now_s >= 0 && a->q->now_s <= POLICY_NUMBER_MAX)
        m = from_bool(postern_span_holds(&t->span, a->q->now_s, r->file->zone_s));
    return t->is_not ? negate(m) : m;
}

/* ---- rules ---- */

/* PROTOCOL_ANY: it is none. */
static size_t find_protocol(postern_bytes name)
{
    for (size_t i = POLICY_PROTOCOLS_NAMED; policy_protocols[i].name != NULL; i++)
        if (postern_bytes_equal_str(name, policy_protocols[i].name))
            return i;
    return postern_policy_is_service(name) ? PROTOCOL_LOGIN : PROTOCOL_ANY;
}

bool postern_asking_make(const postern_policy_question *q, struct asking *ret)
{
    postern_bytes protocol = postern_bytes_str(q->protocol);

    *ret = (struct asking){
        .q = q,
        .s = q->subject,
        .names = { .agent = q->subject->agent, .user = q->subject->user },
        .agent = postern_bytes_str(q->subject->agent),
        .user = postern_bytes_str(q->subject->user),
        .client = postern_bytes_str(q->subject->client),
        .issuer = postern_bytes_str(q->subject->issuer),
        .resource = q->resource,
    };
    ret->has_source = q->source != NULL && postern_net_read_address(q->source, &ret->source);
    ret->protocol = find_protocol(protocol);
    ret->service = q->protocol;
    ret->action = ret->protocol == PROTOCOL_ANY
                      ? 0
                      : postern_policy_action_bit(&policy_protocols[ret->protocol],
                                                  postern_bytes_str(q->action));
    return ret->action != 0;
}

/* The one place where "not known" becomes an answer. */
static bool fails(const struct rule *r, enum match m)
{
    return m == MATCH_NO || (m == MATCH_UNKNOWN && r->verdict != POSTERN_VERDICT_DENY);
}

static bool is_scope_wanted(const struct rule *r, const struct test *t, enum match m)
{
    return r->verdict == POSTERN_VERDICT_ALLOW && t->attr == ATTR_SCOPE && t->op == OP_HAS &&
           !t->is_not && m == MATCH_NO;
}

static struct rule_match failed(enum part part, enum match m)
{
    return (struct rule_match){ .part = part, .is_unknown = m == MATCH_UNKNOWN };
}

/* Goes on behind a scope that is wanting: perhaps nothing else is. */
static struct rule_match match_tests(const struct rule *r, const struct asking *a)
{
    struct rule_match ret = { .is_match = true };

    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        enum match m = match_test(r, t, a);
        bool is_wanted = is_scope_wanted(r, t, m);

        if (!fails(r, m))
            continue;
        if (ret.is_match) {
            ret = failed(PART_TEST, m);
            ret.test = t;
            ret.wants_scope = is_wanted;
        }
        ret.wants_scope = ret.wants_scope && is_wanted;
        if (!ret.wants_scope)
            return ret;
    }
    return ret;
}

struct rule_match postern_rule_match(const struct rule *r, const struct asking *a)
{
    enum match m;

    if (!match_action(&r->target, a))
        return failed(PART_ACTION, MATCH_NO);
    m = match_party(r, &r->who.party, a);
    if (fails(r, m))
        return failed(PART_WHO, m);
    m = match_human(r, a);
    if (fails(r, m))
        return failed(PART_HUMAN, m);
    m = match_resource(r, a);
    if (fails(r, m))
        return failed(PART_RESOURCE, m);
    return match_tests(r, a);
}

struct rule_parts postern_rule_look_at_parts(const struct rule *r, const struct asking *a)
{
    struct rule_parts ret = {
        .is_action = match_action(&r->target, a),
        .who = match_party(r, &r->who.party, a),
        .human = match_human(r, a),
        .resource = match_resource(r, a),
    };

    ret.failing_count = (size_t)!ret.is_action + (size_t)fails(r, ret.who) +
                        (size_t)fails(r, ret.human) + (size_t)fails(r, ret.resource);
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        ret.failing_count += (size_t)fails(r, match_test(r, t, a));
    return ret;
}

void postern_rule_missing_scopes(const struct rule *r, const struct asking *a, char *ret,
                                 size_t ret_size)
{
    size_t used = strlen(ret);

    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        if (!is_scope_wanted(r, t, match_test(r, t, a)) ||
            is_among((postern_bytes){ (const uint8_t *)t->value.ops, t->value.len },
                     (postern_bytes){ (const uint8_t *)ret, used }))
            continue;
        if (ret_size - used < t->value.len + 2) { /* half a hint would lead nowhere */
            ret[0] = '\0';
            return;
        }
        if (used != 0)
            ret[used++] = ' ';
        used = (size_t)(stpcpy(ret + used, t->value.ops) - ret);
    }
}
