/* SPDX-License-Identifier: BSD-2-Clause */
/* What a judged session did, as audit records: one for each action, or counted, or summed up. */
#ifndef POSTERN_SIDECAR_DOOR_ACTION_RECORD_H
#define POSTERN_SIDECAR_DOOR_ACTION_RECORD_H

#include "actions.h"

/* Whose it is; borrowed. */
struct action_session {
    const char *id, *door, *peer;
    const postern_grant *grant;
};
struct action_session action_session_of(const struct session *s);

/* What is known of one action; texts are borrowed. */
struct action_facts {
    char action[ACTIONS_NAME_MAX];
    char ref[POSTERN_REF_MAX];
    char digest[ARGS_DIGEST_MAX];
    char database[ACTIONS_DATABASE_MAX]; /* its number; "": the only or the first one */
    postern_bytes resource; /* the one that decided; ptr NULL: not known */
    size_t count;           /* of resources, with those that cannot be named as one; 0: none */
    const char *claimed_purpose, *would, *approver;
    const char *event; /* NULL: "action" */
    postern_decision decision;
    postern_error error;
};

/* Any bytes as text: what is no UTF-8, and control characters, as \xNN; "" when not known. */
void action_resource_text(postern_bytes from, char ret[ACTIONS_RESOURCE_MAX]);
/* As audit_line_send_together(). */
POSTERN_MUST_USE postern_err action_record(struct loop *l, const struct action_session *s,
                                           const struct action_facts *f, postern_err code,
                                           audit_done done, void *arg, postern_error *err);
/* An allowed one into the loop's tally.  False: it needs a record. */
bool action_count(struct loop *l, const struct action_session *s, const struct action_facts *f);

/* Refusals of one session beyond those that have a record each. */
struct action_refusals {
    bool is_begun;
    int64_t tokens_ms; /* what may be spent: ACTIONS_REFUSED_REFILL_MS a record */
    int64_t as_of_ms, since_ms;
    int64_t count; /* without a record, since since_ms */
    postern_err first, last;
};
/* True: this one has a record of its own. */
bool action_refusals_note(struct action_refusals *r, postern_err code, int64_t now_ms);
/* The summary, when it is due; `is_last`: or there is one. */
void action_refusals_write(struct loop *l, const struct action_session *s,
                           struct action_refusals *r, int64_t now_ms, bool is_last);

#endif
