/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom an agent acts, as policies see it (postern-policy(5)): for audit records and lists. */
#ifndef POSTERN_SIDECAR_DOOR_HUMAN_H
#define POSTERN_SIDECAR_DOOR_HUMAN_H

#include <postern/grant.h>

/* NULL: for itself. */
static inline const char *grant_human(const postern_grant *g)
{
    return postern_grant_has_human(g) ? postern_grant_user(g) : NULL;
}

#endif
