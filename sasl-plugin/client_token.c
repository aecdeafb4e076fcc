/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token found without asking: WLCG Bearer Token Discovery (BEARER_TOKEN, BEARER_TOKEN_FILE,
 * $XDG_RUNTIME_DIR/bt_u$UID, /tmp/bt_u$UID), then `postern token`.  Nothing of this in a
 * set-user-id process: its environment is its caller's.
 */
#include "config.h" /* first: asks libc for its extensions */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/run.h>

#include "client.h"

#define TOKEN_FILE_MAX (POSTERN_TOKEN_MAX + 64) /* blanks and a newline around the token */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is found is trimmed (the discovery rules say so) and must be a token. */
static postern_err take_token(postern_bytes text, const char *where, postern_secret **ret,
                              postern_error *err)
{
    while (text.len != 0 && is_blank(text.ptr[0]))
        text.ptr++, text.len--;
    while (text.len != 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    if (text.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, LIMIT, "%s holds more than %d bytes", where, POSTERN_TOKEN_MAX);
    if (!postern_token_is_token68(text))
        return POSTERN_FAIL(err, MALFORMED, "%s holds no bearer token", where);
    return postern_secret_new(text, ret, err);
}

static postern_err read_token(int fd, const char *where, postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(TOKEN_FILE_MAX);
    uint8_t chunk[1024];
    ssize_t got;

    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        postern_buf_add(&text, (postern_bytes){ chunk, (size_t)got });
        postern_wipe(chunk, (size_t)got);
        if (text.failed)
            return POSTERN_FAIL(err, LIMIT, "%s holds more than a token", where);
    }
    if (got < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s", where, strerror(errno));
    return take_token(postern_buf_bytes(&text), where, ret, err);
}

/*
 * Owned by us (or by root: Kubernetes and systemd credentials), written by nobody else, read by
 * nobody else.
 */
static bool is_private(const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || (st->st_uid != geteuid() && st->st_uid != 0))
        return false;
    if ((st->st_mode & (S_IWGRP | S_IRWXO)) != 0)
        return false;
    return (st->st_mode & S_IRWXG) == 0 || st->st_gid == getegid();
}

/* `flags` of open(2).  NO_TOKEN: no such file, or another's in a shared folder. */
static postern_err read_file(const char *path, int flags, postern_secret **ret, postern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                            flags); /* a FIFO must not hold us */
    struct stat st;
    postern_err e;

    if (fd < 0 && errno == ENOENT)
        return POSTERN_FAIL(err, NO_TOKEN, "%s is not there", path);
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !is_private(&st))
        e = POSTERN_FAIL(err, CONFIG_FILE,
                         "%s must be a file of this user that nobody else may read or write", path);
    else
        e = read_token(fd, path, ret, err);
    (void)close(fd);
    return e;
}

/*
 * FOLDER/bt_u$UID.  In a folder that others write to, a bad file may be somebody else's doing:
 * passed over, not an error.
 */
static postern_err read_default_file(const char *folder, postern_secret **ret, postern_error *err)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/bt_u%u", folder, (unsigned)geteuid());
    postern_err e;

    if (folder[0] != '/' || len < 0 || len >= (int)sizeof path)
        return POSTERN_FAIL(err, NO_TOKEN, "XDG_RUNTIME_DIR is no folder");
    e = read_file(path, O_NOFOLLOW, ret, err);
    return e == POSTERN_ERR_CONFIG_FILE
               ? POSTERN_FAIL(err, NO_TOKEN, "%s is not a private file of this user", path)
               : e;
}

/* Empty counts as unset, as in `BEARER_TOKEN= command`. */
static const char *get_variable(const char *name)
{
    const char *value = secure_getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

/*
 * https://doi.org/10.5281/zenodo.3937438: the first source that is there counts, also when it is
 * bad.
 */
static postern_err discover(postern_secret **ret, postern_error *err)
{
    const char *token = get_variable("BEARER_TOKEN");
    const char *file = get_variable("BEARER_TOKEN_FILE");
    const char *runtime = get_variable("XDG_RUNTIME_DIR");

    if (token != NULL)
        return take_token(postern_bytes_str(token), "BEARER_TOKEN", ret, err);
    if (file != NULL) {
        postern_err e = read_file(file, 0, ret, err);

        return e == POSTERN_ERR_NO_TOKEN
                   ? POSTERN_FAIL(err, CONFIG_FILE, "BEARER_TOKEN_FILE: %s is not there", file)
                   : e;
    }
    return read_default_file(runtime != NULL ? runtime : "/tmp", ret, err);
}

static postern_err run_postern(const sasl_client_params_t *params, postern_secret **ret,
                               postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;

    POSTERN_TRY(postern_run_token_start(params->serverFQDN, params->service, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    *ret = postern_op_take_token(op);
    return *ret == NULL ? POSTERN_FAIL(err, INTERNAL, "postern token: no token") : POSTERN_OK;
}

postern_err client_find_token(const sasl_client_params_t *params, postern_secret **ret,
                              postern_error *err)
{
    postern_err e;

    if (getauxval(AT_SECURE) != 0)
        return POSTERN_FAIL(err, NO_TOKEN, "a set-user-id program looks for no token");
    e = discover(ret, err);
    if (e != POSTERN_ERR_NO_TOKEN)
        return e;
    return run_postern(params, ret, err);
}
