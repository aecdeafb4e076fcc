/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that processes of posternd share: a memfd whose size is sealed, so that nobody can take a
 * page away from whoever reads it.
 */
#ifndef POSTERN_SIDECAR_SHARED_MEMORY_H
#define POSTERN_SIDECAR_SHARED_MEMORY_H

#include <stddef.h>

#include <postern/error.h>

/*
 * Zeroed and sealed.
 *   name   as /proc/PID/maps shows it
 *   size   bytes
 *   POSTERN_OK (*ret_fd is the caller's, close-on-exec) · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err shared_memory_make(const char *name, size_t size, int *ret_fd,
                                                postern_error *err);
/*
 * To read and write.
 *   fd    stays the caller's; refused unless it has that size and the seals
 *   ret   until munmap(*ret, size)
 *   POSTERN_OK · POSTERN_ERR_MALFORMED · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err shared_memory_map(int fd, size_t size, void **ret, postern_error *err);

#endif
