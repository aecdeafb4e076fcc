/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of one child process: fork, the way down to its user and role, drain, end.  Called by
 * generation_children.c and generation_messages.c. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "child.h"
#include "issuer_clients.h"
#include "privilege.h"
#include "sandbox.h"

#define READ_FILES_MAX 2051 /* two for each issuer (POSTERN_CONFIG_FILES_MAX), ours, NULL */

/* ---- in the child ---- */

/* The service manager signals the supervisor; a terminal or a `killall` signals everybody, and
 * children drain all the same. */
static void settle_signals(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    sigset_t none;

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static postern_err close_what_is_not_its_own(const struct role_setup *s, postern_error *err)
{
    int keep[ROLE_LISTEN_MAX + ISSUER_CLIENTS_MAX + 5];
    size_t n = 0;

    _Static_assert(sizeof keep / sizeof keep[0] <= SANDBOX_KEEP_MAX, "it may keep them all");
    for (size_t i = 0; i < s->listen_count; i++)
        keep[n++] = s->listen_fds[i];
    keep[n++] = s->supervisor_fd;
    keep[n++] = s->admin_fd;
    keep[n++] = s->status_fd;
    keep[n++] = s->saslauthd_fd;
    keep[n++] = s->state_dir_fd;
    for (size_t i = 0; s->issuer_clients != NULL && i < s->issuer_clients->count; i++)
        keep[n++] = s->issuer_clients->list[i].fd;
    return sandbox_close_others(keep, n, err);
}

static void add_file(const postern_section *s, const char *key, const char **ret, size_t room,
                     size_t *n)
{
    const char *file = s == NULL ? NULL : postern_section_text(s, key);

    if (file != NULL && *n + 1 < room)
        ret[(*n)++] = file;
}

/* Is there an issuer whose keys are in no file, or that is asked about tokens; one by plain http to
 * loopback? */
static bool has_fetched_issuer(const postern_config *c, bool by_http)
{
    const postern_section *s;

    for (size_t i = 0; (s = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL; i++)
        if ((postern_section_text(s, "jwks_file") == NULL || issuer_client_of(c, s) != NULL) &&
            (!by_http || postern_section_flag(s, "allow_loopback_http")))
            return true;
    return false;
}

/* Key sets of issuers, and whose certificates they may have, wherever they lie. */
static void collect_read_files(const postern_config *c, const char **ret, size_t room)
{
    const postern_section *s;
    size_t n = 0;

    for (size_t i = 0; (s = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL; i++) {
        add_file(s, "jwks_file", ret, room, &n);
        add_file(s, "tls_ca_file", ret, room, &n);
    }
    add_file(postern_config_section(c, POSTERN_SECTION_SERVER, NULL), "jwks_file", ret, room, &n);
    if (has_fetched_issuer(c, true) && n + 1 < room)
        /* Whose listener it is stands in /proc/net/tcp.  The folder around is made anew for each
         * process, and landlock's rules hang on what was there: so all of /proc. */
        ret[n++] = "/proc/net";
    ret[n] = NULL;
}

/* Whoever needs nothing from an issuer but a file begins no connection. */
static unsigned get_needs(const struct child *child, const postern_config *c)
{
    bool connects = (child->role->needs & SANDBOX_FETCH) != 0 && has_fetched_issuer(c, false);

    return child->role->needs | (connects ? SANDBOX_CONNECT : 0);
}

static postern_err confine(const struct child *c, const struct role_setup *s, postern_error *err)
{
    const char *files[READ_FILES_MAX];
    const struct sandbox_rules rules = { get_needs(c, s->take_config), s->state_dir_fd, files };
    bool is_complete = false;

    if ((c->role->needs & SANDBOX_START) != 0) {
        if (!sandbox_can_stand_apart())
            log_note("this kernel has no landlock, or one before Linux 6.12: programs of one user "
                     "can end, and look into, each other");
        return sandbox_forbid_root(err);
    }
    collect_read_files(s->take_config, files, READ_FILES_MAX);
    POSTERN_TRY(sandbox_restrict_files(&rules, &is_complete, err));
    if (!is_complete)
        log_note("this kernel has no landlock, or an early one: its user and the filter of system "
                 "calls confine this child");
    return sandbox_restrict_calls(&rules, err);
}

static postern_err become(const struct child *c, postern_error *err)
{
    if ((c->role->needs & SANDBOX_START) != 0)
        return privilege_become(&c->account, err);
    return users_become(&c->account, err);
}

static postern_err go_down(const struct child *c, const struct role_setup *s, size_t descriptors,
                           pid_t parent, postern_error *err)
{
    size_t allowed;

    POSTERN_TRY(close_what_is_not_its_own(s, err));
    if ((allowed = sandbox_raise_descriptors(descriptors)) < descriptors)
        log_problem("%zu descriptors allowed, %zu wanted (RLIMIT_NOFILE); logins beyond that wait",
                    allowed, descriptors);
    if (chdir("/") != 0)
        return POSTERN_FAIL(err, SYSTEM, "chdir: %m");
    (void)umask(077);
    (void)prctl(PR_SET_NAME, c->role->title, 0, 0, 0);
    POSTERN_TRY(become(c, err));
    POSTERN_TRY(sandbox_enter(parent, err));
    return confine(c, s, err);
}

static _Noreturn void run_role(const struct child *c, struct role_setup *setup, log_target log,
                               size_t descriptors, pid_t parent)
{
    postern_error err;

    log_start(log, c->role->name);
    settle_signals();
    if (go_down(c, setup, descriptors, parent, &err) != POSTERN_OK) {
        log_error("cannot become what it should be", &err);
        _exit(EX_OSERR);
    }
    exit(c->role->main(setup));
}

/* ---- in the supervisor ---- */

postern_err child_start(struct child *c, const struct role_setup *setup, log_target log,
                        size_t descriptors, int64_t now_ms, postern_error *err)
{
    struct role_setup own = *setup;
    struct channel *channel;
    pid_t parent = getpid(), pid;
    int fds[2];

    POSTERN_TRY(channel_pair(fds, err));
    own.supervisor_fd = fds[1];
    if (channel_new(fds[0], &channel, err) != POSTERN_OK) {
        (void)close(fds[1]);
        return POSTERN_ERR_NOMEM;
    }
    pid = fork();
    if (pid == 0)
        run_role(c, &own, log, descriptors, parent);
    (void)close(fds[1]);
    if (pid < 0) {
        (void)POSTERN_FAIL(err, SYSTEM, "fork: %m");
        channel_free(channel);
        return POSTERN_ERR_SYSTEM;
    }
    c->pid = pid;
    c->channel = channel;
    c->state = CHILD_STARTING;
    c->due_ms = now_ms + c->role->ready_max_ms;
    c->ready_ms = 0;
    c->link_due_ms = INT64_MAX;
    c->has_jwks_written = false;
    c->is_retired = false;
    c->leave_due_ms = INT64_MAX;
    c->questions = 0;
    c->is_committed = false;
    return POSTERN_OK;
}

void child_kill(struct child *c)
{
    if (c->pid > 0)
        /* Ours until waitpid() took its status: the number cannot be another's. */
        (void)kill(c->pid, SIGKILL);
}

void child_drain(struct child *c, int64_t now_ms, int64_t drain_ms)
{
    postern_error err;

    if (c->state == CHILD_DRAINING || c->state == CHILD_NONE)
        return;
    if (c->pid == 0) {
        c->state = CHILD_NONE;
        return;
    }
    c->state = CHILD_DRAINING;
    c->due_ms = now_ms + drain_ms;
    c->leave_due_ms = now_ms + CHILD_LEAVE_MAX_MS;
    if (c->channel != NULL && channel_send_type(c->channel, "drain", -1, &err) != POSTERN_OK)
        child_close_channel(c); /* end of file says the same */
}

void child_close_channel(struct child *c)
{
    channel_free(c->channel);
    c->channel = NULL;
}

void child_condemn(struct child *c, const char *why)
{
    log_problem("%s %ld %s; it is killed", c->role->name, (long)c->pid, why);
    child_close_channel(c);
    child_kill(c);
}

void child_tell(struct child *c, const char *type, int fd)
{
    postern_error err;

    if (c->channel != NULL && channel_send_type(c->channel, type, fd, &err) != POSTERN_OK)
        child_condemn(c, "does not read its messages");
}

const char *child_describe_end(int status, char *room, size_t room_size)
{
    int n = WIFSIGNALED(status)
                ? snprintf(room, room_size, "died of signal %d (%s)", WTERMSIG(status),
                           strsignal(WTERMSIG(status)))
                : snprintf(room, room_size, "exited with status %d", WEXITSTATUS(status));

    return n < 0 ? "ended" : room;
}

void child_note_end(struct child *c, int status)
{
    bool was_asked = c->state == CHILD_DRAINING;
    char how[80];

    (void)child_describe_end(status, how, sizeof how);
    if (was_asked)
        log_note("%s %ld drained, %s", c->role->name, (long)c->pid, how);
    else
        log_problem("%s %ld %s", c->role->name, (long)c->pid, how);
    child_close_channel(c);
    c->pid = 0;
    c->state = CHILD_NONE;
    c->link_due_ms = INT64_MAX;
    c->commits = 0;
}

static unsigned longer_backoff_ms(const struct child *c, int64_t now_ms)
{
    bool was_steady = c->ready_ms != 0 && now_ms - c->ready_ms >= CHILD_STEADY_MS;

    if (was_steady || c->backoff_ms == 0)
        return CHILD_BACKOFF_MIN_MS;
    return c->backoff_ms < CHILD_BACKOFF_MAX_MS / 2 ? c->backoff_ms * 2 : CHILD_BACKOFF_MAX_MS;
}

void child_restart_later(struct child *c, int64_t now_ms)
{
    c->backoff_ms = longer_backoff_ms(c, now_ms);
    c->state = CHILD_WAITING;
    c->due_ms = now_ms + c->backoff_ms;
    log_note("%s starts again in %u ms", c->role->name, c->backoff_ms);
}
