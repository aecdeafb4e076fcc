/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a rule match?  Every part answers yes, no or not known, and `not` leaves "not known" what it
 * is; only here, for the rule as a whole, it becomes an answer: no for an allow, yes for a deny.  A
 * hold that is not known takes the place of an allow below it, which is decide.c's.
 * Pure, without memory.
 */
#include "policy/match.h"

#include "policy/under.h"

enum match postern_pattern_says(const struct pattern *p, postern_bytes text,
                                const struct pattern_names *names)
{
    static const enum match meaning[] = {
        [PATTERN_NO] = MATCH_NO,
        [PATTERN_YES] = MATCH_YES,
        [PATTERN_NOT_KNOWN] = MATCH_UNKNOWN,
    };

    return meaning[postern_pattern_match(p, text, names)];
}

/* Yes when one says so; else not known when one does not know. */
enum match postern_list_match(const struct list *list, postern_bytes text,
                              const struct pattern_names *names)
{
    enum match ret = MATCH_NO;

    for (const struct item *i = list->first; i != NULL; i = i->next) {
        enum match m = i->set != NULL ? postern_list_match(&i->set->list, text, names)
                                      : postern_pattern_says(&i->pattern, text, names);

        if (m == MATCH_YES)
            return MATCH_YES;
        ret = m == MATCH_UNKNOWN ? MATCH_UNKNOWN : ret;
    }
    return ret;
}

/* ---- who ---- */

static enum match match_name(const struct list *list, postern_bytes name,
                             const struct pattern_names *names)
{
    return name.len == 0 ? MATCH_UNKNOWN : postern_list_match(list, name, names);
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
    struct pattern_names folding = a->names;
    enum match ret;

    folding.folds_case = true;
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
    return match_name(list, name, &a->names);
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
        enum match m = match_name(list, postern_bytes_str(s->groups[i]), &a->names);

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
        return match_name(&party->list, a->agent, &a->names);
    case PARTY_CLIENT:
        return match_name(&party->list, a->client, &a->names);
    case PARTY_ISSUER:
        return match_name(&party->list, a->issuer, &a->names);
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
        return postern_match_of(a->s->user != NULL);
    if (human->kind == PARTY_NOBODY)
        return postern_match_of(a->s->user == NULL);
    return match_party(r, human, a);
}

/* ---- to what ---- */

/* An action that no table has: a new command, another method.  An allow has to name it. */
static bool match_unknown_action(const struct target *t, const struct asking *a)
{
    postern_bytes name = postern_bytes_str(a->name);

    if (t->takes_unknown)
        return true;
    for (const struct action_item *i = t->items; i != NULL; i = i->next) {
        if (i->kind == ACTION_NAME && strcmp(i->text, a->name) == 0)
            return true;
        if (i->kind == ACTION_GLOB &&
            postern_pattern_match(&i->glob, name, &a->names) == PATTERN_YES)
            return true;
    }
    return false;
}

/* A deny of a command is one of a subcommand that is new. */
static bool denies_container(const struct rule *r, const struct asking *a)
{
    size_t len = strcspn(a->name, "|");

    if (r->verdict != POSTERN_VERDICT_DENY || a->name[len] == '\0')
        return false;
    for (const struct action_item *i = r->target.items; i != NULL; i = i->next)
        if (i->kind == ACTION_NAME && strncmp(i->text, a->name, len) == 0 && i->text[len] == '\0')
            return true;
    return false;
}

static bool match_action(const struct rule *r, const struct asking *a)
{
    const struct target *t = &r->target;

    if (t->protocol == PROTOCOL_ANY)
        return a->action == POLICY_NO_ACTION ? t->takes_unknown : !a->is_session;
    if (t->protocol != a->protocol)
        return false;
    if (a->action == POLICY_NO_ACTION)
        return match_unknown_action(t, a) || denies_container(r, a);
    return postern_policy_action_is_in(t->known, a->action) &&
           (t->protocol != PROTOCOL_LOGIN || strcmp(t->service, a->service) == 0);
}

/* A URI that may mean another than it says is what it says only letter by letter. */
static enum match match_devious(const struct list *list, const struct asking *a)
{
    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i->set != NULL ? match_devious(&i->set->list, a) == MATCH_YES
                           : i->pattern.kind != PATTERN_GLOB &&
                                 postern_pattern_says(&i->pattern, a->resource, &a->names) ==
                                     MATCH_YES)
            return MATCH_YES;
    }
    return MATCH_UNKNOWN;
}

static enum match match_resource(const struct rule *r, const struct asking *a)
{
    const struct list *list = &r->target.resources;

    if (!r->target.has_resources)
        return MATCH_YES;
    if (a->resource.ptr == NULL)
        return MATCH_UNKNOWN;
    if (a->is_devious)
        return match_devious(list, a);
    /* An empty key is a key; an empty account is nobody's. */
    return policy_protocols[a->protocol].is_inspected
               ? postern_list_match(list, a->resource, &a->names)
               : match_account(r, list, a->resource, a);
}

/* ---- rules ---- */

static bool has_uri(const struct asking *a)
{
    const struct protocol *protocol = &policy_protocols[a->protocol];

    return protocol->has_uris && (a->action == POLICY_NO_ACTION ||
                                  strstr(protocol->rows[a->action].resource, "URI") != NULL);
}

/* Only a door that looks at each action has some that no table has. */
static bool find_action(const postern_policy_question *q, struct asking *ret)
{
    const struct protocol *protocol = &policy_protocols[ret->protocol];

    if (ret->protocol == PROTOCOL_ANY ||
        !postern_policy_fold_action(protocol, postern_bytes_str(q->action), ret->name))
        return false;
    ret->action = postern_policy_find_action(protocol, ret->name);
    ret->is_session = postern_policy_is_session(protocol, ret->action);
    return ret->action != POLICY_NO_ACTION || protocol->is_inspected;
}

bool postern_asking_make(const postern_policy_question *q, struct asking *ret)
{
    *ret = (struct asking){
        .q = q,
        .s = q->subject,
        .names = { .agent = q->subject->agent, .user = q->subject->user },
        .service = q->protocol,
        .agent = postern_bytes_str(q->subject->agent),
        .user = postern_bytes_str(q->subject->user),
        .client = postern_bytes_str(q->subject->client),
        .issuer = postern_bytes_str(q->subject->issuer),
        .resource = q->resource,
    };
    ret->has_source = q->source != NULL && postern_net_read_address(q->source, &ret->source);
    ret->protocol = postern_policy_find_protocol(postern_bytes_str(q->protocol));
    if (!find_action(q, ret))
        return false;
    ret->is_devious = has_uri(ret) && postern_uri_is_devious(q->resource);
    return true;
}

/* The one place where "not known" becomes an answer; but see postern_rule_may_hold(). */
static bool fails(const struct rule *r, enum match m)
{
    switch (m) {
    case MATCH_YES:
        return false;
    case MATCH_UNKNOWN:
        return r->verdict != POSTERN_VERDICT_DENY;
    case MATCH_OPEN:
        return r->verdict == POSTERN_VERDICT_DENY;
    case MATCH_NO:
        break;
    }
    return true;
}

static bool is_scope_wanted(const struct rule *r, const struct test *t, enum match m)
{
    return r->verdict != POSTERN_VERDICT_DENY && t->attr == ATTR_SCOPE && t->op == OP_HAS &&
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
        enum match m = postern_test_match(r, t, a);
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

    if (!match_action(r, a))
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

bool postern_rule_may_hold(const struct rule *r, const struct asking *a)
{
    if (r->verdict != POSTERN_VERDICT_HOLD || !match_action(r, a) ||
        match_party(r, &r->who.party, a) == MATCH_NO || match_human(r, a) == MATCH_NO ||
        match_resource(r, a) == MATCH_NO)
        return false;
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        if (postern_test_match(r, t, a) == MATCH_NO)
            return false;
    return true;
}

struct rule_parts postern_rule_look_at_parts(const struct rule *r, const struct asking *a)
{
    struct rule_parts ret = {
        .is_action = match_action(r, a),
        .who = match_party(r, &r->who.party, a),
        .human = match_human(r, a),
        .resource = match_resource(r, a),
    };

    ret.failing_count = (size_t)!ret.is_action + (size_t)fails(r, ret.who) +
                        (size_t)fails(r, ret.human) + (size_t)fails(r, ret.resource);
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        ret.failing_count += (size_t)fails(r, postern_test_match(r, t, a));
    return ret;
}

void postern_rule_missing_scopes(const struct rule *r, const struct asking *a, char *ret,
                                 size_t ret_size)
{
    size_t used = strlen(ret);

    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        if (!is_scope_wanted(r, t, postern_test_match(r, t, a)) ||
            postern_scope_is_among((postern_bytes){ (const uint8_t *)t->value.ops, t->value.len },
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
