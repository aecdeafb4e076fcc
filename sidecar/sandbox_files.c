/* SPDX-License-Identifier: BSD-2-Clause */
/* landlock(7) for a child (sandbox.h): as much of it as the kernel here has. */
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
#include "sandbox_landlock.h"

#define ABI_COMPLETE LANDLOCK_ABI_OF_SCOPES

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

/* Everything that this kernel can deny; a rule gives back. */
static struct landlock_denied deny_all(long abi)
{
    struct landlock_denied a = { .handled_access_fs = FS_READ | FS_WRITE |
                                                      LANDLOCK_ACCESS_FS_EXECUTE };

    a.handled_access_fs |= abi >= 2 ? LANDLOCK_FS_REFER : 0;
    a.handled_access_fs |= abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0;
    a.handled_access_fs |= abi >= 5 ? LANDLOCK_FS_IOCTL_DEV : 0;
    a.handled_access_net = abi >= 4 ? LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP : 0;
    a.scoped = abi >= 6 ? LANDLOCK_SCOPE_ABSTRACT_UNIX | LANDLOCK_SCOPE_OF_SIGNALS : 0;
    return a;
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
    uint64_t state = FS_STATE | (abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0);

    POSTERN_TRY(allow_reading(ruleset, rules, err));
    if ((rules->needs & SANDBOX_STATE) == 0 || rules->state_dir_fd < 0)
        return POSTERN_OK;
    return allow_fd(ruleset, rules->state_dir_fd, state, err);
}

static postern_err enforce(struct landlock_denied attr, const struct sandbox_rules *rules, long abi,
                           postern_error *err)
{
    int ruleset = -1;
    postern_err e;

    POSTERN_TRY(landlock_new(&attr, abi, &ruleset, err));
    e = fill(ruleset, rules, abi, err);
    if (e == POSTERN_OK)
        e = landlock_enter(ruleset, err);
    (void)close(ruleset);
    return e;
}

postern_err sandbox_restrict_files(const struct sandbox_rules *rules, bool *ret_is_complete,
                                   postern_error *err)
{
    long abi = landlock_abi();
    struct landlock_denied attr;

    *ret_is_complete = abi >= ABI_COMPLETE;
    if (abi < 1)
        return POSTERN_OK; /* not in this kernel, or turned off: user and seccomp remain */
    attr = deny_all(abi);
    if ((rules->needs & SANDBOX_CONNECT) != 0)
        attr.handled_access_net &= ~LANDLOCK_NET_CONNECT_TCP;
    return enforce(attr, rules, abi, err);
}
