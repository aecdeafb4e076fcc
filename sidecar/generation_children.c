/* SPDX-License-Identifier: BSD-2-Clause */
/* The children of a generation: started, connected, ended, handed to the next one (generation.h).  What
 * they say is generation_messages.c's. */
#include "config.h"

#include "generation_inner.h"
#include "generation_open.h"
#include "lines.h"

#define DESCRIPTORS_SPARE 256 /* files of the libraries, key sets, the store */
/* Questions about opaque tokens that are under way, three each: 256 to the embedded issuer, 64 to
 * another (lib/oauth/introspector.h). */
#define DESCRIPTORS_ASKING 1024

/* ---- starting ---- */

static int listener_of(const struct generation *g, listener_kind kind)
{
    for (size_t i = 0; i < g->listeners.count; i++)
        if (g->listeners.list[i].kind == kind)
            return g->listeners.list[i].fd;
    return -1;
}

static struct role_setup setup_of(const struct generation *g, role_id id)
{
    static const listener_kind own[ROLE_COUNT] = { [ROLE_HELPER] = LISTENER_HELPER,
                                                   [ROLE_ISSUER] = LISTENER_HTTP,
                                                   [ROLE_CONTROL] = LISTENER_CONTROL };
    struct role_setup s = { .take_config = g->config,
                            .supervisor_fd = -1,
                            .admin_fd = -1,
                            .status_fd = -1,
                            .saslauthd_fd = -1,
                            .state_dir_fd = -1 };

    for (size_t i = 0; i < g->listeners.count; i++)
        if (own[id] != LISTENER_NONE && g->listeners.list[i].kind == own[id] &&
            s.listen_count < ROLE_LISTEN_MAX)
            s.listen_fds[s.listen_count++] = g->listeners.list[i].fd;
    if (id == ROLE_ISSUER) {
        s.state_dir = postern_section_text(server_section(g->config), "state_dir");
        s.state_dir_fd = g->state_dir_fd;
        s.admin_fd = listener_of(g, LISTENER_ADMIN);
    }
    if (id == ROLE_HELPER) {
        s.issuer_clients = &g->issuer_clients;
        s.login_policies = &g->login_policies;
        s.saslauthd_fd = listener_of(g, LISTENER_SASLAUTHD);
    }
    if (id == ROLE_CONTROL) {
        s.state_dir_fd = g->blocks_dir_fd;
        s.status_fd = listener_of(g, LISTENER_STATUS);
    }
    return s;
}

void generation_commit_door(struct child *door, int64_t now_ms)
{
    door->is_committed = true;
    door->commits++;
    door->leave_due_ms = now_ms + CHILD_LEAVE_MAX_MS;
    child_tell(door, "commit", -1);
}

/*
 * The audit child takes a line from everybody, of whichever generation.  The door has one issuer
 * and one control: those of the generation that holds it.
 */
static struct child *find_linked(void *arg, role_id id)
{
    struct generation *g = arg;

    if (id == ROLE_AUDIT && g->children[id].state == CHILD_NONE && g->keeper != NULL)
        g = g->keeper;
    return g->children[id].channel == NULL ? NULL : &g->children[id];
}

static void link_with(struct generation *g, role_id id, role_id with, int64_t now_ms)
{
    struct child *c = &g->children[id];
    postern_error err;

    if (c->channel == NULL ||
        lines_make(id, with, g->loops, find_linked, child_condemn, g, &err) == POSTERN_OK)
        return;
    log_error("connecting children", &err);
    c->link_due_ms = now_ms + LINK_INTERVAL_MS; /* who was told before goes on with what it knows */
}

void generation_link(struct generation *g, role_id id, int64_t now_ms)
{
    g->children[id].linked_ms = now_ms;
    g->children[id].link_due_ms = INT64_MAX;
    link_with(g, id, ROLE_COUNT, now_ms);
}

static size_t count_descriptors(const struct generation *g, role_id id)
{
    const postern_section *daemon = daemon_section(g->config), *door;
    size_t wanted = DESCRIPTORS_SPARE;

    if (id == ROLE_HELPER)
        return wanted + DESCRIPTORS_ASKING +
               (size_t)postern_section_number(daemon, "helper_max_connections");
    /* A program that starts: five.  All of a door can come at once. */
    for (size_t i = 0; id == ROLE_SPAWNER &&
                       (door = postern_config_section_at(g->config, POSTERN_SECTION_DOOR, i)) != NULL;
         i++)
        if (spawn_set_is_program(door))
            wanted += 5 * (size_t)postern_section_number(door, "max_connections");
    if (id != ROLE_DOOR)
        return wanted;
    /* A session: two sockets, and at times a pipe. */
    for (size_t i = 0; (door = postern_config_section_at(g->config, POSTERN_SECTION_DOOR, i)) != NULL;
         i++)
        wanted += 4 * (size_t)postern_section_number(door, "max_connections");
    return wanted + DESCRIPTORS_ASKING + (size_t)postern_section_number(daemon, "login_max") +
           (g->listeners.count + g->door_set.count) * 2;
}

static postern_err send_checkpoint_key(struct generation *g, struct channel *to,
                                       postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(128);
    postern_json_writer w = { .out = &b };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "checkpoint_key");
    postern_json_put_integer(&w, "every",
                             postern_section_number(daemon_section(g->config), "audit_checkpoint"));
    postern_json_close_object(&w);
    if (b.failed)
        return POSTERN_FAIL(err, NOMEM, "message to the audit child");
    return channel_send(to, postern_buf_bytes(&b), g->audit_secrets.checkpoint_fd, err);
}

/* The file last: with it the child is ready. */
static postern_err send_audit(struct generation *g, struct channel *to, postern_error *err)
{
    POSTERN_TRY(send_checkpoint_key(g, to, err));
    if (g->checkpoint_file_fd >= 0)
        POSTERN_TRY(channel_send_type(to, "checkpoint_file", g->checkpoint_file_fd, err));
    return channel_send_type(to, "file", g->audit_fd, err);
}

/* What a lasting child needs before it can say "ready". */
static postern_err send_start(struct generation *g, role_id id, postern_error *err)
{
    struct child *c = &g->children[id];

    if (id == ROLE_AUDIT) {
        POSTERN_TRY(channel_send_type(c->channel, "tally", g->tally_fd, err));
        return send_audit(g, c->channel, err);
    }
    if (id == ROLE_DOOR) {
        int rates_fd;

        c->questions++;
        POSTERN_TRY(channel_send_type(c->channel, "tally", g->tally_fd, err));
        POSTERN_TRY(rates_memory_renew(g->rates, &rates_fd, err));
        POSTERN_TRY(channel_send_type(c->channel, "rates", rates_fd, err));
        return door_set_send(&g->door_set, &g->listeners, g->loops, c->channel, err);
    }
    if (id == ROLE_SPAWNER)
        return spawn_set_send(&g->spawn_set, g->drain_ms, c->channel, err);
    return POSTERN_OK;
}

static void start_child(struct generation *g, role_id id, int64_t now_ms)
{
    struct role_setup setup = setup_of(g, id);
    struct child *c = &g->children[id];
    postern_error err;

    if (child_start(c, &setup, g->log, count_descriptors(g, id), now_ms, &err) != POSTERN_OK) {
        log_error(c->role->name, &err);
        c->due_ms = now_ms + CHILD_BACKOFF_MAX_MS; /* the machine is short of something */
        return;
    }
    log_note("%s %ld started", c->role->name, (long)c->pid);
    if (send_start(g, id, &err) != POSTERN_OK) {
        log_error(c->role->name, &err);
        child_condemn(c, "cannot be told what it needs");
        return;
    }
    generation_link(g, id, now_ms);
}

static void run_due_child(struct generation *g, role_id id, int64_t now_ms)
{
    struct child *c = &g->children[id];

    if (c->state == CHILD_WAITING) {
        start_child(g, id, now_ms);
        return;
    }
    c->due_ms = INT64_MAX;
    if (c->state == CHILD_DRAINING)
        child_condemn(c, "did not drain within drain_timeout");
    else
        child_condemn(c, c->channel == NULL ? "closed its channel and stays" :
                                        "did not become ready in time");
}

static bool has_due(const struct child *c)
{
    return c->state == CHILD_WAITING || c->state == CHILD_STARTING || c->state == CHILD_DRAINING;
}

static bool asks_door(const struct generation *g)
{
    return g->state == GENERATION_STARTING && g->door_is_awaited && !g->has_failed;
}

/* The door that was asked has ended (even if it has answered: another may be there by now, that
 * knows nothing), or says nothing. */
static void check_asked_door(struct generation *g, int64_t now_ms)
{
    const struct child *door;

    if (!asks_door(g))
        return;
    door = &g->keeper->children[ROLE_DOOR];
    if (door->pid == g->asked_pid && door->channel != NULL) {
        if (g->door_is_prepared || now_ms < g->door_due_ms)
            return;
        log_problem("door: no word on the new configuration");
    } else {
        log_problem("door: ended while it was asked about the new configuration");
    }
    g->has_failed = true;
}

void generation_run_due(struct generation *g, int64_t now_ms)
{
    check_asked_door(g, now_ms);
    if (g->state == GENERATION_STARTING && g->has_failed)
        return; /* it is given up next */
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (has_due(&g->children[id]) && g->children[id].due_ms <= now_ms)
            run_due_child(g, id, now_ms);
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (g->children[id].link_due_ms <= now_ms)
            generation_link(g, id, now_ms);
}

int64_t generation_next_due_ms(const struct generation *g)
{
    int64_t due_ms = asks_door(g) && !g->door_is_prepared ? g->door_due_ms : INT64_MAX;

    for (role_id id = 0; id < ROLE_COUNT; id++) {
        const struct child *c = &g->children[id];

        if (has_due(c) && c->due_ms < due_ms)
            due_ms = c->due_ms;
        if (c->link_due_ms < due_ms)
            due_ms = c->link_due_ms;
    }
    return due_ms;
}

/* ---- ends ---- */

bool generation_note_end(struct generation *g, pid_t pid, int status, int64_t now_ms)
{
    for (role_id id = 0; id < ROLE_COUNT; id++) {
        struct child *c = &g->children[id];
        bool was_asked;

        if (c->pid != pid)
            continue;
        was_asked = c->state == CHILD_DRAINING;
        if (id == ROLE_DOOR)
            tally_memory_orphan(g->tally, pid);
        child_note_end(c, status);
        if (g->state == GENERATION_STARTING && !was_asked)
            g->has_failed = true;
        /* Who drains has last words to write down. */
        if (!was_asked && (g->state == GENERATION_SERVING ||
                           (g->state == GENERATION_RETIRING && id == ROLE_AUDIT && !g->is_killed)))
            child_restart_later(c, now_ms);
        return true;
    }
    return false;
}

bool generation_is_ready(const struct generation *g)
{
    if (g->door_is_awaited && !g->door_is_prepared)
        return false;
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (g->children[id].state != CHILD_NONE && g->children[id].state != CHILD_READY)
            return false;
    return true;
}

bool generation_is_over(const struct generation *g)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (g->children[id].state != CHILD_NONE)
            return false;
    return true;
}

bool generation_has_only_audit(const struct generation *g)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (id != ROLE_AUDIT && g->children[id].state != CHILD_NONE)
            return false;
    return true;
}

/*
 * Could it let somebody in by what was before?  Audit and spawner judge nobody.  Issuer and control
 * do not say that they have retired: they finish what was begun within seconds and are gone.
 */
static bool is_behind(const struct generation *g, role_id id)
{
    const struct child *c = &g->children[id];

    if (g->state == GENERATION_SERVING)
        return c->commits != 0;
    return id != ROLE_AUDIT && id != ROLE_SPAWNER && c->pid != 0 && !c->is_retired;
}

bool generation_is_behind(const struct generation *g)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (is_behind(g, id))
            return true;
    return false;
}

int64_t generation_behind_due_ms(const struct generation *g)
{
    int64_t due_ms = INT64_MAX;

    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (is_behind(g, id) && g->children[id].leave_due_ms < due_ms)
            due_ms = g->children[id].leave_due_ms;
    return due_ms;
}

void generation_end_who_is_behind(struct generation *g, int64_t now_ms)
{
    for (role_id id = 0; id < ROLE_COUNT; id++) {
        struct child *c = &g->children[id];

        if (!is_behind(g, id) || c->leave_due_ms > now_ms)
            continue;
        c->leave_due_ms = INT64_MAX; /* its end follows */
        child_condemn(c, "has not left the settings before in time");
    }
}

void generation_drain(struct generation *g, int64_t now_ms)
{
    g->is_draining = true;
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (id != ROLE_AUDIT)
            child_drain(&g->children[id], now_ms, g->drain_ms);
}

void generation_kill(struct generation *g)
{
    g->is_killed = true;
    for (role_id id = 0; id < ROLE_COUNT; id++)
        child_kill(&g->children[id]);
}

/* ---- lasting children change hands ---- */

/* The spawner goes on with what it started; the next sessions have what this configuration says.
 * Before the door works by it. */
static void tell_spawner(struct generation *g)
{
    struct child *spawner = &g->children[ROLE_SPAWNER];
    postern_error err;

    if (spawner->channel == NULL ||
        spawn_set_send(&g->spawn_set, g->drain_ms, spawner->channel, &err) == POSTERN_OK)
        return;
    log_error(spawner->role->name, &err);
    child_condemn(spawner, "cannot be told what it needs");
}

/* False: this generation has one of its own, or none. */
static bool inherit(struct generation *g, role_id id)
{
    struct child *from = &g->keeper->children[id], *to = &g->children[id];
    const struct child none = { .role = from->role, .link_due_ms = INT64_MAX };

    if (!runs_role(g->config, id) || to->state != CHILD_NONE || from->state == CHILD_NONE ||
        from->state == CHILD_DRAINING)
        return false;
    if (to->account.uid != from->account.uid)
        log_problem("%s: takes effect when posternd is restarted; the %s child stays as it is",
                    to->role->user_key, to->role->name);
    *to = *from;
    *from = none;
    return true;
}

/* A reload: another file, perhaps other checkpoints. */
static void retell_audit(struct generation *g)
{
    struct child *audit = &g->children[ROLE_AUDIT];
    postern_error err;

    if (audit->channel != NULL && send_audit(g, audit->channel, &err) != POSTERN_OK)
        child_condemn(audit, "does not read its messages");
}

void generation_take_over(struct generation *g, int64_t now_ms)
{
    bool is_old[ROLE_COUNT] = { false };

    if (g->keeper != NULL) {
        for (role_id id = 0; id < ROLE_COUNT; id++)
            is_old[id] = g->children[id].role->is_lasting && inherit(g, id);
        if (is_old[ROLE_SPAWNER])
            tell_spawner(g);
        retell_audit(g);
    }
    g->keeper = NULL;
    g->state = GENERATION_SERVING;
    if (g->children[ROLE_DOOR].state == CHILD_READY)
        generation_commit_door(&g->children[ROLE_DOOR], now_ms);
    if (g->door_is_awaited) {
        link_with(g, ROLE_ISSUER, ROLE_DOOR, now_ms);
        link_with(g, ROLE_CONTROL, ROLE_DOOR, now_ms);
    }
    if (is_old[ROLE_SPAWNER] != is_old[ROLE_DOOR])
        link_with(g, ROLE_SPAWNER, ROLE_DOOR, now_ms);
}

void generation_give_up(struct generation *g, int64_t now_ms)
{
    struct child *door = g->keeper == NULL ? NULL : &g->keeper->children[ROLE_DOOR];

    if (door == NULL || door->state != CHILD_READY || door->channel == NULL)
        return;
    if (!door->is_committed)
        generation_commit_door(door, now_ms);
    else if (g->door_is_awaited &&
             channel_send_type(door->channel, "abandon", -1, NULL) != POSTERN_OK)
        log_problem("door: reads nothing at the moment; it will forget that configuration later");
}
