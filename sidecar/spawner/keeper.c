/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper of one program (keeper.h).  It is a subreaper (prctl(2)): who loses its parent below it
 * becomes its child, so that no double fork and no session of one's own leads out.  It holds the
 * program's end of the pair with the door as well, and so sees that the door has closed the other;
 * and reads what the program says on standard error.  A loop of poll(2), and nothing that blocks.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/util.h>

#include <postern-private/clock.h>

#include "../child.h"
#include "../log.h"
#include "../privilege.h"
#include "../sandbox.h"
#include "keeper.h"
#include "kill_children.h"
#include "said.h"
#include "start.h"

/* Who does not die (it waits for a disk) is not killed more often than this. */
#define KILL_AGAIN_MS 100
/* Chunks of standard error before the rest of the loop has its turn. */
#define SAID_CHUNKS 16

typedef enum keeper_state {
    KEEPER_RUNS = 0,
    KEEPER_IS_LEFT, /* the door has closed its end; the program may leave */
    KEEPER_IS_ASKED, /* SIGTERM was sent */
    KEEPER_KILLS
} keeper_state;

struct keeper {
    const struct keeper_setup *setup;
    keeper_state state;
    int64_t due_ms; /* of the next state; INT64_MAX: none */
    pid_t main;     /* 0: it has ended */
    int program_fd, signal_fd, errors_fd, fault_fd; /* -1: closed */
    struct said said;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ---- words ---- */

static void tell(void *arg, const char *line, bool is_cut, int64_t missed)
{
    const struct keeper *k = arg;

    if (missed != 0)
        log_note("%s %s: %lld lines are left out", k->setup->program->door, k->setup->session,
                 (long long)missed);
    if (line != NULL)
        log_note("%s %s: %s%s", k->setup->program->door, k->setup->session, line,
                 is_cut ? "..." : "");
}

/* The spawner gives the door its end, or says no.  A text that does not arrive is a no as well. */
static void tell_spawner(struct keeper *k, postern_bytes word)
{
    (void)!write(k->setup->status_fd, word.ptr, word.len);
    (void)close(k->setup->status_fd);
}

/* ---- ending ---- */

static void kill_all(struct keeper *k)
{
    if (k->main > 0)
        (void)kill(-k->main, SIGKILL); /* its group at one blow: no fork comes between */
    kill_children(NULL, NULL);
    k->state = KEEPER_KILLS;
    k->due_ms = clock_mono_ms() + KILL_AGAIN_MS;
}

/* Everybody who holds the program's end, be it a descendant that lives a moment longer, is cut off;
 * the door reads what was written, and the end. */
static void cut_off(struct keeper *k)
{
    if (k->program_fd >= 0)
        (void)shutdown(k->program_fd, SHUT_RDWR);
    close_fd(&k->program_fd);
}

static void run_due(struct keeper *k, int64_t now_ms)
{
    if (now_ms < k->due_ms)
        return;
    if (k->state == KEEPER_IS_LEFT && k->main > 0) {
        (void)kill(-k->main, SIGTERM);
        k->state = KEEPER_IS_ASKED;
        k->due_ms = now_ms + KEEPER_OBEY_MS;
        return;
    }
    kill_all(k);
}

/* ---- children ---- */

static void note_end(struct keeper *k, const siginfo_t *info)
{
    char room[80];
    int status = info->si_code == CLD_EXITED ? info->si_status << 8 : info->si_status;

    if (k->fault_fd >= 0)
        return; /* it never was the program */
    log_note("%s %s: program %ld %s", k->setup->program->door, k->setup->session, (long)k->main,
             child_describe_end(status, room, sizeof room));
}

/* False: nobody is left. */
static bool reap(struct keeper *k)
{
    for (;;) {
        siginfo_t info = { .si_pid = 0 };

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            return errno == EINTR;
        if (info.si_pid == 0)
            break;
        if (info.si_pid == k->main) {
            kill_all(k); /* while its number is its group's still */
            note_end(k, &info);
            cut_off(k);
            k->main = 0;
        }
        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
    }
    if (k->state == KEEPER_KILLS)
        kill_all(k); /* whoever lost its parent just now */
    return true;
}

/* ---- descriptors ---- */

/* The program's start: execve(2) has closed its end, or it says what is wrong. */
static void read_fault(struct keeper *k)
{
    char text[START_FAULT_MAX] = "";
    ssize_t n = read(k->fault_fd, text, sizeof text - 1);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != 0) {
        tell_spawner(k, n > 0 ? (postern_bytes){ (const uint8_t *)text, (size_t)n }
                              : POSTERN_BYTES_LIT("it cannot be seen whether it runs"));
        kill_all(k);
        return; /* fault_fd stays: its end is no program's end */
    }
    close_fd(&k->fault_fd);
    log_note("%s %s: program %ld started", k->setup->program->door, k->setup->session,
             (long)k->main);
    tell_spawner(k, (postern_bytes){ (const uint8_t *)&(char){ KEEPER_STARTED }, 1 });
}

static void read_errors(struct keeper *k)
{
    char chunk[16384];

    for (int i = 0; i < SAID_CHUNKS; i++) {
        ssize_t n = read(k->errors_fd, chunk, sizeof chunk);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close_fd(&k->errors_fd);
            return;
        }
        said_add(&k->said, (postern_bytes){ (const uint8_t *)chunk, (size_t)n }, clock_mono_ms(), tell,
                 k);
    }
}

static void read_signals(struct keeper *k, bool *ret_has_children)
{
    struct signalfd_siginfo info;

    while (read(k->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == KEEPER_END_SIGNAL)
            kill_all(k);
    *ret_has_children = reap(k);
}

static void note_left(struct keeper *k)
{
    close_fd(&k->program_fd);
    if (k->state != KEEPER_RUNS)
        return;
    k->state = KEEPER_IS_LEFT;
    k->due_ms = clock_mono_ms() + KEEPER_LEAVE_MS;
}

static int poll_ms(const struct keeper *k)
{
    int64_t left_ms = k->due_ms - clock_mono_ms();

    if (k->due_ms == INT64_MAX)
        return -1;
    return left_ms <= 0 ? 0 : (int)left_ms; /* KEEPER_OBEY_MS at most */
}

static void watch_over(struct keeper *k)
{
    bool has_children = true;

    while (has_children) {
        /* -1 is passed over.  Of the program's end only that nobody is at the other. */
        struct pollfd polls[] = { { .fd = k->signal_fd, .events = POLLIN },
                                  { .fd = k->fault_fd, .events = POLLIN },
                                  { .fd = k->errors_fd, .events = POLLIN },
                                  { .fd = k->program_fd, .events = 0 } };

        if (k->state == KEEPER_KILLS)
            polls[1].fd = -1;
        if (poll(polls, sizeof polls / sizeof polls[0], poll_ms(k)) < 0 && errno != EINTR)
            break; /* out of memory: the end of this process is the program's */
        if (polls[1].revents != 0)
            read_fault(k);
        if (polls[2].revents != 0)
            read_errors(k);
        if (polls[3].revents != 0)
            note_left(k);
        if (polls[0].revents != 0)
            read_signals(k, &has_children);
        run_due(k, clock_mono_ms());
    }
    if (k->errors_fd >= 0)
        read_errors(k);
    said_finish(&k->said, clock_mono_ms(), tell, k);
}

/* ---- beginning ---- */

static bool open_signals(struct keeper *k)
{
    sigset_t set;

    /* Blocked, so that it is read; not ignored, for then it never comes. */
    return sigemptyset(&set) == 0 && sigaddset(&set, SIGCHLD) == 0 &&
           sigaddset(&set, KEEPER_END_SIGNAL) == 0 && sigprocmask(SIG_SETMASK, &set, NULL) == 0 &&
           signal(SIGCHLD, SIG_DFL) != SIG_ERR && signal(KEEPER_END_SIGNAL, SIG_DFL) != SIG_ERR &&
           (k->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) >= 0;
}

/* Nothing but the program: not the other sessions', nor the supervisor's and the door's line. */
static bool enter(struct keeper *k)
{
    const int keep[] = { k->setup->program_fd, k->setup->status_fd };

    log_forked();
    return sandbox_close_others(keep, sizeof keep / sizeof keep[0], NULL) == POSTERN_OK &&
           open_signals(k) && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_PDEATHSIG, KEEPER_END_SIGNAL, 0, 0, 0) == 0 &&
           getppid() == k->setup->spawner;
}

static bool start(struct keeper *k)
{
    int errors[2], fault[2];
    pid_t self = getpid();

    if (pipe2(errors, O_CLOEXEC) != 0 || pipe2(fault, O_CLOEXEC) != 0 ||
        evutil_make_socket_nonblocking(errors[0]) != 0 ||
        evutil_make_socket_nonblocking(fault[0]) != 0)
        return false;
    k->main = fork();
    if (k->main == 0)
        start_program(k->setup->program,
                      &(struct start_fds){ k->program_fd, errors[1], fault[1] }, self);
    if (k->main < 0)
        return false;
    (void)close(errors[1]);
    (void)close(fault[1]);
    k->errors_fd = errors[0];
    k->fault_fd = fault[0];
    return true;
}

_Noreturn void keeper_main(const struct keeper_setup *setup)
{
    struct keeper k = { .setup = setup,
                        .due_ms = INT64_MAX,
                        .program_fd = setup->program_fd,
                        .signal_fd = -1,
                        .errors_fd = -1,
                        .fault_fd = -1 };

    /* What fails here is told by our end: the door is refused. */
    if (!enter(&k) || !start(&k) || privilege_reduce(PRIVILEGE_SIGNAL, NULL) != POSTERN_OK)
        _exit(EXIT_FAILURE); /* a program that was started dies with us: PR_SET_PDEATHSIG */
    watch_over(&k);
    _exit(EXIT_SUCCESS);
}
