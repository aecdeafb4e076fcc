/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys in files; see keys.h.  A key that exists is never replaced but by the one that was
 * announced: a file that cannot be read is an error, not a reason to make another, because every
 * token in flight hangs on it.  Called by key_ring.c.
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

static postern_err check_file(int fd, const char *name, postern_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, SYSTEM, "%s: %m", name);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s must be a file of uid %d with mode 0600: others could sign tokens",
                            name, (int)geteuid());
    if (st.st_size > KEY_FILE_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s is larger than %d bytes", name, KEY_FILE_MAX);
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
            return POSTERN_FAIL(err, SYSTEM, "reading a signing key: %m");
        postern_buf_add(b, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n);
    }
    return b->failed ? POSTERN_FAIL(err, NOMEM, "a signing key") : POSTERN_OK;
}

static postern_err read_key(int fd, const char *name, postern_signing_key **ret,
                            postern_error *err)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(KEY_FILE_MAX);

    POSTERN_TRY(check_file(fd, name, err));
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

static postern_err save_key(int dir_fd, const char *name, const postern_signing_key *key,
                            postern_error *err)
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
    if (renameat2(dir_fd, NEW_FILE, dir_fd, name, RENAME_NOREPLACE) != 0 || fsync(dir_fd) != 0)
        return POSTERN_FAIL(err, SYSTEM, "naming %s: %m", name);
    return POSTERN_OK;
}

/* *ret is NULL when there is no such file. */
static postern_err load(int dir_fd, const char *name, postern_signing_key **ret, postern_error *err)
{
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    *ret = NULL;
    if (fd >= 0)
        return read_key(fd, name, ret, err);
    return errno == ENOENT ? POSTERN_OK : POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", name);
}

static postern_err make(int dir_fd, const char *name, postern_signing_key **ret, postern_error *err)
{
    POSTERN_AUTO(signing_key) key = NULL;

    POSTERN_TRY(postern_signing_key_generate(&key, err));
    POSTERN_TRY(save_key(dir_fd, name, key, err));
    *ret = POSTERN_STEAL(key);
    return POSTERN_OK;
}

postern_err signing_key_load(int dir_fd, postern_signing_key **ret, postern_error *err)
{
    postern_signing_key *key = NULL;

    POSTERN_TRY(load(dir_fd, SIGNING_KEY_FILE, &key, err));
    if (key == NULL)
        return make(dir_fd, SIGNING_KEY_FILE, ret, err);
    *ret = key;
    return POSTERN_OK;
}

postern_err next_key_load(int dir_fd, postern_signing_key **ret, postern_error *err)
{
    return load(dir_fd, NEXT_KEY_FILE, ret, err);
}

postern_err next_key_make(int dir_fd, postern_signing_key **ret, postern_error *err)
{
    return make(dir_fd, NEXT_KEY_FILE, ret, err);
}

postern_err next_key_take_over(int dir_fd, postern_error *err)
{
    if (renameat(dir_fd, NEXT_KEY_FILE, dir_fd, SIGNING_KEY_FILE) != 0 || fsync(dir_fd) != 0)
        return POSTERN_FAIL(err, SYSTEM, "naming " SIGNING_KEY_FILE ": %m");
    return POSTERN_OK;
}
