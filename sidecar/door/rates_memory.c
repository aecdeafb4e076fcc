/* SPDX-License-Identifier: BSD-2-Clause */
/* See rates_memory.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../shared_memory.h"
#include "rates_memory.h"

#define MEMORY_BYTES (sizeof(struct rate_slot) * RATES_MAX)

struct rates_memory {
    size_t refs;
    int    fd; /* of the door process that started last; -1: none did */
};

/* ---- supervisor ---- */

postern_err rates_memory_new(struct rates_memory **ret, postern_error *err)
{
    struct rates_memory *m = calloc(1, sizeof *m);

    if (m == NULL)
        return POSTERN_FAIL(err, NOMEM, "memory for rates");
    m->refs = 1;
    m->fd = -1;
    *ret = m;
    return POSTERN_OK;
}

struct rates_memory *rates_memory_ref(struct rates_memory *m)
{
    m->refs++;
    return m;
}

void rates_memory_unref(struct rates_memory *m)
{
    if (m == NULL || --m->refs != 0)
        return;
    if (m->fd >= 0)
        (void)close(m->fd);
    free(m);
}

/* Memory to memory: it neither blocks nor comes short, but for want of memory. */
static bool copy(int from, int to)
{
    static uint8_t room[65536]; /* the supervisor is one thread */

    for (off_t at = 0; at < (off_t)MEMORY_BYTES;) {
        off_t data = lseek(from, at, SEEK_DATA);
        ssize_t n;

        if (data < 0)
            return errno == ENXIO; /* nothing behind `at` */
        at = data;
        n = pread(from, room, sizeof room, at);
        if (n <= 0 || pwrite(to, room, (size_t)n, at) != n)
            return n == 0;
        at += n;
    }
    return true;
}

postern_err rates_memory_renew(struct rates_memory *m, int *ret_fd, postern_error *err)
{
    int fd = -1;

    POSTERN_TRY(shared_memory_make("postern-rates", MEMORY_BYTES, &fd, err));
    if (m->fd >= 0 && !copy(m->fd, fd)) {
        (void)POSTERN_FAIL(err, SYSTEM, "memory for rates: %m");
        (void)close(fd);
        return POSTERN_ERR_SYSTEM;
    }
    if (m->fd >= 0)
        (void)close(m->fd);
    *ret_fd = m->fd = fd;
    return POSTERN_OK;
}

/* ---- door ---- */

static size_t count_used(int fd)
{
    off_t end = 0, data;

    while ((data = lseek(fd, end, SEEK_DATA)) >= 0)
        if ((end = lseek(fd, data, SEEK_HOLE)) <= data)
            return RATES_MAX; /* cannot be */
    if (errno != ENXIO || end > (off_t)MEMORY_BYTES)
        return RATES_MAX;
    return ((size_t)end + sizeof(struct rate_slot) - 1) / sizeof(struct rate_slot);
}

postern_err rates_memory_map(int fd, struct rate_slot **ret, size_t *ret_used, postern_error *err)
{
    void *at = NULL;

    POSTERN_TRY(shared_memory_map(fd, MEMORY_BYTES, &at, err));
    *ret = at;
    *ret_used = count_used(fd);
    return POSTERN_OK;
}

void rates_memory_unmap(struct rate_slot *slots)
{
    if (slots != NULL)
        (void)munmap(slots, MEMORY_BYTES); /* ours and whole: cannot fail */
}
