/* SPDX-License-Identifier: BSD-2-Clause */
/* See holds.h.  A list, in the order of asking: people's hands keep it short. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "../names.h"
#include "holds.h"

enum text {
    ISSUER, CLIENT, AGENT, HUMAN, USER, SESSION, ACTION, DIGEST, DATABASE, RESOURCE, CLAIMED, TEXTS
};

struct hold {
    TAILQ_ENTRY(hold) entry;
    char ref[POSTERN_REF_MAX];
    hold_state state;
    char *texts[TEXTS]; /* into `room` */
    struct door_settings *settings; /* a reference */
    const struct door *door;
    postern_decision held[HOLDS_RULES_MAX];
    size_t held_count;
    int64_t asked_ms, until_ms; /* CLOCK_BOOTTIME */
    bool is_waited_for;
    bool is_gone; /* it counts, and nothing else */
    char approver[HOLDS_APPROVER_MAX], reason[POSTERN_BECAUSE_MAX];
    char room[];
};
TAILQ_HEAD(hold_list, hold);

struct holds {
    pthread_mutex_t lock;
    struct hold_list list;
    size_t count;
};

/* ---- entries ---- */

static void drop(struct holds *h, struct hold *x)
{
    TAILQ_REMOVE(&h->list, x, entry);
    h->count--;
    if (!x->is_gone)
        settings_unref(x->settings);
    free(x);
}

static void drop_old(struct holds *h, int64_t now_ms)
{
    struct hold *x = TAILQ_FIRST(&h->list), *next;

    for (; x != NULL; x = next) {
        next = TAILQ_NEXT(x, entry);
        if (now_ms >= x->until_ms)
            drop(h, x);
    }
}

/* Also what is gone: its place in the list is known. */
static struct hold *find_place(struct holds *h, const char *ref)
{
    struct hold *x;

    TAILQ_FOREACH (x, &h->list, entry)
        if (strcmp(x->ref, ref) == 0)
            return x;
    return NULL;
}

static struct hold *find(struct holds *h, const char *ref)
{
    struct hold *x = find_place(h, ref);

    return x == NULL || x->is_gone ? NULL : x;
}

static void fill_texts(const struct hold_request *rq, const char *ret[TEXTS])
{
    ret[ISSUER] = rq->issuer;
    ret[CLIENT] = rq->client;
    ret[AGENT] = rq->agent;
    ret[HUMAN] = rq->human;
    ret[USER] = rq->user;
    ret[SESSION] = rq->session;
    ret[ACTION] = rq->action;
    ret[DIGEST] = rq->digest;
    ret[DATABASE] = rq->database;
    ret[RESOURCE] = rq->resource;
    ret[CLAIMED] = rq->claimed_purpose;
    for (size_t i = 0; i < TEXTS; i++)
        if (ret[i] == NULL)
            ret[i] = "";
}

static bool is_same_agent(const struct hold *x, const char *const texts[TEXTS])
{
    return strcmp(x->texts[ISSUER], texts[ISSUER]) == 0 &&
           strcmp(x->texts[CLIENT], texts[CLIENT]) == 0 &&
           strcmp(x->texts[AGENT], texts[AGENT]) == 0;
}

static bool is_same_rules(const struct hold *x, const struct hold_request *rq)
{
    if (x->held_count != rq->held_count)
        return false;
    for (size_t i = 0; i < x->held_count; i++)
        if (strcmp(x->held[i].rule, rq->held[i].rule) != 0 ||
            strcmp(x->held[i].user_rule, rq->held[i].user_rule) != 0)
            return false;
    return true;
}

static bool is_same_request(const struct hold *x, const struct hold_request *rq,
                            const char *const texts[TEXTS])
{
    return is_same_agent(x, texts) && strcmp(x->texts[HUMAN], texts[HUMAN]) == 0 &&
           strcmp(x->texts[USER], texts[USER]) == 0 &&
           strcmp(x->texts[ACTION], texts[ACTION]) == 0 &&
           strcmp(x->texts[DIGEST], texts[DIGEST]) == 0 &&
           strcmp(x->texts[DATABASE], texts[DATABASE]) == 0 && x->settings == rq->settings &&
           x->door == rq->door && is_same_rules(x, rq);
}

/* A call that waits in its session is nobody else's; each of two alike has its own. */
static struct hold *find_request(struct holds *h, const struct hold_request *rq,
                                 const char *const texts[TEXTS])
{
    struct hold *x;

    TAILQ_FOREACH (x, &h->list, entry)
        if (!x->is_gone && !x->is_waited_for && is_same_request(x, rq, texts) &&
            (x->state != HOLD_WAITS || !rq->is_waited_for))
            return x;
    return NULL;
}

static size_t count_of(const struct holds *h, const char *const texts[TEXTS])
{
    const struct hold *x;
    size_t count = 0;

    TAILQ_FOREACH (x, &h->list, entry)
        count += is_same_agent(x, texts);
    return count;
}

static int64_t wait_ms_of(const struct hold_request *rq)
{
    int64_t wait_s = 0;

    for (size_t i = 0; i < rq->held_count; i++)
        if (rq->held[i].wait_s > 0 && (wait_s == 0 || rq->held[i].wait_s < wait_s))
            wait_s = rq->held[i].wait_s;
    return (wait_s == 0 ? HOLDS_WAIT_S : wait_s) * 1000;
}

static struct hold *make(const struct hold_request *rq, const char *const texts[TEXTS])
{
    size_t size = 0, len;
    struct hold *x;
    char *at;

    for (size_t i = 0; i < TEXTS; i++)
        size += strlen(texts[i]) + 1;
    x = calloc(1, sizeof *x + size);
    if (x == NULL || !make_ref(x->ref)) {
        free(x);
        return NULL;
    }
    at = x->room;
    for (size_t i = 0; i < TEXTS; at += len, i++) {
        len = strlen(texts[i]) + 1;
        memcpy(at, texts[i], len);
        x->texts[i] = at;
    }
    x->state = HOLD_WAITS;
    x->settings = settings_ref(rq->settings);
    x->door = rq->door;
    memcpy(x->held, rq->held, rq->held_count * sizeof *rq->held);
    x->held_count = rq->held_count;
    x->is_waited_for = rq->is_waited_for;
    return x;
}

static struct hold *add(struct holds *h, const struct hold_request *rq,
                        const char *const texts[TEXTS], int64_t now_ms)
{
    struct hold *x = NULL;

    if (rq->held_count != 0 && rq->held_count <= HOLDS_RULES_MAX && h->count < HOLDS_MAX &&
        count_of(h, texts) < HOLDS_AGENT_MAX)
        x = make(rq, texts);
    if (x == NULL)
        return NULL;
    x->asked_ms = now_ms;
    x->until_ms = now_ms + wait_ms_of(rq);
    TAILQ_INSERT_TAIL(&h->list, x, entry);
    h->count++;
    return x;
}

/* ---- asking ---- */

static hold_state answer(struct hold *x, int64_t now_ms, struct hold_answer *ret)
{
    memcpy(ret->ref, x->ref, sizeof ret->ref);
    memcpy(ret->approver, x->approver, sizeof ret->approver);
    memcpy(ret->reason, x->reason, sizeof ret->reason);
    ret->wait_ms = x->until_ms - now_ms;
    return x->state;
}

/* One use, or none yet. */
static void use_up(struct holds *h, struct hold *x, hold_use *use, void *use_arg,
                   struct hold_answer *ret)
{
    ret->is_kept = use != NULL && !use(use_arg);
    if (ret->is_kept)
        x->is_waited_for = false; /* its call is refused, and may be tried again */
    else
        drop(h, x);
}

static hold_state ask(struct holds *h, const struct hold_request *rq, int64_t now_ms,
                      struct hold_answer *ret)
{
    const char *texts[TEXTS];
    hold_state state;
    struct hold *x;

    fill_texts(rq, texts);
    drop_old(h, now_ms);
    x = find_request(h, rq, texts);
    if (x == NULL) {
        x = add(h, rq, texts, now_ms);
        ret->is_new = true;
    }
    if (x == NULL)
        return HOLD_REFUSED;
    state = answer(x, now_ms, ret);
    if (state == HOLD_APPROVED)
        use_up(h, x, rq->use, rq->use_arg, ret);
    return state;
}

hold_state holds_ask(struct holds *h, const struct hold_request *rq, int64_t now_ms,
                     struct hold_answer *ret)
{
    hold_state state;

    *ret = (struct hold_answer){ .ref = "" };
    pthread_mutex_lock(&h->lock);
    state = ask(h, rq, now_ms, ret);
    pthread_mutex_unlock(&h->lock);
    return state;
}

void holds_drop(struct holds *h, const char *ref)
{
    struct hold *x;

    pthread_mutex_lock(&h->lock);
    x = find(h, ref);
    if (x != NULL)
        drop(h, x);
    pthread_mutex_unlock(&h->lock);
}

void holds_withdraw(struct holds *h, const char *ref, int64_t now_ms)
{
    struct hold *x;

    pthread_mutex_lock(&h->lock);
    x = find(h, ref);
    if (x != NULL) {
        x->is_gone = true;
        if (x->until_ms > now_ms + HOLDS_GONE_S * 1000)
            x->until_ms = now_ms + HOLDS_GONE_S * 1000;
        settings_unref(x->settings);
        x->settings = NULL;
    }
    pthread_mutex_unlock(&h->lock);
}

static hold_state look(struct hold *x, const struct door_settings *settings, int64_t now_ms,
                       struct hold_answer *ret)
{
    *ret = (struct hold_answer){ .ref = "" };
    if (x == NULL || now_ms >= x->until_ms || x->settings != settings)
        return HOLD_REFUSED;
    return answer(x, now_ms, ret);
}

hold_state holds_look(struct holds *h, const char *ref, const struct door_settings *settings,
                      int64_t now_ms, struct hold_answer *ret)
{
    hold_state state;

    pthread_mutex_lock(&h->lock);
    state = look(find(h, ref), settings, now_ms, ret);
    pthread_mutex_unlock(&h->lock);
    return state;
}

hold_state holds_take(struct holds *h, const char *ref, const struct door_settings *settings,
                      int64_t now_ms, hold_use *use, void *use_arg, struct hold_answer *ret)
{
    hold_state state;
    struct hold *x;

    pthread_mutex_lock(&h->lock);
    x = find(h, ref);
    state = look(x, settings, now_ms, ret);
    if (state == HOLD_APPROVED)
        use_up(h, x, use, use_arg, ret);
    else if (x != NULL && state != HOLD_WAITS)
        drop(h, x);
    pthread_mutex_unlock(&h->lock);
    return state;
}

/* ---- control ---- */

/*
 * "Alice@EXAMPLE.ORG" of a token may well be alice of this machine.  Who is refused for that without
 * need asks a colleague; other names of his number are looked up by control.
 */
static bool is_same_person(const char *name, const char *user)
{
    size_t name_len = strcspn(name, "@"), user_len = strcspn(user, "@");

    return strcmp(name, user) == 0 ||
           (name_len != 0 && name_len == user_len &&
            strncasecmp(name, user, name_len) == 0);
}

static bool is_his_own(const struct hold *x, const char *user)
{
    static const enum text who[] = { CLIENT, AGENT, HUMAN, USER };

    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++)
        if (is_same_person(x->texts[who[i]], user))
            return true;
    return false;
}

static bool is_hold(const postern_policy *p, size_t rule)
{
    const postern_policy_subject nobody = { .user = NULL };
    const postern_policy_question q = { .size = sizeof q, .subject = &nobody };
    postern_policy_view v; /* its verdict alone; a question about nothing */

    return rule != POSTERN_POLICY_NO_RULE && postern_policy_look(p, &q, rule, &v) &&
           v.verdict == POSTERN_VERDICT_HOLD;
}

/* One that names an approver takes him alone; one that does not is content with nobody at all, and
 * then an administrator is wanted. */
static bool is_enough_for(const postern_policy *p, size_t rule, const struct hold_approver *who)
{
    const postern_policy_subject nobody = { .user = NULL };
    const postern_policy_subject subject = { .user = who->user,
                                             .groups = who->groups,
                                             .group_count = who->group_count };
    const postern_decision held = { .verdict = POSTERN_VERDICT_HOLD,
                                    .rule_index = rule,
                                    .user_rule_index = POSTERN_POLICY_NO_RULE };

    if (!is_hold(p, rule))
        return true;
    if (postern_policy_may_approve(p, &held, &nobody))
        return who->is_admin;
    return postern_policy_may_approve(p, &held, &subject);
}

static bool may_approve(const struct hold *x, const struct hold_approver *who)
{
    const postern_policy *p = x->door->policy;
    size_t holding = 0;

    for (size_t i = 0; i < x->held_count; i++) {
        holding += is_hold(p, x->held[i].rule_index) + is_hold(p, x->held[i].user_rule_index);
        if (!is_enough_for(p, x->held[i].rule_index, who) ||
            !is_enough_for(p, x->held[i].user_rule_index, who))
            return false;
    }
    return holding != 0;
}

static void put_hold(const struct hold *x, struct lease_clock now, postern_json_writer *w)
{
    postern_json_put_str(w, "ref", x->ref);
    postern_json_put_str(w, "door", x->door->name);
    postern_json_put_str(w, "session", x->texts[SESSION]);
    postern_json_put_str(w, "agent", x->texts[AGENT]);
    postern_json_put_str(w, "human", x->texts[HUMAN]);
    postern_json_put_str(w, "user", x->texts[USER]);
    postern_json_put_str(w, "client", x->texts[CLIENT]);
    postern_json_put_str(w, "issuer", x->texts[ISSUER]);
    postern_json_put_str(w, "action", x->texts[ACTION]);
    postern_json_put_str(w, "resource", x->texts[RESOURCE]);
    postern_json_put_str(w, "args_digest", x->texts[DIGEST]);
    if (x->texts[DATABASE][0] != '\0')
        postern_json_put_str(w, "database", x->texts[DATABASE]);
    postern_json_put_str(w, "claimed_purpose", x->texts[CLAIMED]);
    postern_json_put_str(w, "rule", x->held[0].rule);
    postern_json_put_str(w, "user_rule", x->held[0].user_rule);
    postern_json_put_str(w, "state",
                         x->state == HOLD_WAITS      ? "waits"
                         : x->state == HOLD_APPROVED ? "approved"
                                                     : "denied");
    postern_json_put_str(w, "approver", x->approver);
    postern_json_put_integer(w, "asked", now.now_s - (now.boot_ms - x->asked_ms) / 1000);
    postern_json_put_integer(w, "until", now.now_s + (x->until_ms - now.boot_ms) / 1000);
}

static postern_err judge(const struct hold *x, const struct hold_approver *who, int64_t now_ms,
                         postern_error *err)
{
    if (x == NULL || x->state != HOLD_WAITS || now_ms >= x->until_ms)
        return POSTERN_FAIL(err, HANDLE, "nothing of that reference waits for approval");
    if (who->user[0] == '\0')
        return POSTERN_FAIL(err, PEER_NOT_ALLOWED, "this user has no name here");
    if (is_his_own(x, who->user))
        return POSTERN_FAIL(err, AUTHZID, "nobody approves his own request");
    if (!may_approve(x, who))
        return POSTERN_FAIL(err, PEER_NOT_ALLOWED, "rule %s wants somebody else's approval",
                            x->held[0].rule);
    return POSTERN_OK;
}

postern_err holds_judge(struct holds *h, const char *ref, const struct hold_approver *who,
                        struct lease_clock now, postern_json_writer *w, postern_error *err)
{
    struct hold *x;
    postern_err e;

    pthread_mutex_lock(&h->lock);
    x = find(h, ref);
    e = judge(x, who, now.boot_ms, err);
    if (x != NULL)
        put_hold(x, now, w);
    pthread_mutex_unlock(&h->lock);
    return e;
}

static void copy_text(char *ret, size_t room, const char *text)
{
    size_t len = strnlen(text, room - 1);

    memcpy(ret, text, len);
    ret[len] = '\0';
}

bool holds_settle(struct holds *h, const char *ref, bool is_approved, const char *approver,
                  const char *reason, int64_t now_ms)
{
    bool is_done = false;
    struct hold *x;

    pthread_mutex_lock(&h->lock);
    x = find(h, ref);
    if (x != NULL && x->state == HOLD_WAITS && now_ms < x->until_ms) {
        x->state = is_approved ? HOLD_APPROVED : HOLD_DENIED;
        copy_text(x->approver, sizeof x->approver, approver);
        copy_text(x->reason, sizeof x->reason, reason);
        is_done = true;
    }
    pthread_mutex_unlock(&h->lock);
    return is_done;
}

static struct hold *next_there(struct hold *x)
{
    while (x != NULL && x->is_gone)
        x = TAILQ_NEXT(x, entry);
    return x;
}

/* Behind `after`; when that is nowhere (any more), from the first on. */
static struct hold *first_behind(struct holds *h, const char *after)
{
    struct hold *x = find_place(h, after);

    return next_there(x == NULL ? TAILQ_FIRST(&h->list) : TAILQ_NEXT(x, entry));
}

void holds_list(struct holds *h, const char *after, size_t limit, struct lease_clock now,
                postern_json_writer *w)
{
    struct hold *x;

    pthread_mutex_lock(&h->lock);
    drop_old(h, now.boot_ms);
    postern_json_open_array(w, "held");
    for (x = first_behind(h, after); x != NULL && limit > 0; limit--) {
        postern_json_open_object(w, NULL);
        put_hold(x, now, w);
        postern_json_close_object(w);
        x = next_there(TAILQ_NEXT(x, entry));
    }
    postern_json_close_array(w);
    postern_json_put_flag(w, "more", x != NULL);
    pthread_mutex_unlock(&h->lock);
}

/* ---- life ---- */

postern_err holds_new(struct holds **ret, postern_error *err)
{
    struct holds *h = calloc(1, sizeof *h);

    if (h == NULL || pthread_mutex_init(&h->lock, NULL) != 0) {
        free(h);
        return POSTERN_FAIL(err, NOMEM, "what waits for approval");
    }
    TAILQ_INIT(&h->list);
    *ret = h;
    return POSTERN_OK;
}

void holds_free(struct holds *h)
{
    if (h == NULL)
        return;
    while (!TAILQ_EMPTY(&h->list))
        drop(h, TAILQ_FIRST(&h->list));
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}
