/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom an agent acts, as policies see it (postern-policy(5)): for audit records and lists. */
#ifndef POSTERN_SIDECAR_HUMAN_H
#define POSTERN_SIDECAR_HUMAN_H

#include <string.h>

#include <postern/grant.h>

/*
 * By the local name, or as the issuer calls him where a host sees the agent alone (login_as: agent)
 * and the local name is the agent's.  NULL: it acts for itself.
 */
static inline const char *grant_human(const postern_grant *g)
{
    const char *user = postern_grant_user(g), *agent = postern_grant_actor(g);

    if (!postern_grant_has_human(g))
        return NULL;
    return user == NULL || (agent != NULL && strcmp(user, agent) == 0) ? postern_grant_subject(g)
                                                                       : user;
}

#endif
