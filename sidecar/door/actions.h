/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one session wants to do, action by action (inspect.h): judged by its door's policy of now, put
 * on record, and only then let through.  On its loop.
 */
#ifndef POSTERN_SIDECAR_DOOR_ACTIONS_H
#define POSTERN_SIDECAR_DOOR_ACTIONS_H

#include "inspect.h"
#include "loop.h"

/* Refusals of one session that have a record of their own at once, and one more in each of these;
 * the others are counted, and a summary says how many, each ACTIONS_SUMMARY_MS and at the end.  An
 * agent that is refused all the time must not fill the disk, after which nobody may do anything. */
#define ACTIONS_REFUSED_BURST     60
#define ACTIONS_REFUSED_REFILL_MS 1000
#define ACTIONS_SUMMARY_MS        10000
/* "redis:" and the longest name of an action. */
#define ACTIONS_NAME_MAX (POSTERN_POLICY_TEXT_MAX + 24)
/* Bytes with NUL of a database's number: nineteen digits at most. */
#define ACTIONS_DATABASE_MAX 24
/* Bytes with NUL of a resource in a record; longer ones are cut there. */
#define ACTIONS_RESOURCE_MAX 513

struct actions;
/*
 * Of this session, whose grant, door and settings are asked anew for each action.
 *   POSTERN_OK · POSTERN_ERR_NOMEM · those of postern_policy_subject_of()
 */
POSTERN_MUST_USE postern_err actions_new(struct session *s, struct actions **ret,
                                         postern_error *err);
void actions_free(struct actions *a); /* before its inspect; NULL is fine */
/* Where verdicts go; before the first action. */
void actions_set_inspect(struct actions *a, struct inspect *i);
/* The session's grant is another one now: who asks is read from it again. */
void actions_take_grant(struct actions *a);
/* Its settings, and with them its policy, are others now. */
void actions_note_settings(struct actions *a);
/* Every LOOP_TICK_MS: summaries that are due, holds that have waited too long. */
void actions_tick(struct actions *a, struct lease_clock now);

/* The session ends, or one side of it has: what is held is wanted no more, and nothing is held any
 * more. */
void actions_leave(struct actions *a);

/* For inspect_owner and adapter_host; arg is the actions'. */
void actions_judge(void *arg, const struct adapter_action *action);
bool actions_has_room(void *arg);
bool actions_may_see(void *arg, const char *action, postern_bytes resource);
uint64_t actions_rights(void *arg);
adapter_ruling actions_stands(void *arg, const struct adapter_action *action);
void actions_withdraw(void *arg, uint64_t id);

#endif
