/* SPDX-License-Identifier: BSD-2-Clause */
/* Does one rule's target take all that another's does?  Called by warn.c. */
#include "policy/rules.h"

static bool known_are_covered(const struct target *wide, const struct target *narrow)
{
    size_t words = postern_policy_action_words(&policy_protocols[narrow->protocol]);

    for (size_t i = 0; i < words; i++)
        if ((narrow->known[i] & ~wide->known[i]) != 0)
            return false;
    return true;
}

/* Actions that no table has come by a name or a glob. */
static bool may_be_unknown(const struct action_item *item)
{
    return item->kind == ACTION_NAME || item->kind == ACTION_GLOB;
}

static bool item_is_covered(const struct target *wide, const struct action_item *narrow)
{
    for (const struct action_item *w = wide->items; w != NULL; w = w->next)
        if (may_be_unknown(w) && strcmp(w->text, narrow->text) == 0)
            return true;
    return false;
}

/* All but what clients say in any case, which is meant by name alone. */
static bool any_covers(const struct target *narrow)
{
    const struct protocol *protocol = &policy_protocols[narrow->protocol];

    for (size_t i = 0; narrow->known != NULL && i < protocol->row_count; i++)
        if (postern_policy_action_is_in(narrow->known, i) && postern_policy_is_session(protocol, i))
            return false;
    return true;
}

static bool unknown_are_covered(const struct target *wide, const struct target *narrow)
{
    if (wide->takes_unknown)
        return true;
    if (narrow->takes_unknown)
        return false;
    if (!policy_protocols[narrow->protocol].is_inspected)
        return true;
    for (const struct action_item *n = narrow->items; n != NULL; n = n->next)
        if (may_be_unknown(n) && !item_is_covered(wide, n))
            return false;
    return true;
}

bool postern_target_covers_actions(const struct target *wide, const struct target *narrow)
{
    if (wide->protocol == PROTOCOL_ANY)
        return any_covers(narrow) && unknown_are_covered(wide, narrow);
    if (wide->protocol != narrow->protocol || !known_are_covered(wide, narrow) ||
        !unknown_are_covered(wide, narrow))
        return false;
    return wide->protocol != PROTOCOL_LOGIN || strcmp(wide->service, narrow->service) == 0;
}
