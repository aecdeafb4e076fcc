/* SPDX-License-Identifier: BSD-2-Clause */
/* See secret_file.h.  What is judged is the open descriptor, so that the file cannot be another one
 * afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret_file.h"

static bool is_own_group(gid_t gid)
{
    gid_t *groups;
    int n;
    bool is_own = gid == getegid();

    if (is_own || (n = getgroups(0, NULL)) <= 0 ||
        (groups = calloc((size_t)n, sizeof *groups)) == NULL)
        return is_own;
    n = getgroups(n, groups);
    for (int i = 0; i < n && !is_own; i++)
        is_own = groups[i] == gid;
    free(groups);
    return is_own;
}

static postern_err check_file(const char *path, const struct stat *st, postern_error *err)
{
    if (!S_ISREG(st->st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: not a regular file", path);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s: belongs to uid %lu, not to you (uid %lu) or root", path,
                            (unsigned long)st->st_uid, (unsigned long)geteuid());
    if ((st->st_mode & S_IRWXO) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: mode %04o lets others in: chmod 600 it", path,
                            (unsigned)(st->st_mode & 07777));
    if ((st->st_mode & (S_IWGRP | S_IXGRP)) != 0 ||
        ((st->st_mode & S_IRGRP) != 0 && !is_own_group(st->st_gid)))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: mode %04o lets group %lu in: chmod 600 it", path,
                            (unsigned)(st->st_mode & 07777), (unsigned long)st->st_gid);
    return POSTERN_OK;
}

static postern_err read_all(const char *path, int fd, postern_buf *b, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
        postern_buf_add(b, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
        if (b->failed)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: more than %d bytes", path, SECRET_FILE_MAX);
    }
    return POSTERN_OK;
}

static postern_err read_open(const char *path, int fd, postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(SECRET_FILE_MAX + 1);
    struct stat st;
    postern_bytes secret;

    if (fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    POSTERN_TRY(check_file(path, &st, err));
    POSTERN_TRY(read_all(path, fd, &b, err));
    secret = postern_buf_bytes(&b);
    if (secret.len != 0 && secret.ptr[secret.len - 1] == '\n')
        secret.len--;
    if (secret.len == 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: empty", path);
    if (secret.len > SECRET_FILE_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: more than %d bytes", path, SECRET_FILE_MAX);
    return postern_secret_new(secret, ret, err);
}

postern_err secret_file_read(const char *path, postern_secret **ret, postern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hold us */
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    e = read_open(path, fd, ret, err);
    (void)close(fd); /* only read from */
    return e;
}
