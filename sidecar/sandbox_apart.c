/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A landlock domain that keeps a process and what it starts apart from others of its user (sandbox.h).
 * Debian's headers of 2023 know the first version of landlock(7) only.
 */
#include "config.h"

#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

/* linux/landlock.h of Linux 6.12 */
#define ABI_OF_SCOPES 6
#define SCOPE_SIGNAL  (1ULL << 1)

struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

bool sandbox_can_stand_apart(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >=
           ABI_OF_SCOPES;
}

/* No access to files or ports is handled: landlock asks nothing of who has handled none. */
postern_err sandbox_stand_apart(postern_error *err)
{
    const struct ruleset_attr attr = { .scoped = SCOPE_SIGNAL };
    postern_err e = POSTERN_OK;
    int ruleset;

    if (!sandbox_can_stand_apart())
        return POSTERN_OK;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return POSTERN_FAIL(err, SYSTEM, "landlock_create_ruleset: %m");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        e = POSTERN_FAIL(err, SYSTEM, "landlock_restrict_self: %m");
    (void)close(ruleset);
    return e;
}
