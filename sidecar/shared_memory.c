/* SPDX-License-Identifier: BSD-2-Clause */
/* See shared_memory.h. */
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared_memory.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

postern_err shared_memory_make(const char *name, size_t size, int *ret_fd, postern_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "memfd_create: %m");
    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        (void)POSTERN_FAIL(err, SYSTEM, "shared memory %s: %m", name);
        (void)close(fd);
        return POSTERN_ERR_SYSTEM;
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

static bool is_sealed(int fd, size_t size)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
           st.st_size == (off_t)size;
}

postern_err shared_memory_map(int fd, size_t size, void **ret, postern_error *err)
{
    void *at;

    if (!is_sealed(fd, size))
        return POSTERN_FAIL(err, MALFORMED, "shared memory without its size or its seals");
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return POSTERN_FAIL(err, SYSTEM, "shared memory: %m");
    *ret = at;
    return POSTERN_OK;
}
