/* SPDX-License-Identifier: BSD-2-Clause */
/* Open what one configuration needs, start its children, and carry what they have to tell each
 * other (sidecar/role.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "generation.h"
#include "jwks_file.h"

#define ISSUER_HEAD_START_MS                                                                       \
    5000 /* the helper waits that long for the key set; a broken issuer must not keep it away */
#define CLOSED_MAX_MS 1000        /* between a child's end of file and its end lies its own tidying up */
#define LINK_INTERVAL_MS 1000     /* telling every revocation again costs both of them work */
#define DESCRIPTORS_SPARE 256     /* files of the libraries, key sets, the store */

static const postern_section *daemon_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
}

static const postern_section *server_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
}

/* ---- users ---- */

static postern_err resolve_accounts(const postern_config *c, const struct role *roles,
                                    struct account ret[ROLE_COUNT], postern_error *err)
{
    const postern_section *daemon = daemon_section(c);

    for (role_id id = 0; id < ROLE_COUNT; id++) {
        const char *key = roles[id].user_key;

        ret[id] = users_self();
        if (geteuid() != 0 || (id == ROLE_ISSUER && server_section(c) == NULL))
            continue;
        POSTERN_TRY(users_resolve(key, postern_section_text(daemon, key), &ret[id], err));
    }
    if (geteuid() == 0 && ret[ROLE_ISSUER].uid == ret[ROLE_HELPER].uid)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "helper_user and issuer_user are one user; give each role its own, so that "
                            "the helper cannot read the signing key");
    return POSTERN_OK;
}

/* ---- files ---- */

static postern_err open_audit_file(const char *path, int *ret_fd, postern_error *err)
{
    const char *name;
    struct stat st;
    int folder, fd;
    mode_t mask;

    if (strcmp(path, "-") == 0) {
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return *ret_fd >= 0 ? POSTERN_OK :
                              POSTERN_FAIL(err, CONFIG_FILE, "audit_file: standard output: %m");
    }
    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_SELF, 0750, &folder, &name, err));
    mask = umask(0);
    fd = openat(folder, name,
                O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    (void)umask(mask);
    (void)close(folder);
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "audit_file: %s: %m", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE, "audit_file: %s is no regular file", path);
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

/* The issuer's folder as it must be: its own and nobody else's. */
static postern_err check_state_dir(int fd, const char *path, const struct account *owner,
                                   postern_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "state_dir: %s: %m", path);
    if (st.st_uid != owner->uid)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "state_dir: %s belongs to uid %lu: chown -R %s %s, if its content is the issuer's",
                            path, (unsigned long)st.st_uid, owner->name, path);
    if ((st.st_mode & 077) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "state_dir: %s is open to others: chmod 0700 %s", path,
                            path);
    return POSTERN_OK;
}

/* A folder made here is handed over at once; one that is there is only judged. */
static postern_err open_or_make(int parent, const char *name, const char *path,
                                const struct account *owner, int *ret_fd, postern_error *err)
{
    int made = mkdirat(parent, name, 0700);
    int fd;

    if (made != 0 && errno != EEXIST)
        return POSTERN_FAIL(err, CONFIG_FILE, "state_dir: making %s: %m", path);
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "state_dir: %s: %m", path);
    if (made == 0 && geteuid() == 0 && fchown(fd, owner->uid, owner->gid) != 0) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE, "state_dir: giving %s to %s: %m", path, owner->name);
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

static postern_err open_state_dir(const char *path, const struct account *owner, int *ret_fd,
                                  postern_error *err)
{
    const char *name;
    int parent, fd = -1;
    postern_err e;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &parent, &name, err));
    e = open_or_make(parent, name, path, owner, &fd, err);
    (void)close(parent);
    POSTERN_TRY(e);
    e = check_state_dir(fd, path, owner, err);
    if (e != POSTERN_OK) {
        (void)close(fd);
        return e;
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

/* ---- making and freeing ---- */

static postern_err open_all(struct generation *g, const struct generation *old,
                            const struct role *roles, postern_error *err)
{
    const postern_section *daemon = daemon_section(g->config);
    const postern_section *server = server_section(g->config);
    struct account accounts[ROLE_COUNT];

    POSTERN_TRY(resolve_accounts(g->config, roles, accounts, err));
    for (role_id id = 0; id < ROLE_COUNT; id++) {
        g->children[id].role = &roles[id];
        g->children[id].account = accounts[id];
    }
    POSTERN_TRY(open_audit_file(postern_section_text(daemon, "audit_file"), &g->audit_fd, err));
    if (server != NULL)
        POSTERN_TRY(open_state_dir(postern_section_text(server, "state_dir"),
                                   &accounts[ROLE_ISSUER], &g->state_dir_fd, err));
    return listeners_open(g->config, old == NULL ? NULL : &old->listeners, &g->listeners, err);
}

postern_err generation_new(postern_config *take_config, const struct generation *old,
                           const struct role *roles, int64_t now_ms, struct generation **ret,
                           postern_error *err)
{
    struct generation *g = calloc(1, sizeof *g);
    const postern_section *daemon = daemon_section(take_config);
    bool has_issuer = server_section(take_config) != NULL;
    postern_err e;

    if (g == NULL) {
        postern_config_free(take_config);
        return POSTERN_FAIL(err, NOMEM, "generation");
    }
    g->config = take_config;
    g->audit_fd = g->state_dir_fd = -1;
    g->link_due_ms = INT64_MAX;
    g->drain_ms = postern_section_number(daemon, "drain_timeout") * 1000;
    g->log = strcmp(postern_section_text(daemon, "log"), "syslog") == 0 ? LOG_TO_SYSLOG :
                                                                          LOG_TO_STDERR;
    e = open_all(g, old, roles, err);
    if (e != POSTERN_OK) {
        generation_free(g);
        return e;
    }
    g->children[ROLE_HELPER].state = CHILD_WAITING;
    g->children[ROLE_HELPER].due_ms = has_issuer ? now_ms + ISSUER_HEAD_START_MS : now_ms;
    if (has_issuer) {
        g->children[ROLE_ISSUER].state = CHILD_WAITING;
        g->children[ROLE_ISSUER].due_ms = now_ms;
    }
    *ret = g;
    return POSTERN_OK;
}

postern_err generation_check(const postern_config *c, const struct role *roles, postern_error *err)
{
    struct account accounts[ROLE_COUNT];

    POSTERN_TRY(resolve_accounts(c, roles, accounts, err));
    return listeners_check(c, err);
}

void generation_free(struct generation *g)
{
    if (g == NULL)
        return;
    for (role_id id = 0; id < ROLE_COUNT; id++)
        child_close_channel(&g->children[id]);
    listeners_close(&g->listeners);
    if (g->audit_fd >= 0)
        (void)close(g->audit_fd);
    if (g->state_dir_fd >= 0)
        (void)close(g->state_dir_fd);
    postern_config_free(g->config);
    free(g);
}

static const char *const listener_texts[] = {
    [LISTENER_HELPER] = "helper answers at",
    [LISTENER_HTTP] = "issuer listens on",
    [LISTENER_ADMIN] = "issuer is administered at",
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
        log_note("%s %s", listener_texts[g->listeners.list[i].kind], g->listeners.list[i].address);
    log_note("audit records go to %s", postern_section_text(daemon_section(g->config), "audit_file"));
}

/* ---- starting ---- */

static struct role_setup setup_of(const struct generation *g, role_id id)
{
    struct role_setup s = { .take_config = g->config,
                            .supervisor_fd = -1,
                            .audit_fd = id == ROLE_HELPER ? g->audit_fd : -1,
                            .admin_fd = -1,
                            .state_dir_fd = id == ROLE_ISSUER ? g->state_dir_fd : -1 };
    listener_kind own = id == ROLE_HELPER ? LISTENER_HELPER : LISTENER_HTTP;

    if (id == ROLE_ISSUER)
        s.state_dir = postern_section_text(server_section(g->config), "state_dir");
    for (size_t i = 0; i < g->listeners.count; i++) {
        const struct listener *l = &g->listeners.list[i];

        if (l->kind == own)
            s.listen_fds[s.listen_count++] = l->fd;
        else if (l->kind == LISTENER_ADMIN && id == ROLE_ISSUER)
            s.admin_fd = l->fd;
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

void generation_link(struct generation *g, int64_t now_ms)
{
    struct child *issuer = &g->children[ROLE_ISSUER], *helper = &g->children[ROLE_HELPER];
    postern_error err;
    int fds[2];

    g->linked_ms = now_ms;
    g->link_due_ms = INT64_MAX;
    if (issuer->channel == NULL || helper->channel == NULL)
        return;
    if (channel_pair(fds, &err) != POSTERN_OK) {
        log_error("connecting issuer and helper", &err);
        g->link_due_ms = now_ms + LINK_INTERVAL_MS; /* a helper that was told before goes on with what it knows */
        return;
    }
    send_or_condemn(helper, "issuer", fds[0]);
    send_or_condemn(issuer, "helper", fds[1]);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void start_child(struct generation *g, role_id id, int64_t now_ms)
{
    const postern_section *daemon = daemon_section(g->config);
    size_t connections = (size_t)postern_section_number(daemon, "helper_max_connections");
    struct role_setup setup = setup_of(g, id);
    struct child *c = &g->children[id];
    postern_error err;

    if (child_start(c, &setup, g->log, connections + DESCRIPTORS_SPARE, now_ms, &err) == POSTERN_OK) {
        log_note("%s %ld started", c->role->name, (long)c->pid);
        generation_link(g, now_ms);
        return;
    }
    log_error(c->role->name, &err);
    c->due_ms = now_ms + CHILD_BACKOFF_MAX_MS; /* the machine is short of something */
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

void generation_run_due(struct generation *g, int64_t now_ms)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (has_due(&g->children[id]) && g->children[id].due_ms <= now_ms)
            run_due_child(g, id, now_ms);
    if (g->link_due_ms <= now_ms)
        generation_link(g, now_ms);
}

int64_t generation_next_due_ms(const struct generation *g)
{
    int64_t due_ms = g->link_due_ms;

    for (role_id id = 0; id < ROLE_COUNT; id++)
        if (has_due(&g->children[id]) && g->children[id].due_ms < due_ms)
            due_ms = g->children[id].due_ms;
    return due_ms;
}

/* ---- messages ---- */

static postern_err write_jwks(struct generation *g, const struct channel *channel, postern_error *err)
{
    const char *path = postern_section_text(server_section(g->config), "jwks_file");
    const postern_json *m = channel_message(channel);
    uint32_t set = postern_json_member(m, 0, "jwks");

    POSTERN_TRY(jwks_file_check(m, set, err));
    return jwks_file_write(path, postern_json_raw(m, set), err);
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

static void handle_ready(struct generation *g, struct child *c, int64_t now_ms)
{
    struct child *helper = &g->children[ROLE_HELPER];

    if (c->state != CHILD_STARTING)
        return; /* it drains already */
    c->state = CHILD_READY;
    c->ready_ms = now_ms;
    log_note("%s %ld is ready", c->role->name, (long)c->pid);
    if (helper->state == CHILD_WAITING && g->state == GENERATION_STARTING)
        helper->due_ms = now_ms;
}

/* Their line broke while both live on.  Not more often than this, whatever they ask. */
static void handle_link(struct generation *g, int64_t now_ms)
{
    int64_t earliest_ms = g->linked_ms + LINK_INTERVAL_MS;

    g->link_due_ms = now_ms > earliest_ms ? now_ms : earliest_ms;
}

static void handle_message(struct generation *g, role_id id, int64_t now_ms)
{
    struct child *c = &g->children[id];

    if (channel_type_is(c->channel, "link"))
        handle_link(g, now_ms);
    else if (id == ROLE_ISSUER && channel_type_is(c->channel, "jwks"))
        handle_jwks(g, c);
    else if (!channel_type_is(c->channel, "ready"))
        condemn(c, "sent a message that is not its to send");
    else if (id == ROLE_ISSUER && !c->has_jwks_written)
        condemn(c, "says ready before its key set is written");
    else
        handle_ready(g, c, now_ms);
}

/* One message; false: nothing more now. */
static bool receive_one(struct generation *g, role_id id, int64_t now_ms)
{
    struct child *c = &g->children[id];
    postern_error err;

    switch (channel_receive(c->channel, &err)) {
    case CHANNEL_MESSAGE:
        handle_message(g, id, now_ms);
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

void generation_receive(struct generation *g, role_id id, int64_t now_ms)
{
    for (int i = 0; i < 64 && g->children[id].channel != NULL; i++) /* others want their turn */
        if (!receive_one(g, id, now_ms))
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
        if (g->state == GENERATION_SERVING && !was_asked)
            child_restart_later(c, now_ms);
        return true;
    }
    return false;
}

bool generation_is_ready(const struct generation *g)
{
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

void generation_drain(struct generation *g, int64_t now_ms)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        child_drain(&g->children[id], now_ms, g->drain_ms);
}

void generation_kill(struct generation *g)
{
    for (role_id id = 0; id < ROLE_COUNT; id++)
        child_kill(&g->children[id]);
}
