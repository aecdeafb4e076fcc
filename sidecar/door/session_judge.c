/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May a session still be (session.h)?  By settings, rules and words of revocation that came since
 * it was granted, and by what its issuer says of its token meanwhile.  Runs on its loop.
 */
#include "config.h"

#include "../log.h"
#include "session_inner.h"

/* ---- judging again ---- */

static const char *policy_source(const struct session *s)
{
    return s->source[0] == '\0' ? NULL : s->source;
}

/* An undecided look (no memory, the issuer's word is not there yet) ends nobody: the session was
 * proved once. */
static bool ends_session(postern_err e)
{
    return e != POSTERN_OK &&
           (postern_err_outcome(e) == POSTERN_REJECTED || e == POSTERN_ERR_SERVICE_UNKNOWN);
}

/* By the loop's settings of now, under which the session then lives on.  Policy is asked even when
 * the look is undecided: what it denies ends. */
static postern_err judge_by(struct session *s, struct door_settings *settings,
                            postern_decision *ret_decision, postern_failure *ret_failure,
                            postern_error *err)
{
    const struct door *door = settings_door(settings, s->entry.door);
    postern_error why = { 0 };
    postern_err look, rule;

    *ret_decision = (postern_decision){ 0 };
    if (door == NULL)
        return POSTERN_FAIL(err, SERVICE_UNKNOWN, "the door was taken out of the configuration");
    if (door->adapter != s->door->adapter) /* what is relayed must not come to be judged no more */
        return POSTERN_FAIL(err, SERVICE_UNKNOWN, "the door speaks another protocol now");
    look =
        postern_context_judge_again(settings_context(settings), s->entry.grant, ret_failure, err);
    if (ends_session(look))
        return look;
    rule = gate_ask_policy(door, s->entry.grant, policy_source(s), loop_now().now_s, ret_decision,
                           &why);
    if (rule == POSTERN_OK || (look != POSTERN_OK && !ends_session(rule)))
        return look;
    *err = why;
    return rule;
}

/* The issuer's word is of then. */
static void hear_word(struct session *s, int64_t word_ms)
{
    int64_t interval_ms = s->door->revocation_check_ms;
    bool is_asked = word_ms != 0 && interval_ms != 0;

    registry_lock(s->loop->process->registry);
    if (is_asked)
        lease_hear(&s->entry.lease, word_ms, interval_ms);
    else
        s->entry.lease.word_end_boot_ms = 0;
    registry_unlock(s->loop->process->registry);
    if (is_asked)
        recheck_note_word(&s->recheck, word_ms, interval_ms);
    else
        recheck_stop(&s->recheck);
}

/* The lease too each time: a renewal was decided by another look, perhaps from another address. */
static void adopt_settings(struct session *s, struct door_settings *settings,
                           const postern_decision *decision)
{
    struct door_settings *old = s->settings;
    int64_t interval_ms = s->door->revocation_check_ms;
    struct lease_terms terms;

    s->settings = settings_ref(settings);
    s->door = settings_door(settings, s->entry.door);
    if (s->actions != NULL && settings != old)
        actions_note_settings(s->actions);
    terms = session_terms(s->door, s->entry.grant, decision);
    registry_lock(s->loop->process->registry);
    lease_limit(&s->entry.lease, s->since_boot_ms, &terms, loop_now());
    registry_unlock(s->loop->process->registry);
    if (s->recheck.token != NULL && s->door->revocation_check_ms != interval_ms)
        hear_word(s, s->recheck.word_ms);
    settings_unref(old);
}

static void count_end(struct session_ends *n, postern_err e)
{
    n->blocked += e == POSTERN_ERR_BLOCKED;
    n->revoked += e == POSTERN_ERR_REVOKED;
    n->unfit += e != POSTERN_ERR_BLOCKED && e != POSTERN_ERR_REVOKED;
}

static void end_rejected(struct session *s, postern_err e, const postern_failure *f,
                         const postern_error *err)
{
    bool is_taken_back =
        e == POSTERN_ERR_REVOKED || e == POSTERN_ERR_BLOCKED || e == POSTERN_ERR_INACTIVE;

    session_end(s, &(struct session_ending){
                       .how = is_taken_back ? SESSION_END_TAKEN_BACK : SESSION_END_POLICY,
                       .because = is_taken_back ? f->because : NULL,
                       .detail = err->detail,
                       .code = e,
                   });
}

postern_err session_judge_now(struct session *s, postern_failure *ret_failure, postern_error *err)
{
    struct door_settings *settings = s->loop->settings;
    postern_decision decision;
    postern_err e = judge_by(s, settings, &decision, ret_failure, err);

    if (e == POSTERN_OK)
        adopt_settings(s, settings, &decision);
    return e;
}

bool session_judge(struct session *s)
{
    postern_failure failure = { 0 };
    postern_error err = { 0 };
    postern_err e = session_judge_now(s, &failure, &err);

    if (!ends_session(e))
        return false; /* undecided: it goes on as it was, and is looked at again with the next word */
    count_end(&s->loop->untold, e);
    end_rejected(s, e, &failure, &err);
    return true;
}

/* ---- what its issuer says meanwhile ---- */

void session_watch(struct session *s, postern_secret *take_token, int64_t word_ms)
{
    recheck_watch(&s->recheck, take_token);
    hear_word(s, take_token == NULL ? 0 : word_ms);
}

static void describe_look(void *arg, struct gate_visit *visit)
{
    const struct session *s = arg;

    visit->settings = s->settings;
    visit->door = s->door;
    visit->tls = POSTERN_TLS_ON; /* judged when the token came, which does not travel now */
    visit->peer = s->entry.peer;
    visit->client_cert_sha256 = postern_grant_bound_cert(s->entry.grant); /* shown on its connection */
    visit->source = policy_source(s);
}

static const char *get_issuer(void *arg)
{
    return postern_grant_issuer(((const struct session *)arg)->entry.grant);
}

/* As a login with that token now would have it: rights, rules, and no longer lease. */
static void adopt_look(struct session *s, struct gate_result *r)
{
    struct lease_terms terms = session_terms(s->door, r->grant, &r->decision);
    postern_grant *old = s->entry.grant;

    registry_lock(s->loop->process->registry);
    s->entry.grant = POSTERN_STEAL(r->grant);
    lease_limit(&s->entry.lease, s->since_boot_ms, &terms, loop_now());
    registry_unlock(s->loop->process->registry);
    session_copy_rules(s, &r->decision);
    session_grant_changed(s, old);
    hear_word(s, r->word_ms);
    atomic_fetch_add(&s->loop->counters.rechecked, 1);
}

static void note_unheard(struct session *s, const struct gate_result *r)
{
    recheck_note_failure(&s->recheck, r->code, s->door->revocation_check_ms);
    if (loop_may_log(&s->loop->process->unheard_logged_ms))
        log_problem("door: an issuer says nothing about live sessions, which end when its last word is "
                    "older than revocation_check: %s",
                    r->error.detail);
}

/* True: it ended. */
static bool judge_look(struct session *s, struct gate_result *r)
{
    if (r->code == POSTERN_OK && !registry_is_same_identity(s->entry.grant, r->grant))
        r->code = POSTERN_ERR_RENEWAL; /* the issuer names another with the same token */
    if (r->code == POSTERN_ERR_EXPIRED) {
        registry_lock(s->loop->process->registry);
        lease_cut(&s->entry.lease, loop_now());
        registry_unlock(s->loop->process->registry);
        recheck_stop(&s->recheck);
    } else if (ends_session(r->code)) {
        end_rejected(s, r->code, &r->failure, &r->error);
        return true;
    } else if (r->code != POSTERN_OK) {
        note_unheard(s, r);
    } else {
        adopt_look(s, r);
    }
    return false;
}

static void on_look(void *arg, struct gate_result *take_result)
{
    struct session *s = arg;
    bool is_proved = take_result->code == POSTERN_OK;

    if (!judge_look(s, take_result) && is_proved &&
        (s->settings != s->loop->settings ||
         postern_context_words(settings_context(s->settings)) != take_result->words))
        (void)session_judge(s); /* what came meanwhile */
    gate_result_clear(take_result);
}

/* True: it ended. */
bool session_keep_up_word(struct session *s, struct lease_clock now)
{
    postern_err why = s->recheck.last_failure;

    if (s->recheck.token == NULL)
        return false;
    if (now.now_s >= postern_grant_exp_s(s->entry.grant)) {
        registry_lock(s->loop->process->registry);
        lease_hear_no_more(&s->entry.lease, now);
        registry_unlock(s->loop->process->registry);
        recheck_stop(&s->recheck);
        return false;
    }
    if (lease_is_unheard(&s->entry.lease, now)) {
        atomic_fetch_add(&s->loop->counters.unheard, 1);
        session_end(s, &(struct session_ending){ .how = SESSION_END_UNDECIDED,
                                                 .code = why == POSTERN_OK ? POSTERN_ERR_BUSY : why });
        return true;
    }
    recheck_tick(&s->recheck, now.boot_ms);
    return false;
}

void session_judge_begin(struct session *s)
{
    s->recheck.loop = s->loop;
    s->recheck.owner = (struct recheck_owner){ describe_look, get_issuer, on_look, s };
}
