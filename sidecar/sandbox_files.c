/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * landlock(7) for a child (sandbox.h).  Debian's headers of 2023 know the first version only, so
 * the numbers of later ones stand here; the kernel says which of them it has.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

/* linux/landlock.h of ABI 2 to 6 (Linux 5.19, 6.2, 6.7, 6.10, 6.12) */
#define FS_REFER     (1ULL << 13)
#define FS_TRUNCATE  (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define ABI_COMPLETE 6

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
/* What a store does: SQLite's journals, a list that is written beside itself and renamed. */
#define FS_STATE                                                                                   \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                    \
     LANDLOCK_ACCESS_FS_MAKE_REG)

struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

static long ask_abi(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Everything that this kernel can deny; a rule gives back. */
static struct ruleset_attr deny_all(long abi)
{
    struct ruleset_attr a = { .handled_access_fs = FS_READ | FS_WRITE |
                                                   LANDLOCK_ACCESS_FS_EXECUTE };

    a.handled_access_fs |= abi >= 2 ? FS_REFER : 0;
    a.handled_access_fs |= abi >= 3 ? FS_TRUNCATE : 0;
    a.handled_access_fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
    a.handled_access_net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
    a.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
    return a;
}

/* Older kernels want the older, shorter struct. */
static size_t attr_size(long abi)
{
    if (abi >= 6)
        return sizeof(struct ruleset_attr);
    return abi >= 4 ? offsetof(struct ruleset_attr, scoped)
                    : offsetof(struct ruleset_attr, handled_access_net);
}

static postern_err allow_fd(int ruleset, int fd, uint64_t access, postern_error *err)
{
    const struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, SYSTEM, "landlock rule: %m");
}

/* What is not there needs no permission. */
static postern_err allow_path(int ruleset, const char *path, uint64_t access, postern_error *err)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    postern_err e;

    if (fd < 0)
        return POSTERN_OK;
    e = allow_fd(ruleset, fd, access, err);
    (void)close(fd);
    return e;
}

static postern_err allow_folder_of(int ruleset, const char *file, postern_error *err)
{
    char path[PATH_MAX];
    size_t len = strlen(file);

    if (len >= sizeof path)
        return POSTERN_FAIL(err, SYSTEM, "landlock: a path of %zu bytes", len);
    memcpy(path, file, len + 1);
    return allow_path(ruleset, dirname(path), FS_READ, err);
}

/* Where libraries, name services, resolvers and certificate authorities live. */
static const char *const system_folders[] = { "/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve",
                                              "/var/lib/ca-certificates", "/dev/urandom",
                                              "/dev/null" };

static postern_err allow_reading(int ruleset, const struct sandbox_rules *rules, postern_error *err)
{
    if ((rules->needs & SANDBOX_READ_ANYWHERE) != 0)
        return allow_path(ruleset, "/", FS_READ, err);
    if ((rules->needs & SANDBOX_READ) == 0)
        return POSTERN_OK;
    for (size_t i = 0; i < sizeof system_folders / sizeof system_folders[0]; i++) {
        bool is_file = strncmp(system_folders[i], "/dev/", 5) == 0;

        POSTERN_TRY(allow_path(ruleset, system_folders[i],
                               is_file ? LANDLOCK_ACCESS_FS_READ_FILE : FS_READ, err));
    }
    for (size_t i = 0; rules->read_files != NULL && rules->read_files[i] != NULL; i++)
        POSTERN_TRY(allow_folder_of(ruleset, rules->read_files[i], err));
    return POSTERN_OK;
}

static postern_err fill(int ruleset, const struct sandbox_rules *rules, long abi, postern_error *err)
{
    uint64_t state = FS_STATE | (abi >= 3 ? FS_TRUNCATE : 0);

    POSTERN_TRY(allow_reading(ruleset, rules, err));
    if ((rules->needs & SANDBOX_STATE) == 0 || rules->state_dir_fd < 0)
        return POSTERN_OK;
    return allow_fd(ruleset, rules->state_dir_fd, state, err);
}

static postern_err enforce(struct ruleset_attr attr, const struct sandbox_rules *rules, long abi,
                           postern_error *err)
{
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);
    postern_err e;

    if (ruleset < 0)
        return POSTERN_FAIL(err, SYSTEM, "landlock_create_ruleset: %m");
    e = fill(ruleset, rules, abi, err);
    if (e == POSTERN_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        e = POSTERN_FAIL(err, SYSTEM, "landlock_restrict_self: %m");
    (void)close(ruleset);
    return e;
}

postern_err sandbox_restrict_files(const struct sandbox_rules *rules, bool *ret_is_complete,
                                   postern_error *err)
{
    long abi = ask_abi();
    struct ruleset_attr attr;

    *ret_is_complete = abi >= ABI_COMPLETE;
    if (abi < 1)
        return POSTERN_OK; /* not in this kernel, or turned off: user and seccomp remain */
    attr = deny_all(abi);
    if ((rules->needs & SANDBOX_CONNECT) != 0)
        attr.handled_access_net &= ~NET_CONNECT_TCP;
    return enforce(attr, rules, abi, err);
}
