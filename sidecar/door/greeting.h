/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first words between a door and a backend of which every action will be judged: what the
 * adapter says there (the door's own login), and what it makes of the answer.  Never blocks; one
 * deadline.
 */
#ifndef POSTERN_SIDECAR_DOOR_GREETING_H
#define POSTERN_SIDECAR_DOOR_GREETING_H

#include "../adapters/adapter.h"
#include "relay.h"

#define GREETING_MS        5000  /* as UPSTREAM_CONNECT_MS: a person waits for a login */
#define GREETING_SAID_MAX  65536 /* bytes of ours: a login of 16 KiB, and room */
#define GREETING_HEARD_MAX 65536 /* bytes of the backend's: Redis's own HELLO answers with 400 */

struct greeting;
struct greeting_owner {
    /*
     * Once, as its last act: free it here.  err NULL: the greeting is over, `leg` is the owner's
     * again, and `rest` came behind it; else the leg is closed.
     */
    void (*done)(void *arg, struct leg leg, postern_bytes rest, const postern_error *err);
    void *arg;
};
struct greeting_request {
    const struct adapter *adapter; /* with an inspector */
    void *state;                   /* its; borrowed until done or free */
    const struct adapter_backend_login *as; /* borrowed for the call */
};
/*
 * Start.  `done` is never called before this returns.  The leg is taken in every case.
 *   err of done   BACKEND (refused, something else than the protocol, too late, gone) · NOMEM
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_USAGE (greet()'s)
 */
POSTERN_MUST_USE postern_err greeting_start(struct event_base *base, struct leg take_leg,
                                            const struct greeting_request *rq,
                                            struct greeting_owner owner, struct greeting **ret,
                                            postern_error *err);
void greeting_free(struct greeting *g); /* cancels; NULL is fine */

#endif
