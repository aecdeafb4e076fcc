/* SPDX-License-Identifier: BSD-2-Clause */
/* Open what one configuration needs, start its children, and carry what they have to tell each
 * other (sidecar/role.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generation.h"
#include "generation_open.h"
#include "key_set.h"
#include "lines.h"
#include "published_file.h"

/* The helper waits that long for the key set; a broken issuer must not keep it away. */
#define ISSUER_HEAD_START_MS 5000
#define CLOSED_MAX_MS 1000        /* between a child's end of file and its end lies its own tidying up */
#define LINK_INTERVAL_MS 1000     /* telling every revocation again costs both of them work */
#define DESCRIPTORS_SPARE 256     /* files of the libraries, key sets, the store */
#define LOOPS_MAX 64
#define CERTIFICATE_MAX 8192        /* bytes of PEM: one P-256 certificate has 800 */

static const postern_section *daemon_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
}

static const postern_section *server_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
}

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
    POSTERN_TRY(door_set_open(g->config, &g->door_set, err));
    POSTERN_TRY(open_audit_file(postern_section_text(daemon, "audit_file"), &g->audit_fd, err));
    POSTERN_TRY(open_blocks_dir(postern_section_text(daemon, "blocks_file"),
                                &accounts[ROLE_CONTROL], &g->blocks_dir_fd, err));
    if (server != NULL) {
        POSTERN_TRY(make_folder_of(postern_section_text(server, "jwks_file"), err));
        POSTERN_TRY(open_state_dir(postern_section_text(server, "state_dir"),
                                   &accounts[ROLE_ISSUER], &g->state_dir_fd, err));
    }
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
    struct door_set set;
    postern_err e;

    POSTERN_TRY(open_accounts(c, roles, accounts, err));
    e = door_set_open(c, &set, err);
    door_set_close(&set);
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
    close_fd(g->audit_fd);
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
    if (server != NULL)
        log_note("issuer %s is embedded, key set in %s", postern_section_text(server, "issuer"),
                 postern_section_text(server, "jwks_file"));
    for (size_t i = 0; i < g->listeners.count; i++)
        log_listener(&g->listeners.list[i]);
    log_note("audit records go to %s", postern_section_text(daemon_section(g->config), "audit_file"));
}

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
    if (id == ROLE_CONTROL) {
        s.state_dir_fd = g->blocks_dir_fd;
        s.status_fd = listener_of(g, LISTENER_STATUS);
    }
    return s;
}

/* A child that broke the rules is killed; its end is then noted like any other. */
static void condemn(struct child *c, const char *why)
{
    log_problem("%s %ld %s; it is killed", c->role->name, (long)c->pid, why);
    child_close_channel(c);
    child_kill(c);
}

static void send_or_condemn(struct child *c, const char *type, int fd)
{
    postern_error err;

    if (c->channel != NULL && channel_send_type(c->channel, type, fd, &err) != POSTERN_OK)
        condemn(c, "does not read its messages");
}

static void commit_door(struct child *door)
{
    door->is_committed = true;
    send_or_condemn(door, "commit", -1);
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
        lines_make(id, with, g->loops, find_linked, condemn, g, &err) == POSTERN_OK)
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
        return wanted + (size_t)postern_section_number(daemon, "helper_max_connections");
    if (id != ROLE_DOOR)
        return wanted;
    /* A session: two sockets, and at times a pipe. */
    for (size_t i = 0; (door = postern_config_section_at(g->config, POSTERN_SECTION_DOOR, i)) != NULL;
         i++)
        wanted += 4 * (size_t)postern_section_number(door, "max_connections");
    return wanted + (size_t)postern_section_number(daemon, "login_max") +
           (g->listeners.count + g->door_set.count) * 2;
}

/* What a lasting child needs before it can say "ready". */
static postern_err send_start(struct generation *g, role_id id, postern_error *err)
{
    struct child *c = &g->children[id];

    if (id == ROLE_AUDIT)
        return channel_send_type(c->channel, "file", g->audit_fd, err);
    if (id == ROLE_DOOR) {
        c->questions++;
        return door_set_send(&g->door_set, &g->listeners, g->loops, c->channel, err);
    }
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
        condemn(c, "cannot be told what it needs");
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
        condemn(c, "did not drain within drain_timeout");
    else
        condemn(c, c->channel == NULL ? "closed its channel and stays" :
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

/* ---- messages ---- */

static postern_err write_jwks(struct generation *g, const struct channel *channel, postern_error *err)
{
    const char *path = postern_section_text(server_section(g->config), "jwks_file");
    const postern_json *m = channel_message(channel);
    uint32_t set = postern_json_member(m, 0, "jwks");

    POSTERN_TRY(key_set_check(m, set, err));
    return published_file_write(path, postern_json_raw(m, set), err);
}

static void handle_jwks(struct generation *g, struct child *issuer)
{
    postern_error err;
    postern_err e = write_jwks(g, issuer->channel, &err);

    if (e == POSTERN_OK) {
        issuer->has_jwks_written = true;
        send_or_condemn(issuer, "jwks_written", -1);
        return;
    }
    log_error("jwks_file", &err);
    condemn(issuer, e == POSTERN_ERR_MALFORMED ? "sent a key set that cannot be used" :
                                                 "has no key set on disk");
}

/* A certificate and nothing else: what is written there is trusted by clients. */
static postern_err write_certificate(struct generation *g, struct child *door, postern_error *err)
{
    const char *path = postern_section_text(daemon_section(g->config), "door_cert_file");
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    char pem[CERTIFICATE_MAX];

    if (!channel_text(door->channel, "pem", pem, sizeof pem) ||
        strncmp(pem, begin, sizeof begin - 1) != 0 || strstr(pem + 1, "-----BEGIN") != NULL)
        return POSTERN_FAIL(err, MALFORMED, "the door sent no certificate");
    return published_file_write(path, postern_bytes_str(pem), err);
}

static void handle_certificate(struct generation *g, struct child *door)
{
    postern_error err;
    postern_err e = write_certificate(g, door, &err);

    if (e == POSTERN_OK)
        return;
    log_error("door_cert_file", &err);
    if (e == POSTERN_ERR_MALFORMED)
        condemn(door, "sent what is no certificate");
}

static void handle_ready(struct generation *g, struct child *c, const struct generation *asking,
                         int64_t now_ms)
{
    struct child *helper = &g->children[ROLE_HELPER];

    if (c->state != CHILD_STARTING)
        return; /* it drains already */
    c->state = CHILD_READY;
    c->ready_ms = now_ms;
    log_note("%s %ld is ready", c->role->name, (long)c->pid);
    if (c == &g->children[ROLE_ISSUER] && helper->state == CHILD_WAITING &&
        g->state == GENERATION_STARTING)
        helper->due_ms = now_ms;
    /* A reload that brings a door of its own will tell this one to go, or give up. */
    if (c == &g->children[ROLE_DOOR] && g->state == GENERATION_SERVING && asking == NULL)
        commit_door(c);
}

static bool take_word(struct child *door)
{
    char detail[LOG_LINE_MAX / 2] = "";

    if (channel_type_is(door->channel, "ready"))
        return true;
    (void)channel_text(door->channel, "detail", detail, sizeof detail);
    log_problem("door: %s", detail);
    return false;
}

/* The door's word on a configuration: on its first, or on that of a generation that starts. */
static void handle_door(struct generation *g, struct child *door, struct generation *asking,
                        int64_t now_ms)
{
    bool is_good;

    if (door->questions == 0) {
        condemn(door, "answers what it was not asked");
        return;
    }
    if (--door->questions != 0)
        return; /* on a configuration that was given up; the word on the next one follows */
    is_good = take_word(door);
    if (door->state == CHILD_STARTING) {
        if (is_good)
            handle_ready(g, door, asking, now_ms);
        else
            condemn(door, "cannot use its configuration");
    } else if (asking != NULL && asking->door_is_awaited) {
        asking->door_is_prepared = is_good;
        asking->has_failed = asking->has_failed || !is_good;
    }
}

/* Its lines broke while it lives on.  Not more often than this, whatever it asks. */
static void handle_link(struct child *c, int64_t now_ms)
{
    int64_t earliest_ms = c->linked_ms + LINK_INTERVAL_MS;

    c->link_due_ms = now_ms > earliest_ms ? now_ms : earliest_ms;
}

static void handle_message(struct generation *g, role_id id, struct generation *asking,
                           int64_t now_ms)
{
    struct child *c = &g->children[id];

    if (channel_type_is(c->channel, "link"))
        handle_link(c, now_ms);
    else if (id == ROLE_ISSUER && channel_type_is(c->channel, "jwks"))
        handle_jwks(g, c);
    else if (id == ROLE_DOOR && channel_type_is(c->channel, "certificate"))
        handle_certificate(asking != NULL && asking->door_is_awaited ? asking : g, c);
    else if (id == ROLE_DOOR &&
             (channel_type_is(c->channel, "ready") || channel_type_is(c->channel, "unready")))
        handle_door(g, c, asking, now_ms);
    else if (!channel_type_is(c->channel, "ready"))
        condemn(c, "sent a message that is not its to send");
    else if (id == ROLE_ISSUER && !c->has_jwks_written)
        condemn(c, "says ready before its key set is written");
    else
        handle_ready(g, c, asking, now_ms);
}

/* One message; false: nothing more now. */
static bool receive_one(struct generation *g, role_id id, struct generation *asking,
                        int64_t now_ms)
{
    struct child *c = &g->children[id];
    postern_error err;

    switch (channel_receive(c->channel, &err)) {
    case CHANNEL_MESSAGE:
        handle_message(g, id, asking, now_ms);
        return c->channel != NULL;
    case CHANNEL_NOTHING:
        return false;
    case CHANNEL_CLOSED:
        child_close_channel(c); /* its end follows, or its due time */
        if (c->state != CHILD_DRAINING) {
            c->state = CHILD_STARTING;
            c->due_ms = now_ms + CLOSED_MAX_MS;
        }
        return false;
    case CHANNEL_BROKEN:
        break;
    }
    log_error(c->role->name, &err);
    condemn(c, "sent what is no message");
    return false;
}

void generation_receive(struct generation *g, role_id id, struct generation *newest,
                        int64_t now_ms)
{
    struct generation *asking =
        newest->keeper == g && newest->state == GENERATION_STARTING ? newest : NULL;

    for (int i = 0; i < 64 && g->children[id].channel != NULL; i++) /* others want their turn */
        if (!receive_one(g, id, asking, now_ms))
            return;
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

static void inherit(struct generation *g, role_id id)
{
    struct child *from = &g->keeper->children[id], *to = &g->children[id];
    const struct child none = { .role = from->role, .link_due_ms = INT64_MAX };

    if (!runs_role(g->config, id) || to->state != CHILD_NONE || from->state == CHILD_NONE ||
        from->state == CHILD_DRAINING)
        return;
    if (to->account.uid != from->account.uid)
        log_problem("%s: takes effect when posternd is restarted; the %s child stays as it is",
                    to->role->user_key, to->role->name);
    *to = *from;
    *from = none;
}

void generation_take_over(struct generation *g, int64_t now_ms)
{
    if (g->keeper != NULL) {
        for (role_id id = 0; id < ROLE_COUNT; id++)
            if (g->children[id].role->is_lasting)
                inherit(g, id);
        send_or_condemn(&g->children[ROLE_AUDIT], "file", g->audit_fd);
    }
    g->keeper = NULL;
    g->state = GENERATION_SERVING;
    if (g->children[ROLE_DOOR].state == CHILD_READY)
        commit_door(&g->children[ROLE_DOOR]);
    if (g->door_is_awaited) {
        link_with(g, ROLE_ISSUER, ROLE_DOOR, now_ms);
        link_with(g, ROLE_CONTROL, ROLE_DOOR, now_ms);
    }
}

void generation_give_up(struct generation *g)
{
    struct child *door = g->keeper == NULL ? NULL : &g->keeper->children[ROLE_DOOR];

    if (door == NULL || door->state != CHILD_READY || door->channel == NULL)
        return;
    if (!door->is_committed)
        commit_door(door);
    else if (g->door_is_awaited &&
             channel_send_type(door->channel, "abandon", -1, NULL) != POSTERN_OK)
        log_problem("door: reads nothing at the moment; it will forget that configuration later");
}
