/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/sandbox_calls.c: what a child may still ask of the kernel, and what an intruder in it may
 * not.  Each case in a process of its own, for the filter is for good. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "issuer_clients.h"
#include "role.h"
#include "sandbox.h"

#define REFUSED 42 /* exit status of a try that failed with EPERM */

/* 0 or an errno. */
typedef int attempt(void);

static postern_err confine(unsigned needs)
{
    const struct sandbox_rules rules = { .needs = needs, .state_dir_fd = -1 };

    return (needs & SANDBOX_START) != 0 ? sandbox_forbid_root(NULL) : sandbox_restrict_calls(&rules, NULL);
}

/* Wait status of a process that has `needs` and tries. */
static int run(unsigned needs, attempt *try_it)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        int error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                            confine(needs) == POSTERN_OK
                        ? try_it()
                        : EIO;
        _exit(error == EPERM ? REFUSED : error == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_allowed(unsigned needs, attempt *try_it)
{
    int status = run(needs, try_it);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void assert_refused(unsigned needs, attempt *try_it)
{
    int status = run(needs, try_it);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

static void assert_deadly(unsigned needs, attempt *try_it)
{
    int status = run(needs, try_it);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int errno_unless(bool is_done)
{
    return is_done ? 0 : errno;
}

/* ---- descriptors ---- */

static int keep_many(size_t count)
{
    int keep[SANDBOX_KEEP_MAX + 1], other = dup(STDERR_FILENO);

    for (size_t i = 0; i < count; i++)
        keep[i] = dup(STDERR_FILENO);
    if (sandbox_close_others(keep, count, NULL) != POSTERN_OK)
        return EMFILE;
    for (size_t i = 0; i < count; i++)
        if (fcntl(keep[i], F_GETFD) < 0)
            return errno;
    return fcntl(other, F_GETFD) < 0 ? 0 : EEXIST;
}

static int status_of_keeping(size_t count)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(keep_many(count));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* 64 issuers that are asked about tokens have a credential each. */
static void a_child_keeps_all_descriptors_that_it_may_have_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(status_of_keeping(1), 0);
    assert_int_equal(status_of_keeping(ROLE_LISTEN_MAX + ISSUER_CLIENTS_MAX + 4), 0);
    assert_int_equal(status_of_keeping(SANDBOX_KEEP_MAX), 0);
    assert_int_equal(status_of_keeping(SANDBOX_KEEP_MAX + 1), EMFILE);
}

/* ---- what may be done ---- */

static int ask_how_much_waits(void)
{
    int fds[2], count = 0;

    return errno_unless(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 &&
                        ioctl(fds[0], FIONREAD, &count) == 0);
}

/* Not a terminal, says the kernel, and that is an answer. */
static int ask_whether_it_is_a_terminal(void)
{
    int fds[2];

    return errno_unless(pipe(fds) == 0 && isatty(fds[0]) == 0 && errno == ENOTTY);
}

static int signal_oneself(void)
{
    return errno_unless(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0);
}

static int open_tcp(void)
{
    return errno_unless(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

/* ---- what may not ---- */

static int type_into_the_terminal(void)
{
    return errno_unless(ioctl(STDIN_FILENO, TIOCSTI, "x") == 0);
}

/* The kernel looks at the lower half of the number alone. */
static int type_into_the_terminal_by_a_longer_number(void)
{
    return errno_unless(syscall(SYS_ioctl, STDIN_FILENO, TIOCSTI | UINT64_C(1) << 32, "x") == 0);
}

static int paste_into_the_console(void)
{
    char paste = 3; /* TIOCL_PASTESEL */

    return errno_unless(ioctl(STDIN_FILENO, TIOCLINUX, &paste) == 0);
}

static int signal_another_process(void)
{
    return errno_unless(syscall(SYS_tgkill, getppid(), getppid(), 0) == 0);
}

static int signal_by_kill(void)
{
    return errno_unless(kill(getppid(), 0) == 0);
}

/* Limits of before: nothing happens where it is allowed. */
static int limit_another_process(void)
{
    struct rlimit now;

    if (prlimit(getppid(), RLIMIT_CPU, NULL, &now) != 0 && getrlimit(RLIMIT_CPU, &now) != 0)
        return EIO;
    return errno_unless(prlimit(getppid(), RLIMIT_CPU, &now, NULL) == 0);
}

static int limit_another_process_by_a_longer_number(void)
{
    struct rlimit now;
    long pid = (long)getppid() | INT64_C(1) << 32;

    if (getrlimit(RLIMIT_CPU, &now) != 0)
        return EIO;
    return errno_unless(syscall(SYS_prlimit64, pid, RLIMIT_CPU, &now, NULL) == 0);
}

static int read_limits_of_another_process(void)
{
    struct rlimit now;

    return errno_unless(prlimit(getppid(), RLIMIT_CPU, NULL, &now) == 0);
}

static int limit_oneself(void)
{
    struct rlimit now;

    return errno_unless(prlimit(0, RLIMIT_NOFILE, NULL, &now) == 0 && setrlimit(RLIMIT_NOFILE, &now) == 0);
}

static int open_raw(void)
{
    return errno_unless(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static int run_a_program(void)
{
    char *const none[] = { NULL };

    return errno_unless(execve("/bin/true", none, none) == 0);
}

static void a_role_asks_what_it_needs(void **state)
{
    (void)state;
    assert_allowed(SANDBOX_NOTHING, ask_how_much_waits);
    assert_allowed(SANDBOX_NOTHING, ask_whether_it_is_a_terminal);
    assert_allowed(SANDBOX_NOTHING, signal_oneself);
    assert_allowed(SANDBOX_CONNECT, open_tcp);
}

static void an_intruder_cannot_type_into_the_terminal_of_root(void **state)
{
    (void)state;
    assert_refused(SANDBOX_NOTHING, type_into_the_terminal);
    assert_refused(SANDBOX_NOTHING, type_into_the_terminal_by_a_longer_number);
    assert_refused(SANDBOX_NOTHING, paste_into_the_console);
}

static void an_intruder_cannot_signal_other_processes(void **state)
{
    (void)state;
    assert_refused(SANDBOX_NOTHING, signal_another_process);
    assert_refused(SANDBOX_NOTHING, signal_by_kill);
}

/* RLIMIT_CPU of 0 is SIGKILL by another name, and asks no more than one user for both. */
static void an_intruder_cannot_limit_other_processes(void **state)
{
    (void)state;
    assert_refused(SANDBOX_NOTHING, limit_another_process);
    assert_refused(SANDBOX_NOTHING, limit_another_process_by_a_longer_number);
    assert_refused(SANDBOX_NOTHING, read_limits_of_another_process);
    assert_allowed(SANDBOX_NOTHING, limit_oneself);
}

static void a_program_limits_nobody_but_itself(void **state)
{
    (void)state;
    assert_refused(SANDBOX_START, limit_another_process);
    assert_refused(SANDBOX_START, limit_another_process_by_a_longer_number);
    assert_allowed(SANDBOX_START, read_limits_of_another_process);
    assert_allowed(SANDBOX_START, limit_oneself);
}

static void an_intruder_gets_no_other_sockets_and_no_program(void **state)
{
    (void)state;
    assert_refused(SANDBOX_NOTHING, open_tcp);
    assert_refused(SANDBOX_CONNECT, open_raw);
    assert_deadly(SANDBOX_CONNECT, run_a_program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_keeps_all_descriptors_that_it_may_have_and_no_other),
        cmocka_unit_test(a_role_asks_what_it_needs),
        cmocka_unit_test(an_intruder_cannot_type_into_the_terminal_of_root),
        cmocka_unit_test(an_intruder_cannot_signal_other_processes),
        cmocka_unit_test(an_intruder_cannot_limit_other_processes),
        cmocka_unit_test(a_program_limits_nobody_but_itself),
        cmocka_unit_test(an_intruder_gets_no_other_sockets_and_no_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
