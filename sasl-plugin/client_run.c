/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ask `postern token` for a token for this host and service.  That program reads the client file,
 * compares the host with its `hosts:`, talks to the authorization server and keeps the cache; here
 * it is only run: fixed arguments, no shell, no descriptor of the application's, a deadline.  Only
 * where a client is configured at all (POSTERN_CLIENT, client.conf).
 */
#include "config.h" /* first: asks libc for its extensions */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define RUN_DEADLINE_MS 10000                   /* twice the deadline of one operation */
#define OUTPUT_MAX      (POSTERN_TOKEN_MAX + 1) /* and the newline */

extern char **environ;

static int64_t monotonic_ms(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_file(const char *folder, const char *name)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);

    return folder[0] == '/' && len > 0 && len < (int)sizeof path && access(path, R_OK) == 0;
}

/* The places that postern(1) lists for a client file. */
static bool has_client(void)
{
    const char *client = secure_getenv("POSTERN_CLIENT"),
               *config = secure_getenv("XDG_CONFIG_HOME");
    const char *home = secure_getenv("HOME");

    if (client != NULL && client[0] != '\0')
        return true;
    if (config != NULL && config[0] != '\0') {
        if (has_file(config, "postern/client.conf"))
            return true;
    } else if (home != NULL && has_file(home, ".config/postern/client.conf"))
        return true;
    return has_file(POSTERN_SYSCONFDIR, "client.conf");
}

/* An argument that cannot be taken for an option and holds nothing but a name or an address. */
static bool is_safe_name(const char *s)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";

    return s != NULL && s[0] != '\0' && s[0] != '-' && s[strspn(s, allowed)] == '\0' &&
           strlen(s) < POSTERN_HOST_MAX;
}

/* The installed program; POSTERN_COMMAND names another one, for a tree that is not installed. */
static const char *find_program(void)
{
    const char *named = secure_getenv("POSTERN_COMMAND");

    return named != NULL && named[0] == '/' ? named : POSTERN_BINDIR "/postern";
}

static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
    int e = posix_spawn_file_actions_adddup2(actions, output,
                                             STDOUT_FILENO); /* first: `output` may be 0 or 2 */

    if (e == 0)
        e = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (e == 0)
        e = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (e == 0)
        e = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return e;
}

/*
 * The child starts with no signal blocked and none ignored, whatever the application does with its
 * own.
 */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int e = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (e == 0)
        e = posix_spawnattr_setsigmask(attributes, &none);
    if (e == 0)
        e = posix_spawnattr_setsigdefault(attributes, &all);
    return e;
}

static int spawn(const char *host, const char *service, int output, pid_t *ret_pid)
{
    const char *program = find_program();
    const char *const argv[] = { program, "token",         "--quiet", "--for-host",
                                 host,    "--for-service", service,   NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int e = posix_spawn_file_actions_init(&actions);

    if (e != 0)
        return e;
    e = posix_spawnattr_init(&attributes);
    if (e == 0) {
        e = set_actions(&actions, output);
        if (e == 0)
            e = set_attributes(&attributes);
        if (e == 0)
            e = posix_spawn(ret_pid, program, &actions, &attributes, (char *const *)(uintptr_t)argv,
                            environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return e;
}

/* Everything until end of file, the deadline, or one byte too many. */
static postern_err collect(int fd, int64_t deadline_ms, postern_buf *out, postern_error *err)
{
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int64_t left_ms = deadline_ms - monotonic_ms();
        uint8_t chunk[1024];
        ssize_t got;

        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) == 0)
            return POSTERN_FAIL(err, TIMEOUT, "postern token: no answer within %d s",
                                RUN_DEADLINE_MS / 1000);
        got = read(fd, chunk, sizeof chunk);
        if (got == 0)
            return POSTERN_OK;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return POSTERN_FAIL(err, SYSTEM, "postern token: read: %s", strerror(errno));
        postern_buf_add(out, (postern_bytes){ chunk, (size_t)got });
        postern_wipe(chunk, (size_t)got);
        if (out->failed)
            return POSTERN_FAIL(err, SYSTEM, "postern token: more output than a token");
    }
}

/*
 * An application that reaps all its children (or ignores SIGCHLD) leaves us no status: then the
 * output must speak.
 */
static bool has_ended_well(pid_t pid)
{
    int status = 0;
    pid_t waited;

    do
        waited = waitpid(pid, &status, 0);
    while (waited < 0 && errno == EINTR);
    if (waited < 0)
        return errno == ECHILD;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static postern_err take_output(postern_bytes text, postern_secret **ret, postern_error *err)
{
    if (text.len != 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > POSTERN_TOKEN_MAX || !postern_token_is_token68(text))
        return POSTERN_FAIL(err, SYSTEM, "postern token: printed no bearer token");
    return postern_secret_new(text, ret, err);
}

static postern_err run(const char *host, const char *service, int pipe_fd[2], postern_secret **ret,
                       postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);
    int64_t deadline_ms = monotonic_ms() + RUN_DEADLINE_MS;
    pid_t pid = -1;
    int spawned = spawn(host, service, pipe_fd[1], &pid);
    postern_err e;
    bool is_well;

    (void)close(pipe_fd[1]);
    pipe_fd[1] = -1;
    if (spawned != 0)
        return POSTERN_FAIL(err, SYSTEM, "%s: %s", find_program(), strerror(spawned));
    e = collect(pipe_fd[0], deadline_ms, &out, err);
    if (e != POSTERN_OK)
        (void)kill(pid, SIGKILL);
    is_well = has_ended_well(pid);
    if (e != POSTERN_OK)
        return e;
    if (!is_well)
        return POSTERN_FAIL(err, TOKEN_REFUSED,
                            "no token: see `postern token --for-host %s --for-service %s`", host,
                            service);
    return take_output(postern_buf_bytes(&out), ret, err);
}

postern_err client_run_postern(const char *host, const char *service, postern_secret **ret,
                               postern_error *err)
{
    int pipe_fd[2] = { -1, -1 };
    postern_err e;

    if (!has_client())
        return POSTERN_FAIL(
            err, NO_TOKEN, "no token: none was given, none was found, and no client file is there");
    if (!is_safe_name(host) || !is_safe_name(service))
        return POSTERN_FAIL(err, NO_TOKEN, "no token: host or service has no plain name");
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pipe: %s", strerror(errno));
    e = run(host, service, pipe_fd, ret, err);
    if (pipe_fd[0] >= 0)
        (void)close(pipe_fd[0]);
    if (pipe_fd[1] >= 0)
        (void)close(pipe_fd[1]);
    return e;
}
