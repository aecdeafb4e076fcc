/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and opening the keys of the audit log (audit_secrets.h).  An existing one is never read
 * here. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <postern-private/args_digest.h>
#include <postern-private/audit_checkpoint.h>

#include "audit_secrets.h"
#include "folder.h"
#include "generation_open.h"

#define KEY_TEXT_MAX 4096 /* bytes of a new key's file */

static postern_err make_args_key(postern_buf *out, postern_error *err)
{
    struct args_digest_key key;

    if (getrandom(key.bytes, sizeof key.bytes, 0) != (ssize_t)sizeof key.bytes)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    postern_buf_add(out, (postern_bytes){ key.bytes, sizeof key.bytes });
    postern_wipe(&key, sizeof key);
    return out->failed ? POSTERN_FAIL(err, NOMEM, "key of the audit log") : POSTERN_OK;
}

static const struct {
    const char *name;
    postern_err (*make)(postern_buf *out, postern_error *err);
} secrets[] = {
    { AUDIT_ARGS_KEY, make_args_key },
    { AUDIT_CHECKPOINT_KEY, audit_signing_key_make },
};
enum { SECRET_COUNT = sizeof secrets / sizeof secrets[0] };

char *audit_secrets_path(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);

    if (path != NULL && snprintf(path, size, "%s/%s", dir, name) < 0)
        path[0] = '\0'; /* cannot be: two texts are all of it */
    return path;
}

/* ---- making ---- */

static bool write_and_sync(int fd, postern_bytes text)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return fsync(fd) == 0;
}

/* Whole under its name, or not there: half a key would be one that nobody can verify by.  Another
 * posternd that was faster is obeyed. */
static bool put_in_place(int folder, const char *name, postern_bytes text)
{
    char temporary[64];
    int n = snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid()), fd;
    bool is_made;

    if (n < 0 || (size_t)n >= sizeof temporary)
        return false;
    (void)unlinkat(folder, temporary, 0); /* of one with our number that was killed */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    is_made = write_and_sync(fd, text);
    is_made = close(fd) == 0 && is_made &&
              (linkat(folder, temporary, folder, name, 0) == 0 || errno == EEXIST);
    (void)unlinkat(folder, temporary, 0);
    return is_made;
}

static void sync_folder(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fsync(fd); /* else a crash may take the name with it, and another key is made */
    (void)close(fd);
}

static postern_err make_secret(size_t which, const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(KEY_TEXT_MAX);
    const char *name;
    postern_err e = POSTERN_OK;
    int folder;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &folder, &name, err));
    if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)close(folder);
        return POSTERN_OK;
    }
    e = secrets[which].make(&text, err);
    if (e == POSTERN_OK && !put_in_place(folder, name, postern_buf_bytes(&text)))
        e = POSTERN_FAIL(err, CONFIG_FILE, "audit_key_dir: making %s: %m", path);
    if (e == POSTERN_OK)
        sync_folder(folder);
    (void)close(folder);
    return e;
}

/* ---- opening ---- */

static postern_err open_secret(size_t which, const char *dir, int *ret_fd, postern_error *err)
{
    char *path = audit_secrets_path(dir, secrets[which].name);
    postern_err e;

    if (path == NULL)
        return POSTERN_FAIL(err, NOMEM, "audit_key_dir");
    e = make_secret(which, path, err);
    if (e == POSTERN_OK)
        e = open_door_file(path, "audit_key_dir", true, ret_fd, err);
    free(path);
    return e;
}

postern_err audit_secrets_open(const char *dir, struct audit_secrets *ret, postern_error *err)
{
    *ret = (struct audit_secrets){ -1, -1 };
    POSTERN_TRY(open_secret(0, dir, &ret->args_fd, err));
    return open_secret(1, dir, &ret->checkpoint_fd, err);
}

static postern_err check_secret(const char *path, postern_error *err)
{
    int fd;

    if (access(path, F_OK) != 0)
        return POSTERN_OK; /* it will be made */
    POSTERN_TRY(open_door_file(path, "audit_key_dir", true, &fd, err));
    (void)close(fd);
    return POSTERN_OK;
}

postern_err audit_secrets_check(const char *dir, postern_error *err)
{
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        char *path = audit_secrets_path(dir, secrets[i].name);
        postern_err e;

        if (path == NULL)
            return POSTERN_FAIL(err, NOMEM, "audit_key_dir");
        e = check_secret(path, err);
        free(path);
        POSTERN_TRY(e);
    }
    return POSTERN_OK;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void audit_secrets_close(struct audit_secrets *s)
{
    close_one(&s->args_fd);
    close_one(&s->checkpoint_fd);
}
