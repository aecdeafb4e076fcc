/* SPDX-License-Identifier: BSD-2-Clause */
/* What act.c and its verbs share: act_change.c (kill, block, unblock), act_approve.c (held, approve,
 * deny) and act_look.c (sessions, blocks, status). */
#ifndef POSTERN_CONTROL_ACT_INNER_H
#define POSTERN_CONTROL_ACT_INNER_H

#include <postern-private/json.h>

#include "act.h"
#include "names.h"

struct act {
    struct control *control;
    control_role role;
    const struct peer *peer; /* who asks; of the connection, which outlives this */
    pid_t pid;
    uid_t uid;
    struct control_request rq;
    postern_err unread; /* why the line is no request; POSTERN_OK: it is one */
    postern_error error;
    char ref[POSTERN_REF_MAX];
    int64_t started_us;
    postern_buf reply;
    act_done done;
    void *arg;
    /* of a block or unblock */
    int64_t until_s;
    unsigned open; /* answers that are not there yet, and one while more may be asked */
    link_news door, helper;
    int64_t ended;
    /* of an approval */
    char user[256]; /* who asks, by name */
    size_t refusal;
    postern_buf logins_text; /* a JSON array; empty: not known */
};

/* Answer with what is in a->reply, and that is the end of it. */
void act_finish(struct act *a, control_end end);
void act_refuse(struct act *a, control_end end, const char *error, const char *message);
/* Answer that memory ran out, or whatever `err` says; logged. */
void act_fail(struct act *a, const char *error, const postern_error *err);
/* What there is to say of this request: `code` and the times are filled in already. */
struct audit_record act_record(const struct act *a, postern_err code);

/* "none" where no door is configured, else control_news_word(). */
const char *act_door_word(const struct control *c, link_news news);

/* A text of the door's answer into ours, under the name `as`; one that is not there is left out. */
void act_copy_text(const postern_json *j, uint32_t object, const char *name, const char *as,
                   postern_json_writer *w);
/* An object of it with these texts and numbers, NULL behind the last. */
void act_copy_object(const postern_json *j, uint32_t object, const char *const *texts,
                     const char *const *numbers, postern_json_writer *w);

void act_sessions(struct act *a);
void act_held(struct act *a);
void act_approve(struct act *a); /* and deny */
void act_blocks(struct act *a);
void act_status(struct act *a);
/* NULL: go on; else "error" of a refusal before anything is recorded, and its message. */
const char *act_cannot(const struct act *a, const char **ret_message);
/* The record is written: do it. */
void act_kill(struct act *a);
void act_block(struct act *a);

#endif
