/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A door's own login at a backend that is another raw door (backend_auth: exchange): a token for the
 * backend's audience, got for the agent's by RFC 8693, a connection, and AUTH or RENEW with that
 * token (postern-raw(7)).  The agent's token goes to the authorization server alone, never to the
 * backend.  Never blocks; each stage has its deadline.
 */
#ifndef POSTERN_SIDECAR_DOOR_BACKEND_LOGIN_H
#define POSTERN_SIDECAR_DOOR_BACKEND_LOGIN_H

#include "../client_file.h"
#include "backend_answer.h"
#include "upstream.h"

/* From our last byte to the backend's answer: its own verdict, record and connection. */
#define BACKEND_ANSWER_MS 5000

/* As whom, and for what, the door asks; of a door's settings. */
struct backend_exchange {
    const char        *resource; /* NULL: backend_auth is another */
    struct client_file client;
};

struct backend_login; /* one attempt */
struct backend_login_owner {
    /*
     * Once, as its last act: free it here.
     *   leg      of a login: connected, and the owner's.  Of a renewal: none (fd -1)
     *   answer   NULL: it failed, and err, which is the attempt's, says why
     */
    void (*done)(void *arg, struct leg leg, const struct backend_answer *answer,
                 const postern_error *err);
    void *arg;
};
struct backend_login_request {
    const struct backend_exchange *exchange; /* this and target: borrowed until done or free */
    const struct upstream_target  *target;
    postern_bytes token;   /* the agent's; copied */
    const char   *session; /* secret of the backend's session to renew; NULL: a login.  Copied */
};
/*
 * Start.  `done` is never called before this returns.
 *   dns   as for upstream_connect()
 *   err of done   BACKEND · NOMEM · what postern_exchange_start() says, in its detail
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_BACKEND (no request can be made of that token)
 */
POSTERN_MUST_USE postern_err backend_login_start(struct event_base *base, struct evdns_base *dns,
                                                 const struct backend_login_request *rq,
                                                 struct backend_login_owner owner,
                                                 struct backend_login **ret, postern_error *err);
void backend_login_free(struct backend_login *b); /* cancels, wipes; NULL is fine */

#endif
