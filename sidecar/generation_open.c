/* SPDX-License-Identifier: BSD-2-Clause */
/* Users, files and folders of one configuration (generation_open.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "generation_open.h"

/* ---- users ---- */

bool runs_role(const postern_config *c, role_id id)
{
    if (id == ROLE_ISSUER)
        return postern_config_section(c, POSTERN_SECTION_SERVER, NULL) != NULL;
    if (id == ROLE_DOOR)
        return postern_config_section_at(c, POSTERN_SECTION_DOOR, 0) != NULL;
    return true;
}

static postern_err check_distinct(const postern_config *c, const struct role *roles,
                                  const struct account *accounts, role_id id, postern_error *err)
{
    for (role_id other = 0; other < id; other++)
        if (runs_role(c, other) && accounts[other].uid == accounts[id].uid)
            return POSTERN_FAIL(err, CONFIG_CONFLICT,
                                "%s and %s are one user; give each role its own, so that one that "
                                "is broken into cannot read what another holds",
                                roles[id].user_key, roles[other].user_key);
    return POSTERN_OK;
}

postern_err open_accounts(const postern_config *c, const struct role *roles,
                          struct account ret[ROLE_COUNT], postern_error *err)
{
    const postern_section *daemon = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);

    for (role_id id = 0; id < ROLE_COUNT; id++) {
        const char *key = roles[id].user_key;

        ret[id] = users_self();
        if (geteuid() != 0 || !runs_role(c, id))
            continue;
        POSTERN_TRY(users_resolve(key, postern_section_text(daemon, key), &ret[id], err));
        POSTERN_TRY(check_distinct(c, roles, ret, id, err));
    }
    return POSTERN_OK;
}

/* ---- files ---- */

/* A file that is only appended to, made with mode 0640. */
static postern_err open_log(const char *key, const char *path, int *ret_fd, postern_error *err)
{
    const char *name;
    struct stat st;
    int folder, fd;
    mode_t mask;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_SELF, 0750, &folder, &name, err));
    mask = umask(0);
    fd = openat(folder, name,
                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    (void)umask(mask);
    (void)close(folder);
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s: %m", key, path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s is no regular file", key, path);
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

postern_err open_audit_file(const char *path, int *ret_fd, postern_error *err)
{
    if (strcmp(path, "-") == 0) {
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return *ret_fd >= 0 ? POSTERN_OK :
                              POSTERN_FAIL(err, CONFIG_FILE, "audit_file: standard output: %m");
    }
    return open_log("audit_file", path, ret_fd, err);
}

postern_err open_checkpoint_file(const char *path, int *ret_fd, postern_error *err)
{
    *ret_fd = -1;
    return path == NULL ? POSTERN_OK : open_log("audit_checkpoint_file", path, ret_fd, err);
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
                                const struct account *owner, const char *key, int *ret_fd,
                                postern_error *err)
{
    int made = mkdirat(parent, name, 0700);
    int fd;

    if (made != 0 && errno != EEXIST)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: making %s: %m", key, path);
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s: %m", key, path);
    if (made == 0 && geteuid() == 0 && fchown(fd, owner->uid, owner->gid) != 0) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: giving %s to %s: %m", key, path,
                            owner->name);
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

postern_err open_state_dir(const char *path, const struct account *owner, int *ret_fd,
                           postern_error *err)
{
    const char *name;
    int parent, fd = -1;
    postern_err e;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &parent, &name, err));
    e = open_or_make(parent, name, path, owner, "state_dir", &fd, err);
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

postern_err make_folder_of(const char *file, postern_error *err)
{
    const char *name;
    int fd;

    POSTERN_TRY(folder_open_parent(file, FOLDER_TRUST_CHAIN, 0755, &fd, &name, err));
    (void)close(fd);
    return POSTERN_OK;
}

/* ---- the file of blocks ---- */

/* Whoever can write there decides who is blocked, and who no longer is. */
static postern_err check_blocks_dir(int fd, const char *path, const struct account *owner,
                                    postern_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "blocks_file: %s: %m", path);
    if (st.st_uid != owner->uid && st.st_uid != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "blocks_file: %s belongs to uid %lu: chown -R %s %s, if its content is "
                            "the control child's",
                            path, (unsigned long)st.st_uid, owner->name, path);
    if ((st.st_mode & 022) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "blocks_file: %s can be written by others: chmod go-w %s", path, path);
    return POSTERN_OK;
}

postern_err open_blocks_dir(const char *file, const struct account *owner, int *ret_fd,
                            postern_error *err)
{
    const char *slash = strrchr(file, '/');
    char *path = strndup(file, slash == file ? 1 : (size_t)(slash - file));
    const char *name;
    int parent, fd = -1;
    postern_err e;

    if (path == NULL)
        return POSTERN_FAIL(err, NOMEM, "blocks_file");
    e = folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &parent, &name, err);
    if (e == POSTERN_OK) {
        e = open_or_make(parent, name, path, owner, "blocks_file", &fd, err);
        (void)close(parent);
    }
    if (e == POSTERN_OK)
        e = check_blocks_dir(fd, path, owner, err);
    free(path);
    if (e == POSTERN_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return e;
}

/* ---- what doors need ---- */

postern_err open_door_file(const char *path, const char *shown, bool is_secret, int *ret_fd,
                           postern_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *fault = NULL;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s: %m", shown, path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        fault = "is no regular file";
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        fault = "belongs neither to root nor to posternd's user";
    else if ((st.st_mode & 022) != 0)
        fault = "can be written by others: chmod go-w";
    else if (is_secret && (st.st_mode & 07) != 0)
        fault = "can be read by everybody: chmod o=";
    if (fault == NULL) {
        *ret_fd = fd;
        return POSTERN_OK;
    }
    (void)close(fd);
    return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s %s", shown, path, fault);
}
