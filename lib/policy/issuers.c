/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policies for doors that trust several issuers: a name is what one issuer calls somebody, and
 * another may call somebody else so.  Local users are apart by configuration
 * (lib/oauth/config_trusts.c); agents, clients and groups are not, so a rule that gives by one of
 * them has to say whose it is.  Called by whoever knows the door, behind postern_policy_finish().
 */
#include "policy/rules.h"

static bool is_named_by_issuer(const struct party *party)
{
    return party->kind == PARTY_AGENT || party->kind == PARTY_CLIENT || party->kind == PARTY_GROUP;
}

/* "stream:${agent}:*": an agent of the same name would have it too. */
static bool list_holds_agent(const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL ? list_holds_agent(&i->set->list) : i->pattern.has_agent)
            return true;
    return false;
}

/* Relations are between names of agents and groups, too. */
static bool test_holds_agent(const struct test *t)
{
    return t->attr == ATTR_RELATION || t->value.has_agent || list_holds_agent(&t->list);
}

/* Positively: "not" and != leave every other issuer in. */
static bool says_issuer(const struct rule *r)
{
    if (r->who.party.kind == PARTY_ISSUER)
        return true;
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        if (t->attr == ATTR_ISSUER && !t->is_not && t->op != OP_NE)
            return true;
    return false;
}

static bool gives_by_name(const struct rule *r)
{
    bool gives = is_named_by_issuer(&r->who.party) || is_named_by_issuer(&r->who.human) ||
                 list_holds_agent(&r->who.party.list) || list_holds_agent(&r->who.human.list) ||
                 list_holds_agent(&r->target.resources);

    for (const struct test *t = r->tests; t != NULL && !gives; t = t->next)
        gives = test_holds_agent(t);
    return gives;
}

postern_err postern_policy_check_issuers(const postern_policy *p, postern_error *err)
{
    char label[POSTERN_POLICY_LABEL_MAX];

    if (!p->is_finished)
        return POSTERN_FAIL(err, USAGE, "the policy is not finished");
    for (const struct rule *r = p->rules; r != NULL; r = r->next) {
        if (r->verdict == POSTERN_VERDICT_DENY || says_issuer(r) || !gives_by_name(r))
            continue;
        postern_policy_label(r, label);
        return POSTERN_FAIL(err, RULES,
                            "%s:%d:1: %s must say whose agent, client or group it means, because "
                            "several issuers are trusted here: if issuer = \"https://...\"",
                            r->file->path, r->line, label);
    }
    return POSTERN_OK;
}
