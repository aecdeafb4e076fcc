/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May anybody but root and posternd put a socket where the helper's is expected?  Looks at owners
 * and modes of folders; the peer itself is looked at after connect(2), in client.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/socket_path.h"

/* A folder where only root and posternd can put, replace or rename things; sticky folders guard
 * what is not one's own. */
static postern_err check_folder(const char *folder, const struct stat *st, uid_t server_uid,
                                postern_error *err)
{
    if (st->st_uid != 0 && st->st_uid != server_uid)
        return POSTERN_FAIL(
            err, HELPER_UNTRUSTED,
            "folder %s of the helper socket belongs to uid %ju, must be root's or posternd's",
            folder, (uintmax_t)st->st_uid);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st->st_mode & S_ISVTX) == 0)
        return POSTERN_FAIL(err, HELPER_UNTRUSTED,
                            "folder %s of the helper socket is writable by others", folder);
    return POSTERN_OK;
}

/* Of what a link leads to, and then *ret_is_straight is false. */
static postern_err look_at_folder(const char *folder, uid_t server_uid, bool *ret_is_straight,
                                  postern_error *err)
{
    struct stat st;
    bool is_there = lstat(folder, &st) == 0;

    if (is_there && S_ISLNK(st.st_mode)) {
        *ret_is_straight = false;
        is_there = stat(folder, &st) == 0;
    }
    if (!is_there)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "helper socket's folder %s: %s", folder,
                            strerror(errno));
    return check_folder(folder, &st, server_uid, err);
}

/* Every folder above the last component of `path`, from "/" down. */
static postern_err check_folders_above(const char *path, uid_t server_uid, bool *ret_is_straight,
                                       postern_error *err)
{
    char prefix[PATH_MAX];

    POSTERN_TRY(look_at_folder("/", server_uid, ret_is_straight, err));
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        if (len >= sizeof prefix)
            return POSTERN_FAIL(err, HELPER_UNTRUSTED, "helper socket's path is too long");
        memcpy(prefix, path, len);
        prefix[len] = '\0';
        POSTERN_TRY(look_at_folder(prefix, server_uid, ret_is_straight, err));
    }
    return POSTERN_OK;
}

/* No component is empty, "." or "..", as none is in what realpath(3) says. */
static bool is_written_straight(const char *path)
{
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        size_t len = strcspn(++at, "/");
        if (len == 0 || (len <= 2 && strspn(at, ".") >= len))
            return false;
    }
    return true;
}

/*
 * A path that is written straight and leads through no link is its own realpath(3), and what lstat(2)
 * saw of its folders is all there is to see: the way that a login takes.
 */
postern_err postern_socket_path_check(const char *path, uid_t server_uid, postern_error *err)
{
    char resolved[PATH_MAX];
    bool is_straight = is_written_straight(path);
    struct stat st;

    POSTERN_TRY(check_folders_above(path, server_uid, &is_straight, err));
    if (is_straight && lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
        return POSTERN_OK;
    if (realpath(path, resolved) == NULL)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "helper socket %s: %s; is posternd running?",
                            path, strerror(errno));
    return check_folders_above(resolved, server_uid, &is_straight, err);
}
