/* SPDX-License-Identifier: BSD-2-Clause */
/* What a child of posternd gives up for good. */
#include "config.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox.h"

static int compare_fds(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

postern_err sandbox_close_others(const int *keep_fds, size_t count, postern_error *err)
{
    unsigned next = STDERR_FILENO + 1;
    int sorted[SANDBOX_KEEP_MAX];
    size_t used = 0;

    if (count > SANDBOX_KEEP_MAX)
        return POSTERN_FAIL(err, INTERNAL, "%zu descriptors for one child", count);
    for (size_t i = 0; i < count; i++)
        if (keep_fds[i] > STDERR_FILENO)
            sorted[used++] = keep_fds[i];
    qsort(sorted, used, sizeof sorted[0], compare_fds);
    for (size_t i = 0; i < used; i++) {
        unsigned keep = (unsigned)sorted[i];

        if (keep > next && close_range(next, keep - 1, 0) != 0)
            return POSTERN_FAIL(err, SYSTEM, "close_range: %m");
        next = keep + 1;
    }
    if (close_range(next, UINT_MAX, 0) != 0)
        return POSTERN_FAIL(err, SYSTEM, "close_range: %m");
    return POSTERN_OK;
}

size_t sandbox_raise_descriptors(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    return limit.rlim_cur;
}

postern_err sandbox_enter(pid_t parent, postern_error *err)
{
    const struct rlimit no_core = { 0, 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) /* no setuid program gives anything back */
        return POSTERN_FAIL(err, SYSTEM, "PR_SET_NO_NEW_PRIVS: %m");
    if (setrlimit(RLIMIT_CORE, &no_core) != 0) /* a core file would hold keys and tokens */
        return POSTERN_FAIL(err, SYSTEM, "RLIMIT_CORE: %m");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) /* no ptrace by processes of the same user */
        return POSTERN_FAIL(err, SYSTEM, "PR_SET_DUMPABLE: %m");
    /* never an orphan with a listening socket */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return POSTERN_FAIL(err, SYSTEM, "PR_SET_PDEATHSIG: %m");
    if (getppid() != parent) /* it died before the line above */
        return POSTERN_FAIL(err, SYSTEM, "the supervisor is gone");
    return POSTERN_OK;
}
