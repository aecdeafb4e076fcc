/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signing key's file; see keys.h.  A key that exists is never replaced: a file that cannot be
 * read is an error, not a reason to make another, because every token in flight hangs on it. Called
 * by main.c at start.
 */
#include "config.h"

#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE     SIGNING_KEY_FILE ".new"
#define KEY_FILE_MAX 8192 /* a P-256 key in PKCS#8 PEM has 241 bytes */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* everything written was fsync()ed before */
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static postern_err check_file(int fd, postern_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, SYSTEM, SIGNING_KEY_FILE ": %m");
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            SIGNING_KEY_FILE
                            " must be a file of uid %d with mode 0600: others could sign tokens",
                            (int)geteuid());
    if (st.st_size > KEY_FILE_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, SIGNING_KEY_FILE " is larger than %d bytes",
                            KEY_FILE_MAX);
    return POSTERN_OK;
}

static postern_err read_all(int fd, postern_buf *b, postern_error *err)
{
    uint8_t chunk[1024];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "reading " SIGNING_KEY_FILE ": %m");
        postern_buf_add(b, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
    }
    return b->failed ? POSTERN_FAIL(err, NOMEM, SIGNING_KEY_FILE) : POSTERN_OK;
}

static postern_err read_key(int fd, postern_signing_key **ret, postern_error *err)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(KEY_FILE_MAX);

    POSTERN_TRY(check_file(fd, err));
    POSTERN_TRY(read_all(fd, &pem, err));
    return postern_signing_key_from_pem(postern_buf_bytes(&pem), ret, err);
}

static postern_err write_all(int fd, postern_bytes text, postern_error *err)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return POSTERN_FAIL(err, SYSTEM, "writing " NEW_FILE ": %m");
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return fsync(fd) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "writing " NEW_FILE ": %m");
}

static postern_err save_key(int dir_fd, const postern_signing_key *key, postern_error *err)
{
    POSTERN_AUTO(secret) pem = NULL;
    AUTO_FD fd = -1;

    POSTERN_TRY(postern_signing_key_to_pem(key, &pem, err));
    if (unlinkat(dir_fd, NEW_FILE, 0) != 0 &&
        errno != ENOENT) /* of a start that was killed: never used */
        return POSTERN_FAIL(err, SYSTEM, "removing " NEW_FILE ": %m");
    fd = openat(dir_fd, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "making " NEW_FILE ": %m");
    POSTERN_TRY(write_all(fd, postern_secret_bytes(pem), err));
    if (renameat2(dir_fd, NEW_FILE, dir_fd, SIGNING_KEY_FILE, RENAME_NOREPLACE) != 0 ||
        fsync(dir_fd) != 0)
        return POSTERN_FAIL(err, SYSTEM, "naming " SIGNING_KEY_FILE ": %m");
    return POSTERN_OK;
}

postern_err signing_key_load(int dir_fd, postern_signing_key **ret, postern_error *err)
{
    AUTO_FD fd = openat(dir_fd, SIGNING_KEY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    POSTERN_AUTO(signing_key) key = NULL;

    if (fd >= 0)
        return read_key(fd, ret, err);
    if (errno != ENOENT)
        return POSTERN_FAIL(err, CONFIG_FILE, SIGNING_KEY_FILE ": %m");
    POSTERN_TRY(postern_signing_key_generate(&key, err));
    POSTERN_TRY(save_key(dir_fd, key, err));
    *ret = POSTERN_STEAL(key);
    return POSTERN_OK;
}
