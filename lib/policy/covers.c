/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does one rule take all that another one does?  Careful in one direction: what is said to be covered
 * is; what is too clever to compare is not said.  To be covered is handed down: what covers a rule
 * covers all that this one covers.  Called by warn.c and bearing.c.
 */
#include "policy/rules.h"

#define TEST_WORK 64 /* of one test, printed twice */

static void charge(size_t *work, size_t steps)
{
    *work -= *work < steps ? *work : steps;
}

/* One comparison, and the more the longer a glob may have to look for its place. */
static size_t steps_of(const struct pattern *wide, const struct pattern *narrow)
{
    return wide->kind == PATTERN_GLOB ? 1 + wide->len * narrow->len / 64 : 1;
}

static bool item_is_covered(const struct list *wide, const struct pattern *narrow, size_t *work)
{
    for (const struct item *i = wide->first; i != NULL; i = i->next) {
        if (*work == 0)
            return false;
        charge(work, i->set != NULL ? 1 : steps_of(&i->pattern, narrow));
        if (i->set != NULL ? item_is_covered(&i->set->list, narrow, work)
                           : postern_pattern_covers(&i->pattern, narrow))
            return true;
    }
    return false;
}

static bool list_is_covered(const struct list *wide, const struct list *narrow, size_t *work)
{
    for (const struct item *i = narrow->first; i != NULL; i = i->next)
        if (i->set != NULL ? !list_is_covered(wide, &i->set->list, work)
                           : !item_is_covered(wide, &i->pattern, work))
            return false;
    return true;
}

static bool party_is_covered(const struct party *wide, const struct party *narrow, size_t *work)
{
    if (wide->kind == PARTY_ANYONE)
        return true;
    return wide->kind == narrow->kind && list_is_covered(&wide->list, &narrow->list, work);
}

/* Behind `for` nothing said is either, and anyone is some human. */
static bool human_is_covered(const struct party *wide, const struct party *narrow, size_t *work)
{
    if (wide->kind == PARTY_NONE)
        return true;
    if (wide->kind == PARTY_ANYONE)
        return narrow->kind == PARTY_ANYONE || narrow->kind == PARTY_USER;
    return wide->kind == narrow->kind && list_is_covered(&wide->list, &narrow->list, work);
}

static bool target_is_covered(const struct target *wide, const struct target *narrow, size_t *work)
{
    if (wide->has_resources && (!narrow->has_resources ||
                                !list_is_covered(&wide->resources, &narrow->resources, work)))
        return false;
    return postern_target_covers_actions(wide, narrow);
}

bool postern_rule_takes_more(const struct rule *narrow, const struct rule *wide)
{
    if (wide->verdict == POSTERN_VERDICT_ALLOW)
        return narrow->verdict != POSTERN_VERDICT_ALLOW;
    return wide->verdict == POSTERN_VERDICT_HOLD && narrow->verdict == POSTERN_VERDICT_DENY;
}

/* Such a one is hidden only where nothing can be unknown: by a rule for anyone, to anything, in any
 * case. */
static bool hides_unknown(const struct rule *wide, const struct rule *narrow)
{
    if (!postern_rule_takes_more(narrow, wide))
        return true;
    return wide->who.party.kind == PARTY_ANYONE && wide->who.human.kind == PARTY_NONE &&
           !wide->target.has_resources && wide->tests == NULL;
}

bool postern_test_is_same(const struct test *a, const struct test *b)
{
    POSTERN_AUTO_BUF a_text = POSTERN_BUF_INIT(POLICY_TEST_TEXT_MAX);
    POSTERN_AUTO_BUF b_text = POSTERN_BUF_INIT(POLICY_TEST_TEXT_MAX);

    postern_policy_print_test(a, &a_text);
    postern_policy_print_test(b, &b_text);
    return !a_text.failed && !b_text.failed &&
           postern_bytes_equal(postern_buf_bytes(&a_text), postern_buf_bytes(&b_text));
}

/* Each test of the wide rule is one of the narrow one; in one file, where sets and zone are the
 * same. */
static bool tests_are_covered(const struct rule *wide, const struct rule *narrow, size_t *work)
{
    const struct test *n;

    if (wide->tests != NULL && wide->file != narrow->file)
        return false;
    for (const struct test *w = wide->tests; w != NULL; w = w->next) {
        for (n = narrow->tests; n != NULL && *work != 0 && !postern_test_is_same(w, n); n = n->next)
            charge(work, TEST_WORK);
        if (n == NULL || *work == 0)
            return false;
    }
    return true;
}

bool postern_rule_covers(const struct rule *wide, const struct rule *narrow, unsigned parts,
                         size_t *work)
{
    const struct target *w = &wide->target, *n = &narrow->target;

    if ((parts & COVERS_PARTY) != 0 && !party_is_covered(&wide->who.party, &narrow->who.party, work))
        return false;
    if ((parts & COVERS_HUMAN) != 0 && !human_is_covered(&wide->who.human, &narrow->who.human, work))
        return false;
    if ((parts & COVERS_ACTION) != 0 && !postern_target_covers_actions(w, n))
        return false;
    if ((parts & COVERS_RESOURCE) != 0 && w->has_resources &&
        (!n->has_resources || !list_is_covered(&w->resources, &n->resources, work)))
        return false;
    return (parts & COVERS_TESTS) == 0 || tests_are_covered(wide, narrow, work);
}

/* But for what is not known. */
static bool hides_known(const struct rule *wide, const struct rule *narrow, unsigned lists,
                        size_t *work)
{
    return (narrow->lists & lists & ~wide->lists) == 0 &&
           party_is_covered(&wide->who.party, &narrow->who.party, work) &&
           human_is_covered(&wide->who.human, &narrow->who.human, work) &&
           target_is_covered(&wide->target, &narrow->target, work) &&
           tests_are_covered(wide, narrow, work);
}

enum hiding postern_rule_hides(const struct rule *wide, const struct rule *narrow, unsigned lists,
                               size_t *work)
{
    charge(work, 1);
    if (!hides_known(wide, narrow, lists, work))
        return HIDES_NOTHING;
    return hides_unknown(wide, narrow) ? HIDES_ALL : HIDES_KNOWN;
}
