/* SPDX-License-Identifier: BSD-2-Clause */
/* See published_file.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "published_file.h"

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

static bool fill(int fd, postern_bytes text)
{
    return write_all(fd, text) && write_all(fd, POSTERN_BYTES_LIT("\n")) && fchmod(fd, 0644) == 0 &&
           fsync(fd) == 0;
}

/* The new file beside the old one, then in its place.  Returns false with errno. */
static bool replace(int folder, const char *name, const char *temporary, postern_bytes text)
{
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written;

    if (fd < 0)
        return false;
    is_written = fill(fd, text);
    if (close(fd) == 0 && is_written && renameat(folder, temporary, folder, name) == 0)
        return true;
    (void)unlinkat(folder, temporary, 0);
    return false;
}

postern_err published_file_write(const char *path, postern_bytes text, postern_error *err)
{
    char temporary[NAME_MAX + 1];
    const char *name;
    postern_err e = POSTERN_OK;
    int folder, n, sync_fd;

    POSTERN_TRY(folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &folder, &name, err));
    n = snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary) {
        (void)close(folder);
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: name of %zu bytes", path, strlen(name));
    }
    (void)unlinkat(folder, temporary, 0); /* of a supervisor with our number that was killed */
    if (!replace(folder, name, temporary, text))
        e = POSTERN_FAIL(err, SYSTEM, "writing %s: %m", path);
    sync_fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sync_fd >= 0) {
        (void)fsync(sync_fd); /* the name survives a crash, or the file is made again at start */
        (void)close(sync_fd);
    }
    (void)close(folder);
    return e;
}
