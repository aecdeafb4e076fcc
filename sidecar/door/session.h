/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live session: a granted client on one side, the backend on the other, a lease above both.
 * Begins when its login was recorded, ends with a record.
 */
#ifndef POSTERN_SIDECAR_DOOR_SESSION_H
#define POSTERN_SIDECAR_DOOR_SESSION_H

#include "gate.h"
#include "inspect.h"
#include "loop.h"

/* Words of audit_record.end. */
#define SESSION_END_FINISHED "finished"
#define SESSION_END_CLIENT "client"
#define SESSION_END_BACKEND "backend"
#define SESSION_END_EXPIRED "expired"
#define SESSION_END_IDLE "idle"
#define SESSION_END_TAKEN_BACK "revoked"
#define SESSION_END_POLICY "policy"
#define SESSION_END_KILLED "killed"
#define SESSION_END_DRAINED "drained"
#define SESSION_END_FAILED "failed"
#define SESSION_END_PROTOCOL "protocol" /* nobody could be sure what one side said */
#define SESSION_END_UNDECIDED "undecided" /* its issuer was not heard any more */

/* The connection that a session still has to answer; called at most once, as the last thing before
 * the session is gone. */
struct backend_session;

struct session_waiter {
    /* Ended before it was open: refuse the client. */
    void (*refused)(void *arg, postern_err code, const postern_failure *failure,
                    const postern_error *err);
    void *arg;
};

/* What a lease at this door is made of. */
struct lease_terms session_terms(const struct door *door, const postern_grant *g,
                                 const postern_decision *d);
/*
 * Make a session of a verdict; it is named, and in no list yet.
 *
 *   take_grant   owned by the session from the call on
 *   NULL: out of memory or random numbers
 */
struct session *session_new(struct loop *loop, const struct gate_visit *visit,
                            postern_grant *take_grant, const postern_decision *decision,
                            struct session_waiter waiter);
/*
 * Register, and look again whether it may still be, when settings or a word of revocation or block
 * came since the verdict: `words` is gate_result's.
 *   POSTERN_OK · what a login is refused with (ret_failure filled) · POSTERN_ERR_BUSY ·
 *   POSTERN_ERR_AGENT_BUSY · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err session_register(struct session *s, uint64_t words,
                                              postern_failure *ret_failure, postern_error *err);
/* Relay from now on; the waiter is forgotten.  Legs are taken in every case. */
/* The door's own session at the backend (NULL: it needs none); before session_open(). */
void session_set_backend(struct session *s, struct backend_session *take_backend);
/* The agent has renewed, with this token: the same is done at the backend, where that is needed. */
void session_renew_backend(struct session *s, postern_bytes token);
POSTERN_MUST_USE postern_err session_open(struct session *s, struct leg take_client,
                                          struct leg take_backend, postern_bytes early,
                                          postern_error *err);
/*
 * The same where every action is judged.
 *   take_state   the adapter's, of the login; in every case
 *   early_down   what came behind the backend's greeting
 */
POSTERN_MUST_USE postern_err session_open_judged(struct session *s,
                                                 const struct inspect_parts *parts,
                                                 postern_error *err);
/* Nobody is called back any more; NULL is fine. */
void session_forget_waiter(struct session *s);
struct session_ending {
    const char *how;     /* SESSION_END_ */
    const char *because; /* an administrator's words, for the agent too; NULL or empty: none */
    const char *detail;  /* what broke, or which rule it was, for the record alone; likewise */
    postern_err code;    /* POSTERN_OK: no verdict on the agent */
};
/* End at once. */
void session_end(struct session *s, const struct session_ending *e);
/* Forget one that was never registered, or whose waiter knows already. */
void session_free(struct session *s);

const char *session_id(const struct session *s);
const char *session_secret(const struct session *s);
const struct lease *session_lease(const struct session *s);
/* By the settings that it lives under now: a reload changes both. */
const struct door *session_door(const struct session *s);
struct door_settings *session_settings(const struct session *s);

struct session *session_next(const struct session *s); /* of its loop; NULL after the last */
/* On its own loop; NULL: gone. */
struct session *session_find(struct loop *l, const char *id);

/*
 * Replace grant and lease by those of a newer token.  Judge the session afterwards: the lease may be
 * shorter then.
 *   grant   of the token; taken, and NULL, when it is POSTERN_OK
 *   POSTERN_OK · RENEWAL (another identity, not open, over its grace or session_max)
 */
POSTERN_MUST_USE postern_err session_renew(struct session *s, postern_grant **grant,
                                           const postern_decision *decision, postern_error *err);

/*
 * Have the issuer asked again about this token, as the door's revocation_check: says.  After
 * session_new(), and after session_renew().
 *   take_token   NULL, or word_ms 0: it is not asked
 *   word_ms      gate_result's
 */
void session_watch(struct session *s, postern_secret *take_token, int64_t word_ms);

/* Every LOOP_TICK_MS: lease, idle time, drain. */
void session_tick(struct session *s, struct lease_clock now);
/* Judge again by the loop's settings; true: it ended, and is counted in loop.untold. */
bool session_judge(struct session *s);

#endif
