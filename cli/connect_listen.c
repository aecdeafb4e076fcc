/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern connect --listen`: each local connection is a session at the door, in a process of its
 * own (decision 0015); this one accepts, looks who comes, forks, and holds no secret.  See
 * connect.h.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "cli.h"
#include "connect.h"
#include "connect_peer.h"
#include "connect_place.h"

/* Without descriptors or processes left the next accept(2) fails as well: not at once again. */
#define PAUSE_MS 200
/* Strangers can connect as often as they like; each says so in the user's log at most this often.
 */
#define COMPLAINT_GAP_MS 10000

struct listener {
    const struct connect_plan *plan;
    struct connect_place place;
    int signal_fd;
    sigset_t old_signals;
    size_t sessions;
    int64_t next_complaint_ms;
    bool is_over;
};

/* ---- sessions ---- */

/* Does not return. */
static void run_session(const struct listener *l, pid_t parent, int client_fd)
{
    int status = CLI_UNDECIDED;

    (void)close(l->place.fd);
    (void)close(l->signal_fd);
    /* Ends with the listener: whoever stops that wants the sessions to stop. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        sigprocmask(SIG_SETMASK, &l->old_signals, NULL) == 0)
        status = connect_session_run(l->plan, client_fd, client_fd);
    _exit(status);
}

static void start_session(struct listener *l, int client_fd)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        run_session(l, parent, client_fd);
    if (pid > 0)
        l->sessions++;
    else
        fprintf(stderr, "postern connect: a connection was closed: fork: %m\n");
}

static void reap_sessions(struct listener *l)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        l->sessions--;
}

/* ---- connections ---- */

/* A unix socket's file lets nobody else in. */
static bool may_enter(struct listener *l, int client_fd)
{
    postern_error err = { 0 };
    int64_t now_ms = clock_boot_ms();

    if (l->place.is_unix || connect_peer_check(client_fd, geteuid(), &err) == POSTERN_OK)
        return true;
    if (now_ms >= l->next_complaint_ms) {
        l->next_complaint_ms = now_ms + COMPLAINT_GAP_MS;
        fprintf(stderr, "postern connect: %s: a connection was closed: %s\n", l->place.text,
                err.detail);
    }
    return false;
}

static void accept_one(struct listener *l)
{
    int fd = accept4(l->place.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            (void)poll(NULL, 0, PAUSE_MS);
        return; /* gone again, or a signal: the next poll(2) tells */
    }
    if (may_enter(l, fd))
        start_session(l, fd);
    (void)close(fd);
}

static void read_signal(struct listener *l)
{
    struct signalfd_siginfo info;

    if (read(l->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        reap_sessions(l);
    else
        l->is_over = true;
}

/* ---- the listener ---- */

static postern_err block_signals(struct listener *l, postern_error *err)
{
    sigset_t ours;

    if (sigemptyset(&ours) != 0 || sigaddset(&ours, SIGCHLD) != 0 ||
        sigaddset(&ours, SIGTERM) != 0 || sigaddset(&ours, SIGINT) != 0 ||
        sigaddset(&ours, SIGHUP) != 0 || sigprocmask(SIG_BLOCK, &ours, &l->old_signals) != 0)
        return POSTERN_FAIL(err, SYSTEM, "signals: %m");
    l->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    return l->signal_fd >= 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "signalfd: %m");
}

static postern_err serve(struct listener *l, postern_error *err)
{
    while (!l->is_over) {
        struct pollfd p[] = {
            { .fd = l->signal_fd, .events = POLLIN },
            { .fd = l->sessions < CONNECT_SESSIONS_MAX ? l->place.fd : -1, .events = POLLIN },
        };

        if (poll(p, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return POSTERN_FAIL(err, SYSTEM, "poll: %m");
        }
        if (p[0].revents != 0)
            read_signal(l);
        if (p[1].revents != 0 && !l->is_over)
            accept_one(l);
    }
    return POSTERN_OK;
}

static postern_err run(struct listener *l, const char *where, postern_error *err)
{
    POSTERN_TRY(block_signals(l, err));
    POSTERN_TRY(connect_place_open(where, &l->place, err));
    if (!l->plan->options->token.is_quiet)
        fprintf(stderr, "postern connect: listening on %s for %s\n", l->place.text,
                l->plan->target.text);
    return serve(l, err);
}

int connect_listen_run(const struct connect_plan *plan, const char *where)
{
    struct listener l = { .plan = plan, .place.fd = -1, .signal_fd = -1 };
    postern_error err = { 0 };
    postern_err e = run(&l, where, &err);

    connect_place_close(&l.place);
    if (l.signal_fd >= 0)
        (void)close(l.signal_fd);
    return e == POSTERN_OK ? CLI_PROVED : connect_explain(plan, "", &err);
}
