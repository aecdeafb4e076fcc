/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decisions: the first rule that matches, in one list or in two; the end of a list is a deny. Pure,
 * without memory, and an allow is written in one place.  Called by doors, by expect.c and by
 * `postern policy explain`.
 */
#include "policy/index.h"

#include <stdio.h>

/* What one list says. */
struct answer {
    const struct rule *rule; /* that decides; NULL: the end of the list */
    size_t index;
    const struct rule *wanting; /* the first allow that wants nothing but scopes */
};

/* What is known of a list so far: the first match, the first hold that would match as far as is
 * known, and the first that wants nothing but scopes. */
struct walk {
    const postern_policy *p;
    const struct asking *a;
    unsigned list;
    size_t first, doubtful, wanting; /* POSTERN_POLICY_NO_RULE: none */
};

/* False behind the first match: what comes later does not decide. */
static bool look_at(struct walk *w, size_t i)
{
    const struct rule *r = w->p->by_index[i];
    struct rule_match m;

    if (i >= w->first)
        return false;
    if ((r->lists & w->list) == 0)
        return true;
    m = postern_rule_match(r, w->a);
    if (m.is_match)
        w->first = i;
    else if (m.wants_scope && i < w->wanting)
        w->wanting = i;
    else if (m.is_unknown && i < w->doubtful && postern_rule_may_hold(r, w->a))
        w->doubtful = i;
    return !m.is_match;
}

static void look_at_all(struct walk *w)
{
    for (size_t i = 0; i < w->p->rule_count && look_at(w, i); i++)
        ;
}

static void look_at_found(struct walk *w, const struct index_answer *found)
{
    for (size_t i = 0; i < found->count; i++)
        for (size_t k = 0; k < found->lists[i].count; k++)
            if (!look_at(w, found->lists[i].rules[k]))
                break;
}

/* The end of a list is a deny, but for what every client says first. */
static postern_verdict verdict_of(const struct answer *answer, const struct asking *a)
{
    if (answer->rule != NULL)
        return answer->rule->verdict;
    return a->is_session ? POSTERN_VERDICT_ALLOW : POSTERN_VERDICT_DENY;
}

static struct answer answer_of(const struct walk *w, size_t index)
{
    return (struct answer){
        .rule = index == POSTERN_POLICY_NO_RULE ? NULL : w->p->by_index[index],
        .index = index,
        .wanting = w->wanting < index ? w->p->by_index[w->wanting] : NULL,
    };
}

/* Whoever may be held is not let through by a rule further down: what is not known counts against
 * the agent.  It makes no hold of a deny. */
static struct answer ask_list(const postern_policy *p, unsigned list, const struct asking *a,
                              const struct index_answer *found)
{
    struct walk w = {
        p, a, list, POSTERN_POLICY_NO_RULE, POSTERN_POLICY_NO_RULE, POSTERN_POLICY_NO_RULE
    };
    struct answer ret;

    if (found->is_overfull)
        look_at_all(&w);
    else
        look_at_found(&w, found);
    ret = answer_of(&w, w.first);
    if (w.doubtful < w.first && verdict_of(&ret, a) == POSTERN_VERDICT_ALLOW)
        ret = answer_of(&w, w.doubtful);
    return ret;
}

static void tell_rule(const struct answer *answer, const struct asking *a, char *ret_label,
                      size_t *ret_index)
{
    *ret_index = answer->index;
    if (answer->rule != NULL)
        postern_policy_label(answer->rule, ret_label);
    else if (a->is_session)
        (void)snprintf(ret_label, POSTERN_POLICY_LABEL_MAX, "@session");
}

static void tell_because(const struct answer *answer, char *because)
{
    if (because[0] == '\0' && answer->rule != NULL && answer->rule->because != NULL)
        (void)snprintf(because, POSTERN_POLICY_TEXT_MAX, "%s", answer->rule->because); /* fits */
}

/* Scopes help only when every list that denies wants nothing else. */
static void tell_missing_scopes(const struct answer *answers, size_t count, const struct asking *a,
                                postern_decision *ret)
{
    for (size_t i = 0; i < count; i++)
        if (verdict_of(&answers[i], a) == POSTERN_VERDICT_DENY && answers[i].wanting == NULL)
            return;
    for (size_t i = 0; i < count; i++)
        if (verdict_of(&answers[i], a) == POSTERN_VERDICT_DENY)
            postern_rule_missing_scopes(answers[i].wanting, a, ret->missing_scope,
                                        sizeof ret->missing_scope);
}

/* ---- duties ---- */

/* 0 is none. */
static void tighten(int64_t mine, int64_t *all)
{
    if (mine != 0 && (*all == 0 || mine < *all))
        *all = mine;
}

/* What clients say first is counted; that they came is a record of its own. */
static bool logs_summary(const struct answer *answer, const struct asking *a)
{
    return answer->rule != NULL ? answer->rule->duties.logs_summary
                                : strcmp(a->name, "connect") != 0;
}

static void tell_duties(const struct answer *answers, size_t count, const struct asking *a,
                        postern_decision *ret)
{
    ret->logs_summary = true;
    for (size_t i = 0; i < count; i++) {
        const struct rule *r = answers[i].rule;

        ret->logs_summary = ret->logs_summary && logs_summary(&answers[i], a);
        if (r == NULL)
            continue;
        tighten(r->duties.lease_s, &ret->lease_s);
        tighten(r->duties.rows, &ret->rows);
        tighten(r->duties.bytes, &ret->bytes);
        tighten(r->duties.wait_s, &ret->wait_s);
        *(i == 0 ? &ret->rate : &ret->user_rate) = r->duties.rate;
    }
}

/* ---- both lists ---- */

/* The strictest of them. */
static postern_verdict strictest(const struct answer *answers, size_t count,
                                 const struct asking *a)
{
    bool is_held = false;

    for (size_t i = 0; i < count; i++) {
        postern_verdict v = verdict_of(&answers[i], a);

        if (v != POSTERN_VERDICT_ALLOW && v != POSTERN_VERDICT_HOLD)
            return POSTERN_VERDICT_DENY;
        is_held = is_held || v == POSTERN_VERDICT_HOLD;
    }
    return is_held ? POSTERN_VERDICT_HOLD : POSTERN_VERDICT_ALLOW;
}

static void settle(const struct answer *answers, size_t count, const struct asking *a,
                   postern_decision *ret)
{
    postern_verdict verdict = strictest(answers, count, a);

    tell_rule(&answers[0], a, ret->rule, &ret->rule_index);
    if (count > 1)
        tell_rule(&answers[1], a, ret->user_rule, &ret->user_rule_index);
    ret->refusing_lists = 0;
    for (size_t i = 0; i < count; i++) {
        postern_verdict v = verdict_of(&answers[i], a);

        if (v == POSTERN_VERDICT_ALLOW)
            continue;
        ret->refusing_lists |= i == 0 ? POSTERN_POLICY_LIST_AGENT : POSTERN_POLICY_LIST_USER;
        if (v == verdict) /* the words of what decides */
            tell_because(&answers[i], ret->because);
    }
    if (verdict == POSTERN_VERDICT_DENY) {
        tell_missing_scopes(answers, count, a, ret);
        return;
    }
    tell_duties(answers, count, a, ret);
    ret->verdict = verdict;
}

static bool is_question(const postern_policy_question *q)
{
    return q->size == sizeof *q && q->subject != NULL;
}

static bool is_askable(const postern_policy *p, const postern_policy_question *q)
{
    return p->is_finished && !p->is_broken && is_question(q);
}

void postern_policy_decide(const postern_policy *p, const postern_policy_question *q,
                           postern_decision *ret)
{
    if (is_askable(p, q)) {
        postern_policy_judge(p, q, ret);
        return;
    }
    *ret = (postern_decision){ .verdict = POSTERN_VERDICT_DENY,
                               .refusing_lists = postern_policy_lists(p),
                               .rule_index = POSTERN_POLICY_NO_RULE,
                               .user_rule_index = POSTERN_POLICY_NO_RULE };
}

void postern_policy_judge(const postern_policy *p, const postern_policy_question *q,
                          postern_decision *ret)
{
    struct index_answer found;
    struct answer answers[2];
    size_t count = 1;
    struct asking a;

    *ret = (postern_decision){ .verdict = POSTERN_VERDICT_DENY,
                               .refusing_lists = postern_policy_lists(p),
                               .rule_index = POSTERN_POLICY_NO_RULE,
                               .user_rule_index = POSTERN_POLICY_NO_RULE };
    if (!is_question(q) || !postern_asking_make(q, &a))
        return;
    postern_index_find(p->index, &a, &found);
    if (p->judge == JUDGE_BOTH) {
        answers[0] = ask_list(p, POSTERN_POLICY_LIST_AGENT, &a, &found);
        answers[1] = ask_list(p, POSTERN_POLICY_LIST_USER, &a, &found);
        count = 2;
    } else {
        answers[0] = ask_list(p, POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER, &a, &found);
    }
    settle(answers, count, &a, ret);
}

/* ---- one rule alone ---- */

static void print_name(postern_bytes name, postern_buf *out)
{
    char quoted[300];

    postern_buf_addf(out, "\"%s\"", postern_error_quote(name.ptr, name.len, quoted, sizeof quoted));
}

static void explain_who(const struct rule *r, bool is_unknown, postern_buf *out)
{
    if (is_unknown)
        postern_buf_add_str(out, "whether it is ");
    else
        postern_buf_add_str(out, "not ");
    postern_policy_print_party(&r->who.party, out);
}

static void explain_human(const struct rule *r, bool is_unknown, postern_buf *out)
{
    postern_buf_add_str(out, is_unknown ? "whether it acts for " : "does not act for ");
    postern_policy_print_party(&r->who.human, out);
}

static void explain_resource(const struct rule *r, const struct asking *a, bool is_unknown,
                             postern_buf *out)
{
    if (a->resource.ptr == NULL)
        postern_buf_add_str(out, "the resource");
    else
        print_name(a->resource, out);
    postern_buf_add_str(out, is_unknown ? " against " : " is not among ");
    postern_policy_print_list(&r->target.resources, out);
}

static void explain(const struct rule *r, const struct asking *a, const struct rule_match *m,
                    postern_buf *out)
{
    switch (m->part) {
    case PART_ACTION:
        postern_buf_add_str(out, "about other actions");
        break;
    case PART_WHO:
        explain_who(r, m->is_unknown, out);
        break;
    case PART_HUMAN:
        explain_human(r, m->is_unknown, out);
        break;
    case PART_RESOURCE:
        explain_resource(r, a, m->is_unknown, out);
        break;
    case PART_TEST:
        postern_buf_add_str(out, m->is_unknown ? "" : "not so: ");
        postern_policy_print_test(m->test, out);
        break;
    case PART_NONE:
        break;
    }
    if (m->is_unknown)
        postern_buf_add_str(out, postern_rule_may_hold(r, a)
                                     ? " is not known: it is held where a rule below allows it"
                                     : " is not known, and that counts against the agent");
}

/* A reason is for people: what does not fit, or has no memory, is cut off. */
static void tell_why(const struct rule *r, const struct asking *a, const struct rule_match *m,
                     char *ret)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 17);
    const char *text;

    explain(r, a, m, &out);
    text = postern_buf_cstr(&out);
    (void)snprintf(ret, POSTERN_POLICY_WHY_MAX, "%s", text == NULL ? "does not match" : text);
}

bool postern_policy_look(const postern_policy *p, const postern_policy_question *q, size_t i,
                         postern_policy_view *ret)
{
    const struct rule *r;
    struct rule_match m;
    struct asking a;

    if (!is_askable(p, q) || i >= p->rule_count)
        return false;
    r = p->by_index[i];
    *ret = (postern_policy_view){ .path = r->file->path, .line = r->line, .verdict = r->verdict };
    ret->lists = p->judge == JUDGE_BOTH ? r->lists : POSTERN_POLICY_LIST_AGENT;
    postern_policy_label(r, ret->rule);
    if (!postern_asking_make(q, &a)) {
        (void)snprintf(ret->why, sizeof ret->why, "no rule is about an unknown action");
        return true;
    }
    m = postern_rule_match(r, &a);
    ret->is_match = m.is_match;
    ret->may_hold = m.is_unknown && postern_rule_may_hold(r, &a);
    ret->is_near = !m.is_match && m.part != PART_ACTION &&
                   postern_rule_look_at_parts(r, &a).failing_count == 1;
    if (!m.is_match)
        tell_why(r, &a, &m, ret->why);
    return true;
}
