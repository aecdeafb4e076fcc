/* SPDX-License-Identifier: BSD-2-Clause */
/* A door's facts into audit records (audit.h). */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <postern-private/clock.h>
#include <postern-private/human.h>

#include "../policy_ask.h"
#include "../log.h"
#include "../setting.h"
#include "audit.h"

#define ACTION_MAX 32 /* bytes with NUL: a protocol's name and ":connect" */

static const char *carrier_word(postern_carrier carrier)
{
    return carrier == POSTERN_CARRIER_PASSWORD ? "password" : "raw";
}

static const char *tls_word(postern_tls tls)
{
    return tls == POSTERN_TLS_ON ? "on" : "local";
}

static void put_who(struct audit_record *a, const postern_grant *g)
{
    a->grant = g;
    if (g == NULL)
        return; /* perhaps named by the failure */
    a->agent = postern_grant_actor(g);
    a->human = postern_grant_human(g);
}

/* `action`: room for "redis:connect". */
static struct audit_record build(const struct login_record *r, char action[ACTION_MAX])
{
    const struct gate_result *result = r->result;
    const postern_grant *grant = r->grant != NULL ? r->grant : result->grant;
    struct deciding_setting setting =
        find_deciding_setting(settings_config(r->settings), r->door->section, DECIDING_DOOR,
                              result->failure.issuer, policy_decided_by(result->code, &result->decision));
    const char *would = policy_would(result->code, &result->decision);
    struct audit_record a = {
        .time_ms = clock_wall_ms(),
        .event = r->event,
        .ref = r->ref,
        .service = r->door->name,
        .peer = r->peer,
        .carrier = carrier_word(r->carrier),
        .tls = tls_word(r->tls),
        .code = result->code,
        .detail = result->code == POSTERN_OK && would == NULL ? NULL : result->error.detail,
        .setting = setting.key,
        .origin = setting.origin,
        .issuer = result->failure.issuer,
        .fingerprint = r->fingerprint,
        .latency_us = clock_mono_us() - r->started_us,
        .session = r->session,
        .agent = result->failure.agent,
        .human = result->failure.human,
        .action = action,
        .resource = r->door->name,
        .rule = result->decision.rule,
        .user_rule = result->decision.user_rule,
        .would = would,
        .because = result->failure.because[0] != '\0' ? result->failure.because
                                                      : result->decision.because,
        .lease_end_s = r->lease_end_s,
    };

    put_who(&a, grant);
    (void)snprintf(action, ACTION_MAX, "%s:connect", r->door->adapter->name); /* has room */
    return a;
}

postern_err record_login(struct loop *l, const struct login_record *r, audit_done done, void *arg,
                         postern_error *err)
{
    char action[ACTION_MAX];
    struct audit_record a = build(r, action);

    return audit_line_send(l->audit, &a, done, arg, err);
}

static uint64_t add_to_hash(uint64_t h, const char *text) /* FNV-1a */
{
    for (; text != NULL && *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 1099511628211u;
    return h * 1099511628211u; /* the end of each text counts too */
}

/* Whose token was proved; NULL: nobody's, or it is not known any more. */
static const char *agent_of(const struct login_record *r)
{
    const postern_grant *g = r->grant != NULL ? r->grant : r->result->grant;

    if (g == NULL)
        return r->result->failure.agent[0] != '\0' ? r->result->failure.agent : NULL;
    return postern_grant_actor(g) != NULL ? postern_grant_actor(g) : postern_grant_subject(g);
}

static const char *issuer_of(const struct login_record *r)
{
    const postern_grant *g = r->grant != NULL ? r->grant : r->result->grant;

    return g != NULL ? postern_grant_issuer(g) : r->result->failure.issuer;
}

/* Somebody with a proved token is no stranger: an agent's refusals have a quota of their own, which
 * strangers at its address do not use up. */
static bool may_have_record(struct door_process *p, const struct login_record *r)
{
    const char *agent = agent_of(r);
    bool has_grant = r->grant != NULL || r->result->grant != NULL;
    uint64_t hash = add_to_hash(14695981039346656037u, issuer_of(r));
    struct denial_source source =
        agent == NULL ? *r->source : denial_source_of_agent(add_to_hash(hash, agent), agent);
    bool may;

    if (r->is_known && !has_grant)
        return true; /* behind a login that has its record */
    pthread_mutex_lock(&p->denials_lock);
    may = denials_note(agent == NULL ? p->denials : p->agent_denials, &source, r->result->code,
                       loop_now().boot_ms);
    pthread_mutex_unlock(&p->denials_lock);
    return may;
}

postern_err record_refusal(struct loop *l, const struct login_record *r, audit_done done, void *arg,
                           postern_error *err)
{
    char action[ACTION_MAX];
    struct audit_record a = build(r, action);
    postern_err e;

    if (!may_have_record(l->process, r))
        return POSTERN_OK;
    e = audit_line_send(l->audit, &a, done, arg, err);
    return e == POSTERN_OK ? POSTERN_AGAIN : e;
}

void record_end(struct loop *l, const struct session_record *r)
{
    struct audit_record a = {
        .time_ms = clock_wall_ms(),
        .event = "end",
        .service = r->door,
        .peer = r->peer,
        .code = r->code == POSTERN_OK ? POSTERN_ERR_UNSET : r->code,
        .detail = r->detail,
        .session = r->session,
        .resource = r->door,
        .rule = r->rule,
        .user_rule = r->user_rule,
        .because = r->because,
        .end = r->end,
        .lease_end_s = r->lease_end_s,
        .duration_ms = r->duration_ms,
        .up = r->up,
        .down = r->down,
    };
    postern_error err = { 0 };

    put_who(&a, r->grant);
    if (audit_line_send(l->audit, &a, NULL, NULL, &err) != POSTERN_OK)
        log_error("the end of a session is not in the audit log", &err);
}

static void write_summary(struct loop *l, const struct denial_summary *s, bool is_agents)
{
    char detail[160];
    struct audit_record a = {
        .time_ms = clock_wall_ms(),
        .event = "refused",
        .peer = is_agents ? NULL : s->source,
        .agent = is_agents && strcmp(s->source, DENIALS_OTHERS) != 0 ? s->source : NULL,
        .code = s->last,
        .detail = detail,
        .count = s->count,
    };
    postern_error err = { 0 };
    int n = snprintf(detail, sizeof detail,
                     "refusals%s without a record of their own; the first: %s",
                     is_agents ? " of agents with a good token" : "",
                     postern_err_reason(s->first));

    if (n < 0)
        detail[0] = '\0';
    if (audit_line_send(l->audit, &a, NULL, NULL, &err) != POSTERN_OK)
        log_error("a summary of refusals is not in the audit log", &err);
}

typedef bool (*take_summary)(struct denials *d, int64_t now_ms, struct denial_summary *ret);

static bool take_rest(struct denials *d, int64_t now_ms, struct denial_summary *ret)
{
    (void)now_ms; /* all of it */
    return denials_take_rest(d, ret);
}

static void write_summaries(struct loop *l, bool is_agents, take_summary take)
{
    struct door_process *p = l->process;
    struct denial_summary s;
    bool has_one = true;

    while (has_one) {
        pthread_mutex_lock(&p->denials_lock);
        has_one = take(is_agents ? p->agent_denials : p->denials, loop_now().boot_ms, &s);
        pthread_mutex_unlock(&p->denials_lock);
        if (has_one)
            write_summary(l, &s, is_agents);
    }
}

void record_denials(struct loop *l)
{
    write_summaries(l, false, denials_take_due);
    write_summaries(l, true, denials_take_due);
}

void record_denials_rest(struct loop *l)
{
    write_summaries(l, false, take_rest);
    write_summaries(l, true, take_rest);
}
