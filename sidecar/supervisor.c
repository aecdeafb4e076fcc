/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of posternd's first process: signals, children's messages, due times.  Generations
 * (generation.c) do the work; here is decided which one serves: a reload starts a new one beside
 * the old, and only when each of its children is ready the old one is told to drain, so that at no
 * moment nobody accepts.  "ready" is said when nobody is let in by the old one any more
 * (doc/decisions/0129).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "generation.h"
#include "notify.h"
#include "supervisor.h"

#define GENERATIONS_MAX 4 /* reloads faster than that wait until an old one has drained */

struct supervisor {
    const char        *config_dir;
    const struct role *roles;
    struct generation *newest; /* then ->next, older and older */
    int                signal_fd;
    int                exit_status;
    bool               is_stopping;
    bool               wants_reload;
    bool               owes_ready; /* the newest serves, and that is not said yet */
};

/* One descriptor of the poll set and whose it is. */
struct watch {
    struct generation *g; /* NULL: signals */
    role_id            id;
};

static struct generation *find_serving(const struct supervisor *s)
{
    struct generation *g = s->newest;

    while (g != NULL && g->state != GENERATION_SERVING)
        g = g->next;
    return g;
}

static size_t count_generations(const struct supervisor *s)
{
    size_t n = 0;

    for (const struct generation *g = s->newest; g != NULL; g = g->next)
        n++;
    return n;
}

/* ---- start, reload, stop ---- */

static postern_err begin(struct supervisor *s, postern_config *take_config, int64_t now_ms,
                         postern_error *err)
{
    struct generation *g;

    POSTERN_TRY(generation_new(take_config, find_serving(s), s->roles, now_ms, &g, err));
    g->next = s->newest;
    s->newest = g;
    log_start(g->log, NULL);
    generation_log(g);
    return POSTERN_OK;
}

static void reload(struct supervisor *s, int64_t now_ms)
{
    postern_config *config;
    postern_error err;
    postern_err e;

    s->wants_reload = false;
    notify_reloading();
    e = postern_config_load(s->config_dir, &config, &err);
    if (e == POSTERN_OK)
        e = begin(s, config, now_ms, &err);
    if (e == POSTERN_OK) {
        log_note("reload: new configuration read, starting new children");
        return;
    }
    log_problem("reload failed, the configuration before stays in force: %s: %s",
                postern_err_text(err.code), err.detail);
    notify_send("READY=1");
}

static void stop(struct supervisor *s, int64_t now_ms)
{
    if (s->is_stopping) {
        log_note("told to stop twice: killing what still drains");
        for (struct generation *g = s->newest; g != NULL; g = g->next)
            generation_kill(g);
        return;
    }
    log_note("stopping");
    notify_send("STOPPING=1");
    s->is_stopping = true;
    s->owes_ready = false;
    for (struct generation *g = s->newest; g != NULL; g = g->next) {
        g->state = GENERATION_RETIRING;
        /* The children close theirs; with ours open, newcomers would be let in to wait for nothing. */
        listeners_close(&g->listeners);
        generation_drain(g, now_ms);
    }
}

/* ---- which generation serves ---- */

static void enter_service(struct supervisor *s, int64_t now_ms)
{
    struct generation *old = find_serving(s);

    generation_take_over(s->newest, now_ms);
    for (struct generation *g = s->newest->next; g != NULL; g = g->next)
        g->keeper = s->newest;
    if (old != NULL) {
        old->state = GENERATION_RETIRING;
        listeners_unlink_gone(&old->listeners, &s->newest->listeners);
        listeners_close(&old->listeners); /* its children have their own */
        log_note("reloaded, the children before are draining");
    }
    s->owes_ready = true;
}

/* What "ready" promises: from now on callers are judged by the newest settings and by no others. */
static void finish_switch(struct supervisor *s, int64_t now_ms)
{
    bool is_behind = false;

    for (const struct generation *g = s->newest; g != NULL; g = g->next)
        is_behind = is_behind || generation_is_behind(g);
    if (is_behind) {
        for (struct generation *g = s->newest; g != NULL; g = g->next)
            generation_end_who_is_behind(g, now_ms);
        return;
    }
    s->owes_ready = false;
    log_note("ready"); /* scripts wait for this line */
    notify_send("READY=1");
}

/* The newest one cannot start: the one before goes on, or there is none and posternd stops. */
static void give_up(struct supervisor *s, int64_t now_ms)
{
    struct generation *serving = find_serving(s);

    s->newest->state = GENERATION_RETIRING;
    generation_give_up(s->newest, now_ms);
    generation_drain(s->newest, now_ms);
    if (serving == NULL) {
        log_problem("start failed, see above");
        s->exit_status = EXIT_FAILURE;
        stop(s, now_ms);
        return;
    }
    generation_kill(s->newest);
    listeners_unlink_gone(&s->newest->listeners, &serving->listeners);
    log_start(serving->log, NULL);
    log_problem("reload failed: a new child did not start, see above; the children before stay");
    notify_send("READY=1");
}

/* Nobody is left who could have something to record. */
static bool has_only_audit(const struct supervisor *s)
{
    for (const struct generation *g = s->newest; g != NULL; g = g->next)
        if (!generation_has_only_audit(g))
            return false;
    return true;
}

/*
 * The old issuer goes first.  It may have told the old helper and the door a revocation after the
 * new issuer read its store, so the new ones are connected anew (everything is told again) before
 * the rest goes too.
 */
static void retire(struct supervisor *s, struct generation *g, int64_t now_ms)
{
    struct child *issuer = &g->children[ROLE_ISSUER];
    bool had_issuer = g->state_dir_fd >= 0;
    struct generation *serving = find_serving(s);

    if (serving == NULL && has_only_audit(s))
        child_drain(&g->children[ROLE_AUDIT], now_ms, g->drain_ms);
    child_drain(issuer, now_ms, g->drain_ms);
    if (issuer->state != CHILD_NONE || g->is_draining)
        return;
    if (had_issuer && serving != NULL)
        generation_link(serving, ROLE_ISSUER, now_ms);
    generation_drain(g, now_ms);
}

static void forget_keeper(struct supervisor *s, const struct generation *gone)
{
    for (struct generation *g = s->newest; g != NULL; g = g->next)
        if (g->keeper == gone)
            g->keeper = NULL;
}

static void free_those_over(struct supervisor *s)
{
    struct generation **at = &s->newest;

    while (*at != NULL) {
        struct generation *g = *at;

        if (g->state == GENERATION_RETIRING && generation_is_over(g)) {
            *at = g->next;
            forget_keeper(s, g);
            generation_free(g);
        } else {
            at = &g->next;
        }
    }
}

/* Everything that follows from what the children have become. */
static void settle(struct supervisor *s, int64_t now_ms)
{
    if (s->newest->state == GENERATION_STARTING && s->newest->has_failed)
        give_up(s, now_ms);
    else if (s->newest->state == GENERATION_STARTING && generation_is_ready(s->newest))
        enter_service(s, now_ms);
    for (struct generation *g = s->newest; g != NULL; g = g->next)
        if (g->state == GENERATION_RETIRING)
            retire(s, g, now_ms);
    free_those_over(s);
    if (s->owes_ready)
        finish_switch(s, now_ms);
    if (s->wants_reload && !s->owes_ready && !s->is_stopping &&
        s->newest->state == GENERATION_SERVING && count_generations(s) < GENERATIONS_MAX)
        reload(s, now_ms);
}

/* ---- the loop ---- */

static void reap(struct supervisor *s, int64_t now_ms)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (struct generation *g = s->newest; g != NULL; g = g->next)
            if (generation_note_end(g, pid, status, now_ms))
                break;
}

static void take_signals(struct supervisor *s, int64_t now_ms)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(s, now_ms);
        else if (info.ssi_signo == SIGHUP)
            s->wants_reload = true;
        else
            stop(s, now_ms);
    }
}

static size_t collect_watches(const struct supervisor *s, struct pollfd *polls, struct watch *watches)
{
    size_t n = 1;

    polls[0] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
    watches[0] = (struct watch){ .g = NULL };
    for (struct generation *g = s->newest; g != NULL; g = g->next)
        for (role_id id = 0; id < ROLE_COUNT; id++) {
            if (g->children[id].channel == NULL)
                continue;
            polls[n] = (struct pollfd){ .fd = channel_fd(g->children[id].channel), .events = POLLIN };
            watches[n++] = (struct watch){ .g = g, .id = id };
        }
    return n;
}

static int poll_timeout_ms(const struct supervisor *s, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;

    for (const struct generation *g = s->newest; g != NULL; g = g->next) {
        if (generation_next_due_ms(g) < due_ms)
            due_ms = generation_next_due_ms(g);
        if (s->owes_ready && generation_behind_due_ms(g) < due_ms)
            due_ms = generation_behind_due_ms(g);
    }
    if (due_ms == INT64_MAX)
        return -1; /* idle: a signal or a child wakes us */
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms > 60000 ? 60000 : (int)(due_ms - now_ms);
}

static void turn(struct supervisor *s)
{
    struct pollfd polls[1 + GENERATIONS_MAX * ROLE_COUNT];
    struct watch watches[1 + GENERATIONS_MAX * ROLE_COUNT];
    size_t n = collect_watches(s, polls, watches);
    int64_t now_ms = clock_mono_ms();

    if (poll(polls, n, poll_timeout_ms(s, now_ms)) < 0)
        return; /* EINTR; anything else would come again as a due time */
    now_ms = clock_mono_ms();
    for (size_t i = 1; i < n; i++) /* messages before ends: what a child said last still counts */
        if (polls[i].revents != 0)
            generation_receive(watches[i].g, watches[i].id, s->newest, now_ms);
    if (polls[0].revents != 0)
        take_signals(s, now_ms);
    for (struct generation *g = s->newest; g != NULL; g = g->next)
        generation_run_due(g, now_ms);
    settle(s, now_ms);
}

/* SIGPIPE is ignored by the children themselves; here nothing writes to a pipe but the log. */
static postern_err open_signals(int *ret_fd, postern_error *err)
{
    static const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        (void)sigaddset(&set, wanted[i]);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return POSTERN_FAIL(err, SYSTEM, "signals: %m");
    *ret_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (*ret_fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "signalfd: %m");
    return POSTERN_OK;
}

int supervisor_run(const char *config_dir, postern_config *take_config, const struct role *roles)
{
    struct supervisor s = { .config_dir = config_dir, .roles = roles };
    postern_error err;

    if (open_signals(&s.signal_fd, &err) != POSTERN_OK) {
        postern_config_free(take_config);
        log_error("start failed", &err);
        return EXIT_FAILURE;
    }
    if (begin(&s, take_config, clock_mono_ms(), &err) != POSTERN_OK) {
        log_error("start failed", &err);
        (void)close(s.signal_fd);
        return postern_err_class(err.code) == POSTERN_CLASS_CONFIG ? EX_CONFIG : EXIT_FAILURE;
    }
    while (s.newest != NULL)
        turn(&s);
    (void)close(s.signal_fd);
    if (s.exit_status == 0)
        log_note("stopped");
    return s.exit_status;
}
