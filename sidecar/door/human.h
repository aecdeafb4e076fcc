/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom an agent acts, as policies see it (postern-policy(5)): for audit records and lists. */
#ifndef POSTERN_SIDECAR_DOOR_HUMAN_H
#define POSTERN_SIDECAR_DOOR_HUMAN_H

#include <string.h>

#include <postern/grant.h>

/* NULL: for itself, because nobody but the client is named in its token. */
static inline const char *grant_human(const postern_grant *g)
{
    const char *sub = postern_grant_subject(g), *client = postern_grant_client_id(g);
    bool is_own = postern_grant_act_depth(g) == 0 &&
                  (sub == NULL || (client != NULL && strcmp(sub, client) == 0));

    return is_own ? NULL : postern_grant_user(g);
}

#endif
