/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a policy holds until somebody approves it: one table for all loops of a door process, under
 * one mutex.  An approval is for one request and one use: whose it is, at which door, the action, the
 * digest of its arguments and the rules that hold it.  It is judged by the settings that it was held
 * under, and void when there are others.
 */
#ifndef POSTERN_SIDECAR_DOOR_HOLDS_H
#define POSTERN_SIDECAR_DOOR_HOLDS_H

#include <postern-private/json.h>

#include "actions.h"
#include "settings.h"

/* Of all agents, and of one: people read the list, and one agent must not fill it. */
#define HOLDS_MAX       1024
#define HOLDS_AGENT_MAX 16
/* Rules that may hold one action at one time; more are a refusal. */
#define HOLDS_RULES_MAX 4
/* Where the rule says no `wait`: somebody looks at his messages. */
#define HOLDS_WAIT_S 600
/* What is wanted no more is gone for everybody at once, and one of its agent's for so long still:
 * each has records, and whoever asks and cancels all day must not fill the disk. */
#define HOLDS_GONE_S 60
#define HOLDS_PAGE_MAX 50 /* of one answer: some 900 bytes each */
#define HOLDS_APPROVER_MAX 256 /* bytes with NUL of a local user's name */

/*
 * What an approved request needs besides its approval: taken together with it, or neither.  False:
 * it may not be now.  Under the table's lock, so that an approval passes once; asks nothing of holds.
 */
typedef bool hold_use(void *arg);

/* Borrowed. */
struct hold_request {
    const char *issuer, *client, *agent, *human, *user; /* "" when there is none */
    const char *session, *action, *digest, *database, *resource, *claimed_purpose;
    struct door_settings *settings;
    const struct door *door;
    const postern_decision *held; /* by these */
    size_t held_count;
    bool is_waited_for; /* its call waits in its session (holds_take()), and is not tried again */
    hold_use *use;      /* APPROVED; NULL: it needs nothing more */
    void *use_arg;
};

typedef enum hold_state {
    HOLD_REFUSED = 0, /* there is no room, or no memory */
    HOLD_WAITS,
    HOLD_APPROVED,
    HOLD_DENIED
} hold_state;

struct hold_answer {
    char ref[POSTERN_REF_MAX];
    char approver[HOLDS_APPROVER_MAX]; /* APPROVED, DENIED */
    char reason[POSTERN_BECAUSE_MAX];  /* likewise */
    bool is_new;                       /* WAITS: nobody knows of it yet */
    int64_t wait_ms;                   /* WAITS: so long at most */
    bool is_kept; /* APPROVED, but `use` said no: the approval is good for another try, once */
};

struct holds;
POSTERN_MUST_USE postern_err holds_new(struct holds **ret, postern_error *err);
void holds_free(struct holds *h); /* NULL is fine */

/* APPROVED is used up by this, unless it is_kept. */
hold_state holds_ask(struct holds *h, const struct hold_request *rq, int64_t now_ms,
                     struct hold_answer *ret);
/* As if it had never been there.  Fine when it is gone. */
void holds_drop(struct holds *h, const char *ref);
/* Whoever asked for it wants it no more: nobody approves it now, and nobody uses an approval that
 * was there already.  Fine when it is gone. */
void holds_withdraw(struct holds *h, const char *ref, int64_t now_ms);
/* Of a call that waits: was it settled, and as what?
 * REFUSED: it is not there, its time is over, or there are other settings. */
hold_state holds_look(struct holds *h, const char *ref, const struct door_settings *settings,
                      int64_t now_ms, struct hold_answer *ret);
/* The same, and it is forgotten unless it WAITS; an approval that is_kept is for the same request
 * when that is tried again.  `use` as hold_request's. */
hold_state holds_take(struct holds *h, const char *ref, const struct door_settings *settings,
                      int64_t now_ms, hold_use *use, void *use_arg, struct hold_answer *ret);

/* ---- for control ---- */

struct hold_approver {
    const char *user;
    const char *const *groups;
    size_t group_count;
    bool is_admin;
};
/*
 * May he, and append to an open object what it is about.
 *   POSTERN_OK · POSTERN_ERR_HANDLE (no such thing waits) · POSTERN_ERR_AUTHZID (it is his own
 *   request) · POSTERN_ERR_PEER_NOT_ALLOWED
 */
POSTERN_MUST_USE postern_err holds_judge(struct holds *h, const char *ref,
                                         const struct hold_approver *who, struct lease_clock now,
                                         postern_json_writer *w, postern_error *err);
/* Approve or deny what waits.  False: it does not (any more). */
bool holds_settle(struct holds *h, const char *ref, bool is_approved, const char *approver,
                  const char *reason, int64_t now_ms);
/* Append "held" (those behind `after`, at most `limit`) and "more" to an open object. */
void holds_list(struct holds *h, const char *after, size_t limit, struct lease_clock now,
                postern_json_writer *w);

#endif
