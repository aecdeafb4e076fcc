/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last steps before a program (start.h).  Nothing of posternd is left behind it: no descriptor,
 * no environment, no signal that is ignored, no capability; no_new_privs, the absence of core files and
 * a landlock domain of its own are, and cannot be undone.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../privilege.h"
#include "../sandbox.h"
#include "start.h"

/* What programs that use select(2) can bear; who wants more raises it, up to the hard limit. */
#define FILES_SOFT 1024
/* SIGXCPU, and SIGKILL for who does not heed it. */
#define CPU_GRACE_S 5
#define FAULT_FD (STDERR_FILENO + 1)

static _Noreturn void fail(int fault_fd, const char *what, const char *which)
{
    char text[START_FAULT_MAX];
    int n = snprintf(text, sizeof text, "%s%s%s: %s", what, which[0] == '\0' ? "" : " ", which,
                     strerror(errno));

    if (n > 0) /* the keeper sees the end without it, too */
        (void)!write(fault_fd, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    _exit(127);
}

/* Ours are ignored or blocked, and both would outlive execve(2). */
static bool reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* KILL, STOP and libc's own refuse */
    return sigemptyset(&none) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static bool limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now, wanted = { soft, hard };

    if (getrlimit(resource, &now) != 0)
        return false;
    if (wanted.rlim_max > now.rlim_max) /* what is stricter already stays so */
        wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max;
    return setrlimit(resource, &wanted) == 0;
}

static bool set_limits(const struct program *p)
{
    rlim_t memory = (rlim_t)p->memory, processes = (rlim_t)p->processes, cpu = (rlim_t)p->cpu_s;

    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_NOFILE, FILES_SOFT, RLIM_INFINITY) &&
           (memory == 0 || limit(RLIMIT_DATA, memory, memory)) &&
           (processes == 0 || limit(RLIMIT_NPROC, processes, processes)) &&
           (cpu == 0 || limit(RLIMIT_CPU, cpu, cpu + CPU_GRACE_S));
}

/* 0 to 2 are the program's, FAULT_FD is ours until execve(2), all others are closed. */
static bool arrange(const struct start_fds *fds)
{
    int program = fcntl(fds->program, F_DUPFD, FAULT_FD + 1);
    int errors = fcntl(fds->errors, F_DUPFD, FAULT_FD + 1);
    int fault = fcntl(fds->fault, F_DUPFD, FAULT_FD + 1);

    return program >= 0 && errors >= 0 && fault >= 0 && dup2(program, STDIN_FILENO) >= 0 &&
           dup2(program, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0 &&
           dup3(fault, FAULT_FD, O_CLOEXEC) >= 0 && close_range(FAULT_FD + 1, UINT_MAX, 0) == 0;
}

/* For good.  Without root it is this user already. */
static bool become(const struct program *p)
{
    if (getuid() == p->uid && getgid() == p->gid)
        return privilege_reduce(PRIVILEGE_NONE, NULL) == POSTERN_OK;
    return setgroups(0, NULL) == 0 && setresgid(p->gid, p->gid, p->gid) == 0 &&
           setresuid(p->uid, p->uid, p->uid) == 0 &&
           privilege_reduce(PRIVILEGE_NONE, NULL) == POSTERN_OK;
}

_Noreturn void start_program(const struct program *p, const struct start_fds *fds, pid_t keeper)
{
    char number[24] = "";

    if (!arrange(fds))
        fail(fds->fault, "its descriptors", "");
    (void)snprintf(number, sizeof number, "%lu", (unsigned long)p->uid);
    if (setsid() < 0 || !reset_signals())
        fail(FAULT_FD, "its session", "");
    if (!set_limits(p))
        fail(FAULT_FD, "its limits", "");
    if (!become(p))
        fail(FAULT_FD, "becoming user", number);
    /* The kernel forgets it whenever ids change, so behind that. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != keeper)
        _exit(127);
    if (sandbox_stand_apart(NULL) != POSTERN_OK)
        fail(FAULT_FD, "standing apart from other programs", "");
    (void)umask(077);
    if (chdir(p->dir) != 0)
        fail(FAULT_FD, "exec_dir", p->dir);
    (void)execve(p->argv[0], p->argv, p->env);
    fail(FAULT_FD, "exec", p->argv[0]);
}
