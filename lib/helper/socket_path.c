/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May anybody but root and posternd put a socket where the helper's is expected?  Looks at owners
 * and modes of folders; the peer itself is looked at after connect(2), in client.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/socket_path.h"

/* A folder where only root and posternd can put, replace or rename things; sticky folders guard
 * what is not one's own. */
static postern_err check_folder(const char *folder, uid_t server_uid, postern_error *err)
{
    struct stat st;

    if (stat(folder, &st) != 0)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "helper socket's folder %s: %s", folder,
                            strerror(errno));
    if (st.st_uid != 0 && st.st_uid != server_uid)
        return POSTERN_FAIL(
            err, HELPER_UNTRUSTED,
            "folder %s of the helper socket belongs to uid %ju, must be root's or posternd's",
            folder, (uintmax_t)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
        return POSTERN_FAIL(err, HELPER_UNTRUSTED,
                            "folder %s of the helper socket is writable by others", folder);
    return POSTERN_OK;
}

/* Every folder above the last component of `path`, from "/" down. */
static postern_err check_folders_above(const char *path, uid_t server_uid, postern_error *err)
{
    char prefix[PATH_MAX];

    POSTERN_TRY(check_folder("/", server_uid, err));
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        if (len >= sizeof prefix)
            return POSTERN_FAIL(err, HELPER_UNTRUSTED, "helper socket's path is too long");
        memcpy(prefix, path, len);
        prefix[len] = '\0';
        POSTERN_TRY(check_folder(prefix, server_uid, err));
    }
    return POSTERN_OK;
}

postern_err postern_socket_path_check(const char *path, uid_t server_uid, postern_error *err)
{
    char resolved[PATH_MAX];

    POSTERN_TRY(check_folders_above(path, server_uid, err));
    if (realpath(path, resolved) == NULL)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "helper socket %s: %s; is posternd running?",
                            path, strerror(errno));
    return strcmp(path, resolved) == 0 ? POSTERN_OK
                                       : check_folders_above(resolved, server_uid, err);
}
