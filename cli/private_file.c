/* SPDX-License-Identifier: BSD-2-Clause */
/* See private_file.h. */
#include "config.h"

#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool write_all(int fd, postern_bytes b)
{
    for (size_t at = 0; at < b.len;) {
        ssize_t n = write(fd, b.ptr + at, b.len - at);

        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool private_file_write(int folder_fd, const char *name, postern_bytes text,
                        enum private_file_lasting lasting)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written;

    if (fd < 0)
        return false;
    is_written = write_all(fd, text) && (lasting == PRIVATE_FILE_WRITTEN || fsync(fd) == 0);
    return close(fd) == 0 && is_written;
}
