/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of one request; see act.h.  The order is the decision's: it can be read, this user may,
 * it can be done at all, the audit record is written, it is done.  A change without its record does
 * not happen.
 */
#include "act_inner.h"

#include <stdlib.h>

#include <postern-private/clock.h>

#include "log.h"

const char *control_news_word(link_news news)
{
    return news == LINK_KNOWS ? "knows" : news == LINK_SILENT ? "silent" : "away";
}

const char *act_door_word(const struct control *c, link_news news)
{
    return news == LINK_AWAY && !c->has_doors ? "none" : control_news_word(news);
}

/* ---- the answer ---- */

void act_write_refusal(postern_buf *out, const char *error, const char *message)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", false);
    postern_json_put_str(&w, "error", error);
    postern_json_put_str(&w, "message", message);
    postern_json_close_object(&w);
}

void act_finish(struct act *a, control_end end)
{
    if (a->reply.failed) {
        end = CONTROL_FAILED;
        log_problem("administration: out of memory for a reply");
        postern_buf_reset(&a->reply);
        act_write_refusal(&a->reply, "failed", "Out of memory for the reply.");
    }
    a->control->requests[a->rq.verb][end]++;
    a->done(a->arg, a->reply.failed ? POSTERN_BYTES_NONE : postern_buf_bytes(&a->reply));
}

void act_refuse(struct act *a, control_end end, const char *error, const char *message)
{
    postern_buf_reset(&a->reply);
    act_write_refusal(&a->reply, error, message);
    act_finish(a, end);
}

void act_fail(struct act *a, const char *error, const postern_error *err)
{
    log_error("administration", err);
    act_refuse(a, CONTROL_FAILED, error, err->detail);
}

/* ---- the record ---- */

static const struct {
    const char *by, *action;
} kill_actions[] = {
    { "session", "kill:session" }, { "sub", "kill:sub" },     { "client", "kill:client" },
    { "jti", "kill:jti" },         { "agent", "kill:agent" },
};

/* Looking is recorded when it was denied, and only then. */
static bool is_change(control_verb verb)
{
    return verb == CONTROL_KILL || verb == CONTROL_BLOCK || verb == CONTROL_UNBLOCK;
}

static const char *action_of(const struct control_request *rq)
{
    if (!is_change(rq->verb))
        return control_verb_name(rq->verb);
    for (size_t i = 0; rq->by != NULL && i < sizeof kill_actions / sizeof *kill_actions; i++)
        if (strcmp(kill_actions[i].by, rq->by) == 0)
            return kill_actions[i].action;
    return NULL;
}

static bool is_by(const struct control_request *rq, const char *by)
{
    return rq->by != NULL && strcmp(rq->by, by) == 0;
}

struct audit_record act_record(const struct act *a, postern_err code)
{
    const struct control_request *rq = &a->rq;

    return (struct audit_record){
        .time_ms = clock_wall_ms(),
        .event = is_change(rq->verb) ? control_verb_name(rq->verb) : "control",
        .ref = a->ref,
        .pid = a->pid,
        .uid = a->uid,
        .code = code,
        .detail = code == POSTERN_OK ? NULL : a->error.detail,
        .latency_us = clock_mono_us() - a->started_us,
        .session = is_by(rq, "session") ? rq->value : NULL,
        .agent = is_by(rq, "agent") ? rq->value : rq->agent,
        .action = action_of(rq),
        .resource = rq->value,
        .because = rq->reason,
        .until_s = a->until_s,
    };
}

/* ---- who may not ---- */

static void answer_denied(struct act *a)
{
    act_refuse(a, CONTROL_DENIED, "not_allowed",
               a->role == CONTROL_WATCHER
                   ? "This user may look and not change: control_admins: in postern.conf says who "
                     "may."
                   : "This user may not administer posternd: control_admins: and control_watchers: "
                     "in postern.conf say who may.");
}

static void on_denial_recorded(void *arg, postern_err e, const postern_error *err)
{
    if (e != POSTERN_OK)
        log_error("administration: the record of a denial", err);
    answer_denied(arg); /* a denial needs no record to be one */
}

/* Everybody may connect: a flood of strangers must not fill the disk. */
static void deny(struct act *a)
{
    struct control *c = a->control;
    struct audit_record r;
    postern_error err = { 0 };
    int64_t missed = 0;

    (void)POSTERN_FAIL(&a->error, PEER_NOT_ALLOWED, "%s is not for uid %ju (%s here)",
                       control_verb_name(a->rq.verb), (uintmax_t)a->uid,
                       control_role_name(a->role)); /* for the record */
    if (!quota_take(&c->denials, clock_mono_us(), &missed)) {
        answer_denied(a);
        return;
    }
    log_problem("administration: %s (pid %jd)", a->error.detail, (intmax_t)a->pid);
    r = act_record(a, POSTERN_ERR_PEER_NOT_ALLOWED);
    r.setting = "control_admins";
    r.origin = postern_section_origin(c->settings, r.setting);
    r.missed = missed;
    if (audit_line_send(c->audit, &r, on_denial_recorded, a, &err) != POSTERN_OK)
        on_denial_recorded(a, POSTERN_ERR_AUDIT, &err);
}

/* ---- changes ---- */

static void fail_audit(struct act *a, const postern_error *err)
{
    log_error("administration", err);
    act_refuse(
        a, CONTROL_FAILED, "audit",
        "The audit record could not be written, so nothing was changed: see posternd's log.");
}

static void on_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct act *a = arg;

    if (e != POSTERN_OK)
        fail_audit(a, err);
    else if (a->rq.verb == CONTROL_KILL)
        act_kill(a);
    else
        act_block(a);
}

static void change(struct act *a)
{
    struct audit_record r;
    postern_error err = { 0 };
    const char *message = NULL, *error = act_cannot(a, &message);

    if (error != NULL) {
        act_refuse(a, CONTROL_REFUSED, error, message);
        return;
    }
    if (a->rq.for_s != 0)
        a->until_s = clock_wall_s() + a->rq.for_s;
    r = act_record(a, POSTERN_OK);
    if (audit_line_send(a->control->audit, &r, on_recorded, a, &err) != POSTERN_OK)
        fail_audit(a, &err);
}

/* ---- life ---- */

static void (*const verb_functions[CONTROL_VERBS])(struct act *a) = {
    [CONTROL_SESSIONS] = act_sessions, [CONTROL_KILL] = change,       [CONTROL_BLOCK] = change,
    [CONTROL_UNBLOCK] = change,        [CONTROL_BLOCKS] = act_blocks, [CONTROL_STATUS] = act_status,
    [CONTROL_HELD] = act_held,         [CONTROL_APPROVE] = act_approve, [CONTROL_DENY] = act_approve,
};

struct act *act_new(struct control *c, const struct peer *peer, control_role role,
                    postern_bytes line, act_done done, void *arg)
{
    struct act *a = calloc(1, sizeof *a);

    if (a == NULL)
        return NULL;
    a->control = c;
    a->role = role;
    a->peer = peer;
    a->pid = peer->pid;
    a->uid = peer->uid;
    a->done = done;
    a->arg = arg;
    a->started_us = clock_mono_us();
    a->reply = POSTERN_BUF_INIT(CONTROL_REPLY_MAX);
    a->logins_text = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    if (!make_ref(a->ref)) {
        act_free(a);
        return NULL;
    }
    a->unread = control_request_parse(line, &a->rq, &a->error);
    return a;
}

void act_start(struct act *a)
{
    if (a->unread == POSTERN_ERR_NOMEM)
        act_fail(a, "failed", &a->error);
    else if (a->unread == POSTERN_OK ? !control_may(a->role, a->rq.verb)
                                     : a->role == CONTROL_NOBODY)
        deny(a);
    else if (a->unread != POSTERN_OK)
        act_refuse(a, CONTROL_REFUSED, "bad_request", a->error.detail);
    else
        verb_functions[a->rq.verb](a);
}

void act_free(struct act *a)
{
    if (a == NULL)
        return;
    link_cancel(a->control->door, a);
    link_cancel(a->control->helper, a);
    audit_line_cancel(a->control->audit, a);
    postern_buf_free(&a->reply);
    postern_buf_free(&a->logins_text);
    free(a);
}
