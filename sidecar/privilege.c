/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities of the spawner child (privilege.h). */
#include "config.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privilege.h"

#define BIT(capability) (1U << (capability)) /* the three are below 32 */

static const unsigned bits[] = {
    [PRIVILEGE_NONE] = 0,
    [PRIVILEGE_SIGNAL] = BIT(CAP_KILL),
    [PRIVILEGE_START] = BIT(CAP_KILL) | BIT(CAP_SETUID) | BIT(CAP_SETGID),
};

/* Nothing inheritable: execve(2) of somebody who is not root leaves nothing. */
static postern_err set(unsigned wanted, postern_error *err)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        { .effective = wanted, .permitted = wanted }
    };

    if (syscall(SYS_capset, &head, data) != 0)
        return POSTERN_FAIL(err, SYSTEM, "capset: %m");
    return POSTERN_OK;
}

/* That no program could get what posternd has.  Where posternd itself has no right to this
 * (CAP_SETPCAP) its service manager has bounded it. */
static void lower_bounds(void)
{
    for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (capability >= 32 || (bits[PRIVILEGE_START] & BIT(capability)) == 0)
            (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

postern_err privilege_become(const struct account *a, postern_error *err)
{
    if (geteuid() != 0)
        return users_become(a, err);
    if (a->uid == 0)
        return POSTERN_FAIL(err, INTERNAL, "a role was about to stay root");
    lower_bounds();
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return POSTERN_FAIL(err, SYSTEM, "PR_SET_KEEPCAPS: %m");
    if (setgroups(0, NULL) != 0)
        return POSTERN_FAIL(err, SYSTEM, "setgroups: %m");
    if (setresgid(a->gid, a->gid, a->gid) != 0)
        return POSTERN_FAIL(err, SYSTEM, "setresgid to %lu: %m", (unsigned long)a->gid);
    if (setresuid(a->uid, a->uid, a->uid) != 0)
        return POSTERN_FAIL(err, SYSTEM, "setresuid to %lu: %m", (unsigned long)a->uid);
    if (!users_has_become(a))
        return POSTERN_FAIL(err, SYSTEM, "process did not become %s", a->name);
    return set(bits[PRIVILEGE_START], err);
}

/* Capabilities only sink: asking for what is not there fails. */
postern_err privilege_reduce(privilege to, postern_error *err)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    if (syscall(SYS_capget, &head, data) != 0)
        return POSTERN_FAIL(err, SYSTEM, "capget: %m");
    return set(bits[to] & data[0].permitted, err);
}
