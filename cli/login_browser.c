/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_browser.h.  The address is one word of an argument list, never part of a command. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "login_browser.h"

#define FD_LIMIT ~0U

bool login_browser_has_display(void)
{
    const char *x11 = secure_getenv("DISPLAY"), *wayland = secure_getenv("WAYLAND_DISPLAY");

    return (x11 != NULL && x11[0] != '\0') || (wayland != NULL && wayland[0] != '\0');
}

/* In the child's child: nobody waits for it. */
static void become_browser(const char *url)
{
    int null_fd = open("/dev/null", O_RDWR);

    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
        dup2(null_fd, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, FD_LIMIT, 0) != 0)
        _exit(1);
    (void)setsid();
    (void)execlp("xdg-open", "xdg-open", url, (char *)NULL);
    _exit(1);
}

bool login_browser_open(const char *url)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return false;
    if (pid == 0) {
        pid_t browser = fork();

        if (browser == 0)
            become_browser(url);
        _exit(browser < 0 ? 1 : 0);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
