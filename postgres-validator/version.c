/* SPDX-License-Identifier: BSD-2-Clause */
/* What the servers' versions do not have in common (version.h). */
#include "postgres.h"

#include "libpq/oauth.h"

#include "version.h"

#if PG_VERSION_NUM >= 190000
void validator_tell_detail(ValidatorModuleResult *result, const struct validator_answer *a)
{
    result->error_detail = psprintf("postern: %s (reason=%s ref=%s).", postern_err_text(a->code),
                                    postern_err_reason(a->code), a->ref[0] == '\0' ? "-" : a->ref);
}
#else
/* The module's own line stands above the server's. */
void validator_tell_detail(ValidatorModuleResult *result, const struct validator_answer *a)
{
    (void)result, (void)a;
}
#endif
