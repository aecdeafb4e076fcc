/* SPDX-License-Identifier: BSD-2-Clause */
/* A landlock domain that keeps a process and what it starts apart from others of its user (sandbox.h). */
#include "config.h"

#include <unistd.h>

#include "sandbox.h"
#include "sandbox_landlock.h"

bool sandbox_can_stand_apart(void)
{
    return landlock_abi() >= LANDLOCK_ABI_OF_SCOPES;
}

/* No access to files or ports is handled: landlock asks nothing of who has handled none. */
postern_err sandbox_stand_apart(postern_error *err)
{
    const struct landlock_denied denied = { .scoped = LANDLOCK_SCOPE_OF_SIGNALS };
    int ruleset = -1;
    postern_err e;

    if (!sandbox_can_stand_apart())
        return POSTERN_OK;
    POSTERN_TRY(landlock_new(&denied, LANDLOCK_ABI_OF_SCOPES, &ruleset, err));
    e = landlock_enter(ruleset, err);
    (void)close(ruleset);
    return e;
}
