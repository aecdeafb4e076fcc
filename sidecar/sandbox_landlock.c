/* SPDX-License-Identifier: BSD-2-Clause */
/* See sandbox_landlock.h. */
#include "config.h"

#include <linux/landlock.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_landlock.h"

long landlock_abi(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Older kernels want the older, shorter struct. */
static size_t denied_size(long abi)
{
    if (abi >= LANDLOCK_ABI_OF_SCOPES)
        return sizeof(struct landlock_denied);
    return abi >= 4 ? offsetof(struct landlock_denied, scoped)
                    : offsetof(struct landlock_denied, handled_access_net);
}

postern_err landlock_new(const struct landlock_denied *denied, long abi, int *ret_fd,
                         postern_error *err)
{
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, denied, denied_size(abi), 0);

    if (ruleset < 0)
        return POSTERN_FAIL(err, SYSTEM, "landlock_create_ruleset: %m");
    *ret_fd = ruleset;
    return POSTERN_OK;
}

postern_err landlock_enter(int ruleset, postern_error *err)
{
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, SYSTEM, "landlock_restrict_self: %m");
}
