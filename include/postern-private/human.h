/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom an agent acts: for audit records and lists.  Not installed; sidecar only. */
#ifndef POSTERN_PRIVATE_HUMAN_H
#define POSTERN_PRIVATE_HUMAN_H

#include <postern/grant.h>

/*
 * By the local name, or as the issuer calls him where a host sees the agent alone (login_as: agent)
 * and the local name is the agent's.  NULL: it acts for itself.
 *
 *   g   proved in this process: what a helper told does not say whose the local name is
 */
const char *postern_grant_human(const postern_grant *g);

#endif
