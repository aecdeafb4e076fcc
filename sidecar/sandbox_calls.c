/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter of system calls (sandbox.h), by libseccomp.  Three lists: what the roles and the
 * libraries under them do; what nobody but an intruder would do, which kills; all else fails with
 * EPERM, so that a libc of another year that tries something new falls back as it does on an old
 * kernel.  Another system call is one line here, with its reason.
 */
#include "config.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox.h"

static const int allowed[] = {
    /* descriptors and bytes */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(close), SCMP_SYS(close_range),
    SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe),
    SCMP_SYS(pipe2), SCMP_SYS(splice), SCMP_SYS(memfd_create),
    /* the loop */
    SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select),
    SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    /* sockets that were given, and those of connections */
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind),
    /* memory, threads, signals of this process */
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(set_tid_address),
    SCMP_SYS(prctl), SCMP_SYS(arch_prctl),
    /* time, random numbers, who am I */
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getgroups), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(uname),
    SCMP_SYS(sysinfo), SCMP_SYS(getcwd), SCMP_SYS(umask),
    /* files that landlock lets us see */
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat), SCMP_SYS(fstat),
    SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate), SCMP_SYS(flock), SCMP_SYS(fadvise64), SCMP_SYS(fallocate),
};

/* Of roles with a state folder: SQLite, and the file of blocks. */
static const int allowed_with_state[] = {
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(geteuid), SCMP_SYS(utimensat), SCMP_SYS(mkdir),
};

static const int deadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(mount), SCMP_SYS(umount2),
    SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid),
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(capset), SCMP_SYS(reboot),
    SCMP_SYS(swapon), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(personality),
};

static postern_err fail(int code, postern_error *err)
{
    errno = -code;
    return POSTERN_FAIL(err, SYSTEM, "seccomp: %m");
}

static postern_err add_list(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count,
                            postern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        int code = seccomp_rule_add(filter, action, calls[i], 0);

        /* A call that this architecture never had needs no rule. */
        if (code != 0 && code != -EDOM && code != -EFAULT)
            return fail(code, err);
    }
    return POSTERN_OK;
}

/* Threads, never processes: clone3 hides its flags in memory, so libc is sent to clone(2). */
static postern_err add_threads(scmp_filter_ctx filter, postern_error *err)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    if (code == 0)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    return code == 0 ? POSTERN_OK : fail(code, err);
}

/* What libevent, libc and resolvers ask of a descriptor.  TIOCSTI is not among them: it types into
 * the terminal of whoever runs posternd in the foreground, and he is root. */
static postern_err add_ioctls(scmp_filter_ctx filter, postern_error *err)
{
    static const unsigned long requests[] = { FIONREAD,   FIONBIO,     FIOCLEX,     TCGETS,
                                              TIOCGWINSZ, SIOCGIFNAME, SIOCGIFINDEX };
    int code = 0;

    for (size_t i = 0; code == 0 && i < sizeof requests / sizeof requests[0]; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)requests[i]));
    return code == 0 ? POSTERN_OK : fail(code, err);
}

/* abort(3), threads and limits of our own; started without root, all roles are one user. */
static postern_err add_own_process(scmp_filter_ctx filter, postern_error *err)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

    if (code == 0) /* 0 is oneself; what another has used up of its RLIMIT_CPU ends it */
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                SCMP_A0(SCMP_CMP_EQ, 0));
    return code == 0 ? POSTERN_OK : fail(code, err);
}

/* unix(7) for syslog(3), the internet for resolvers and backends; nothing raw, no netlink but for
 * getaddrinfo(3). */
static postern_err add_sockets(scmp_filter_ctx filter, const struct sandbox_rules *rules,
                               postern_error *err)
{
    static const int local[] = { AF_UNIX }, network[] = { AF_INET, AF_INET6, AF_NETLINK };
    int code = 0;

    for (size_t i = 0; code == 0 && i < sizeof local / sizeof local[0]; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)local[i]));
    for (size_t i = 0;
         code == 0 && (rules->needs & SANDBOX_CONNECT) != 0 && i < sizeof network / sizeof network[0];
         i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)network[i]));
    return code == 0 ? POSTERN_OK : fail(code, err);
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static postern_err fill(scmp_filter_ctx filter, const struct sandbox_rules *rules,
                        postern_error *err)
{
    POSTERN_TRY(add_list(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed), err));
    if ((rules->needs & SANDBOX_STATE) != 0)
        POSTERN_TRY(add_list(filter, SCMP_ACT_ALLOW, allowed_with_state, COUNT(allowed_with_state),
                             err));
    POSTERN_TRY(add_list(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly), err));
    POSTERN_TRY(add_threads(filter, err));
    POSTERN_TRY(add_ioctls(filter, err));
    POSTERN_TRY(add_own_process(filter, err));
    return add_sockets(filter, rules, err);
}

/* ---- the spawner and what it starts ---- */

/* Of the ids that each takes, the first `ids` arguments; -1, which leaves one as it is, is no root. */
static const struct {
    int call;
    unsigned ids;
} identities[] = {
    { SCMP_SYS(setuid), 1 },      { SCMP_SYS(setgid), 1 },      { SCMP_SYS(setreuid), 2 },
    { SCMP_SYS(setregid), 2 },    { SCMP_SYS(setresuid), 3 },   { SCMP_SYS(setresgid), 3 },
    { SCMP_SYS(setfsuid), 1 },    { SCMP_SYS(setfsgid), 1 },
    /* where a number of 16 bits was the first */
    { SCMP_SYS(setuid32), 1 },    { SCMP_SYS(setgid32), 1 },    { SCMP_SYS(setreuid32), 2 },
    { SCMP_SYS(setregid32), 2 },  { SCMP_SYS(setresuid32), 3 }, { SCMP_SYS(setresgid32), 3 },
    { SCMP_SYS(setfsuid32), 1 },  { SCMP_SYS(setfsgid32), 1 },
};

/* What asks for capabilities that nobody there has: said once more, where nothing can be forgotten. */
static const int roots[] = {
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(open_by_handle_at), SCMP_SYS(acct),
    SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
    SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key), SCMP_SYS(userfaultfd),
};

/* The kernel looks at the lower half of the register alone, so do we. */
static postern_err add_identities(scmp_filter_ctx filter, postern_error *err)
{
    for (size_t i = 0; i < COUNT(identities); i++)
        for (unsigned arg = 0; arg < identities[i].ids; arg++) {
            int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), identities[i].call, 1,
                                        SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, UINT32_MAX, 0));

            if (code != 0 && code != -EDOM && code != -EFAULT)
                return fail(code, err);
        }
    return POSTERN_OK;
}

/* A list of groups lies in memory, where root's cannot be told from another: only none at all. */
static postern_err add_groups(scmp_filter_ctx filter, postern_error *err)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setgroups), 1,
                                SCMP_A0(SCMP_CMP_NE, 0));

    return code == 0 ? POSTERN_OK : fail(code, err);
}

/* RLIMIT_CPU is SIGKILL by another name, and asks no more than that both are one user's.  Landlock
 * looks at signals alone. */
static postern_err add_limits(scmp_filter_ctx filter, postern_error *err)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 2,
                                SCMP_A0(SCMP_CMP_NE, 0), SCMP_A2(SCMP_CMP_NE, 0));

    return code == 0 ? POSTERN_OK : fail(code, err);
}

postern_err sandbox_forbid_root(postern_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    postern_err e;
    int code;

    if (filter == NULL)
        return POSTERN_FAIL(err, SYSTEM, "seccomp_init");
    /* Calls of another architecture's numbers would pass the list by: they do not exist. */
    code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    e = code == 0 ? add_identities(filter, err) : fail(code, err);
    if (e == POSTERN_OK)
        e = add_groups(filter, err);
    if (e == POSTERN_OK)
        e = add_list(filter, SCMP_ACT_ERRNO(EPERM), roots, COUNT(roots), err);
    if (e == POSTERN_OK)
        e = add_limits(filter, err);
    if (e == POSTERN_OK && (code = seccomp_load(filter)) != 0)
        e = fail(code, err);
    seccomp_release(filter);
    return e;
}

/* ---- everybody else ---- */

postern_err sandbox_restrict_calls(const struct sandbox_rules *rules, postern_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    postern_err e;
    int code;

    if (filter == NULL)
        return POSTERN_FAIL(err, SYSTEM, "seccomp_init");
    e = fill(filter, rules, err);
    if (e == POSTERN_OK && (code = seccomp_load(filter)) != 0)
        e = fail(code, err);
    seccomp_release(filter);
    return e;
}

bool sandbox_has_call_filter(void)
{
    return true;
}
