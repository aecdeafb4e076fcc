/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See actions.h.  The order is: what does the policy say of each resource, how often may it be, is
 * it approved, is it on record; then the adapter hears.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern-private/clock.h>
#include <postern-private/human.h>

#include "../log.h"
#include "../names.h"
#include "../policy_ask.h"
#include "action_record.h"
#include "actions.h"
#include "holds.h"
#include "rates.h"
#include "session_inner.h"

/* ---- a verdict that waits for its record ---- */

struct pending {
    LIST_ENTRY(pending) entry;
    struct actions *actions;
    uint64_t id;
    adapter_ruling ruling;
    int64_t rows, bytes, retry_after_s;
    postern_failure *failure; /* NULL: it is released, or its record failed */
    struct held *held;        /* NULL: it waits for no approval */
};
LIST_HEAD(pending_list, pending);

/* An action that waits in its session for an approval: what its second record says. */
struct held {
    struct action_facts facts;
    bool is_told; /* the adapter knows that it waits: the next verdict is the second */
    struct { /* by which it is held, and for which it is approved */
        size_t agents, users;
    } rules[HOLDS_RULES_MAX];
    size_t rule_count;
    char approver[HOLDS_APPROVER_MAX];
    char claimed_purpose[POSTERN_POLICY_TEXT_MAX];
    char resource[ACTIONS_RESOURCE_MAX];
};

struct actions {
    struct session *session;
    struct inspect *inspect;
    postern_policy_subject subject;
    bool is_prepared; /* else nobody knows who asks, and all is undecided */
    uint64_t rights;  /* how often grant, settings or what the clock says to them were others */
    uint64_t clock;   /* what it said; at clock_s */
    int64_t clock_s;
    bool is_leaving; /* nothing is held any more */
    struct pending_list pendings;
    struct action_refusals refusals;
};

/* What becomes of one action. */
struct ruling {
    struct action_facts facts;
    postern_err code; /* POSTERN_OK: released */
    int64_t rows, bytes, wait_ms;
    bool logs_summary, lacks_digest;
    bool is_counted; /* under its rates */
    struct rate_use uses[RATES_PER_ACTION_MAX + 1];
    char labels[RATES_PER_ACTION_MAX + 1][POSTERN_POLICY_LABEL_MAX];
    size_t use_count;
    postern_decision held[HOLDS_RULES_MAX]; /* of each resource that is held, by other rules */
    size_t held_count;                      /* more than fit: refused by holds_ask() */
    bool can_wait, waits; /* it may wait in its session; it does */
    struct hold_answer hold;
};

/* ---- asking the policy ---- */

static postern_policy_question question_of(const struct actions *a, const char *action)
{
    const struct session *s = a->session;

    return (postern_policy_question){
        .size = sizeof(postern_policy_question),
        .subject = &a->subject,
        .source = s->source[0] == '\0' ? NULL : s->source,
        .protocol = s->door->adapter->name,
        .action = action,
        .now_s = loop_now().now_s,
    };
}

static int64_t tighter(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void note_rate(struct ruling *r, const char *rule, struct postern_policy_rate rate)
{
    struct rate_use *use = &r->uses[r->use_count];

    if (rate.count == 0 && rate.period_s == 0)
        return;
    for (size_t i = 0; i < r->use_count; i++)
        if (strcmp(r->uses[i].rule, rule) == 0)
            return; /* one action, however many resources */
    if (r->use_count > RATES_PER_ACTION_MAX)
        return; /* refused by rates_take() */
    memcpy(r->labels[r->use_count], rule, strnlen(rule, POSTERN_POLICY_LABEL_MAX - 1) + 1);
    *use = (struct rate_use){ r->labels[r->use_count], rate };
    r->use_count++;
}

static void note_duties(struct ruling *r, const postern_decision *d)
{
    r->rows = tighter(r->rows, d->rows);
    r->bytes = tighter(r->bytes, d->bytes);
    r->logs_summary = r->logs_summary && d->logs_summary;
    note_rate(r, d->rule, d->rate);
    note_rate(r, d->user_rule, d->user_rate);
}

static void note_hold(struct ruling *r, const postern_decision *d)
{
    if (d->verdict != POSTERN_VERDICT_HOLD)
        return;
    for (size_t i = 0; i < r->held_count && i < HOLDS_RULES_MAX; i++)
        if (r->held[i].rule_index == d->rule_index &&
            r->held[i].user_rule_index == d->user_rule_index)
            return;
    if (r->held_count < HOLDS_RULES_MAX)
        r->held[r->held_count] = *d;
    if (r->held_count <= HOLDS_RULES_MAX)
        r->held_count++;
}

/* A deny decides for all, a hold for those that are allowed.  True: more need not be asked. */
static bool add_decision(struct ruling *r, const postern_decision *d, postern_bytes resource,
                         bool is_first)
{
    bool is_stronger = is_first || d->verdict == POSTERN_VERDICT_DENY ||
                       (d->verdict == POSTERN_VERDICT_HOLD &&
                        r->facts.decision.verdict == POSTERN_VERDICT_ALLOW);

    note_duties(r, d);
    note_hold(r, d);
    if (is_stronger) {
        r->facts.decision = *d;
        r->facts.resource = resource;
    }
    return d->verdict == POSTERN_VERDICT_DENY;
}

static void ask_about_all(const struct actions *a, const struct adapter_action *action,
                          struct ruling *r)
{
    postern_policy_question q = question_of(a, action->name);
    bool asks_unnamed = action->has_unnamed || action->resource_count == 0;
    bool is_denied = false;
    postern_decision d;

    q.args = action->args;
    for (size_t i = 0; i < action->resource_count && !is_denied; i++) {
        q.resource = action->resources[i];
        postern_policy_decide(a->session->door->policy, &q, &d);
        is_denied = add_decision(r, &d, q.resource, i == 0);
    }
    if (asks_unnamed && !is_denied) {
        q.resource = POSTERN_BYTES_NONE;
        postern_policy_decide(a->session->door->policy, &q, &d);
        (void)add_decision(r, &d, q.resource, action->resource_count == 0);
    }
}

static bool is_shadow(const struct actions *a)
{
    return strcmp(postern_section_text(a->session->door->section, "policy_mode"), "shadow") == 0;
}

static postern_err code_of(const postern_decision *d)
{
    if (d->verdict == POSTERN_VERDICT_ALLOW)
        return POSTERN_OK;
    if (d->verdict == POSTERN_VERDICT_HOLD)
        return POSTERN_ERR_HELD;
    return d->missing_scope[0] != '\0' ? POSTERN_ERR_INSUFFICIENT_SCOPE : POSTERN_ERR_POLICY;
}

/* For the record: which rule, in which file and line. */
static void explain(const struct actions *a, const struct adapter_action *action, struct ruling *r)
{
    postern_policy_question q = question_of(a, action->name);
    postern_decision d;

    q.args = action->args;
    q.resource = r->facts.resource;
    if (policy_ask(a->session->door->policy, &q, &d, &r->facts.error) == POSTERN_OK)
        r->code = POSTERN_FAIL(&r->facts.error, INTERNAL, "a policy with two answers");
}

static const char *issuer_of(const struct actions *a)
{
    return a->subject.issuer == NULL ? "" : a->subject.issuer;
}

static const char *agent_of(const struct actions *a)
{
    return a->subject.agent == NULL ? "" : a->subject.agent;
}

/* ---- approvals ---- */

/* How often may it be? */
static bool apply_rates(const struct actions *a, struct ruling *r)
{
    r->is_counted = true;
    if (r->use_count != 0)
        r->code = rates_take(a->session->loop->process->rates, issuer_of(a), agent_of(a), r->uses,
                             r->use_count, loop_now().boot_ms, &r->wait_ms, &r->facts.error);
    return r->code == POSTERN_OK;
}

/* An approval, and what it does not give leave for: to do it more often than the rules say. */
struct approved {
    const struct actions *actions;
    struct ruling *ruling;
};

static bool use_approval(void *arg)
{
    const struct approved *u = arg;

    u->ruling->code = POSTERN_OK;
    return apply_rates(u->actions, u->ruling);
}

static struct hold_request hold_request_of(const struct actions *a, const struct ruling *r,
                                           const char *database, const char *resource)
{
    const struct session *s = a->session;
    const postern_grant *g = s->entry.grant;

    return (struct hold_request){
        .issuer = issuer_of(a),
        .client = a->subject.client,
        .agent = agent_of(a),
        .human = postern_grant_human(g),
        .user = postern_grant_user(g),
        .session = s->entry.id,
        .action = r->facts.action,
        .digest = r->facts.digest,
        .database = database,
        .resource = resource,
        .claimed_purpose = r->facts.claimed_purpose,
        .settings = s->settings,
        .door = s->door,
        .held = r->held,
        .held_count = r->held_count,
        .is_waited_for = r->can_wait,
    };
}

/* Where nothing more may wait. */
#define HOLD_RETRY_MS 60000

static void refuse_hold(struct ruling *r)
{
    r->wait_ms = HOLD_RETRY_MS;
    r->code = POSTERN_FAIL(&r->facts.error, RATE, "too much waits for approval already");
}

/* What is approved must be what is done. */
static void refuse_partial(struct ruling *r)
{
    r->code = POSTERN_FAIL(&r->facts.error, POLICY,
                           "held, and too large to be approved: only its beginning is judged");
}

/* Who asked is not there any more to be told. */
static void refuse_leaving(struct ruling *r)
{
    r->code = POSTERN_FAIL(&r->facts.error, POLICY, "held, and its session is ending");
}

static void obey_denial(struct ruling *r)
{
    postern_decision *d = &r->facts.decision;

    memcpy(d->because, r->hold.reason,
           sizeof r->hold.reason < sizeof d->because ? sizeof r->hold.reason : sizeof d->because);
    d->because[sizeof d->because - 1] = '\0';
    r->facts.approver = r->hold.approver;
    r->code = POSTERN_FAIL(&r->facts.error, POLICY, "denied by somebody who was asked to approve it");
}

/* An action that the policy holds: is it approved, or who may be told what to approve? */
static void apply_hold(const struct actions *a, const struct adapter_action *action,
                       struct ruling *r)
{
    struct approved approved = { a, r };
    char resource[ACTIONS_RESOURCE_MAX];
    struct hold_request rq;

    if (r->code != POSTERN_ERR_HELD || is_shadow(a))
        return;
    if (action->is_partial) {
        refuse_partial(r);
        return;
    }
    if (a->is_leaving) {
        refuse_leaving(r);
        return;
    }
    action_resource_text(r->facts.resource, resource);
    rq = hold_request_of(a, r, action->database, resource);
    rq.use = use_approval;
    rq.use_arg = &approved;
    switch (holds_ask(a->session->loop->process->holds, &rq, loop_now().boot_ms, &r->hold)) {
    case HOLD_REFUSED:
        refuse_hold(r);
        return;
    case HOLD_WAITS:
        r->waits = r->can_wait;
        memcpy(r->facts.ref, r->hold.ref, sizeof r->facts.ref);
        r->facts.event = "held";
        return;
    case HOLD_APPROVED: /* and use_approval() has said whether it may be now */
        r->logs_summary = false;
        r->facts.approver = r->hold.approver;
        return;
    case HOLD_DENIED:
        obey_denial(r);
    }
}

static const char *word_of(postern_err code)
{
    return code == POSTERN_ERR_HELD ? "hold" : code == POSTERN_ERR_RATE ? "rate" : "deny";
}

/* `policy_mode: shadow`: it is put on record and not obeyed. */
static void apply_shadow(const struct actions *a, struct ruling *r)
{
    if (r->code == POSTERN_OK || !is_shadow(a))
        return;
    r->facts.would = word_of(r->code);
    r->code = POSTERN_OK;
    r->logs_summary = false;
    r->rows = r->bytes = 0;
}

static struct args_digest_maker *get_digest_maker(struct loop *l)
{
    if (l->digests == NULL && l->process->has_args_key)
        l->digests = args_digest_maker_new(&l->process->args_key);
    return l->digests;
}

static bool make_digest(const struct actions *a, const struct adapter_action *action,
                        struct ruling *r)
{
    struct args_digest_maker *m;

    r->facts.digest[0] = '\0';
    if (action->is_partial)
        return true;
    m = get_digest_maker(a->session->loop);
    if (m != NULL && args_digest_make_with(m, r->facts.action, action->database, action->digested,
                                           action->digested_count, r->facts.digest))
        return true;
    r->code = POSTERN_FAIL(&r->facts.error, INTERNAL, "no digest of its arguments can be made");
    return false;
}

/* What is counted only has no digest, and that costs more than all else: it is made in time for a
 * hold, and for a record.  Without the key nothing is released, counted or not. */
static bool may_go_without(const struct actions *a, const struct ruling *r)
{
    return a->session->loop->process->has_args_key && r->code == POSTERN_OK && r->logs_summary;
}

/* As far as there is room. */
static char *append(char *at, const char *end, const char *text)
{
    size_t len = strnlen(text, (size_t)(end - at) - 1);

    memcpy(at, text, len);
    at[len] = '\0';
    return at + len;
}

static void copy_database(const struct adapter_action *action, struct ruling *r)
{
    const char *end = r->facts.database + sizeof r->facts.database;

    (void)append(r->facts.database, end, action->database == NULL ? "" : action->database);
}

/* By hand: printf(3) costs as much as the decision does. */
static void name_action(const struct actions *a, const struct adapter_action *action,
                        struct ruling *r)
{
    const char *protocol = a->session->door->adapter->name;
    const char *name = action->name == NULL ? "unknown" : action->name;
    const char *end = r->facts.action + sizeof r->facts.action;
    char *at = r->facts.action;

    at = append(at, end, protocol);
    at = append(at, end, ":");
    (void)append(at, end, name);
}

static void rule(struct actions *a, const struct adapter_action *action, struct ruling *r)
{
    r->logs_summary = true;
    r->facts.count = action->resource_count + (action->has_unnamed && action->resource_count != 0);
    r->facts.claimed_purpose = action->claimed_purpose;
    name_action(a, action, r);
    copy_database(action, r);
    if (!a->is_prepared) {
        r->code = POSTERN_FAIL(&r->facts.error, NOMEM, "who asks is not known");
        return;
    }
    ask_about_all(a, action, r);
    r->code = code_of(&r->facts.decision);
    r->lacks_digest = may_go_without(a, r);
    if (!r->lacks_digest && !make_digest(a, action, r))
        return;
    r->can_wait = action->can_wait;
    if (r->code != POSTERN_OK)
        explain(a, action, r);
    apply_hold(a, action, r);
    if (r->code == POSTERN_OK && !r->is_counted)
        (void)apply_rates(a, r); /* r->code is the verdict */
    apply_shadow(a, r);
}

/* ---- telling the adapter ---- */

static struct adapter_denied denied_of(const struct actions *a, const postern_failure *f,
                                       int64_t retry_after_s)
{
    return (struct adapter_denied){
        .failure = f,
        .because = f->because,
        .contact = f->contact[0] != '\0' ? f->contact : settings_contact(a->session->settings),
        .retry_after_s = retry_after_s,
    };
}

/* A refusal that needs no memory. */
static void refuse_plainly(struct actions *a, uint64_t id, const postern_failure *f)
{
    const struct adapter_verdict v = { .ruling = ADAPTER_REFUSE, .denied = denied_of(a, f, 0) };

    inspect_settle(a->inspect, id, &v);
}

static void tell(struct actions *a, const struct pending *p)
{
    struct adapter_verdict v = { .ruling = p->ruling, .rows_max = p->rows, .bytes_max = p->bytes };

    if (p->failure != NULL)
        v.denied = denied_of(a, p->failure, p->retry_after_s);
    inspect_settle(a->inspect, p->id, &v);
}

static void free_pending(struct pending *p)
{
    LIST_REMOVE(p, entry);
    free(p->failure);
    free(p->held);
    free(p);
}

static void look_at_held(struct pending *p);

/* The adapter hears; what waits for an approval then stays. */
static void conclude(struct pending *p)
{
    bool waits = p->ruling == ADAPTER_HOLD;

    tell(p->actions, p);
    if (!waits) {
        free_pending(p);
        return;
    }
    p->held->is_told = true;
    look_at_held(p); /* somebody may have been faster than the record */
}

/* A yes without its record is none; a no is undecided then, and a no all the same. */
static void on_recorded(void *arg, postern_err e, const postern_error *err)
{
    static const postern_failure unrecorded = { .code = POSTERN_ERR_AUDIT };
    struct adapter_verdict v = { .ruling = ADAPTER_REFUSE };
    struct pending *p = arg;

    if (e == POSTERN_OK) {
        conclude(p);
        return;
    }
    if (loop_may_log(&p->actions->session->loop->process->unrecorded_logged_ms))
        log_error("an action is refused without its audit record", err);
    v.denied = denied_of(p->actions, &unrecorded, 0);
    if (p->ruling == ADAPTER_HOLD)
        holds_drop(p->actions->session->loop->process->holds, p->held->facts.ref);
    inspect_settle(p->actions->inspect, p->id, &v);
    free_pending(p);
}

/* False: no memory. */
static bool fill_failure(struct actions *a, struct pending *p, const struct ruling *r)
{
    struct session *s = a->session;

    p->failure = calloc(1, sizeof *p->failure);
    if (p->failure == NULL)
        return false;
    postern_context_describe(settings_context(s->settings), s->door->name, p->failure);
    policy_tell(&r->facts.decision, p->failure);
    p->failure->code = r->code;
    memcpy(p->failure->ref, r->facts.ref, sizeof p->failure->ref);
    p->retry_after_s = (r->wait_ms + 999) / 1000;
    return true;
}

/* Everything that its second record needs, when the bytes that it came with are gone. */
static struct held *keep_facts(const struct ruling *r)
{
    struct held *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->facts = r->facts;
    h->facts.event = NULL;
    for (; h->rule_count < r->held_count; h->rule_count++) { /* at most HOLDS_RULES_MAX: it waits */
        h->rules[h->rule_count].agents = r->held[h->rule_count].rule_index;
        h->rules[h->rule_count].users = r->held[h->rule_count].user_rule_index;
    }
    action_resource_text(r->facts.resource, h->resource);
    h->facts.resource = postern_bytes_str(h->resource);
    if (r->facts.claimed_purpose != NULL)
        memcpy(h->claimed_purpose, r->facts.claimed_purpose,
               strnlen(r->facts.claimed_purpose, sizeof h->claimed_purpose - 1));
    h->facts.claimed_purpose = h->claimed_purpose;
    return h;
}

static struct pending *new_pending(struct actions *a, uint64_t id, const struct ruling *r)
{
    struct pending *p = calloc(1, sizeof *p);

    if (p == NULL || (r->code != POSTERN_OK && !fill_failure(a, p, r)) ||
        (r->waits && (p->held = keep_facts(r)) == NULL)) {
        if (p != NULL)
            free(p->failure);
        free(p);
        return NULL;
    }
    p->actions = a;
    p->id = id;
    p->ruling = r->code == POSTERN_OK ? ADAPTER_RELEASE : ADAPTER_REFUSE;
    if (r->waits)
        p->ruling = ADAPTER_HOLD;
    p->rows = r->rows;
    p->bytes = r->bytes;
    LIST_INSERT_HEAD(&a->pendings, p, entry);
    return p;
}

/* ---- held ---- */

static bool is_approved_rule(const struct held *h, const postern_decision *d)
{
    for (size_t i = 0; i < h->rule_count; i++)
        if (h->rules[i].agents == d->rule_index && h->rules[i].users == d->user_rule_index)
            return true;
    return false;
}

/* The settings are those of then, and so are the indices of rules. */
static bool are_approved_rules(const struct held *h, const struct ruling *r)
{
    for (size_t i = 0; i < r->held_count; i++)
        if (i >= HOLDS_RULES_MAX || !is_approved_rule(h, &r->held[i]))
            return false;
    return true;
}

/* Minutes have passed: the grant may be another one, and so may the time and the tool.  What is
 * allowed now passes; what is held by rules for which it was approved passes; nothing else does. */
static void rule_again(struct pending *p, struct ruling *r)
{
    struct actions *a = p->actions;
    struct adapter_action action;

    if (!a->is_prepared || !inspect_again(a->inspect, p->id, &action)) {
        r->code = POSTERN_FAIL(&r->facts.error, NOMEM, "what was approved cannot be judged again");
        return;
    }
    ask_about_all(a, &action, r);
    r->code = code_of(&r->facts.decision);
    if (r->code == POSTERN_ERR_HELD && are_approved_rules(p->held, r))
        r->code = POSTERN_OK;
    else if (r->code == POSTERN_ERR_HELD)
        r->code = POSTERN_FAIL(&r->facts.error, POLICY, "rule %s holds it now, and it was approved "
                               "for another one", r->facts.decision.rule);
    else if (r->code != POSTERN_OK)
        explain(a, &action, r);
    action_resource_text(r->facts.resource, p->held->resource);
    p->held->facts.resource = postern_bytes_str(p->held->resource);
    p->held->facts.decision = r->facts.decision;
    policy_tell(&r->facts.decision, p->failure);
}

/* Approved, denied, or over: the second verdict, on record like the first. */
static void conclude_held(struct pending *p, postern_err code)
{
    struct actions *a = p->actions;
    struct held *h = p->held;
    struct action_session s = action_session_of(a->session);
    postern_error err = { 0 };

    inspect_resume_held(a->inspect);
    p->ruling = code == POSTERN_OK ? ADAPTER_RELEASE : ADAPTER_REFUSE;
    h->facts.approver = h->approver;
    if (code == POSTERN_OK) {
        free(p->failure);
        p->failure = NULL;
    } else {
        p->failure->code = code;
    }
    if (action_record(a->session->loop, &s, &h->facts, code, on_recorded, p, &err) != POSTERN_OK)
        on_recorded(p, POSTERN_ERR_AUDIT, &err);
}

static void pass_approved(struct pending *p)
{
    struct session *s = p->actions->session;
    struct holds *holds = s->loop->process->holds;
    struct ruling r = { .code = POSTERN_ERR_UNSET };
    struct approved approved = { p->actions, &r };
    struct hold_answer answer;

    rule_again(p, &r);
    if (r.code != POSTERN_OK)
        holds_drop(holds, p->held->facts.ref);
    else if (holds_take(holds, p->held->facts.ref, s->settings, loop_now().boot_ms, use_approval,
                        &approved, &answer) != HOLD_APPROVED)
        r.code = POSTERN_FAIL(&r.facts.error, POLICY, "its approval is over");
    p->held->facts.error = r.facts.error;
    p->rows = r.rows;
    p->bytes = r.bytes;
    p->retry_after_s = (r.wait_ms + 999) / 1000;
    conclude_held(p, r.code);
}

static void refuse_held(struct pending *p, hold_state state, const struct hold_answer *answer)
{
    if (state == HOLD_DENIED) {
        memcpy(p->failure->because, answer->reason, sizeof p->failure->because);
        (void)POSTERN_FAIL(&p->held->facts.error, POLICY, "denied by %s", answer->approver);
    } else {
        (void)POSTERN_FAIL(&p->held->facts.error, POLICY,
                           "nobody approved it in time, or the configuration was changed");
    }
    holds_drop(p->actions->session->loop->process->holds, p->held->facts.ref);
    conclude_held(p, POSTERN_ERR_POLICY);
}

static void look_at_held(struct pending *p)
{
    struct session *s = p->actions->session;
    struct hold_answer answer;
    hold_state state = holds_look(s->loop->process->holds, p->held->facts.ref, s->settings,
                                  loop_now().boot_ms, &answer);

    if (state == HOLD_WAITS)
        return;
    memcpy(p->held->approver, answer.approver, sizeof p->held->approver);
    if (state == HOLD_APPROVED)
        pass_approved(p);
    else
        refuse_held(p, state, &answer);
}

static bool is_waiting(const struct pending *p)
{
    return p->ruling == ADAPTER_HOLD && p->held->is_told;
}

/* Nobody may approve it any more. */
static void take_off_list(struct pending *p)
{
    struct actions *a = p->actions;
    struct action_session s = action_session_of(a->session);
    postern_error err = { 0 };

    holds_withdraw(a->session->loop->process->holds, p->held->facts.ref, loop_now().boot_ms);
    (void)POSTERN_FAIL(&p->held->facts.error, POLICY, /* as when nobody approved it in time */
                       "who asked for it cancelled it, or left, before anybody approved it");
    if (action_record(a->session->loop, &s, &p->held->facts, POSTERN_ERR_POLICY, NULL, NULL, &err) !=
        POSTERN_OK)
        log_error("that a held action is wanted no more is not in the audit log", &err);
    p->ruling = ADAPTER_REFUSE; /* of one whose record is on its way */
}

/* The adapter has forgotten it. */
static void withdraw(struct pending *p)
{
    take_off_list(p);
    if (!p->held->is_told)
        return;
    inspect_forget_held(p->actions->inspect);
    free_pending(p);
}

void actions_withdraw(void *arg, uint64_t id)
{
    struct actions *a = arg;
    struct pending *p;

    LIST_FOREACH (p, &a->pendings, entry)
        if (p->id == id && p->ruling == ADAPTER_HOLD) {
            withdraw(p);
            return; /* any other verdict is on its way */
        }
}

void actions_leave(struct actions *a)
{
    struct pending *p = LIST_FIRST(&a->pendings), *next;

    a->is_leaving = true;
    for (; p != NULL; p = next) {
        next = LIST_NEXT(p, entry);
        if (p->ruling != ADAPTER_HOLD)
            continue;
        take_off_list(p);
        if (!p->held->is_told)
            continue; /* refused when its record is there */
        inspect_resume_held(a->inspect);
        p->failure->code = POSTERN_ERR_BUSY; /* it may be asked for again */
        tell(a, p);
        free_pending(p);
    }
}

/* ---- an action ---- */

static bool is_counted(const struct actions *a, const struct ruling *r)
{
    struct action_session s = action_session_of(a->session);

    return r->code == POSTERN_OK && r->logs_summary &&
           action_count(a->session->loop, &s, &r->facts);
}

static void release_counted(struct actions *a, uint64_t id, const struct ruling *r)
{
    const struct adapter_verdict v = { .ruling = ADAPTER_RELEASE,
                                       .rows_max = r->rows,
                                       .bytes_max = r->bytes };

    inspect_settle(a->inspect, id, &v);
}

/* Refused so often that it is counted only: told at once. */
static bool is_summed_up(struct actions *a, const struct ruling *r)
{
    return postern_err_outcome(r->code) == POSTERN_REJECTED && !r->hold.is_new && !r->waits &&
           !action_refusals_note(&a->refusals, r->code, loop_now().boot_ms);
}

static void put_on_record(struct actions *a, uint64_t id, struct ruling *r)
{
    static const postern_failure no_memory = { .code = POSTERN_ERR_NOMEM };
    struct action_session s = action_session_of(a->session);
    postern_error err = { 0 };
    struct pending *p;

    if (r->code != POSTERN_OK && r->facts.ref[0] == '\0' && !make_ref(r->facts.ref))
        r->facts.ref[0] = '\0'; /* without: it is found by its session */
    p = new_pending(a, id, r);
    if (p == NULL && r->waits)
        holds_drop(a->session->loop->process->holds, r->facts.ref);
    if (p == NULL)
        refuse_plainly(a, id, &no_memory);
    else if (is_summed_up(a, r))
        conclude(p);
    else if (action_record(a->session->loop, &s, &r->facts, r->code, on_recorded, p, &err) !=
             POSTERN_OK)
        on_recorded(p, POSTERN_ERR_AUDIT, &err);
}

void actions_judge(void *arg, const struct adapter_action *action)
{
    struct actions *a = arg;
    struct ruling r = { .code = POSTERN_ERR_UNSET };
    uint64_t id = action->id;

    rule(a, action, &r);
    if (is_counted(a, &r)) {
        release_counted(a, id, &r);
        return;
    }
    if (r.lacks_digest)
        (void)make_digest(a, action, &r); /* its failure is the verdict */
    put_on_record(a, id, &r);
}

bool actions_has_room(void *arg)
{
    const struct actions *a = arg;

    return audit_line_has_room(a->session->loop->audit);
}

bool actions_may_see(void *arg, const char *action, postern_bytes resource)
{
    const struct actions *a = arg;
    postern_policy_question q = question_of(a, action);
    postern_decision d;

    if (!a->is_prepared)
        return false;
    q.resource = resource;
    q.is_preview = true;
    postern_policy_decide(a->session->door->policy, &q, &d);
    return d.verdict != POSTERN_VERDICT_DENY || is_shadow(a);
}

/* Once a second at most: a policy may be long. */
static void heed_clock(struct actions *a)
{
    int64_t now_s = loop_now().now_s;
    uint64_t clock;

    if (now_s == a->clock_s)
        return;
    a->clock_s = now_s;
    clock = postern_policy_clock(a->session->door->policy, &a->subject, now_s);
    a->rights += clock != a->clock;
    a->clock = clock;
}

uint64_t actions_rights(void *arg)
{
    struct actions *a = arg;

    heed_clock(a);
    return a->rights;
}

adapter_ruling actions_stands(void *arg, const struct adapter_action *action)
{
    const struct actions *a = arg;
    struct ruling r = { .code = POSTERN_ERR_UNSET };

    if (!a->is_prepared)
        return ADAPTER_REFUSE;
    ask_about_all(a, action, &r);
    if (r.facts.decision.verdict == POSTERN_VERDICT_ALLOW || is_shadow(a))
        return ADAPTER_RELEASE;
    return r.facts.decision.verdict == POSTERN_VERDICT_HOLD ? ADAPTER_HOLD : ADAPTER_REFUSE;
}

/* ---- life ---- */

void actions_tick(struct actions *a, struct lease_clock now)
{
    struct action_session s = action_session_of(a->session);
    struct pending *p = LIST_FIRST(&a->pendings), *next;

    action_refusals_write(a->session->loop, &s, &a->refusals, now.boot_ms, false);
    for (; p != NULL; p = next) {
        next = LIST_NEXT(p, entry);
        if (is_waiting(p))
            look_at_held(p);
    }
}

void actions_take_grant(struct actions *a)
{
    postern_error err = { 0 };

    a->rights++;
    a->clock_s = 0; /* it says other things to another */
    if (a->is_prepared)
        postern_policy_subject_clear(&a->subject);
    a->is_prepared =
        postern_policy_subject_of(a->session->entry.grant, &a->subject, &err) == POSTERN_OK;
    if (!a->is_prepared)
        log_error("who asks in a session", &err);
}

void actions_note_settings(struct actions *a)
{
    a->rights++;
    a->clock_s = 0;
}

void actions_set_inspect(struct actions *a, struct inspect *i)
{
    a->inspect = i;
}

postern_err actions_new(struct session *s, struct actions **ret, postern_error *err)
{
    struct actions *a = calloc(1, sizeof *a);
    postern_err e;

    if (a == NULL)
        return POSTERN_FAIL(err, NOMEM, "actions of a session");
    a->session = s;
    LIST_INIT(&a->pendings);
    e = postern_policy_subject_of(s->entry.grant, &a->subject, err);
    if (e != POSTERN_OK) {
        free(a);
        return e;
    }
    a->is_prepared = true;
    *ret = a;
    return POSTERN_OK;
}

void actions_free(struct actions *a)
{
    struct action_session s;

    if (a == NULL)
        return;
    s = action_session_of(a->session);
    action_refusals_write(a->session->loop, &s, &a->refusals, loop_now().boot_ms, true);
    while (!LIST_EMPTY(&a->pendings)) {
        struct pending *p = LIST_FIRST(&a->pendings);

        audit_line_cancel(a->session->loop->audit, p);
        if (p->ruling == ADAPTER_HOLD)
            holds_withdraw(a->session->loop->process->holds, p->held->facts.ref,
                           loop_now().boot_ms);
        free_pending(p);
    }
    if (a->is_prepared)
        postern_policy_subject_clear(&a->subject);
    free(a);
}
