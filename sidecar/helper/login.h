/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request of one connection, from its frame to the answer: read, may this peer ask, validate,
 * audit, answer.  Holds no socket; server.c gives it a frame and takes the answer.
 */
#ifndef POSTERN_SIDECAR_HELPER_LOGIN_H
#define POSTERN_SIDECAR_HELPER_LOGIN_H

#include "helper.h"
#include "saslauthd.h"

struct login;

/* Called once per login, as the last thing it does: the owner may free the login here. */
struct login_owner {
    /*
     *   frame     the answer; empty: there is none to give
     *   is_last   the connection must be closed after it (the peer does not speak our protocol)
     */
    void (*answer)(void *arg, postern_bytes frame, bool is_last);
    void *arg;
};

/*
 * Take up a frame (borrowed for the call).  login_start() may call owner.answer before it returns.
 *
 *   peer   borrowed while the login lives
 *   NULL: out of memory or random numbers
 */
struct login *login_new(struct helper *h, const struct peer *peer, postern_bytes frame,
                        struct login_owner owner);
/* The same for a request of saslauthd's protocol, whose answer is "OK", "NO" or, undecided, empty; NULL:
 * one that is refused because it cannot be read, by a "NO". */
struct login *login_new_saslauthd(struct helper *h, const struct peer *peer,
                                  const struct saslauthd_request *request,
                                  struct login_owner owner);
void login_start(struct login *l);
/* Cancels what is in flight, without an answer.  NULL is fine. */
void login_free(struct login *l);

#endif
