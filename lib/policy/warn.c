/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules that can never decide, because one above them always matches first or because their tests
 * cannot all hold, and policies of two lists of which one never allows.  Careful in one
 * direction: what is reported is so; what is too clever to compare is not reported.  Called by
 * `postern policy check` and by hosts that log it.
 */
#include "policy/above.h"

#include "base/ascii.h"

/* Comparisons of two names: a second's worth.  Real policies take some for each rule. */
#define WORK_MAX  (1 << 24)
#define TEST_WORK 64 /* of one test, printed twice */

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

/* A deny or a hold below an allow for the same is left with what is not known, and with other
 * spellings of a user's name: hardly what was meant. */
static void warn_of_contrary(const struct rule *r, const struct rule *above, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX], other[POSTERN_POLICY_LABEL_MAX];

    postern_policy_label(r, label);
    postern_policy_label(above, other);
    postern_buf_addf(out,
                     "%s:%d:1: warning: %s contradicts %s (%s:%d), which says %s before it: it is left "
                     "with what that one cannot see\n",
                     r->file->path, r->line, label, other, above->file->path, above->line,
                     postern_verdict_name(above->verdict));
}

/* The first rule above `r` that leaves nothing, or nothing known, to it.  True: nothing. */
static bool compare_with_those_above(struct above *x, size_t i, unsigned lists, size_t *work,
                                     postern_buf *out)
{
    const struct rule *r = postern_above_rule(x, i), *contrary = NULL;
    const uint32_t *found;
    size_t count = postern_above_find(x, i, work, &found);

    for (size_t k = 0; k < count; k++) {
        const struct rule *above = postern_above_rule(x, found[k]);
        enum hiding hiding = postern_rule_hides(above, r, lists, work);

        if (hiding == HIDES_ALL) {
            warn(r, above, out);
            return true;
        }
        if (hiding == HIDES_KNOWN && contrary == NULL)
            contrary = above;
    }
    if (contrary != NULL)
        warn_of_contrary(r, contrary, out);
    return false;
}

/* ---- one rule alone ---- */

/* The same test, once with `not` and once without. */
static bool is_opposite(const struct test *a, const struct test *b)
{
    struct test turned = *b;

    turned.is_not = !b->is_not;
    return a->attr == b->attr && postern_test_is_same(a, &turned);
}

static bool is_empty_time(const struct test *a, const struct test *b)
{
    return a->attr == ATTR_TIME && b->attr == ATTR_TIME && !a->is_not && !b->is_not &&
           a->span.kind == SPAN_UNTIL && b->span.kind == SPAN_FROM && a->span.date < b->span.date;
}

/* A deny takes what is not known for so, on both sides. */
static bool cannot_both_hold(const struct rule *r, const struct test *a, const struct test *b)
{
    return is_empty_time(a, b) || is_empty_time(b, a) ||
           (r->verdict != POSTERN_VERDICT_DENY && is_opposite(a, b));
}

static void warn_of_tests(const struct rule *r, size_t *work, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX];

    for (const struct test *a = r->tests; a != NULL; a = a->next)
        for (const struct test *b = a->next; b != NULL && *work != 0; b = b->next) {
            if (a->attr != b->attr)
                continue;
            *work -= *work < TEST_WORK ? *work : TEST_WORK;
            if (!cannot_both_hold(r, a, b))
                continue;
            postern_policy_label(r, label);
            postern_buf_addf(out, "%s:%d:1: warning: %s never matches: it wants ", r->file->path,
                             r->line, label);
            postern_policy_print_test(a, out);
            postern_buf_add_str(out, " and ");
            postern_policy_print_test(b, out);
            postern_buf_add_byte(out, '\n');
            return;
        }
}

/* An argument that is not there counts against the agent, so such a deny is for every other tool, too,
 * and such a hold for all of them that a rule below it allows. */
static void warn_of_arguments(const struct rule *r, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX];

    if (r->verdict == POSTERN_VERDICT_ALLOW || r->target.has_resources)
        return;
    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        if (t->attr != ATTR_ARG && t->attr != ATTR_ARGS)
            continue;
        postern_policy_label(r, label);
        postern_buf_addf(out,
                         "%s:%d:1: warning: %s %s every action that has no such argument: say "
                         "with `on` which are meant\n",
                         r->file->path, r->line, label,
                         r->verdict == POSTERN_VERDICT_DENY ? "denies" : "holds");
        return;
    }
}

/* ---- a URI that is denied without its queries ---- */

static bool has_uri_action(const struct protocol *protocol, const struct target *t)
{
    for (size_t i = 0; i < protocol->row_count; i++)
        if (postern_policy_action_is_in(t->known, i) &&
            strstr(protocol->rows[i].resource, "URI") != NULL)
            return true;
    return false;
}

static bool takes_uris(const struct target *t)
{
    const struct protocol *protocol = &policy_protocols[t->protocol];

    return t->protocol == PROTOCOL_ANY ||
           (protocol->has_uris && (t->takes_unknown || has_uri_action(protocol, t)));
}

/* RFC 3986 section 3.1, and no star at its end.  Tools and prompts have no colon in their names. */
static bool is_bare_uri(const struct pattern *p)
{
    size_t i = 0;

    if (p->ops[p->len - 1] == PATTERN_STAR)
        return false;
    while (i < p->len && (postern_ascii_is_alnum((uint8_t)p->ops[i]) ||
                          memchr("+-.", p->ops[i], strlen("+-.")) != NULL))
        i++;
    return i != 0 && i < p->len && p->ops[i] == ':';
}

/* Is it among them with `mark` behind it, whatever follows? */
static bool is_listed_with(const struct list *list, const struct pattern *uri, char mark)
{
    char room[POSTERN_POLICY_TEXT_MAX + 2];
    struct pattern longer = { .ops = room, .len = uri->len + 2 };

    memcpy(room, uri->ops, uri->len);
    room[uri->len] = mark;
    room[uri->len + 1] = PATTERN_STAR;
    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL ? is_listed_with(&i->set->list, uri, mark)
                           : postern_pattern_covers(&i->pattern, &longer))
            return true;
    return false;
}

/* The first of `some` that `all` does not name with a query and with a fragment, too; NULL: none.
 */
static const struct pattern *find_bare_uri(const struct list *some, const struct list *all,
                                           size_t *work)
{
    const struct pattern *ret = NULL;

    for (const struct item *i = some->first; i != NULL && ret == NULL && *work != 0; i = i->next) {
        if (i->set != NULL) {
            ret = find_bare_uri(&i->set->list, all, work);
            continue;
        }
        if (!is_bare_uri(&i->pattern))
            continue;
        *work -= *work < all->count ? *work : all->count;
        if (!is_listed_with(all, &i->pattern,
                            memchr(i->pattern.ops, '?', i->pattern.len) != NULL ? '&' : '?') ||
            !is_listed_with(all, &i->pattern, '#'))
            ret = &i->pattern;
    }
    return ret;
}

/* A query and a fragment are part of a name, and servers may not heed them. */
static void warn_of_uris(const struct rule *r, size_t *work, postern_buf *out)
{
    const struct list *list = &r->target.resources;
    char label[POSTERN_POLICY_LABEL_MAX];
    const struct pattern *uri;

    if (r->verdict != POSTERN_VERDICT_DENY || !takes_uris(&r->target))
        return;
    uri = find_bare_uri(list, list, work);
    if (uri == NULL)
        return;
    postern_policy_label(r, label);
    postern_buf_addf(out, "%s:%d:1: warning: %s denies ", r->file->path, r->line, label);
    postern_pattern_print(uri, out);
    postern_buf_add_str(out, " and nothing with a query or a fragment behind it: end it with *\n");
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

/* What leaves nothing to a rule leaves nothing to those below that this one would hide, so a rule that
 * is hidden is not looked at again: ten thousand that are the same are compared with the first. */
static void warn_of_rules(const postern_policy *p, struct above *x, postern_buf *out)
{
    /* With one list both bits stand for it: a rule of either side hides one of the other. */
    unsigned lists =
        p->judge == JUDGE_BOTH ? POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER : 0;
    size_t work = WORK_MAX;

    for (size_t i = 0; i < p->rule_count && work != 0; i++) {
        const struct rule *r = postern_above_rule(x, i);

        warn_of_tests(r, &work, out);
        warn_of_arguments(r, out);
        warn_of_uris(r, &work, out);
        if (!compare_with_those_above(x, i, lists, &work, out))
            postern_above_file(x, i);
    }
    if (work == 0)
        postern_buf_add_str(out, "the rules name too much to compare them all\n");
}

void postern_policy_warnings(const postern_policy *p, postern_buf *out)
{
    struct above *x = NULL;

    if (p->judge == JUDGE_BOTH)
        warn_of_halves(p, out);
    if (postern_above_make(p, &x, NULL) != POSTERN_OK) {
        out->failed = true; /* there is no memory */
        return;
    }
    warn_of_rules(p, x, out);
    postern_above_free(x);
}

/* ---- where it is used ---- */

static void warn_of_end(const struct rule *r, int64_t now_s, postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX];
    int64_t end_s = postern_rule_end(r);

    if (now_s < 0 || end_s < 0 || now_s < end_s)
        return;
    postern_policy_label(r, label);
    postern_buf_addf(out, "%s:%d:1: warning: %s is over: its `time until` is past\n", r->file->path,
                     r->line, label);
}

static bool is_service(const postern_policy_place *place, const char *name)
{
    for (size_t i = 0; i < place->service_count; i++)
        if (strcmp(place->services[i], name) == 0)
            return true;
    return false;
}

static void warn_of_service(const struct rule *r, const postern_policy_place *place,
                            postern_buf *out)
{
    char label[POSTERN_POLICY_LABEL_MAX];

    if (place->services == NULL || r->target.protocol != PROTOCOL_LOGIN ||
        is_service(place, r->target.service))
        return;
    postern_policy_label(r, label);
    postern_buf_addf(out,
                     "%s:%d:1: warning: %s is about nothing: there is no services/%s.conf\n",
                     r->file->path, r->line, label, r->target.service);
}

void postern_policy_warnings_at(const postern_policy *p, const postern_policy_place *place,
                                postern_buf *out)
{
    postern_policy_warnings(p, out);
    for (const struct rule *r = p->rules; r != NULL; r = r->next) {
        warn_of_end(r, place->now_s, out);
        warn_of_service(r, place, out);
    }
}
