/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules that can never decide, because one above them always matches first, and policies of two lists
 * of which one never allows.  Careful in one
 * direction: what is reported is so; what is too clever to compare is not reported.  Called by
 * `postern policy check` and by hosts that log it.
 */
#include "policy/rules.h"

/* Comparisons of two names: a second's worth.  Real policies take thousands. */
#define WORK_MAX  (1 << 25)
#define TEST_WORK 64 /* of one test, printed twice */

static bool item_is_covered(const struct list *wide, const struct pattern *narrow, size_t *work)
{
    for (const struct item *i = wide->first; i != NULL; i = i->next) {
        if (*work == 0)
            return false;
        --*work;
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
    if (!postern_target_covers_actions(wide, narrow))
        return false;
    if (!wide->has_resources)
        return true;
    return narrow->has_resources && list_is_covered(&wide->resources, &narrow->resources, work);
}

/*
 * A deny matches what is not known and an allow does not, so an allow above a deny hides it only
 * where nothing can be unknown: when it is for anyone, to anything, in any case.
 */
static bool hides_unknown(const struct rule *wide, const struct rule *narrow)
{
    if (wide->verdict == POSTERN_VERDICT_DENY || narrow->verdict != POSTERN_VERDICT_DENY)
        return true;
    return wide->who.party.kind == PARTY_ANYONE && wide->who.human.kind == PARTY_NONE &&
           !wide->target.has_resources && wide->tests == NULL;
}

static bool is_same_test(const struct test *a, const struct test *b)
{
    POSTERN_AUTO_BUF a_text = POSTERN_BUF_INIT(1 << 17);
    POSTERN_AUTO_BUF b_text = POSTERN_BUF_INIT(1 << 17);

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
        for (n = narrow->tests; n != NULL && *work != 0 && !is_same_test(w, n); n = n->next)
            *work -= *work < TEST_WORK ? *work : TEST_WORK;
        if (n == NULL || *work == 0)
            return false;
    }
    return true;
}

static bool hides(const struct rule *wide, const struct rule *narrow, unsigned lists, size_t *work)
{
    return (narrow->lists & lists & ~wide->lists) == 0 && hides_unknown(wide, narrow) &&
           party_is_covered(&wide->who.party, &narrow->who.party, work) &&
           human_is_covered(&wide->who.human, &narrow->who.human, work) &&
           target_is_covered(&wide->target, &narrow->target, work) &&
           tests_are_covered(wide, narrow, work);
}

static void warn(const struct rule *r, const struct rule *above, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX], other[POSTERN_POLICY_LABEL_MAX];

    postern_policy_label(r, label);
    postern_policy_label(above, other);
    postern_buf_addf(out,
                     "%s:%d:1: warning: %s is never reached: %s (%s:%d) always matches before it",
                     r->file->path, r->line, label, other, above->file->path, above->line);
    postern_buf_addf(out, r->verdict == above->verdict ? "\n" : " and says the contrary, %s\n",
                     postern_verdict_name(above->verdict));
}

/* ---- two lists: a half that never allows ---- */

static bool has_allow(const postern_policy *p, unsigned list)
{
    for (const struct rule *r = p->rules; r != NULL; r = r->next)
        if ((r->lists & list) != 0 && r->verdict == POSTERN_VERDICT_ALLOW)
            return true;
    return false;
}

static void warn_of_half(const postern_policy *p, unsigned list, const char *whose,
                         postern_buf *out)
{
    const struct file *f = p->files;

    if (has_allow(p, list))
        return;
    while (f->judge == JUDGE_UNSAID) /* one of them says it: this is a policy of two lists */
        f = f->next;
    postern_buf_addf(out,
                     "%s:%d:1: warning: the policy allows nothing: no rule of the %s's list does, "
                     "and both must\n",
                     f->path, f->judge_line, whose);
}

/* May the user's list allow an agent for which there is no user? */
static bool allows_nobody(const postern_policy *p)
{
    for (const struct rule *r = p->rules; r != NULL; r = r->next)
        if ((r->lists & POSTERN_POLICY_LIST_USER) != 0 && r->verdict == POSTERN_VERDICT_ALLOW &&
            (r->who.party.kind == PARTY_ANYONE || r->who.party.kind == PARTY_ISSUER) &&
            (r->who.human.kind == PARTY_NONE || r->who.human.kind == PARTY_NOBODY))
            return true;
    return false;
}

static void warn_of_nobody(const postern_policy *p, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX];

    if (allows_nobody(p) || !has_allow(p, POSTERN_POLICY_LIST_USER))
        return;
    for (const struct rule *r = p->rules; r != NULL; r = r->next) {
        if (r->lists != POSTERN_POLICY_LIST_AGENT || r->verdict != POSTERN_VERDICT_ALLOW ||
            r->who.human.kind != PARTY_NOBODY)
            continue;
        postern_policy_label(r, label);
        postern_buf_addf(out,
                         "%s:%d:1: warning: %s never allows: where there is no human, no rule of the "
                         "user's list does\n",
                         r->file->path, r->line, label);
    }
}

static void warn_of_halves(const postern_policy *p, postern_buf *out)
{
    warn_of_half(p, POSTERN_POLICY_LIST_AGENT, "agent", out);
    warn_of_half(p, POSTERN_POLICY_LIST_USER, "user", out);
    warn_of_nobody(p, out);
}

void postern_policy_warnings(const postern_policy *p, postern_buf *out)
{
    /* With one list both bits stand for it: a rule of either side hides one of the other. */
    unsigned lists =
        p->judge == JUDGE_BOTH ? POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER : 0;
    size_t work = WORK_MAX;

    if (p->judge == JUDGE_BOTH)
        warn_of_halves(p, out);
    for (const struct rule *r = p->rules; r != NULL && work != 0; r = r->next)
        for (const struct rule *above = p->rules; above != r; above = above->next)
            if (hides(above, r, lists, &work)) {
                warn(r, above, out);
                break;
            }
    if (work == 0)
        postern_buf_add_str(out, "the rules name too much to compare them all\n");
}
