/* SPDX-License-Identifier: BSD-2-Clause */
/* See posternd_check.h.  Looked for where it is installed, or where it was built: never in PATH,
 * which is the caller's. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posternd_check.h"

static const char *const places[] = { "/posternd", "/../sbin/posternd" };

static bool find_posternd(char room[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    while (len > 0 && self[len - 1] != '/')
        len--;
    if (len <= 1)
        return false;
    self[len - 1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(room, PATH_MAX, "%s%s", self, places[i]);

        if (n > 0 && n < PATH_MAX && access(room, X_OK) == 0)
            return true;
    }
    return false;
}

enum posternd_check_outcome posternd_check(const char *config_dir, postern_buf *out)
{
    char path[PATH_MAX];
    const char *const argv[] = { path, "--check", "--config", config_dir, NULL };
    int status = 0;

    if (!find_posternd(path) ||
        child_run_program((char *const *)(uintptr_t)argv, out, &status, NULL) != POSTERN_OK ||
        !WIFEXITED(status) || WEXITSTATUS(status) == CHILD_NOT_RUN)
        return POSTERND_CHECK_NONE;
    return WEXITSTATUS(status) == 0 ? POSTERND_CHECK_GOOD : POSTERND_CHECK_FAULTY;
}
