/* SPDX-License-Identifier: BSD-2-Clause */
/* Open and judge what one configuration needs, say what it relaxes, and give it back (generation.h).  Its
 * children are generation_children.c's. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generation_inner.h"
#include "generation_open.h"

/* The helper waits that long for the key set; a broken issuer must not keep it away. */
#define ISSUER_HEAD_START_MS 5000
#define LOOPS_MAX 64

/* ---- making and freeing ---- */

static size_t count_loops(const postern_config *c)
{
    int64_t wanted = postern_section_number(daemon_section(c), "door_loops");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted == 0)
        wanted = processors > 0 ? processors : 1;
    return wanted > LOOPS_MAX ? LOOPS_MAX : (size_t)wanted;
}

/*
 * A lasting child of the generation before, which will be ours.  A door that is not ready has no
 * sessions, and perhaps never gets ready by the configuration before: a new one starts beside it.
 */
static bool is_inherited(const struct generation *g, role_id id)
{
    const struct child *c = g->keeper == NULL ? NULL : &g->keeper->children[id];

    if (c == NULL || !c->role->is_lasting)
        return false;
    if (id == ROLE_DOOR)
        return c->state == CHILD_READY && c->channel != NULL;
    return c->state != CHILD_NONE && c->state != CHILD_DRAINING;
}

/* Who goes on under the user that it has must not share it with somebody new. */
static postern_err check_running(const struct generation *g, const struct account *accounts,
                                 role_id id, postern_error *err)
{
    if (geteuid() != 0 || !is_inherited(g, id))
        return POSTERN_OK;
    for (role_id other = 0; other < ROLE_COUNT; other++)
        if (other != id && runs_role(g->config, other) &&
            accounts[other].uid == g->keeper->children[id].account.uid)
            return POSTERN_FAIL(err, CONFIG_CONFLICT,
                                "%s is the user of the %s child, which goes on over a reload; "
                                "restart posternd",
                                g->children[other].role->user_key, g->children[id].role->name);
    return POSTERN_OK;
}

/* Keys, where checkpoints go, and what doors count in. */
static postern_err open_audit_rest(struct generation *g, const struct generation *old,
                                   postern_error *err)
{
    const postern_section *daemon = daemon_section(g->config);

    POSTERN_TRY(audit_secrets_open(postern_section_text(daemon, "audit_key_dir"),
                                   &g->audit_secrets, err));
    g->door_set.args_key_fd = g->audit_secrets.args_fd;
    POSTERN_TRY(open_checkpoint_file(postern_section_text(daemon, "audit_checkpoint_file"),
                                     &g->checkpoint_file_fd, err));
    if (old != NULL)
        g->rates = rates_memory_ref(old->rates);
    else
        POSTERN_TRY(rates_memory_new(&g->rates, err));
    if (old == NULL)
        POSTERN_TRY(tally_memory_make(&g->tally_fd, err));
    else if ((g->tally_fd = fcntl(old->tally_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "memory for counters: %m");
    return tally_memory_map(g->tally_fd, &g->tally, err);
}

static postern_err open_all(struct generation *g, const struct generation *old,
                            const struct role *roles, postern_error *err)
{
    const postern_section *daemon = daemon_section(g->config);
    const postern_section *server = server_section(g->config);
    struct account accounts[ROLE_COUNT];

    POSTERN_TRY(open_accounts(g->config, roles, accounts, err));
    for (role_id id = 0; id < ROLE_COUNT; id++) {
        g->children[id].role = &roles[id];
        g->children[id].account = accounts[id];
        g->children[id].link_due_ms = INT64_MAX;
    }
    for (role_id id = 0; id < ROLE_COUNT; id++)
        POSTERN_TRY(check_running(g, accounts, id, err));
    if (is_inherited(g, ROLE_DOOR))
        g->loops = g->keeper->loops; /* a door that goes on keeps its threads */
    POSTERN_TRY(listeners_check(g->config, err)); /* and what doors need, before anything is made */
    POSTERN_TRY(issuer_clients_open(g->config, &g->issuer_clients, err));
    POSTERN_TRY(login_policies_open(g->config, &g->login_policies, err));
    POSTERN_TRY(door_set_open(g->config, &g->door_set, err));
    POSTERN_TRY(open_programs(g->config, roles, accounts, &g->spawn_set, err));
    POSTERN_TRY(open_audit_file(postern_section_text(daemon, "audit_file"), &g->audit_fd, err));
    POSTERN_TRY(open_blocks_dir(postern_section_text(daemon, "blocks_file"),
                                &accounts[ROLE_CONTROL], &g->blocks_dir_fd, err));
    if (server != NULL) {
        POSTERN_TRY(make_folder_of(postern_section_text(server, "jwks_file"), err));
        POSTERN_TRY(open_state_dir(postern_section_text(server, "state_dir"),
                                   &accounts[ROLE_ISSUER], &g->state_dir_fd, err));
    }
    POSTERN_TRY(open_audit_rest(g, old, err));
    return listeners_open(g->config, g->loops, old == NULL ? NULL : &old->listeners, &g->listeners,
                          err);
}

static void start_at(struct generation *g, role_id id, int64_t due_ms)
{
    g->children[id].state = CHILD_WAITING;
    g->children[id].due_ms = due_ms;
}

/* The running door is asked whether it can work by the new configuration. */
static void ask_door(struct generation *g, int64_t now_ms)
{
    struct child *door = &g->keeper->children[ROLE_DOOR];
    postern_error err;

    g->door_is_awaited = true;
    g->asked_pid = door->pid;
    g->door_due_ms = now_ms + door->role->ready_max_ms;
    if (door_set_send(&g->door_set, &g->listeners, g->loops, door->channel, &err) == POSTERN_OK) {
        door->questions++;
        return;
    }
    log_error("door", &err);
    g->has_failed = true;
}

static void plan_starts(struct generation *g, int64_t now_ms)
{
    bool has_issuer = runs_role(g->config, ROLE_ISSUER);

    for (role_id id = 0; id < ROLE_COUNT; id++) {
        bool waits = id == ROLE_HELPER && has_issuer;

        if (!runs_role(g->config, id))
            continue;
        if (!is_inherited(g, id))
            start_at(g, id, waits ? now_ms + ISSUER_HEAD_START_MS : now_ms);
        else if (id == ROLE_DOOR)
            ask_door(g, now_ms);
    }
}

postern_err generation_new(postern_config *take_config, const struct generation *old,
                           const struct role *roles, int64_t now_ms, struct generation **ret,
                           postern_error *err)
{
    struct generation *g = calloc(1, sizeof *g);
    const postern_section *daemon = daemon_section(take_config);
    postern_err e;

    if (g == NULL) {
        postern_config_free(take_config);
        return POSTERN_FAIL(err, NOMEM, "generation");
    }
    g->config = take_config;
    g->keeper = (struct generation *)(uintptr_t)old;
    g->audit_fd = g->state_dir_fd = g->blocks_dir_fd = g->door_set.dump_fd = -1;
    g->door_set.args_key_fd = -1;
    g->checkpoint_file_fd = g->tally_fd = -1;
    g->audit_secrets = (struct audit_secrets){ -1, -1 };
    g->loops = count_loops(take_config);
    g->drain_ms = postern_section_number(daemon, "drain_timeout") * 1000;
    g->log = strcmp(postern_section_text(daemon, "log"), "syslog") == 0 ? LOG_TO_SYSLOG :
                                                                          LOG_TO_STDERR;
    e = open_all(g, old, roles, err);
    if (e != POSTERN_OK) {
        generation_free(g);
        return e;
    }
    plan_starts(g, now_ms);
    *ret = g;
    return POSTERN_OK;
}

postern_err generation_check(const postern_config *c, const struct role *roles, postern_error *err)
{
    struct account accounts[ROLE_COUNT];
    struct issuer_clients clients;
    struct login_policies policies;
    struct spawn_set programs;
    struct door_set set;
    postern_err e;

    POSTERN_TRY(open_accounts(c, roles, accounts, err));
    POSTERN_TRY(audit_secrets_check(postern_section_text(daemon_section(c), "audit_key_dir"), err));
    e = issuer_clients_open(c, &clients, err);
    issuer_clients_close(&clients);
    POSTERN_TRY(e);
    e = login_policies_open(c, &policies, err);
    login_policies_close(&policies);
    POSTERN_TRY(e);
    e = door_set_open(c, &set, err);
    door_set_close(&set);
    POSTERN_TRY(e);
    e = open_programs(c, roles, accounts, &programs, err);
    spawn_set_close(&programs);
    POSTERN_TRY(e);
    return listeners_check(c, err);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void generation_free(struct generation *g)
{
    if (g == NULL)
        return;
    for (role_id id = 0; id < ROLE_COUNT; id++)
        child_close_channel(&g->children[id]);
    listeners_close(&g->listeners);
    door_set_close(&g->door_set);
    spawn_set_close(&g->spawn_set);
    issuer_clients_close(&g->issuer_clients);
    login_policies_close(&g->login_policies);
    close_fd(g->audit_fd);
    close_fd(g->checkpoint_file_fd);
    audit_secrets_close(&g->audit_secrets);
    tally_memory_free(g->tally);
    rates_memory_unref(g->rates);
    close_fd(g->tally_fd);
    close_fd(g->state_dir_fd);
    close_fd(g->blocks_dir_fd);
    postern_config_free(g->config);
    free(g);
}

static const char *const listener_texts[] = {
    [LISTENER_HELPER] = "helper answers at",
    [LISTENER_HTTP] = "issuer listens on",
    [LISTENER_ADMIN] = "issuer is administered at",
    [LISTENER_CONTROL] = "sessions and blocks are administered at",
    [LISTENER_STATUS] = "status is told at",
    [LISTENER_SASLAUTHD] = "helper speaks saslauthd's protocol at",
};

/* Whatever is less strict than the default is said at each start. */
static void log_relaxations(const postern_config *c)
{
    POSTERN_AUTO_BUF lines = POSTERN_BUF_INIT(65536);
    postern_reader r;
    postern_bytes line;

    postern_config_relaxations(c, &lines);
    r.rest = postern_buf_bytes(&lines);
    while (postern_reader_take_until(&r, '\n', &line))
        log_note("relaxed: %.*s", (int)line.len, (const char *)line.ptr);
    if (lines.failed)
        log_problem("more settings are relaxed than can be named here");
}

static void log_listener(const struct listener *l)
{
    if (l->kind != LISTENER_DOOR)
        log_note("%s %s", listener_texts[l->kind], l->address);
    else if (l->loop == 0)
        log_note("door %s stands at %s", l->door, l->address);
}

void generation_log(const struct generation *g)
{
    const postern_section *server = server_section(g->config);

    log_relaxations(g->config);
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (g->children[id].state != CHILD_NONE && geteuid() == 0)
            log_note("%s runs as %s (uid %lu, gid %lu)", g->children[id].role->name,
                     g->children[id].account.name, (unsigned long)g->children[id].account.uid,
                     (unsigned long)g->children[id].account.gid);
    if (geteuid() != 0)
        log_note("not started as root: all roles share uid %lu, and whoever is that user can read "
                 "the signing key", (unsigned long)geteuid());
    if (geteuid() != 0 && g->spawn_set.count != 0)
        log_note("not started as root: programs of doors (backend: exec:) run as that user too, can end "
                 "posternd's processes and read its files");
    if (server != NULL)
        log_note("issuer %s is embedded, key set in %s", postern_section_text(server, "issuer"),
                 postern_section_text(server, "jwks_file"));
    for (size_t i = 0; i < g->listeners.count; i++)
        log_listener(&g->listeners.list[i]);
    log_note("audit records go to %s", postern_section_text(daemon_section(g->config), "audit_file"));
    if (g->checkpoint_file_fd < 0)
        log_note("checkpoints of the audit chain go to it and to this log only: "
                 "audit_checkpoint_file is not set");
}
