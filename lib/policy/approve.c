/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may approve what a policy holds.  Pure. */
#include "policy/match.h"

static bool is_among(const struct list *list, const char *name)
{
    return name != NULL && name[0] != '\0' &&
           postern_list_match(list, postern_bytes_str(name), &(struct pattern_names){ 0 }) ==
               MATCH_YES;
}

/* Groups are a human's; who is nobody approves nothing. */
static bool is_of(const struct party *party, const postern_policy_subject *s)
{
    if (s->user == NULL)
        return false;
    if (party->kind == PARTY_USER)
        return is_among(&party->list, s->user);
    for (size_t i = 0; party->kind == PARTY_GROUP && s->groups != NULL && i < s->group_count; i++)
        if (is_among(&party->list, s->groups[i]))
            return true;
    return false;
}

/* A rule that does not hold, or no rule, asks for nobody. */
static bool is_enough_for(const postern_policy *p, size_t index, const postern_policy_subject *s)
{
    const struct rule *r = index < p->rule_count ? p->by_index[index] : NULL;

    return r == NULL || r->verdict != POSTERN_VERDICT_HOLD ||
           r->duties.approver.kind == PARTY_NONE || is_of(&r->duties.approver, s);
}

bool postern_policy_may_approve(const postern_policy *p, const postern_decision *held,
                                const postern_policy_subject *approver)
{
    return p->is_finished && !p->is_broken && held->verdict == POSTERN_VERDICT_HOLD &&
           is_enough_for(p, held->rule_index, approver) &&
           is_enough_for(p, held->user_rule_index, approver);
}
