/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door's session at a backend that is another raw door, for as long as ours lives: renewed there
 * when the agent renews here, and before its lease ends.  A renewal that fails is tried again; one
 * that never succeeds ends at the backend, and with that here.  On its session's loop.
 */
#ifndef POSTERN_SIDECAR_DOOR_BACKEND_SESSION_H
#define POSTERN_SIDECAR_DOOR_BACKEND_SESSION_H

#include "backend_login.h"
#include "loop.h"

/* With so much of the lease left it is renewed: two tries, each with its time-outs, fit in. */
#define BACKEND_RENEW_BEFORE_MS 40000
/* Of a shorter lease, a third. */
#define BACKEND_RENEW_RETRY_MS  5000

struct backend_session;

/*
 *   token    the agent's, with which it logged in; copied
 *   answer   of the login
 *   NULL: out of memory
 */
struct backend_session *backend_session_new(struct loop *l, postern_bytes token,
                                            const struct backend_answer *answer);
/* Another token of the agent's (copied): renewed with it at the next tick. */
void backend_session_set_token(struct backend_session *b, postern_bytes token);
/* Every LOOP_TICK_MS.  settings, door: those that the session lives under. */
void backend_session_tick(struct backend_session *b, struct door_settings *settings,
                          const struct door *door, const char *session_id);
void backend_session_free(struct backend_session *b); /* wipes; NULL is fine */

#endif
