/* SPDX-License-Identifier: BSD-2-Clause */
/* Judge the issuer child's key set and replace the file of it atomically. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "jwks_file.h"

/* Private and symmetric parameters of every key type that RFC 7518 §6 and RFC 8037 §2 define. */
static const char *const secret_members[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
static const char *const public_types[] = { "EC", "RSA", "OKP" };

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static bool is_public_type(const postern_json *m, uint32_t kty)
{
    for (size_t i = 0; i < COUNT_OF(public_types); i++)
        if (postern_json_string_is(m, kty, public_types[i]))
            return true;
    return false;
}

static postern_err check_key(const postern_json *m, uint32_t key, postern_error *err)
{
    if (postern_json_type_of(m, key) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "key set holds something that is no key");
    if (!is_public_type(m, postern_json_member(m, key, "kty")))
        return POSTERN_FAIL(err, MALFORMED, "key set holds a key of another type than EC, RSA, OKP");
    for (size_t i = 0; i < COUNT_OF(secret_members); i++)
        if (postern_json_member(m, key, secret_members[i]) != POSTERN_JSON_ABSENT)
            return POSTERN_FAIL(err, MALFORMED, "key set holds the private member \"%s\"",
                                secret_members[i]);
    return POSTERN_OK;
}

postern_err jwks_file_check(const postern_json *message, uint32_t set, postern_error *err)
{
    size_t count = 0;
    uint32_t keys;

    if (postern_json_type_of(message, set) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "key set is no object");
    keys = postern_json_member(message, set, "keys");
    if (postern_json_type_of(message, keys) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "key set has no array \"keys\"");
    for (uint32_t key = postern_json_first(message, keys); key != POSTERN_JSON_ABSENT;
         key = postern_json_next(message, key), count++)
        POSTERN_TRY(check_key(message, key, err));
    if (count == 0 || count > JWKS_FILE_KEYS_MAX)
        return POSTERN_FAIL(err, MALFORMED, "key set holds %zu keys", count);
    return POSTERN_OK;
}

static bool write_all(int fd, postern_bytes b)
{
    while (b.len != 0) {
        ssize_t n = write(fd, b.ptr, b.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b.ptr += n;
        b.len -= (size_t)n;
    }
    return true;
}

static bool fill(int fd, postern_bytes set)
{
    return write_all(fd, set) && write_all(fd, POSTERN_BYTES_LIT("\n")) && fchmod(fd, 0644) == 0 &&
           fsync(fd) == 0;
}

/* The new file beside the old one, then in its place.  Returns false with errno. */
static bool replace(int folder, const char *name, const char *temporary, postern_bytes set)
{
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written;

    if (fd < 0)
        return false;
    is_written = fill(fd, set);
    if (close(fd) == 0 && is_written && renameat(folder, temporary, folder, name) == 0)
        return true;
    (void)unlinkat(folder, temporary, 0);
    return false;
}

postern_err jwks_file_write(const char *path, postern_bytes set, postern_error *err)
{
    char temporary[NAME_MAX + 1];
    const char *name;
    postern_err e = POSTERN_OK;
    int folder, n, sync_fd;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &folder, &name, err));
    n = snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary) {
        (void)close(folder);
        return POSTERN_FAIL(err, CONFIG_FILE, "jwks_file: name of %zu bytes", strlen(name));
    }
    (void)unlinkat(folder, temporary, 0); /* of a supervisor with our number that was killed */
    if (!replace(folder, name, temporary, set))
        e = POSTERN_FAIL(err, SYSTEM, "writing %s: %m", path);
    sync_fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sync_fd >= 0) {
        (void)fsync(sync_fd); /* the name survives a crash, or the issuer sends the set again at start */
        (void)close(sync_fd);
    }
    (void)close(folder);
    return e;
}
