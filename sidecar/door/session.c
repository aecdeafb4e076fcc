/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a session (session.h).  Runs on its loop; the registry is told of every change. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../log.h"
#include "audit.h"
#include "backend_session.h"
#include "session_inner.h"

/* ---- making ---- */

struct lease_terms session_terms(const struct door *door, const postern_grant *g,
                                 const postern_decision *d)
{
    return (struct lease_terms){ .exp_s = postern_grant_exp_s(g),
                                 .skew_s = settings_skew_s(door, postern_grant_issuer(g)),
                                 .policy_s = d->lease_s,
                                 .session_max_s = door->session_max_s };
}

static void copy_text(char *ret, size_t room, const char *text)
{
    size_t len = text == NULL ? 0 : strnlen(text, room - 1);

    if (len != 0)
        memcpy(ret, text, len);
    ret[len] = '\0';
}

void session_copy_rules(struct session *s, const postern_decision *decision)
{
    copy_text(s->rule, sizeof s->rule, decision->rule);
    copy_text(s->user_rule, sizeof s->user_rule, decision->user_rule);
}

struct session *session_new(struct loop *loop, const struct gate_visit *visit,
                            postern_grant *take_grant, const postern_decision *decision,
                            struct session_waiter waiter)
{
    struct session *s = calloc(1, sizeof *s);
    struct lease_clock now = loop_now();
    struct lease_terms terms;

    if (s == NULL || registry_name(&s->entry, NULL) != POSTERN_OK) {
        postern_grant_free(take_grant);
        free(s);
        return NULL;
    }
    s->loop = loop;
    s->settings = settings_ref(visit->settings);
    s->door = visit->door;
    s->waiter = waiter;
    session_judge_begin(s);
    s->since_boot_ms = now.boot_ms;
    copy_text(s->source, sizeof s->source, visit->source);
    session_copy_rules(s, decision);
    s->entry.loop = loop->index;
    copy_text(s->entry.door, sizeof s->entry.door, visit->door->name);
    copy_text(s->entry.peer, sizeof s->entry.peer, visit->peer);
    s->entry.has_choice = settings_trusts_several(visit->door);
    s->entry.since_s = now.now_s;
    s->entry.grant = take_grant;
    terms = session_terms(s->door, take_grant, decision);
    s->entry.lease = lease_begin(&terms, now);
    return s;
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    if (s->is_registered) {
        registry_remove(s->loop->process->registry, &s->entry);
        LIST_REMOVE(s, in_loop);
        s->loop->session_count--;
    }
    recheck_stop(&s->recheck);
    renew_within_free(s->renewal);
    actions_free(s->actions);
    inspect_free(s->inspect);
    relay_free(s->relay);
    backend_session_free(s->backend);
    postern_grant_free(s->entry.grant);
    settings_unref(s->settings);
    postern_wipe(s->entry.secret, sizeof s->entry.secret);
    loop_note_end(s->loop);
    free(s);
}

void session_grant_changed(struct session *s, postern_grant *take_old)
{
    if (s->actions != NULL)
        actions_take_grant(s->actions);
    postern_grant_free(take_old);
}

void session_forget_waiter(struct session *s)
{
    if (s != NULL)
        s->waiter = (struct session_waiter){ 0 };
}

const char *session_id(const struct session *s)
{
    return s->entry.id;
}

const char *session_secret(const struct session *s)
{
    return s->entry.secret;
}

const struct lease *session_lease(const struct session *s)
{
    return &s->entry.lease;
}

const struct door *session_door(const struct session *s)
{
    return s->door;
}

struct door_settings *session_settings(const struct session *s)
{
    return s->settings;
}

struct session *session_next(const struct session *s)
{
    return LIST_NEXT(s, in_loop);
}

struct session *session_find(struct loop *l, const char *id)
{
    return (struct session *)(void *)registry_find(l->process->registry, id, l->index);
}

/* ---- registering ---- */

/* For the record of its refusal: the grant goes with the session. */
static void name_agent(const struct session *s, postern_failure *ret)
{
    const char *agent = postern_grant_actor(s->entry.grant);

    if (agent != NULL && strlen(agent) < sizeof ret->agent)
        copy_text(ret->agent, sizeof ret->agent, agent);
}

postern_err session_register(struct session *s, uint64_t words, postern_failure *ret_failure,
                             postern_error *err)
{
    struct registry_room room = { s->door->sessions_max, s->door->agent_sessions_max };
    postern_err e = registry_add(s->loop->process->registry, &s->entry, room, err);

    if (e != POSTERN_OK) {
        name_agent(s, ret_failure);
        return e;
    }
    LIST_INSERT_HEAD(&s->loop->sessions, s, in_loop);
    s->is_registered = true;
    s->loop->session_count++;
    /* Whatever comes from here on finds it in the list. */
    if (!settings_demand_alike(s->loop->settings, s->door))
        return POSTERN_FAIL(err, TIMEOUT,
                            "this door's demands on its callers have changed since "
                            "this one came: who connects anew is asked");
    if (s->settings == s->loop->settings &&
        postern_context_words(settings_context(s->settings)) == words)
        return POSTERN_OK;
    return session_judge_now(s, ret_failure, err); /* undecided too: it is not open yet */
}

/* ---- the backend's session ---- */

void session_set_backend(struct session *s, struct backend_session *take_backend)
{
    s->backend = take_backend;
}

void session_renew_backend(struct session *s, postern_bytes token)
{
    if (s->backend != NULL)
        backend_session_set_token(s->backend, token);
}

/* ---- relaying ---- */

static bool is_open(const struct session *s)
{
    return s->relay != NULL || s->inspect != NULL;
}

static void copy_counters(struct session *s)
{
    bool is_judged = s->inspect != NULL;

    atomic_store_explicit(&s->entry.up,
                          is_judged ? inspect_bytes_up(s->inspect) : relay_bytes_up(s->relay),
                          memory_order_relaxed);
    atomic_store_explicit(&s->entry.down,
                          is_judged ? inspect_bytes_down(s->inspect) : relay_bytes_down(s->relay),
                          memory_order_relaxed);
}

static int64_t last_byte_ms(const struct session *s)
{
    return s->inspect != NULL ? inspect_last_byte_ms(s->inspect) : relay_last_byte_ms(s->relay);
}

static void on_end(void *arg, relay_end why)
{
    struct session *s = arg;
    bool is_judged = s->inspect != NULL;
    static const char *const words[] = {
        [RELAY_FAILED] = SESSION_END_FAILED,
        [RELAY_FINISHED] = SESSION_END_FINISHED,
        [RELAY_CLIENT_GONE] = SESSION_END_CLIENT,
        [RELAY_BACKEND_GONE] = SESSION_END_BACKEND,
        [RELAY_BROKEN] = SESSION_END_PROTOCOL,
        [RELAY_DENIED] = SESSION_END_POLICY,
    };

    session_end(s, &(struct session_ending){
                       .how = words[why],
                       .detail = is_judged ? inspect_end_text(s->inspect) : relay_end_text(s->relay),
                       .code = is_judged ? inspect_end_code(s->inspect) : POSTERN_OK,
                   });
}

static void set_state(struct session *s, session_state state)
{
    registry_lock(s->loop->process->registry);
    s->entry.state = state;
    registry_unlock(s->loop->process->registry);
}

postern_err session_open(struct session *s, struct leg take_client, struct leg take_backend,
                         postern_bytes early, postern_error *err)
{
    POSTERN_TRY(relay_new(s->loop->pool, take_client, take_backend, early,
                          (struct relay_owner){ on_end, s }, &s->relay, err));
    s->waiter = (struct session_waiter){ 0 };
    set_state(s, SESSION_OPEN);
    return POSTERN_OK;
}

static void on_renewal_wanted(void *arg, const struct adapter_login *login)
{
    renew_within_begin(arg, login);
}

static void judge_action(void *arg, const struct adapter_action *action)
{
    actions_judge(((struct session *)arg)->actions, action);
}

static bool may_judge(void *arg)
{
    return actions_has_room(((struct session *)arg)->actions);
}

static void leave(void *arg)
{
    actions_leave(((struct session *)arg)->actions);
}

/* Of an adapter that was made for it, or for another door of its protocol. */
postern_err session_open_judged(struct session *s, const struct inspect_parts *parts,
                                postern_error *err)
{
    struct inspect_parts p = *parts;
    postern_err e = actions_new(s, &s->actions, err);

    if (e != POSTERN_OK) {
        inspect_drop(&p);
        return e;
    }
    p.host = (struct adapter_host){ .may_see = actions_may_see,
                                    .rights = actions_rights,
                                    .stands = actions_stands,
                                    .withdrawn = actions_withdraw,
                                    .arg = s->actions };
    POSTERN_TRY(inspect_new(
        s->loop->pool, &p,
        (struct inspect_owner){ judge_action, may_judge, on_renewal_wanted, leave, on_end, s },
        &s->inspect, err));
    actions_set_inspect(s->actions, s->inspect);
    s->waiter = (struct session_waiter){ 0 };
    set_state(s, SESSION_OPEN);
    return POSTERN_OK;
}

/* ---- ending ---- */

/* A judged session's client is told in words of its protocol, as far as it is fit for them. */
static void say_last_word(struct session *s, postern_err code, const char *because)
{
    postern_failure *f;

    if (s->inspect == NULL || (f = calloc(1, sizeof *f)) == NULL)
        return;
    postern_context_describe(settings_context(s->settings), s->entry.door, f);
    f->code = code == POSTERN_OK ? POSTERN_ERR_EXPIRED : code;
    copy_text(f->because, sizeof f->because, because);
    inspect_say_goodbye(s->inspect, &(struct adapter_denied){
                                        .failure = f,
                                        .because = f->because,
                                        .contact = settings_contact(s->settings),
                                    });
    free(f);
}

static bool is_ours(const char *end)
{
    return strcmp(end, SESSION_END_TAKEN_BACK) == 0 || strcmp(end, SESSION_END_KILLED) == 0 ||
           strcmp(end, SESSION_END_POLICY) == 0 || strcmp(end, SESSION_END_UNDECIDED) == 0;
}

static void write_end(struct session *s, const struct session_ending *e)
{
    const struct session_record r = { .session = s->entry.id,
                                      .door = s->entry.door,
                                      .peer = s->entry.peer,
                                      .grant = s->entry.grant,
                                      .rule = s->rule,
                                      .user_rule = s->user_rule,
                                      .end = e->how,
                                      .because = e->because,
                                      .code = e->code,
                                      .detail = e->detail,
                                      .lease_end_s = s->entry.lease.end_s,
                                      .duration_ms = loop_now().boot_ms - s->since_boot_ms,
                                      .up = atomic_load(&s->entry.up),
                                      .down = atomic_load(&s->entry.down) };

    record_end(s->loop, &r);
}

void session_end(struct session *s, const struct session_ending *e)
{
    struct session_waiter waiter = s->waiter;
    /* killed: no verdict on the agent, it may come back */
    postern_err code = e->code == POSTERN_OK ? POSTERN_ERR_BUSY : e->code;
    postern_failure failure = { 0 };
    postern_error err = { 0 };

    (void)POSTERN_FAIL(&err, BUSY, "session %s was ended while it was connected: %s", s->entry.id,
                       e->how); /* whoever waits is told below */
    if (is_open(s))
        copy_counters(s);
    if (is_ours(e->how))
        say_last_word(s, e->code == POSTERN_OK ? POSTERN_ERR_BLOCKED : e->code, e->because);
    if (s->actions != NULL)
        actions_leave(s->actions); /* before anybody can read that it has ended */
    write_end(s, e);
    atomic_fetch_add(&s->loop->counters.ended, 1);
    if (strcmp(e->how, SESSION_END_TAKEN_BACK) == 0 || strcmp(e->how, SESSION_END_KILLED) == 0)
        atomic_fetch_add(&s->loop->counters.revoked, 1);
    copy_text(failure.because, sizeof failure.because, e->because);
    s->waiter = (struct session_waiter){ 0 };
    session_free(s);
    if (waiter.refused != NULL)
        waiter.refused(waiter.arg, code, &failure, &err);
}

/* ---- renewing ---- */

postern_err session_renew(struct session *s, postern_grant **grant,
                          const postern_decision *decision, postern_error *err)
{
    struct lease_terms terms = session_terms(s->door, *grant, decision);
    struct lease_clock now = loop_now();
    struct lease lease = lease_renew(&s->entry.lease, &terms, now);
    postern_grant *old = s->entry.grant;

    if (!is_open(s))
        return POSTERN_FAIL(err, RENEWAL, "the session is not open yet");
    if (lease_state_at(&s->entry.lease, s->door->expiry_grace_s, now) == LEASE_OVER)
        return POSTERN_FAIL(err, RENEWAL, "the session's lease and its grace are over");
    if (!registry_is_same_identity(old, *grant))
        return POSTERN_FAIL(err, RENEWAL, "the token is for another identity than the session's");
    if (lease_state_at(&lease, 0, now) != LEASE_OPEN)
        return POSTERN_FAIL(err, RENEWAL, "the session has had its longest life: session_max");
    registry_lock(s->loop->process->registry);
    s->entry.grant = POSTERN_STEAL(*grant);
    s->entry.lease = lease;
    if (s->loop->drain_end_ms == 0)
        s->entry.state = SESSION_OPEN;
    registry_unlock(s->loop->process->registry);
    session_copy_rules(s, decision);
    session_grant_changed(s, old);
    return POSTERN_OK;
}

/* ---- time ---- */

static void end_orderly(struct session *s, const char *end)
{
    if (s->relay != NULL)
        relay_say_goodbye(s->relay);
    else
        say_last_word(s, strcmp(end, SESSION_END_DRAINED) == 0 ? POSTERN_ERR_BUSY : POSTERN_OK,
                      NULL);
    session_end(s, &(struct session_ending){ .how = end, .code = POSTERN_OK });
}

static bool is_silent(const struct session *s, struct lease_clock now, int64_t for_ms)
{
    if (s->inspect != NULL && !inspect_is_quiet(s->inspect))
        return false;
    if (s->relay != NULL && !relay_is_quiet(s->relay))
        return false;
    return now.boot_ms - last_byte_ms(s) >= for_ms;
}

/* The end of its lease, or of the whole process: at the first quiet moment, at the latest at the
 * end of the grace. */
static bool drain(struct session *s, struct lease_clock now, bool is_over, const char *end)
{
    if (s->entry.state != SESSION_DRAINING)
        set_state(s, SESSION_DRAINING);
    if (!is_over && !is_silent(s, now, LEASE_QUIET_MS))
        return false;
    end_orderly(s, end);
    return true;
}

void session_tick(struct session *s, struct lease_clock now)
{
    int64_t drain_end_ms = s->loop->drain_end_ms;
    lease_state state;

    if (session_keep_up_word(s, now) || !is_open(s)) /* without: the login's time-out counts */
        return;
    copy_counters(s);
    if (s->actions != NULL)
        actions_tick(s->actions, now);
    state = lease_state_at(&s->entry.lease, s->door->expiry_grace_s, now);
    if (s->backend != NULL)
        backend_session_tick(s->backend, s->settings, s->door, s->entry.id);
    if (drain_end_ms != 0 &&
        drain(s, now, now.boot_ms >= drain_end_ms, SESSION_END_DRAINED))
        return;
    if (state != LEASE_OPEN) {
        (void)drain(s, now, state == LEASE_OVER, SESSION_END_EXPIRED);
        return;
    }
    if (now.boot_ms - last_byte_ms(s) >= s->door->idle_timeout_ms)
        end_orderly(s, SESSION_END_IDLE);
}
