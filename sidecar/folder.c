/* SPDX-License-Identifier: BSD-2-Clause */
/* Make and judge folders from the root downwards, so that what was judged cannot be moved away
 * afterwards. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

/* Which folders of a way are judged; "above" allows root's sticky folders. */
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

/* ---- the way there ---- */

#define LINKS_MAX 40 /* as path_resolution(7) */

/* The kernel's own way from the root, folder by folder, each of them held while it is judged. */
struct walk {
    judgement how;
    int fd;              /* where we are */
    char at[PATH_MAX];   /* the same in words, "" is the root; for messages */
    char rest[PATH_MAX]; /* still to go */
    int links;           /* that were followed */
};

/* The next name of the way; false: we are there. */
static bool take_name(struct walk *w, char ret[PATH_MAX])
{
    const char *from = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(from, "/");

    memcpy(ret, from, len);
    ret[len] = '\0';
    memmove(w->rest, from + len, strlen(from + len) + 1);
    return len != 0;
}

/* What stands behind the link goes before the rest. */
static postern_err follow(struct walk *w, int link, const struct stat *st, const char *name,
                          postern_error *err)
{
    bool is_judged = w->how == JUDGE_ALL || w->how == JUDGE_ALL_AS_ABOVE;
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t len = readlinkat(link, "", target, sizeof target);
    int n;

    /* In a sticky folder anybody may have made it. */
    if (is_judged && st->st_uid != 0 && st->st_uid != geteuid())
        return POSTERN_FAIL(err, CONFIG_FILE, "link %s/%s belongs to uid %lu", w->at, name,
                            (unsigned long)st->st_uid);
    if (len <= 0 || len == (ssize_t)sizeof target || ++w->links > LINKS_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "link %s/%s leads nowhere", w->at, name);
    n = snprintf(rest, sizeof rest, "%.*s/%s", (int)len, target, w->rest);
    if (n < 0 || n >= (int)sizeof rest)
        return POSTERN_FAIL(err, CONFIG_FILE, "link %s/%s leads too far", w->at, name);
    memcpy(w->rest, rest, (size_t)n + 1);
    if (target[0] != '/')
        return POSTERN_OK;
    (void)close(w->fd);
    w->at[0] = '\0';
    w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return w->fd >= 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "opening the root folder: %m");
}

static postern_err enter(struct walk *w, int take_fd, const struct stat *st, const char *name,
                         postern_error *err)
{
    size_t len = strlen(w->at);

    (void)close(w->fd);
    w->fd = take_fd;
    if (strcmp(name, "..") == 0) {
        w->at[len == 0 ? 0 : (size_t)(strrchr(w->at, '/') - w->at)] = '\0';
    } else if (strcmp(name, ".") != 0) {
        if (len + 1 + strlen(name) >= sizeof w->at)
            return POSTERN_FAIL(err, CONFIG_FILE, "folder path of %zu bytes", len + strlen(name));
        w->at[len] = '/';
        memcpy(w->at + len + 1, name, strlen(name) + 1);
    }
    if (!S_ISDIR(st->st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s: %s", w->at, strerror(ENOTDIR));
    return POSTERN_OK;
}

static postern_err step(struct walk *w, const char *name, postern_error *err)
{
    int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s/%s: %m", w->at, name);
    if (fstat(fd, &st) != 0) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s/%s: %m", w->at, name);
    }
    if (!S_ISLNK(st.st_mode))
        return enter(w, fd, &st, name, err);
    e = follow(w, fd, &st, name, err);
    (void)close(fd);
    return e;
}

static postern_err judge_here(const struct walk *w, bool is_last, postern_error *err)
{
    struct stat st;

    if (w->how == JUDGE_NOTHING || (w->how == JUDGE_LAST && !is_last))
        return POSTERN_OK;
    if (fstat(w->fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "folder %s: %m", w->at);
    return judge(w->at[0] == '\0' ? "/" : w->at, &st, !is_last || w->how == JUDGE_ALL_AS_ABOVE,
                 err);
}

/* A folder is judged before anything in it is opened: a link that somebody else may change would
 * lead elsewhere the next time. */
static postern_err go(struct walk *w, postern_error *err)
{
    char name[PATH_MAX];

    while (take_name(w, name)) {
        POSTERN_TRY(judge_here(w, false, err));
        POSTERN_TRY(step(w, name, err));
    }
    return judge_here(w, true, err);
}

static postern_err open_existing(const char *path, judgement how, int *ret_fd, postern_error *err)
{
    struct walk w = { .how = how, .fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) };
    postern_err e;

    if (w.fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "opening the root folder: %m");
    memcpy(w.rest, path, strlen(path) + 1); /* folder_open() looked at its length */
    e = go(&w, err);
    if (e == POSTERN_OK)
        *ret_fd = w.fd;
    else if (w.fd >= 0)
        (void)close(w.fd);
    return e;
}

/* ---- making ---- */

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
