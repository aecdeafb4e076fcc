/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's lines to the supervisor (drain, lines to others) and to the issuer child
 * (revocations); sidecar/role.h.  Those to audit (audit/line.h) and control are handed on. */
#ifndef POSTERN_SIDECAR_HELPER_LINKS_H
#define POSTERN_SIDECAR_HELPER_LINKS_H

#include "helper.h"

struct links;

struct links_owner {
    void (*stop)(void *arg); /* at "drain" and when the supervisor is gone; again, harmlessly */
    /* Everything that `issuer` has revoked so far is in force; again after each new line. */
    void (*told)(void *arg, const char *issuer);
    void (*recording)(void *arg); /* there is a line to the audit child; again after each new one */
    void (*control)(void *arg, int take_fd); /* a line to the control child */
    void *arg;
};

/*
 *   take_supervisor_fd   owned from the call on
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err links_new(struct helper *h, int take_supervisor_fd,
                                       struct links_owner owner, struct links **ret,
                                       postern_error *err);
/* Tell the supervisor that logins are answered from now on.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err links_say_ready(struct links *l, postern_error *err);
/* And that nobody who comes from now on is. */
void links_say_retired(struct links *l);
/* Ask the supervisor to make our lines anew; not more than once a second.  A failure is logged. */
void links_want_lines(struct links *l);
void links_free(struct links *l);

#endif
