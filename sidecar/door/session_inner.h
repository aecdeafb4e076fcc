/* SPDX-License-Identifier: BSD-2-Clause */
/* What session.c (its life) and session_judge.c (whether it may live on) share; nobody else's. */
#ifndef POSTERN_SIDECAR_DOOR_SESSION_INNER_H
#define POSTERN_SIDECAR_DOOR_SESSION_INNER_H

#include "actions.h"
#include "recheck.h"
#include "renew_within.h"
#include "session.h"

struct session {
    struct registry_entry entry; /* first: the registry finds us by it */
    LIST_ENTRY(session)   in_loop;
    struct loop          *loop;
    struct door_settings *settings;
    const struct door    *door;
    struct relay         *relay; /* one of them when it is open; */
    struct inspect       *inspect; /* this one where every action is judged, */
    struct actions       *actions; /* by these */
    struct renew_within  *renewal; /* NULL: none is on its way */
    struct backend_session *backend; /* NULL: the backend knows nothing of tokens */
    struct session_waiter waiter;
    struct recheck        recheck; /* without a token: its issuer is not asked about it */
    bool                  is_registered;
    int64_t               since_boot_ms;
    char                  source[64]; /* literal address; "": unix socket */
    char                  rule[POSTERN_POLICY_LABEL_MAX], user_rule[POSTERN_POLICY_LABEL_MAX];
};

/* The labels of the rules that decided last, for its record. */
void session_copy_rules(struct session *s, const postern_decision *decision);

/* s->entry.grant is another one than this: whoever looks into the old one looks again. */
void session_grant_changed(struct session *s, postern_grant *take_old);

/* Once, when s->loop is set. */
void session_judge_begin(struct session *s);
/* As session_judge(), but ends nothing: POSTERN_OK, or why it may not be, or why nobody can say. */
POSTERN_MUST_USE postern_err session_judge_now(struct session *s, postern_failure *ret_failure,
                                               postern_error *err);
/* At each tick: is its issuer's word of its token recent enough?  True: it ended. */
bool session_keep_up_word(struct session *s, struct lease_clock now);

#endif
