/* SPDX-License-Identifier: BSD-2-Clause */
/* Owner, mode and content of a file that decides who gets in; see the header.  Follows sshd's
 * StrictModes. */
#include "trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* read only: nothing can be lost */
}

/* Root's group, or a group of our own name and number that holds nobody else (Debian's user-private
 * groups). */
static bool is_private_group(gid_t gid)
{
    return gid == 0 || (gid == getegid() && gid == geteuid());
}

postern_err postern_trusted_file_check(const struct stat *st, const char *shown, postern_error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s belongs to uid %u; it must belong to root or to uid %u", shown,
                            (unsigned)st->st_uid, (unsigned)geteuid());
    if ((st->st_mode & S_IWOTH) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s can be written by everybody (mode %04o): chmod o-w", shown,
                            (unsigned)st->st_mode & 07777);
    if ((st->st_mode & S_IWGRP) != 0 && !is_private_group(st->st_gid))
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s can be written by group %u (mode %04o): chmod g-w", shown,
                            (unsigned)st->st_gid, (unsigned)st->st_mode & 07777);
    return POSTERN_OK;
}

static postern_err read_content(int fd, const char *shown, postern_buf *out, postern_error *err)
{
    uint8_t chunk[8192];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", shown);
        if ((size_t)n > out->max - out->len)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s holds more than %zu bytes", shown, out->max);
        postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
        if (out->failed)
            return POSTERN_FAIL(err, NOMEM, "%s", shown);
    }
    return POSTERN_OK;
}

postern_err postern_trusted_file_read(const char *path, const char *shown, enum file_trust trust,
                                      postern_buf *out, struct stat *ret_st, postern_error *err)
{
    /* A pipe put where a key set belongs must not hang us: O_NONBLOCK, and the type is checked. */
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (trust == FILE_OF_ROOT_OR_SELF ? O_NONBLOCK : 0);
    __attribute__((cleanup(close_descriptor))) int fd = open(path, flags);
    struct stat st;

    if (ret_st != NULL)
        *ret_st = (struct stat){ 0 };
    if (fd < 0 || fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", shown);
    if (ret_st != NULL)
        *ret_st = st;
    if (trust == FILE_OF_ROOT_OR_SELF) {
        if (!S_ISREG(st.st_mode))
            return POSTERN_FAIL(err, CONFIG_FILE, "%s is not a regular file", shown);
        POSTERN_TRY(postern_trusted_file_check(&st, shown, err));
    }
    return read_content(fd, shown, out, err);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool postern_file_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           is_same_time(&a->st_mtim, &b->st_mtim) && is_same_time(&a->st_ctim, &b->st_ctim);
}
