/* SPDX-License-Identifier: BSD-2-Clause */
/* See child_run.h. */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "child_run.h"

#define PROGRAM_DEADLINE_MS 20000 /* posternd --check reads files */

/* ---- in the child ---- */

static bool become(const struct child_user *as)
{
    if (as == NULL || !as->is_other)
        return true;
    if ((as->has_name ? initgroups(as->name, as->gid) : setgroups(0, NULL)) != 0)
        return false;
    return setresgid(as->gid, as->gid, as->gid) == 0 && setresuid(as->uid, as->uid, as->uid) == 0;
}

/*
 * Nobody's standard input, and no token that lies there; nor the terminal: what a child prints past
 * `out` is not escaped, and another user who held root's terminal could type into it (TIOCSTI).
 */
static bool leave_terminal(int *fd)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    (void)close(*fd); /* it may be one of the three, where the caller's own were closed */
    *fd = high;
    return high >= 0 && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
           dup2(nothing, STDOUT_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 && setsid() >= 0;
}

__attribute__((noreturn)) static void be_child(const struct child_job *job, int fd)
{
    FILE *out;

    /* A change of user clears the signal. */
    if (!leave_terminal(&fd) || !become(job->as) || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        (out = fdopen(fd, "w")) == NULL)
        _exit(CHILD_NOT_RUN);
    job->work(job->arg, out);
    _exit(fflush(out) == 0 ? 0 : CHILD_NOT_RUN); /* no handlers of the parent's */
}

/* ---- in the parent ---- */

static postern_err take_some(int fd, postern_buf *out, bool *ret_is_over, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);

    *ret_is_over = n == 0;
    if (n < 0)
        return errno == EINTR ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "reading from a child: %m");
    postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
    return out->failed ? POSTERN_FAIL(err, LIMIT, "a child said more than can be kept")
                       : POSTERN_OK;
}

static postern_err wait_to_read(int fd, int64_t end_ms, postern_error *err)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left_ms = end_ms - clock_mono_ms();
        int n = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);

        if (n > 0)
            return POSTERN_OK;
        if (n == 0)
            return POSTERN_FAIL(err, TIMEOUT, "no end in time");
        if (errno != EINTR)
            return POSTERN_FAIL(err, SYSTEM, "poll: %m");
    }
}

static postern_err collect(int fd, int64_t end_ms, postern_buf *out, postern_error *err)
{
    bool is_over = false;

    while (!is_over) {
        POSTERN_TRY(wait_to_read(fd, end_ms, err));
        POSTERN_TRY(take_some(fd, out, &is_over, err));
    }
    return POSTERN_OK;
}

/* Who closed its end of the pipe need not have ended. */
static postern_err wait_for_end(pid_t pid, int64_t end_ms, postern_error *err)
{
    int fd = pidfd_open(pid, 0);
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "pidfd_open: %m");
    e = wait_to_read(fd, end_ms, err);
    (void)close(fd); /* only polled */
    return e;
}

static postern_err wait_for(pid_t pid, int *ret_status, postern_error *err)
{
    while (waitpid(pid, ret_status, 0) != pid)
        if (errno != EINTR)
            return POSTERN_FAIL(err, SYSTEM, "waitpid: %m");
    return POSTERN_OK;
}

/* Our own child, not waited for yet: nobody else's pid, nor his group.  It leads one (setsid)
 * unless it has not come that far. */
static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)kill(-pid, SIGKILL);
}

static postern_err see_through(pid_t pid, int fd, int deadline_ms, postern_buf *out,
                               int *ret_status, postern_error *err)
{
    const int64_t end_ms = clock_mono_ms() + deadline_ms;
    postern_err e = collect(fd, end_ms, out, err), waited;

    if (e == POSTERN_OK)
        e = wait_for_end(pid, end_ms, err);
    if (e != POSTERN_OK)
        end(pid);
    waited = wait_for(pid, ret_status, e == POSTERN_OK ? err : NULL);
    return e == POSTERN_OK ? waited : e;
}

postern_err child_run(const struct child_job *job, postern_buf *out, int *ret_status,
                      postern_error *err)
{
    int ends[2];
    postern_err e;
    pid_t pid;

    if (fflush(NULL) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pipe: %m");
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        be_child(job, ends[1]);
    }
    (void)close(ends[1]);
    e = pid < 0 ? POSTERN_FAIL(err, SYSTEM, "fork: %m")
                : see_through(pid, ends[0], job->deadline_ms, out, ret_status, err);
    (void)close(ends[0]);
    return e;
}

static void run_program(void *arg, FILE *out)
{
    char *const *argv = arg;

    if (dup2(fileno(out), STDOUT_FILENO) >= 0 && dup2(fileno(out), STDERR_FILENO) >= 0)
        (void)execv(argv[0], argv);
    _exit(CHILD_NOT_RUN);
}

postern_err child_run_program(char *const *argv, postern_buf *out, int *ret_status,
                              postern_error *err)
{
    const struct child_job job = { run_program, (void *)(uintptr_t)argv, NULL,
                                   PROGRAM_DEADLINE_MS };

    return child_run(&job, out, ret_status, err);
}

/* ---- what it says ---- */

void child_say(FILE *out, const char *key, const char *value)
{
    (void)fprintf(out, "%s ", key); /* a child whose words are lost says nothing: a problem, told */
    for (; *value != '\0'; value++)
        (void)fputc(*value >= 0x20 && *value < 0x7f ? *value : '?', out);
    (void)fputc('\n', out);
}

bool child_said(postern_bytes text, const char *key, size_t n, char room[CHILD_VALUE_MAX])
{
    postern_reader r = { text };
    postern_bytes line;

    while (postern_reader_take_until(&r, '\n', &line)) {
        postern_reader in = { line };
        size_t len;

        if (!postern_reader_take_lit(&in, key) || !postern_reader_take_byte(&in, ' ') || n-- != 0)
            continue;
        len = in.rest.len < CHILD_VALUE_MAX ? in.rest.len : CHILD_VALUE_MAX - 1;
        if (len != 0)
            memcpy(room, in.rest.ptr, len);
        room[len] = '\0';
        return true;
    }
    return false;
}

bool child_find_folder(const void *symbol, char room[CHILD_PATH_MAX])
{
    Dl_info info;
    char *slash;

    if (symbol == NULL || dladdr(symbol, &info) == 0 || realpath(info.dli_fname, room) == NULL ||
        (slash = strrchr(room, '/')) == NULL)
        return false;
    *slash = '\0';
    return true;
}
