/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be said of rules while part of the question is left open: who can do this, what may this
 * agent do.  Careful in one direction: in doubt a rule may match and may decide, so that nobody who
 * can is left out.  Called by `postern policy who-can`, `show` and `check`.
 */
#include "policy/match.h"
#include "policy/under.h"

/* Comparisons of two names for one pair of rules: two lists of 256, five times.  Past it: in doubt.
 */
#define PAIR_WORK_MAX (1 << 19)
#define NOT_ENDING    (-1)
#define DAY_S         INT64_C(86400)

int64_t postern_rule_end(const struct rule *r)
{
    int64_t ret = NOT_ENDING;

    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        int64_t end_s = (t->span.date + INT64_C(1)) * DAY_S - r->file->zone_s;

        if (t->attr != ATTR_TIME || t->is_not || t->span.kind != SPAN_UNTIL)
            continue;
        if (ret == NOT_ENDING || end_s < ret)
            ret = end_s < 0 ? 0 : end_s;
    }
    return ret;
}

/* ---- one rule and its words ---- */

static const struct rule *rule_of(const postern_policy *p, size_t i)
{
    return p->is_finished && i < p->rule_count ? p->by_index[i] : NULL;
}

static unsigned lists_of(const postern_policy *p, const struct rule *r)
{
    return p->judge == JUDGE_BOTH ? r->lists : POSTERN_POLICY_LIST_AGENT;
}

bool postern_policy_rule_at(const postern_policy *p, size_t i, postern_policy_rule *ret)
{
    const struct rule *r = rule_of(p, i);

    if (r == NULL)
        return false;
    *ret = (postern_policy_rule){
        .path = r->file->path,
        .line = r->line,
        .lists = lists_of(p, r),
        .verdict = r->verdict,
        .service = r->target.protocol == PROTOCOL_LOGIN ? r->target.service : "",
        .because = r->because == NULL ? "" : r->because,
        .ends_s = postern_rule_end(r),
        .has_tests = r->tests != NULL,
    };
    postern_policy_label(r, ret->rule);
    return true;
}

/* What `print` says behind its first `skip` bytes; false when that is nothing. */
static bool add_behind(const postern_buf *text, size_t skip, postern_buf *out)
{
    postern_bytes all = postern_buf_bytes(text);

    out->failed = out->failed || text->failed;
    if (all.len <= skip)
        return false;
    postern_buf_add(out, (postern_bytes){ all.ptr + skip, all.len - skip });
    return true;
}

static bool print_nth_test(const struct rule *r, size_t n, postern_buf *out)
{
    const struct test *t = r->tests;

    while (t != NULL && n-- != 0)
        t = t->next;
    if (t != NULL)
        postern_policy_print_test(t, out);
    return t != NULL;
}

/* Whoever reads this does not have the file's sets before him. */
static void print_without_sets(const struct list *list, const char **separator, postern_buf *out)
{
    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i->set != NULL) {
            print_without_sets(&i->set->list, separator, out);
            continue;
        }
        postern_buf_add_str(out, *separator);
        postern_pattern_print(&i->pattern, out);
        *separator = ",";
    }
}

static void print_party(const struct party *party, postern_buf *out)
{
    struct party word = *party;
    const char *separator = " ";

    word.list.first = NULL;
    postern_policy_print_party(&word, out);
    print_without_sets(&party->list, &separator, out);
}

static void print_who(const struct who *who, postern_buf *out)
{
    print_party(&who->party, out);
    if (who->human.kind == PARTY_NONE)
        return;
    postern_buf_add_str(out, " for ");
    print_party(&who->human, out);
}

/* Without the list behind `on`. */
static void print_actions(const struct rule *r, postern_buf *out)
{
    struct target t = r->target;

    t.has_resources = false;
    postern_policy_print_target(&t, out);
}

bool postern_policy_print_part(const postern_policy *p, size_t i, postern_policy_part part,
                               size_t n, postern_buf *out)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    const struct rule *r = rule_of(p, i);
    const char *separator = "";

    if (r == NULL)
        return false;
    switch (part) {
    case POSTERN_POLICY_WHO:
        print_who(&r->who, out);
        return true;
    case POSTERN_POLICY_TARGET:
        print_actions(r, &text);
        return add_behind(&text, strlen(" to "), out);
    case POSTERN_POLICY_RESOURCES:
        if (r->target.has_resources)
            print_without_sets(&r->target.resources, &separator, out);
        return r->target.has_resources;
    case POSTERN_POLICY_TEST:
        return print_nth_test(r, n, out);
    case POSTERN_POLICY_DUTIES:
        postern_policy_print_duties(r, &text);
        return add_behind(&text, strlen(" with "), out);
    }
    return false;
}

/* ---- does it match? ---- */

/* A question in which whatever is left open is not known. */
struct open_question {
    postern_policy_subject subject;
    postern_policy_question question;
    struct asking asking, as_login;
    bool has_action, is_action; /* one was named, and there is such a one */
};

static void make_open_question(const postern_policy_about *about, struct open_question *ret)
{
    *ret = (struct open_question){ .has_action = about->action != NULL };
    ret->subject.agent = about->agent;
    ret->subject.user = about->user == NULL ? "" : about->user;
    ret->question = (postern_policy_question){
        .size = sizeof ret->question,
        .subject = &ret->subject,
        .protocol = about->protocol,
        .action = about->action,
        .resource = about->resource,
        .now_s = -1,
    };
    ret->is_action = postern_asking_make(&ret->question, &ret->asking);
    ret->as_login = ret->asking;
    ret->as_login.protocol = PROTOCOL_LOGIN;
    ret->as_login.service = "";
}

/* False: no door asks about such an action. */
static bool make_question_of(const char *protocol, const char *action, struct open_question *ret)
{
    const postern_policy_about about = {
        .size = sizeof about, .protocol = protocol, .action = action, .now_s = -1
    };

    make_open_question(&about, ret);
    return ret->is_action;
}

bool postern_policy_has_action(const char *protocol, const char *action)
{
    struct open_question q;

    return make_question_of(protocol, action, &q) &&
           (q.asking.action != POLICY_NO_ACTION || policy_protocols[q.asking.protocol].is_open);
}

bool postern_policy_opens_session(const char *protocol, const char *action)
{
    struct open_question q;

    return make_question_of(protocol, action, &q) && q.asking.is_session;
}

static postern_policy_bearing from_match(enum match m)
{
    if (m == MATCH_YES)
        return POSTERN_POLICY_ALWAYS;
    return m == MATCH_NO ? POSTERN_POLICY_NEVER : POSTERN_POLICY_PERHAPS;
}

static postern_policy_bearing both(postern_policy_bearing a, postern_policy_bearing b)
{
    if (a == POSTERN_POLICY_NEVER || b == POSTERN_POLICY_NEVER)
        return POSTERN_POLICY_NEVER;
    return a == POSTERN_POLICY_ALWAYS ? b : a;
}

/* How each part of a rule bears on what was asked about. */
struct bearings {
    postern_policy_bearing action, who, human, resource, tests;
};

static postern_policy_bearing bear_human(const struct rule *r, const postern_policy_about *about,
                                         enum match m)
{
    enum party_kind kind = r->who.human.kind;

    /* Whether there is one is left open too. */
    if (about->user == NULL && (kind == PARTY_ANYONE || kind == PARTY_NOBODY))
        return POSTERN_POLICY_PERHAPS;
    return from_match(m);
}

static postern_policy_bearing bear_action(const struct open_question *q, bool is_action)
{
    if (!q->has_action) /* not even `to *` means what clients say first */
        return POSTERN_POLICY_PERHAPS;
    return q->is_action && is_action ? POSTERN_POLICY_ALWAYS : POSTERN_POLICY_NEVER;
}

static postern_policy_bearing bear_tests(const struct rule *r, const postern_policy_about *about)
{
    int64_t end_s = postern_rule_end(r);

    if (about->now_s >= 0 && end_s != NOT_ENDING && about->now_s >= end_s)
        return POSTERN_POLICY_NEVER;
    return r->tests == NULL ? POSTERN_POLICY_ALWAYS : POSTERN_POLICY_PERHAPS;
}

static enum match agree(enum match a, enum match b)
{
    return a == b ? a : MATCH_UNKNOWN;
}

/* Where the action is left open it may be a login, whose denies see more spellings of a name, or
 * about a URI, which has more too. */
static struct rule_parts look_at_parts(const struct rule *r, const struct open_question *q)
{
    struct rule_parts ret = postern_rule_look_at_parts(r, &q->asking), login;

    if (q->has_action)
        return ret;
    login = postern_rule_look_at_parts(r, &q->as_login);
    ret.who = agree(ret.who, login.who);
    ret.human = agree(ret.human, login.human);
    ret.resource = r->target.has_resources ? MATCH_UNKNOWN : MATCH_YES;
    return ret;
}

static struct bearings bear(const struct rule *r, const postern_policy_about *about,
                            const struct open_question *q)
{
    struct rule_parts parts = look_at_parts(r, q);

    return (struct bearings){
        .action = bear_action(q, parts.is_action),
        .who = from_match(parts.who),
        .human = bear_human(r, about, parts.human),
        .resource = from_match(parts.resource),
        .tests = bear_tests(r, about),
    };
}

static postern_policy_bearing whole(const struct bearings *b)
{
    return both(both(both(b->action, b->who), both(b->human, b->resource)), b->tests);
}

postern_policy_bearing postern_policy_bears(const postern_policy *p, size_t i,
                                            const postern_policy_about *about)
{
    const struct rule *r = rule_of(p, i);
    struct open_question q;
    struct bearings b;

    if (r == NULL)
        return POSTERN_POLICY_NEVER;
    make_open_question(about, &q);
    b = bear(r, about, &q);
    return whole(&b);
}

/* ---- two rules ---- */

static bool patterns_may_meet(const struct pattern *a, const struct pattern *b)
{
    static const struct pattern_names unknown = { .agent = NULL };

    if (b->kind == PATTERN_LITERAL)
        return postern_pattern_match(a, (postern_bytes){ (const uint8_t *)b->ops, b->len },
                                     &unknown) != PATTERN_NO;
    if (a->kind == PATTERN_LITERAL)
        return postern_pattern_match(b, (postern_bytes){ (const uint8_t *)a->ops, a->len },
                                     &unknown) != PATTERN_NO;
    return true; /* two globs: too clever to compare */
}

static bool list_may_meet(const struct list *list, const struct pattern *one, size_t *work)
{
    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (*work == 0)
            return true;
        --*work;
        if (i->set != NULL ? list_may_meet(&i->set->list, one, work)
                           : patterns_may_meet(&i->pattern, one))
            return true;
    }
    return false;
}

static bool lists_may_meet(const struct list *a, const struct list *b, size_t *work)
{
    for (const struct item *i = b->first; i != NULL; i = i->next)
        if (i->set != NULL ? lists_may_meet(a, &i->set->list, work)
                           : list_may_meet(a, &i->pattern, work))
            return true;
    return false;
}

/* One subject has one agent, one client and one issuer.  A user's name has several spellings, and
 * he is of many groups. */
static bool parties_may_meet(const struct party *a, const struct party *b, size_t *work)
{
    if (a->kind != b->kind)
        return true;
    if (a->kind != PARTY_AGENT && a->kind != PARTY_CLIENT && a->kind != PARTY_ISSUER)
        return true;
    return lists_may_meet(&a->list, &b->list, work);
}

/* Groups may be the agent's own, which a deny sees where there is no human. */
static bool is_for_humans(const struct who *who)
{
    return who->human.kind == PARTY_ANYONE || who->human.kind == PARTY_USER ||
           who->party.kind == PARTY_USER;
}

static bool is_about_accounts(const struct target *t)
{
    return t->protocol == PROTOCOL_ANY || t->protocol == PROTOCOL_LOGIN;
}

/* Nothing but rows of the table: no name that is not there, no subcommand that is still to come. */
static bool is_of_table(const struct target *t)
{
    const struct protocol *protocol = &policy_protocols[t->protocol];

    for (const struct action_item *i = t->items; i != NULL; i = i->next)
        if (i->kind == ACTION_GLOB || i->kind == ACTION_ALL ||
            (i->kind == ACTION_NAME &&
             (postern_policy_find_action(protocol, i->text) == POLICY_NO_ACTION ||
              postern_policy_is_container(protocol, i->text))))
            return false;
    return !t->takes_unknown;
}

static bool rows_meet(const struct target *a, const struct target *b)
{
    size_t words = postern_policy_action_words(&policy_protocols[a->protocol]);

    for (size_t i = 0; i < words; i++)
        if ((a->known[i] & b->known[i]) != 0)
            return true;
    return false;
}

static bool actions_may_meet(const struct target *a, const struct target *b)
{
    if (a->protocol == PROTOCOL_ANY || b->protocol == PROTOCOL_ANY)
        return true;
    if (a->protocol != b->protocol)
        return false;
    if (a->protocol == PROTOCOL_LOGIN)
        return strcmp(a->service, b->service) == 0;
    return rows_meet(a, b) || !(is_of_table(a) || is_of_table(b));
}

static bool may_have_uris(const struct target *t)
{
    return t->protocol == PROTOCOL_ANY || policy_protocols[t->protocol].has_uris;
}

/* A URI that may mean another than it says: a rule that does not say it letter by letter does not
 * know whether it is meant. */
static bool may_be_devious(const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL ? may_be_devious(&i->set->list)
                           : i->pattern.kind == PATTERN_TEMPLATE ||
                                 (i->pattern.kind == PATTERN_LITERAL &&
                                  postern_uri_is_devious((postern_bytes){
                                      (const uint8_t *)i->pattern.ops, i->pattern.len })))
            return true;
    return false;
}

/* An account has several spellings. */
static bool resources_may_meet(const struct target *a, const struct target *b, size_t *work)
{
    if (!a->has_resources || !b->has_resources || (is_about_accounts(a) && is_about_accounts(b)))
        return true;
    if (may_have_uris(a) && may_have_uris(b) &&
        (may_be_devious(&a->resources) || may_be_devious(&b->resources)))
        return true;
    return lists_may_meet(&a->resources, &b->resources, work);
}

static bool rules_may_meet(const struct rule *a, const struct rule *b, size_t *work)
{
    if (!actions_may_meet(&a->target, &b->target))
        return false;
    /* Both match whatever is not known, however much they differ. */
    if (a->verdict != POSTERN_VERDICT_ALLOW && b->verdict != POSTERN_VERDICT_ALLOW)
        return true;
    if (!resources_may_meet(&a->target, &b->target, work))
        return false;
    if ((is_for_humans(&a->who) && b->who.human.kind == PARTY_NOBODY) ||
        (is_for_humans(&b->who) && a->who.human.kind == PARTY_NOBODY))
        return false;
    return parties_may_meet(&a->who.party, &b->who.party, work);
}

/* The parts in which `above` must take all that rule i takes: the others it takes whatever they
 * are. */
static unsigned parts_to_cover(const struct bearings *above)
{
    return (above->who == POSTERN_POLICY_ALWAYS ? 0 : COVERS_PARTY) |
           (above->human == POSTERN_POLICY_ALWAYS ? 0 : COVERS_HUMAN) |
           (above->action == POSTERN_POLICY_ALWAYS ? 0 : COVERS_ACTION) |
           (above->resource == POSTERN_POLICY_ALWAYS ? 0 : COVERS_RESOURCE) |
           (above->tests == POSTERN_POLICY_ALWAYS ? 0 : COVERS_TESTS);
}

static postern_policy_bearing take(const struct rule *wide, const struct rule *narrow,
                                   const postern_policy_about *about, const struct open_question *q)
{
    struct bearings b = bear(wide, about, q);
    size_t work = PAIR_WORK_MAX;

    if (whole(&b) == POSTERN_POLICY_NEVER || !rules_may_meet(wide, narrow, &work))
        return POSTERN_POLICY_NEVER;
    /* From one that takes more of what is not known, only what everybody can see is taken. */
    if (postern_rule_takes_more(narrow, wide) && whole(&b) != POSTERN_POLICY_ALWAYS)
        return POSTERN_POLICY_PERHAPS;
    if (wide->verdict != POSTERN_VERDICT_DENY && b.resource != POSTERN_POLICY_ALWAYS &&
        may_have_uris(&wide->target) && may_be_devious(&narrow->target.resources))
        return POSTERN_POLICY_PERHAPS;
    return postern_rule_covers(wide, narrow, parts_to_cover(&b), &work) ? POSTERN_POLICY_ALWAYS
                                                                        : POSTERN_POLICY_PERHAPS;
}

postern_policy_bearing postern_policy_takes(const postern_policy *p, size_t above, size_t i,
                                            const postern_policy_about *about)
{
    const struct rule *wide = rule_of(p, above), *narrow = rule_of(p, i);
    struct open_question q;

    if (wide == NULL || narrow == NULL || above >= i ||
        (lists_of(p, wide) & lists_of(p, narrow)) == 0)
        return POSTERN_POLICY_NEVER;
    make_open_question(about, &q);
    return take(wide, narrow, about, &q);
}

bool postern_policy_may_decide(const postern_policy *p, size_t i, unsigned list,
                               const postern_policy_about *about)
{
    const struct rule *r = rule_of(p, i);
    struct open_question q;

    if (r == NULL || (lists_of(p, r) & list) == 0 ||
        postern_policy_bears(p, i, about) == POSTERN_POLICY_NEVER)
        return false;
    make_open_question(about, &q);
    for (size_t above = 0; above < i; above++)
        if ((lists_of(p, p->by_index[above]) & list) != 0 &&
            take(p->by_index[above], r, about, &q) == POSTERN_POLICY_ALWAYS)
            return false;
    return true;
}
