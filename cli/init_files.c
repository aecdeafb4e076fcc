/* SPDX-License-Identifier: BSD-2-Clause */
/* See init_files.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init_files.h"

/* ---- what stands in them ---- */

static void put_line(postern_buf *out, const char *key, const char *value)
{
    postern_buf_add_str(out, key);
    postern_buf_add_str(out, ": ");
    postern_buf_add_str(out, value);
    postern_buf_add_byte(out, '\n');
}

void init_write_issuer(const struct init_issuer_text *t, postern_buf *out)
{
    postern_buf_add_str(
        out, "# An authorization server whose tokens count here; see postern.conf(5).\n");
    put_line(out, "issuer", t->issuer);
    put_line(out, "provider", t->provider);
    if (t->jwks_file != NULL)
        put_line(out, "jwks_file", t->jwks_file);
    if (t->tls_ca_file != NULL)
        put_line(out, "tls_ca_file", t->tls_ca_file);
    if (t->allow_loopback_http)
        put_line(out, "allow_loopback_http", "yes");
}

void init_write_service(const struct init_service_text *t, postern_buf *out)
{
    postern_buf_add_str(
        out, "# What a token must be to log in here, and who may ask; see postern.conf(5).\n");
    put_line(out, "audience", t->audience);
    put_line(out, "issuers", t->issuer_name);
    put_line(out, "helper_peers", t->peers);
    if (t->scopes[0] != '\0')
        put_line(out, "required_scopes", t->scopes);
    if (t->mech_list[0] != '\0')
        put_line(out, "mech_list", t->mech_list);
    if (t->username_chars[0] != '\0') {
        postern_buf_add_str(out, "# The host folds the case of names: ALICE would be alice.\n");
        put_line(out, "username_chars", t->username_chars);
    }
    if (strcmp(t->require_tls, "yes") != 0) {
        postern_buf_add_str(out, "# The host guards TLS itself and never reports it.\n");
        put_line(out, "require_tls", t->require_tls);
    }
}

/* ---- how they get there ---- */

static postern_err fail(const char *path, postern_error *err)
{
    return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
}

static postern_err read_before(struct init_file *f, int fd, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    f->before = POSTERN_BUF_INIT(1 << 20);
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(f->path, err);
        postern_buf_add(&f->before, (postern_bytes){ chunk, (size_t)n });
        if (f->before.failed)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s is no configuration: too long", f->path);
    }
    f->had = true;
    return POSTERN_OK;
}

static postern_err look_at_before(struct init_file *f, postern_error *err)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    postern_err e;

    f->mode = 0644;
    if (fd < 0)
        return errno == ENOENT ? POSTERN_OK : fail(f->path, err);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        e = POSTERN_FAIL(err, CONFIG_FILE, "%s: not a regular file", f->path);
    else
        e = read_before(f, fd, err);
    if (e == POSTERN_OK)
        f->mode = st.st_mode & 0755;
    (void)close(fd); /* only read from */
    return e;
}

static postern_err write_all(int fd, const char *path, postern_bytes text, postern_error *err)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(path, err);
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return POSTERN_OK;
}

static postern_err fill(int fd, const char *path, postern_bytes text, mode_t mode,
                        postern_error *err)
{
    POSTERN_TRY(write_all(fd, path, text, err));
    return fchmod(fd, mode) == 0 && fsync(fd) == 0 ? POSTERN_OK : fail(path, err);
}

/* link(2) does not replace what somebody else put there meanwhile; rename(2) does. */
static postern_err move_there(const char *from, const char *to, bool may_replace,
                              postern_error *err)
{
    if (may_replace)
        return rename(from, to) == 0 ? POSTERN_OK : fail(to, err);
    if (link(from, to) == 0)
        return POSTERN_OK;
    if (errno == EEXIST)
        return POSTERN_FAIL(err, CONFIG_CONFLICT, "%s is there already; --force replaces it", to);
    return fail(to, err);
}

/* By way of a file beside it, of a name that the configuration does not read. */
static postern_err replace(const char *path, postern_bytes text, mode_t mode, bool may_replace,
                           postern_error *err)
{
    char beside[INIT_PATH_MAX + 16];
    int fd, len = snprintf(beside, sizeof beside, "%s.new-XXXXXX", path);
    postern_err e;

    if (len < 0 || (size_t)len >= sizeof beside)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: too long a path", path);
    if ((fd = mkostemp(beside, O_CLOEXEC)) < 0)
        return fail(path, err);
    e = fill(fd, path, text, mode, err);
    if (close(fd) != 0 && e == POSTERN_OK)
        e = fail(path, err);
    if (e == POSTERN_OK)
        e = move_there(beside, path, may_replace, err);
    (void)unlink(beside); /* gone already when it was renamed */
    return e;
}

/* Every folder above the file; an existing one stays as it is. */
static postern_err make_folders(const char *path, postern_error *err)
{
    char folder[INIT_PATH_MAX];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);

        memcpy(folder, path, len);
        folder[len] = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST)
            return fail(folder, err);
    }
    return POSTERN_OK;
}

postern_err init_file_put(struct init_file *f, bool may_replace, postern_error *err)
{
    if (f->text.failed)
        return POSTERN_FAIL(err, NOMEM, "%s", f->path);
    POSTERN_TRY(look_at_before(f, err));
    if (f->had && !may_replace)
        return POSTERN_FAIL(err, CONFIG_CONFLICT, "%s is there already; --force replaces it",
                            f->path);
    POSTERN_TRY(make_folders(f->path, err));
    POSTERN_TRY(replace(f->path, postern_buf_bytes(&f->text), f->mode, may_replace, err));
    f->is_done = true;
    return POSTERN_OK;
}

postern_err init_file_take_back(struct init_file *f, postern_error *err)
{
    if (!f->is_done)
        return POSTERN_OK;
    f->is_done = false;
    if (f->had)
        return replace(f->path, postern_buf_bytes(&f->before), f->mode, true, err);
    return unlink(f->path) == 0 ? POSTERN_OK : fail(f->path, err);
}

void init_file_free(struct init_file *f)
{
    postern_buf_free(&f->text);
    postern_buf_free(&f->before);
}
