/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may act as whom: one login, whose token is proved, before the policy of its service.  Pure: the
 * clock is a parameter.  The action is SERVICE:login, the resource the local user whom the host
 * will know: of `login_as: both` the human, as whom the agent then acts.
 */
#ifndef POSTERN_SIDECAR_HELPER_LOGIN_POLICY_H
#define POSTERN_SIDECAR_HELPER_LOGIN_POLICY_H

#include "../login_policies.h"

/* "SERVICE:login" with NUL: services are files. */
#define LOGIN_ACTION_MAX 272

struct login_verdict {
    char action[LOGIN_ACTION_MAX]; /* "": it was not asked */
    postern_decision decision; /* with policy_mode: shadow perhaps a no, and the login goes on */
};

struct login_visit {
    const postern_section *service;
    const postern_grant *grant;
    const char *peer; /* the client, in the host's own words; NULL: not told */
    int64_t now_s;
};
/*
 *   all   NULL: none were read, which a service with `policy:` does not survive
 *   ret   set in every case
 *   err   set as well when policy_would() has a word
 *   POSTERN_OK (allowed, or there is no policy) · POLICY · INSUFFICIENT_SCOPE · undecided: INTERNAL,
 *   NOMEM
 */
POSTERN_MUST_USE postern_err login_policy_ask(const struct login_policies *all,
                                              const struct login_visit *visit,
                                              struct login_verdict *ret, postern_error *err);

#endif
