/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * landlock(7) by system call (decision 0022): what the kernel here can deny, and the way into a domain.
 * Debian's headers of 2023 know the first version only, so what later ones added stands here.  For
 * sandbox_files.c and sandbox_apart.c.
 */
#ifndef POSTERN_SIDECAR_SANDBOX_LANDLOCK_H
#define POSTERN_SIDECAR_SANDBOX_LANDLOCK_H

#include <stdint.h>

#include <postern/error.h>

/* linux/landlock.h of ABI 2 to 6 (Linux 5.19, 6.2, 6.7, 6.10, 6.12) */
#define LANDLOCK_FS_REFER            (1ULL << 13)
#define LANDLOCK_FS_TRUNCATE         (1ULL << 14)
#define LANDLOCK_FS_IOCTL_DEV        (1ULL << 15)
#define LANDLOCK_NET_BIND_TCP        (1ULL << 0)
#define LANDLOCK_NET_CONNECT_TCP     (1ULL << 1)
#define LANDLOCK_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LANDLOCK_SCOPE_OF_SIGNALS    (1ULL << 1)
#define LANDLOCK_ABI_OF_SCOPES       6

/* What is denied in the domain but for its rules. */
struct landlock_denied {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

/* Below 1: not in this kernel, or turned off. */
long landlock_abi(void);
/*
 * A ruleset, to which rules may be added.
 *   abi   whose members of `denied` count
 *   POSTERN_OK (*ret_fd is the caller's) · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err landlock_new(const struct landlock_denied *denied, long abi, int *ret_fd,
                                          postern_error *err);
/* Into its domain, for good.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err landlock_enter(int ruleset, postern_error *err);

#endif
