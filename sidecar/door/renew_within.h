/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A longer lease that is asked for inside a judged session (ADAPTER_STEP_LOGIN): gate, record, lease,
 * answer.  For the session's own identity and no other.
 */
#ifndef POSTERN_SIDECAR_DOOR_RENEW_WITHIN_H
#define POSTERN_SIDECAR_DOOR_RENEW_WITHIN_H

#include "../adapters/adapter.h"

struct session;
struct renew_within;
/* The session's client is told in every case, by inspect_renewed(). */
void renew_within_begin(struct session *s, const struct adapter_login *login);
void renew_within_free(struct renew_within *r); /* cancels; NULL is fine */

#endif
