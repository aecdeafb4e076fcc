/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spawner child (sidecar/role.h): starts a program for a session of a door that asks for it.
 * What it may start it knows from the supervisor alone; a request names a door, and nothing of it
 * reaches the program.  One process, the keeper, stands above each program (keeper.h).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../channel_watch.h"
#include "../child.h"
#include "../log.h"
#include "../supervisor_line.h"
#include "../timer.h"
#include "keeper.h"
#include "kill_children.h"
#include "start.h"

/* Of one door, beyond its max_connections: programs whose sessions have ended, and which leave. */
#define LEAVING_MAX 64
/* Starts at one time of all doors, and then so many a second: a program that ends at once and an
 * agent that comes back at once cost one processor that much. */
#define STARTS_BURST    256
#define START_REFILL_MS 20
/* From fork to execve(2): folders on a network may be slow, the door waits no longer than that. */
#define START_MAX_MS 4500
/* Before the supervisor's patience ends: the rest is ended, so that nobody has to be killed. */
#define DRAIN_HEADROOM_MS 300
#define REQUESTS_PER_WAKE 32

struct program_list {
    struct program **list;
    size_t count;
};

/* One session's program, from the fork on until its keeper has ended. */
struct running {
    LIST_ENTRY(running) entry;
    struct spawner *spawner;
    pid_t keeper;
    struct event *status;   /* of status_fd, with the time-out; NULL: the door was answered */
    int status_fd, door_fd; /* door_fd: the door's end, until it has it */
    struct channel *answer;
    char door[PROGRAM_DOOR_MAX], session[PROGRAM_SESSION_MAX];
};
LIST_HEAD(running_list, running);

struct spawner {
    struct event_base *base;
    struct supervisor_line *supervisor;
    struct channel_watch door;
    struct event *child_ended, *drain_end;
    struct program_list coming, current;
    struct running_list running;
    int64_t drain_ms;
    int64_t starts, starts_ms; /* spent of STARTS_BURST; as of when */
    bool is_ready, is_draining;
    int status;
};

/* ---- what may be started ---- */

static void free_list(struct program_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        program_free(l->list[i]);
    free(l->list);
    *l = (struct program_list){ 0 };
}

static const struct program *find_program(const struct spawner *s, const char *door)
{
    for (size_t i = 0; i < s->current.count; i++)
        if (strcmp(s->current.list[i]->door, door) == 0)
            return s->current.list[i];
    return NULL;
}

/* Half a list would refuse what the file allows: the supervisor starts another, which is told all. */
static void give_up(struct spawner *s, const postern_error *err)
{
    log_error("what may be started", err);
    s->status = EXIT_FAILURE;
    (void)event_base_loopbreak(s->base);
}

static void take_program(void *arg)
{
    struct spawner *s = arg;
    struct program_list *l = &s->coming;
    struct program *p = NULL, **grown;
    postern_error err = { 0 };

    if (program_read(supervisor_line_channel(s->supervisor), &p, &err) != POSTERN_OK) {
        give_up(s, &err);
        return;
    }
    grown = reallocarray(l->list, l->count + 1, sizeof(*grown));
    if (grown == NULL) {
        program_free(p);
        (void)POSTERN_FAIL(&err, NOMEM, "programs");
        give_up(s, &err);
        return;
    }
    l->list = grown;
    l->list[l->count++] = p;
}

static void take_programs(void *arg)
{
    struct spawner *s = arg;
    postern_error err = { 0 };

    free_list(&s->current);
    s->current = s->coming;
    s->coming = (struct program_list){ 0 };
    (void)channel_integer(supervisor_line_channel(s->supervisor), "drain", &s->drain_ms);
    if (s->is_ready)
        return;
    s->is_ready = true;
    if (supervisor_line_say_ready(s->supervisor, &err) != POSTERN_OK)
        give_up(s, &err);
}

/* ---- the door's answer ---- */

static void stop_waiting(struct running *r)
{
    if (r->status != NULL)
        event_free(r->status);
    r->status = NULL;
    if (r->status_fd >= 0)
        (void)close(r->status_fd);
    if (r->door_fd >= 0)
        (void)close(r->door_fd);
    r->status_fd = r->door_fd = -1;
    channel_free(r->answer);
    r->answer = NULL;
}

/* A door that has given up reads nothing; it is not asked. */
static void refuse(struct channel *answer, const char *detail)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(2048);
    postern_json_writer w = { .out = &b };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "refused");
    postern_json_put_str(&w, "detail", detail);
    postern_json_close_object(&w);
    if (!b.failed)
        (void)!channel_send(answer, postern_buf_bytes(&b), -1, NULL);
}

static void refuse_start(struct running *r, const char *detail)
{
    log_problem("%s %s: its program was not started: %s", r->door, r->session, detail);
    refuse(r->answer, detail);
    stop_waiting(r);
}

static void on_status(evutil_socket_t fd, short what, void *arg)
{
    char text[START_FAULT_MAX] = "";
    struct running *r = arg;
    ssize_t n;

    if ((what & EV_TIMEOUT) != 0) {
        refuse_start(r, "it takes too long");
        (void)kill(r->keeper, KEEPER_END_SIGNAL); /* ours until we have waited for it */
        return;
    }
    n = read(fd, text, sizeof text - 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 1 || text[0] != KEEPER_STARTED) {
        refuse_start(r, n < 1 ? "there is no room for another process" : text);
        return;
    }
    /* Not sent: nobody holds the door's end then, and the program is ended. */
    (void)!channel_send_type(r->answer, "spawned", r->door_fd, NULL);
    stop_waiting(r);
}

/* ---- requests ---- */

static size_t count_running(const struct spawner *s, const char *door)
{
    const struct running *r;
    size_t n = 0;

    LIST_FOREACH(r, &s->running, entry)
        n += strcmp(r->door, door) == 0;
    return n;
}

static bool may_start(struct spawner *s)
{
    int64_t now_ms = clock_mono_ms(), back = (now_ms - s->starts_ms) / START_REFILL_MS;

    if (s->starts == 0 || back >= s->starts) {
        s->starts = 0;
        s->starts_ms = now_ms;
    } else {
        s->starts -= back;
        s->starts_ms += back * START_REFILL_MS;
    }
    if (s->starts >= STARTS_BURST)
        return false;
    s->starts++;
    return true;
}

/* NULL: it may. */
static const char *find_refusal(struct spawner *s, const struct program *p)
{
    if (p == NULL)
        return "this door starts no program";
    if (s->is_draining)
        return "posternd is stopping";
    if (count_running(s, p->door) >= p->max + LEAVING_MAX)
        return "as many as max_connections run already, and some that will not end";
    return may_start(s) ? NULL : "too many starts at one time";
}

static bool open_ways(struct running *r, int *ret_program_fd, int *ret_status_fd)
{
    int pair[2], status[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    r->door_fd = pair[0];
    *ret_program_fd = pair[1];
    if (pipe2(status, O_CLOEXEC) != 0) {
        (void)close(pair[1]);
        return false;
    }
    r->status_fd = status[0];
    *ret_status_fd = status[1];
    return true;
}

static bool watch_status(struct running *r)
{
    struct timeval patience = { START_MAX_MS / 1000, START_MAX_MS % 1000 * 1000 };

    r->status = event_new(r->spawner->base, r->status_fd, EV_READ | EV_PERSIST, on_status, r);
    return r->status != NULL && event_add(r->status, &patience) == 0;
}

/* r->keeper is set, or there is none and errno says why. */
static void fork_keeper(struct running *r, const struct program *p)
{
    struct keeper_setup setup = { .program = p, .session = r->session, .spawner = getpid() };

    r->keeper = -1;
    if (!open_ways(r, &setup.program_fd, &setup.status_fd))
        return;
    if (watch_status(r)) {
        r->keeper = fork();
        if (r->keeper == 0)
            keeper_main(&setup);
    }
    (void)close(setup.program_fd);
    (void)close(setup.status_fd);
}

static void start_program_for(struct spawner *s, const struct program *p, struct running *take)
{
    struct running *r = take;

    r->spawner = s;
    fork_keeper(r, p);
    if (r->keeper > 0) {
        LIST_INSERT_HEAD(&s->running, r, entry);
        return;
    }
    log_problem("%s %s: its program was not started: %m", r->door, r->session);
    refuse(r->answer, "there is no room for another process");
    stop_waiting(r);
    free(r);
}

/* One request; false: it breaks the rules. */
static bool take_request(struct spawner *s)
{
    struct channel *c = s->door.channel;
    struct running *r;
    const struct program *p;
    const char *refusal;
    int fd = channel_take_fd(c);

    if (!channel_type_is(c, "spawn") || fd < 0 || (r = calloc(1, sizeof *r)) == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    r->status_fd = r->door_fd = -1;
    if (channel_new(fd, &r->answer, NULL) != POSTERN_OK ||
        !channel_text(c, "door", r->door, sizeof r->door) ||
        !channel_text(c, "session", r->session, sizeof r->session)) {
        channel_free(r->answer);
        free(r);
        return false;
    }
    /* The configuration that the door works by is here, if it is not read yet. */
    supervisor_line_read(s->supervisor);
    p = find_program(s, r->door);
    refusal = find_refusal(s, p);
    if (refusal == NULL) {
        start_program_for(s, p, r);
        return true;
    }
    refuse(r->answer, refusal); /* the door records it */
    channel_free(r->answer);
    free(r);
    return true;
}

/* Its programs are not ended here: when it is gone the kernel has closed what it held of them. */
static void leave_door(struct spawner *s, const char *why)
{
    if (why != NULL)
        log_problem("line to the door: %s; it is closed", why);
    channel_watch_close(&s->door);
}

static void on_door_readable(evutil_socket_t fd, short what, void *arg)
{
    struct spawner *s = arg;
    postern_error err = { 0 };

    (void)fd;   /* the channel's */
    (void)what; /* only EV_READ is asked for */
    for (int i = 0; i < REQUESTS_PER_WAKE && s->door.channel != NULL; i++)
        switch (channel_receive(s->door.channel, &err)) {
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_MESSAGE:
            if (take_request(s))
                continue;
            leave_door(s, "a message that breaks the rules, or no memory");
            return;
        case CHANNEL_BROKEN:
            leave_door(s, err.detail);
            return;
        case CHANNEL_CLOSED:
            leave_door(s, NULL);
            return;
        }
}

static void take_door(void *arg, int take_fd)
{
    struct spawner *s = arg;
    postern_error err = { 0 };

    channel_watch_close(&s->door);
    if (channel_watch_open(&s->door, s->base, take_fd,
                           (struct channel_watch_calls){ .readable = on_door_readable, .arg = s },
                           &err) != POSTERN_OK)
        log_error("line to the door", &err);
}

/* ---- ends ---- */

static struct running *find_running(struct spawner *s, pid_t keeper)
{
    struct running *r;

    LIST_FOREACH(r, &s->running, entry)
        if (r->keeper == keeper)
            return r;
    return NULL;
}

static bool is_keeper(void *arg, pid_t pid)
{
    return find_running(arg, pid) != NULL;
}

/* False: it was no keeper, or one that did not end by itself. */
static bool forget(struct spawner *s, pid_t pid, int status)
{
    struct running *r = find_running(s, pid);
    char room[80];

    if (r == NULL)
        return false;
    if (status != 0)
        log_problem("%s %s: the keeper of its program %s", r->door, r->session,
                    child_describe_end(status, room, sizeof room));
    if (r->answer != NULL)
        refuse_start(r, "there is no room for another process");
    LIST_REMOVE(r, entry);
    free(r);
    return status == 0;
}

/* Whom a keeper had below it when it was killed comes to us, one after the other as they lose their
 * parents: nobody but keepers may be our child. */
static void reap(struct spawner *s)
{
    bool has_strangers = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        has_strangers |= !forget(s, pid, status);
    if (has_strangers)
        kill_children(is_keeper, s);
    if (s->is_draining && pid < 0) /* no child at all */
        (void)event_base_loopbreak(s->base);
}

static void on_child_ended(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a signal's number */
    (void)what; /* likewise */
    reap(arg);
}

static void on_drain_end(evutil_socket_t fd, short what, void *arg)
{
    struct spawner *s = arg;
    struct running *r;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    LIST_FOREACH(r, &s->running, entry)
        (void)kill(r->keeper, KEEPER_END_SIGNAL);
    kill_children(is_keeper, s);
}

/* Sessions end at the door, and each takes its program along. */
static void drain(void *arg)
{
    struct spawner *s = arg;

    if (s->is_draining)
        return;
    s->is_draining = true;
    timer_schedule(s->drain_end,
                   s->drain_ms > DRAIN_HEADROOM_MS ? s->drain_ms - DRAIN_HEADROOM_MS : 0);
    reap(s);
}

/* ---- beginning ---- */

static const struct supervisor_message messages[] = {
    { "program", .obey = take_program },
    { "programs", .obey = take_programs },
    { "door", .take = take_door },
};

static postern_err start(struct spawner *s, int take_fd, postern_error *err)
{
    s->base = event_base_new();
    if (s->base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    /* Whoever outlives a keeper comes to us, not to the system's first process. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return POSTERN_FAIL(err, SYSTEM, "PR_SET_CHILD_SUBREAPER: %m");
    POSTERN_TRY(supervisor_line_new(
        s->base, take_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, s },
        &s->supervisor, err));
    s->child_ended = evsignal_new(s->base, SIGCHLD, on_child_ended, s);
    s->drain_end = evtimer_new(s->base, on_drain_end, s);
    if (s->child_ended == NULL || s->drain_end == NULL || event_add(s->child_ended, NULL) != 0)
        return POSTERN_FAIL(err, NOMEM, "events");
    return POSTERN_OK;
}

static void stop(struct spawner *s)
{
    struct running *r;

    while ((r = LIST_FIRST(&s->running)) != NULL) {
        stop_waiting(r);
        LIST_REMOVE(r, entry);
        free(r);
    }
    channel_watch_close(&s->door);
    timer_free(s->drain_end);
    if (s->child_ended != NULL)
        event_free(s->child_ended);
    supervisor_line_free(s->supervisor);
    free_list(&s->coming);
    free_list(&s->current);
    if (s->base != NULL)
        event_base_free(s->base);
}

int spawner_main(struct role_setup *setup)
{
    struct spawner s = { .status = EXIT_SUCCESS, .running = LIST_HEAD_INITIALIZER(s.running) };
    postern_error err = { 0 };

    postern_config_free(setup->take_config); /* it needs what comes by message alone */
    setup->take_config = NULL;
    if (start(&s, setup->supervisor_fd, &err) != POSTERN_OK) {
        log_error("spawner cannot start", &err);
        s.status = EXIT_FAILURE;
    } else if (event_base_dispatch(s.base) < 0 || supervisor_line_is_broken(s.supervisor)) {
        log_problem("the event loop failed");
        s.status = EXIT_FAILURE;
    }
    stop(&s);
    return s.status;
}
