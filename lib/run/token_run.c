/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern token` as an operation: a child, the pipe of its standard output, and its end.  Not in the
 * archive that PAM and PostgreSQL modules link: those start no process (lib/local.mk).
 */
#include "config.h" /* first: asks libc for its extensions */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern/oauthbearer.h>
#include <postern/run.h>

#include "grant/op.h"

#define RUN_DEADLINE_MS 10000                   /* twice the deadline of one operation */
#define OUTPUT_MAX      (POSTERN_TOKEN_MAX + 1) /* and the newline */
#define END_WAIT_MS     5 /* between looks at a child that closed its output and has not ended */

extern char **environ;

struct run_op {
    postern_op op;
    char host[POSTERN_HOST_MAX], service[POSTERN_HOST_MAX];
    pid_t pid; /* 0: none, or it was waited for */
    int output; /* -1: not open */
    bool is_read; /* to its end */
    postern_buf text;
};

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

/* ---- the child ---- */

static postern_err begin(struct run_op *r, postern_error *err)
{
    int pipe_fd[2], spawned;
    pid_t pid = 0;

    if (getauxval(AT_SECURE) != 0 || !has_client())
        return POSTERN_FAIL(
            err, NO_TOKEN, "no token: none was given, none was found, and no client file is there");
    if (!is_safe_name(r->host) || !is_safe_name(r->service))
        return POSTERN_FAIL(err, NO_TOKEN, "no token: host or service has no plain name");
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pipe: %s", strerror(errno));
    r->output = pipe_fd[0];
    spawned = spawn(r->host, r->service, pipe_fd[1], &pid);
    (void)close(pipe_fd[1]);
    if (spawned != 0)
        return POSTERN_FAIL(err, SYSTEM, "%s: %s", find_program(), strerror(spawned));
    r->pid = pid;
    if (fcntl(r->output, F_SETFL, O_NONBLOCK) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pipe: %s", strerror(errno));
    return POSTERN_OK;
}

/* Everything until end of file, or one byte too many. */
static postern_err collect(struct run_op *r, postern_error *err)
{
    for (;;) {
        uint8_t chunk[1024];
        ssize_t got = read(r->output, chunk, sizeof chunk);

        if (got == 0) {
            r->is_read = true;
            return POSTERN_OK;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return POSTERN_AGAIN;
        if (got < 0)
            return POSTERN_FAIL(err, SYSTEM, "postern token: read: %s", strerror(errno));
        postern_buf_add(&r->text, (postern_bytes){ chunk, (size_t)got });
        postern_wipe(chunk, (size_t)got);
        if (r->text.failed)
            return POSTERN_FAIL(err, SYSTEM, "postern token: more output than a token");
    }
}

/*
 * An application that reaps all its children (or ignores SIGCHLD) leaves us no status: then the
 * output must speak.
 */
static postern_err see_end(struct run_op *r, postern_error *err)
{
    int status = 0;
    pid_t waited;

    do
        waited = waitpid(r->pid, &status, WNOHANG);
    while (waited < 0 && errno == EINTR);
    if (waited == 0)
        return POSTERN_AGAIN;
    r->pid = 0;
    if (waited > 0 ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : errno == ECHILD)
        return POSTERN_OK;
    return POSTERN_FAIL(err, TOKEN_REFUSED,
                        "no token: see `postern token --for-host %s --for-service %s`", r->host,
                        r->service);
}

static postern_err take_output(struct run_op *r, postern_error *err)
{
    postern_bytes text = postern_buf_bytes(&r->text);

    if (text.len != 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > POSTERN_TOKEN_MAX || !postern_token_is_token68(text))
        return POSTERN_FAIL(err, SYSTEM, "postern token: printed no bearer token");
    return postern_secret_new(text, &r->op.token, err);
}

/* ---- the operation ---- */

static postern_err step_run(postern_op *op, postern_error *err)
{
    struct run_op *r = (struct run_op *)op;

    if (r->output < 0)
        POSTERN_TRY(begin(r, err));
    if (!r->is_read)
        POSTERN_TRY(collect(r, err));
    POSTERN_TRY(see_end(r, err));
    return take_output(r, err);
}

static int fd_of_run(const postern_op *op)
{
    const struct run_op *r = (const struct run_op *)op;

    return r->is_read ? -1 : r->output;
}

static int wait_ms_of_run(const postern_op *op)
{
    return ((const struct run_op *)op)->is_read ? END_WAIT_MS : -1;
}

/* False: the application has waited for it, and its number may be anybody's. */
static bool is_there(pid_t child)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* A child that is not needed any more ends; it is the child of the process that started it alone. */
static void destroy_run(postern_op *op)
{
    struct run_op *r = (struct run_op *)op;

    if (r->pid > 0 && op->pid == getpid() && is_there(r->pid)) {
        (void)kill(r->pid, SIGKILL);
        while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (r->output >= 0)
        (void)close(r->output);
    postern_buf_free(&r->text);
}

static const struct postern_op_class run_class = {
    .name = "postern token",
    .size = sizeof(struct run_op),
    .step = step_run,
    .fd = fd_of_run,
    .wait_ms = wait_ms_of_run,
    .destroy = destroy_run,
};

/* A name that does not fit is none. */
static void keep_name(const char *name, char *room)
{
    if (is_safe_name(name))
        memcpy(room, name, strlen(name) + 1);
}

postern_err postern_run_token_start(const char *host, const char *service, postern_op **ret_op,
                                    postern_error *err)
{
    postern_op *op;
    struct run_op *r;

    POSTERN_TRY(postern_op_new(&run_class, NULL, RUN_DEADLINE_MS, &op, err));
    r = (struct run_op *)op;
    r->output = -1;
    r->text = POSTERN_BUF_INIT(OUTPUT_MAX);
    keep_name(host, r->host);
    keep_name(service, r->service);
    *ret_op = op;
    return POSTERN_OK;
}
