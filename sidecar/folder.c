/* SPDX-License-Identifier: BSD-2-Clause */
/* Make and judge folders from the root downwards, so that what was judged cannot be moved away
 * afterwards. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

/* Which parts of a path walk() judges; "above" allows root's sticky folders. */
typedef enum judgement { JUDGE_NOTHING, JUDGE_LAST, JUDGE_ALL, JUDGE_ALL_AS_ABOVE } judgement;

static postern_err judge(const char *path, const struct stat *st, bool is_above, postern_error *err)
{
    bool is_sticky_root = is_above && st->st_uid == 0 && (st->st_mode & S_ISVTX) != 0;

    if (st->st_uid != 0 && st->st_uid != geteuid())
        return POSTERN_FAIL(err, CONFIG_FILE, "%s belongs to uid %lu: it must belong to %s", path,
                            (unsigned long)st->st_uid, geteuid() == 0 ? "root" : "root or this user");
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_sticky_root)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s can be written by others: chmod go-w %s", path,
                            path);
    return POSTERN_OK;
}

static postern_err judge_part(const char *path, int fd, judgement how, bool is_last,
                              postern_error *err)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s: %m", path);
    if (how == JUDGE_NOTHING || (how == JUDGE_LAST && !is_last))
        return POSTERN_OK;
    return judge(path, &st, !is_last || how == JUDGE_ALL_AS_ABOVE, err);
}

/* Open the folder at `path` (canonical: no links, no dots).  `path` is cut at each '/' on the way,
 * whole at the end. */
static postern_err walk(char *path, judgement how, int *ret_fd, postern_error *err)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *part = path + 1;
    bool is_last = *part == '\0';
    postern_err e = POSTERN_OK;

    while (fd >= 0 && !is_last && e == POSTERN_OK) {
        char *slash = strchr(part, '/');
        int next;

        is_last = slash == NULL;
        if (slash != NULL)
            *slash = '\0';
        next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        (void)close(fd);
        fd = next;
        e = judge_part(path, fd, how, is_last, err);
        if (slash != NULL) {
            *slash = '/';
            part = slash + 1;
        }
    }
    if (fd < 0 && e == POSTERN_OK)
        return POSTERN_FAIL(err, SYSTEM, "opening the root folder: %m");
    if (e != POSTERN_OK) {
        if (fd >= 0)
            (void)close(fd);
        return e;
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

static postern_err open_existing(const char *path, judgement how, int *ret_fd, postern_error *err)
{
    char *canonical = realpath(path, NULL);
    postern_err e;

    if (canonical == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s: %m", path);
    e = walk(canonical, how, ret_fd, err);
    free(canonical);
    return e;
}

/* Make `path`, whose parent is there, inside its judged parent.  Somebody else making it meanwhile
 * is fine. */
static postern_err make_one(char *path, char *slash, folder_trust trust, mode_t mode,
                            postern_error *err)
{
    judgement how = trust == FOLDER_TRUST_CHAIN ? JUDGE_ALL_AS_ABOVE : JUDGE_NOTHING;
    mode_t mask;
    int parent, made;

    *slash = '\0';
    POSTERN_TRY(open_existing(slash == path ? "/" : path, how, &parent, err));
    *slash = '/';
    mask = umask(0);
    made = mkdirat(parent, slash + 1, mode);
    (void)umask(mask);
    (void)close(parent);
    if (made != 0 && errno != EEXIST)
        return POSTERN_FAIL(err, CONFIG_FILE, "making folder %s: %m", path);
    return POSTERN_OK;
}

/* Every missing part of `path`, from the top. */
static postern_err make_missing(char *path, folder_trust trust, mode_t mode, postern_error *err)
{
    char *end = path + strlen(path);

    for (char *slash = path; slash < end; slash = strchrnul(slash + 1, '/')) {
        char *next = strchrnul(slash + 1, '/');
        char kept = *next;
        struct stat st;

        if (next == slash + 1) /* two slashes, or one at the end */
            continue;
        *next = '\0';
        if (stat(path, &st) != 0 && errno == ENOENT)
            POSTERN_TRY(make_one(path, slash, trust, next == end ? mode : 0755, err));
        *next = kept;
    }
    return POSTERN_OK;
}

postern_err folder_open(const char *path, folder_trust trust, mode_t mode, int *ret_fd,
                        postern_error *err)
{
    char room[PATH_MAX];
    size_t len = strlen(path);

    if (path[0] != '/')
        return POSTERN_FAIL(err, CONFIG_FILE, "folder \"%s\" is not an absolute path", path);
    if (len >= sizeof room)
        return POSTERN_FAIL(err, CONFIG_FILE, "folder path of %zu bytes", len);
    memcpy(room, path, len + 1);
    POSTERN_TRY(make_missing(room, trust, mode, err));
    return open_existing(path, trust == FOLDER_TRUST_CHAIN ? JUDGE_ALL : JUDGE_LAST, ret_fd, err);
}

postern_err folder_open_parent(const char *file, folder_trust trust, mode_t mode, int *ret_fd,
                               const char **ret_name, postern_error *err)
{
    const char *slash = strrchr(file, '/');
    char room[PATH_MAX];
    size_t len;

    if (file[0] != '/' || slash[1] == '\0')
        return POSTERN_FAIL(err, CONFIG_FILE, "\"%s\" is not the absolute path of a file", file);
    len = slash == file ? 1 : (size_t)(slash - file);
    if (len >= sizeof room)
        return POSTERN_FAIL(err, CONFIG_FILE, "path of %zu bytes", strlen(file));
    memcpy(room, file, len);
    room[len] = '\0';
    POSTERN_TRY(folder_open(room, trust, mode, ret_fd, err));
    *ret_name = slash + 1;
    return POSTERN_OK;
}
