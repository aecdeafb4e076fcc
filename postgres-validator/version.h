/* SPDX-License-Identifier: BSD-2-Clause */
/* What the servers' versions do not have in common.  After libpq/oauth.h. */
#ifndef POSTGRES_VALIDATOR_VERSION_H
#define POSTGRES_VALIDATOR_VERSION_H

#include "validator.h"

/* Why, for the server's own line about a refused login, where it takes that (since 19). */
void validator_tell_detail(ValidatorModuleResult *result, const struct validator_answer *a);

#endif
