/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * approve and deny: the door says what is held and whether this user may, the record is written, the
 * door is told; see act_inner.h.  Everybody may ask: who may approve is the rules' to say, and in most
 * places it is nobody who administers posternd.  Names of the user and his groups are looked up here,
 * once for each request (doc/decisions/0101-who-approves.md).
 */
#include "act_inner.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include <postern-private/clock.h>

#include "log.h"

#define ENTRY_MAX      16384 /* bytes of a line of passwd or group: a group of a thousand members */
#define GROUPS_TEXT_MAX 8192 /* as the door reads them; more do not count */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- who asks ---- */

/* False: he has no name here. */
static bool name_user(uid_t uid, char *ret, size_t size)
{
    char room[ENTRY_MAX];
    struct passwd entry, *found = NULL;
    size_t len;

    if (getpwuid_r(uid, &entry, room, sizeof room, &found) != 0 || found == NULL)
        return false;
    len = strlen(found->pw_name);
    if (len == 0 || len >= size)
        return false;
    memcpy(ret, found->pw_name, len + 1);
    return true;
}

static void add_group(gid_t gid, postern_buf *out)
{
    static char room[ENTRY_MAX]; /* one thread */
    struct group entry, *found = NULL;

    if (getgrgid_r(gid, &entry, room, sizeof room, &found) != 0 || found == NULL ||
        strchr(found->gr_name, ':') != NULL || out->len + strlen(found->gr_name) + 2 > out->max)
        return; /* a group without a name is no rule's */
    if (out->len != 0)
        postern_buf_add_byte(out, ':');
    postern_buf_add_str(out, found->gr_name);
}

/* As the kernel knew them when he connected. */
static void name_groups(const struct peer *p, postern_buf *out)
{
    add_group(p->gid, out);
    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i] != p->gid)
            add_group(p->groups[i], out);
}

/* ---- answers ---- */

static const struct {
    const char *word, *message;
    postern_err code;
} refusals[] = {
    { "not_held", "Nothing of that reference waits for approval (any more): `postern held`.",
      POSTERN_OK },
    { "own_request", "Nobody approves his own request.", POSTERN_ERR_AUTHZID },
    { "not_allowed", "The rule that holds this (`postern held`) wants somebody else's approval: its "
      "`approver`, or without one control_admins:, says whose.",
      POSTERN_ERR_PEER_NOT_ALLOWED },
};

#define OWN_REQUEST 1 /* of these */

static void answer_refusal(struct act *a)
{
    size_t i = a->refusal < COUNT(refusals) ? a->refusal : COUNT(refusals) - 1;

    act_refuse(a, i == 0 ? CONTROL_REFUSED : CONTROL_DENIED, refusals[i].word, refusals[i].message);
}

static bool is_approval(const struct act *a)
{
    return a->rq.verb == CONTROL_APPROVE;
}

static void answer_done(struct act *a)
{
    postern_json_writer w = { &a->reply, false };

    log_note("%s %s %s", a->user, is_approval(a) ? "approved" : "denied", a->rq.ref);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "held", a->rq.ref);
    postern_json_put_str(&w, "by", a->user);
    postern_json_put_str(&w, "ref", a->ref);
    postern_json_close_object(&w);
    act_finish(a, CONTROL_DONE);
}

/* ---- the door is told ---- */

/* The record says that it was done; this one says that it was not. */
static void take_back(struct act *a, const char *what)
{
    struct audit_record r;
    postern_error err = { 0 };

    (void)POSTERN_FAIL(&a->error, HANDLE, "%s", what); /* for the record */
    r = act_record(a, POSTERN_ERR_HANDLE);
    r.event = "approve";
    r.approver = a->user;
    if (audit_line_send(a->control->audit, &r, NULL, NULL, &err) != POSTERN_OK)
        log_error("administration: the record of a failure", &err);
}

static void on_settled(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;
    int64_t is_settled = 0;

    if (news == LINK_KNOWS && channel_integer(answer, "settled", &is_settled) && is_settled == 1) {
        answer_done(a);
        return;
    }
    take_back(a, news == LINK_KNOWS ? "it waits no more" : "the door child does not answer");
    if (news == LINK_KNOWS)
        act_refuse(a, CONTROL_REFUSED, refusals[0].word, refusals[0].message);
    else
        act_refuse(a, CONTROL_FAILED, "door_silent",
                   "The door child does not answer: whether it is approved is not known.");
}

static void settle(struct act *a)
{
    const struct link_member members[] = {
        { "ref", a->rq.ref, 0 },
        { "user", a->user, 0 },
        { "reason", a->rq.reason, 0 },
        { "approve", NULL, is_approval(a) },
    };

    link_ask(a->control->door, "settle", members, COUNT(members), on_settled, a);
}

/* ---- the record ---- */

static void on_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct act *a = arg;

    if (e == POSTERN_OK) {
        settle(a);
        return;
    }
    log_error("administration", err);
    act_refuse(a, CONTROL_FAILED, "audit",
               "The audit record could not be written, so nothing was approved or denied: see "
               "posternd's log.");
}

static void on_refusal_recorded(void *arg, postern_err e, const postern_error *err)
{
    if (e != POSTERN_OK)
        log_error("administration: the record of a denial", err);
    answer_refusal(arg);
}

/* What the door said of it. */
struct held_texts {
    char agent[CONTROL_NAME_MAX], human[CONTROL_NAME_MAX], door[CONTROL_ID_MAX];
    char session[CONTROL_ID_MAX], action[320], resource[1024], database[24], digest[64], rule[160];
};

static void read_texts(const struct channel *c, struct held_texts *ret)
{
    *ret = (struct held_texts){ .agent = "" };
    (void)channel_text(c, "agent", ret->agent, sizeof ret->agent); /* absent ones stay empty */
    (void)channel_text(c, "human", ret->human, sizeof ret->human);
    (void)channel_text(c, "door", ret->door, sizeof ret->door);
    (void)channel_text(c, "session", ret->session, sizeof ret->session);
    (void)channel_text(c, "action", ret->action, sizeof ret->action);
    (void)channel_text(c, "resource", ret->resource, sizeof ret->resource);
    (void)channel_text(c, "database", ret->database, sizeof ret->database);
    (void)channel_text(c, "args_digest", ret->digest, sizeof ret->digest);
    (void)channel_text(c, "rule", ret->rule, sizeof ret->rule);
}

static postern_err put_on_record(struct act *a, const struct channel *c, postern_err code,
                                 audit_done done, postern_error *err)
{
    struct held_texts t;
    struct audit_record r = act_record(a, code);

    read_texts(c, &t);
    r.event = "approve";
    r.approver = a->user;
    r.service = t.door;
    r.session = t.session;
    r.agent = t.agent;
    r.human = t.human;
    r.action = t.action;
    r.resource = t.resource;
    r.database = t.database;
    r.args_digest = t.digest;
    r.rule = t.rule;
    return audit_line_send(a->control->audit, &r, done, a, err);
}

static void record_it(struct act *a, const struct channel *c)
{
    postern_error err = { 0 };
    postern_err code = POSTERN_OK;

    if (!is_approval(a))
        code = POSTERN_FAIL(&a->error, POLICY, "%s denied %s", a->user, a->rq.ref);
    if (put_on_record(a, c, code, on_recorded, &err) != POSTERN_OK)
        on_recorded(a, POSTERN_ERR_AUDIT, &err);
}

/* Everybody may try: a flood of strangers must not fill the disk. */
static void refuse(struct act *a, const struct channel *c, size_t which)
{
    int64_t missed = 0;
    postern_error err = { 0 };

    a->refusal = which;
    if (refusals[which].code == POSTERN_OK ||
        !quota_take(&a->control->denials, clock_mono_us(), &missed)) {
        answer_refusal(a);
        return;
    }
    (void)channel_text(c, "detail", a->error.detail, sizeof a->error.detail); /* for the record */
    if (put_on_record(a, c, refusals[which].code, on_refusal_recorded, &err) != POSTERN_OK)
        on_refusal_recorded(a, POSTERN_ERR_AUDIT, &err);
}

/* Does this name, too, stand for the number of him who asks? */
static bool is_his_name(const struct act *a, const char *name)
{
    char room[ENTRY_MAX];
    struct passwd entry, *found = NULL;

    return name[0] != '\0' && getpwnam_r(name, &entry, room, sizeof room, &found) == 0 &&
           found != NULL && found->pw_uid == a->uid;
}

/* The door compares names, and one user of this machine may have several. */
static bool is_own_request(const struct act *a, const struct channel *c)
{
    static const char *const members[] = { "user", "human", "agent", "client" };
    char name[CONTROL_NAME_MAX];

    for (size_t i = 0; i < COUNT(members); i++)
        if (channel_text(c, members[i], name, sizeof name) && is_his_name(a, name))
            return true;
    return false;
}

static void on_hold(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;
    char verdict[32] = "";

    if (news == LINK_AWAY) {
        act_refuse(a, CONTROL_FAILED, a->control->has_doors ? "door_away" : "no_doors",
                   a->control->has_doors ? "The door child is away at the moment. Try again."
                                         : "No door is configured here: nothing can be held.");
        return;
    }
    if (news == LINK_SILENT || !channel_type_is(answer, "hold") ||
        !channel_text(answer, "verdict", verdict, sizeof verdict)) {
        act_refuse(a, CONTROL_FAILED, "door_silent", "The door child does not answer.");
        return;
    }
    if (strcmp(verdict, "may") == 0) {
        if (is_own_request(a, answer))
            refuse(a, answer, OWN_REQUEST);
        else
            record_it(a, answer);
        return;
    }
    for (size_t i = 0; i + 1 < COUNT(refusals); i++)
        if (strcmp(verdict, refusals[i].word) == 0) {
            refuse(a, answer, i);
            return;
        }
    refuse(a, answer, COUNT(refusals) - 1);
}

void act_approve(struct act *a)
{
    POSTERN_AUTO_BUF groups = POSTERN_BUF_INIT(GROUPS_TEXT_MAX);
    const struct link_member *members;

    if (!name_user(a->uid, a->user, sizeof a->user)) {
        act_refuse(a, CONTROL_DENIED, "not_allowed", "Who asks has no user name on this machine.");
        return;
    }
    name_groups(a->peer, &groups);
    members = (const struct link_member[]){
        { "ref", a->rq.ref, 0 },
        { "user", a->user, 0 },
        { "groups", groups.len == 0 || groups.failed ? "" : postern_buf_cstr(&groups), 0 },
        { "admin", NULL, a->role == CONTROL_ADMIN },
    };
    link_ask(a->control->door, "hold", members, 4, on_hold, a);
}

/* ---- what waits ---- */

static const char *const held_names[] = { "ref",      "door",  "session", "agent",       "human",
                                          "client",   "issuer", "action", "resource",    "rule",
                                          "user_rule", "state", "approver", "args_digest",
                                          "claimed_purpose", "database", NULL };
static const char *const held_numbers[] = { "asked", "until", NULL };

static void write_held(struct act *a, const postern_json *j)
{
    postern_json_writer w = { &a->reply, false };
    uint32_t list = postern_json_member(j, 0, "held"), last = POSTERN_JSON_ABSENT;
    bool has_more = postern_json_type_of(j, postern_json_member(j, 0, "more")) == POSTERN_JSON_TRUE;

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "held");
    for (uint32_t n = postern_json_first(j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        last = n;
        act_copy_object(j, n, held_names, held_numbers, &w);
    }
    postern_json_close_array(&w);
    if (has_more && last != POSTERN_JSON_ABSENT)
        act_copy_text(j, last, "ref", "next", &w);
    postern_json_close_object(&w);
}

static void on_held(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;

    if (news == LINK_AWAY && !a->control->has_doors) {
        postern_buf_add_str(&a->reply, "{\"ok\":true,\"held\":[]}");
        act_finish(a, CONTROL_DONE);
    } else if (news == LINK_AWAY) {
        act_refuse(a, CONTROL_FAILED, "door_away", "The door child is away at the moment.");
    } else if (news == LINK_SILENT || !channel_type_is(answer, "held")) {
        act_refuse(a, CONTROL_FAILED, "door_silent", "The door child does not answer.");
    } else {
        write_held(a, channel_message(answer));
        act_finish(a, CONTROL_DONE);
    }
}

void act_held(struct act *a)
{
    const struct link_member members[] = { { "after", a->rq.after, 0 },
                                           { "limit", NULL, CONTROL_HELD_PAGE } };

    link_ask(a->control->door, "held", members, COUNT(members), on_held, a);
}
