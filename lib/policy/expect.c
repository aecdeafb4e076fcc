/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expects: a policy is its own test.  What an expect does not say is not there: no human, no group,
 * no scope, no claim; source and time are not known, so that a policy loads at night as it does by
 * day, unless the caller gives them to all.  Called by postern_policy_finish().
 */
#include "policy/facts.h"

/* What one expect says, as a question and a subject. */
struct asked {
    postern_policy_subject subject;
    postern_policy_question question;
    struct postern_policy_facts facts;
    const char *groups[2 * POLICY_GIVEN_MAX + 2];
    struct pair given[POLICY_GIVEN_MAX]; /* to all expects, and not said by this one */
};

static void add_group(struct asked *a, const char *name)
{
    a->groups[a->subject.group_count++] = name; /* `for group` or `group`, and the pairs */
}

static const char *name_of(const struct party *party)
{
    return party->list.first == NULL ? NULL : party->list.first->pattern.ops;
}

static void set_party(struct asked *a, const struct party *party)
{
    const char *name = name_of(party);

    switch (party->kind) {
    case PARTY_AGENT: /* which logs in as itself, unless a pair names another client */
    case PARTY_CLIENT:
        a->subject.agent = name;
        a->subject.client = name;
        break;
    case PARTY_ISSUER:
        a->subject.issuer = name;
        break;
    case PARTY_USER:
        a->subject.user = name;
        break;
    case PARTY_GROUP:
        add_group(a, name);
        a->subject.user = "";
        break;
    case PARTY_ANYONE:
    case PARTY_NOBODY:
    case PARTY_NONE:
    case PARTY_KINDS:
        break;
    }
}

static void set_pair(struct asked *a, const struct pair *pair)
{
    switch (pair->kind) {
    case PAIR_SCOPE:
        a->subject.scope = pair->text;
        break;
    case PAIR_PURPOSE:
        a->subject.purpose = pair->text;
        break;
    case PAIR_SOURCE:
        a->question.source = pair->text;
        break;
    case PAIR_CHAIN:
        a->subject.chain = (size_t)pair->number; /* 0 to 2^53-1 */
        break;
    case PAIR_CLIENT:
        a->subject.client = pair->text;
        break;
    case PAIR_ISSUER:
        a->subject.issuer = pair->text;
        break;
    case PAIR_GROUP:
        add_group(a, pair->text);
        break;
    case PAIR_TIME:
        a->question.now_s = pair->number;
        break;
    case PAIR_CLAIM: /* facts.given has them */
    case PAIR_DETAIL:
    case PAIR_ARG:
    case PAIR_AUTH_AGE:
    case PAIR_NONE:
        break;
    }
}

static void set_action(struct asked *a, const struct target *t)
{
    a->question.protocol =
        t->protocol == PROTOCOL_LOGIN ? t->service : policy_protocols[t->protocol].name;
    a->question.action = t->items->text; /* the reader took one name */
}

/* ---- what is given to all ---- */

static bool has_party(const struct who *who, enum party_kind kind)
{
    return who->party.kind == kind || who->human.kind == kind;
}

/* What an expect says itself, by its pairs or by its parties, counts alone. */
static bool says(const struct expect *e, const struct pair *given)
{
    static const enum party_kind parties[] = {
        [PAIR_CLIENT] = PARTY_CLIENT,
        [PAIR_ISSUER] = PARTY_ISSUER,
        [PAIR_GROUP] = PARTY_GROUP,
        [PAIR_TIME] = PARTY_NONE,
    };

    return (parties[given->kind] != PARTY_NONE && has_party(&e->who, parties[given->kind])) ||
           postern_pair_find(e->pairs, given->kind, &given->claim) != NULL;
}

/* Those that it does not say, before its own. */
static struct pair *all_pairs(const struct expect *e, struct asked *a)
{
    struct pair *ret, *room = a->given, **end = &ret;

    for (const struct pair *given = e->file->policy->given; given != NULL; given = given->next) {
        if (says(e, given))
            continue;
        *room = *given;
        *end = room;
        end = &room++->next;
    }
    *end = e->pairs;
    return ret;
}

/* ---- the question ---- */

static void make_question(const struct expect *e, struct asked *ret)
{
    *ret = (struct asked){ .facts = { .is_expect = true } };
    ret->facts.given = all_pairs(e, ret);
    ret->subject.scope = "";
    ret->subject.groups = ret->groups;
    ret->subject.facts = &ret->facts;
    ret->question =
        (postern_policy_question){ .size = sizeof ret->question, .subject = &ret->subject };
    ret->question.now_s = -1;
    set_party(ret, &e->who.party);
    set_party(ret, &e->who.human);
    if (e->who.human.kind == PARTY_ANYONE)
        ret->subject.user = "";
    set_action(ret, &e->target);
    if (e->target.has_resources)
        ret->question.resource = postern_bytes_str(e->target.resources.first->pattern.ops);
    for (const struct pair *pair = ret->facts.given; pair != NULL; pair = pair->next)
        set_pair(ret, pair);
}

static postern_err fail_expect(const postern_policy *p, const struct expect *e,
                               const postern_decision *d, postern_error *err)
{
    size_t index = d->rule_index;
    const char *label = d->rule;

    /* The list that decides, where there are two and the agent's allows. */
    if (d->refusing_lists == POSTERN_POLICY_LIST_USER) {
        index = d->user_rule_index;
        label = d->user_rule;
    }
    if (index == POSTERN_POLICY_NO_RULE)
        return POSTERN_FAIL(err, RULES_EXPECT,
                            "%s:%d:1: expected %s, and no rule matches, which is a%s %s",
                            e->file->path, e->line, postern_verdict_name(e->verdict),
                            d->verdict == POSTERN_VERDICT_ALLOW ? "n" : "",
                            postern_verdict_name(d->verdict));
    return POSTERN_FAIL(err, RULES_EXPECT, "%s:%d:1: expected %s, and %s (%s:%d) says %s",
                        e->file->path, e->line, postern_verdict_name(e->verdict), label,
                        p->by_index[index]->file->path, p->by_index[index]->line,
                        postern_verdict_name(d->verdict));
}

postern_err postern_policy_run_expects(const postern_policy *p, postern_error *err)
{
    for (const struct expect *e = p->expects; e != NULL; e = e->next) {
        postern_decision d;
        struct asked asked;

        make_question(e, &asked);
        postern_policy_decide(p, &asked.question, &d);
        if (d.verdict != e->verdict)
            return fail_expect(p, e, &d, err);
    }
    return POSTERN_OK;
}

bool postern_policy_expect_at(const postern_policy *p, size_t i, postern_policy_expectation *ret,
                              postern_buf *out)
{
    const struct expect *e = p->is_finished ? p->expects : NULL;
    struct asked asked;

    while (e != NULL && i-- != 0)
        e = e->next;
    if (e == NULL)
        return false;
    *ret = (postern_policy_expectation){ .path = e->file->path, .line = e->line, .want = e->verdict };
    make_question(e, &asked);
    postern_policy_judge(p, &asked.question, &ret->got);
    if (out != NULL)
        postern_policy_print_expect(e, out);
    return true;
}
