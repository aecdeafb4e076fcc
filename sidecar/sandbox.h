/* SPDX-License-Identifier: BSD-2-Clause */
/* What a child of posternd gives up for good.  Called by sidecar/child.c between fork and the
 * role. */
#ifndef POSTERN_SIDECAR_SANDBOX_H
#define POSTERN_SIDECAR_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <postern/error.h>

/* Descriptors that a child may keep: what every role together could have. */
#define SANDBOX_KEEP_MAX 128
/* Close every descriptor above 2 but these (in any order, -1 is skipped).  POSTERN_OK ·
 * POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err sandbox_close_others(const int *keep_fds, size_t count,
                                                  postern_error *err);
/* Allow `wanted` descriptors if the hard limit lets us; returns how many there are now. */
size_t sandbox_raise_descriptors(size_t wanted);

/* What a role may do beside reading and answering on the descriptors that it was given. */
typedef enum sandbox_need {
    SANDBOX_NOTHING = 0,
    SANDBOX_READ = 1,          /* open what its user may read: libraries, /etc, key sets */
    SANDBOX_READ_ANYWHERE = 2, /* the same below every folder: a configuration to come may name any */
    SANDBOX_STATE = 4,         /* write below its state folder */
    SANDBOX_CONNECT = 8,       /* begin TCP connections */
    SANDBOX_FETCH = 16,        /* the same where the configuration has an issuer to fetch from */
    /* Start programs.  What confines this child confines them too, for good: so it has nothing but
     * sandbox_forbid_root(). */
    SANDBOX_START = 32
} sandbox_need;

struct sandbox_rules {
    unsigned           needs;        /* of sandbox_need */
    int                state_dir_fd; /* SANDBOX_STATE; -1: none */
    const char *const *read_files;   /* NULL-terminated: their folders may be read; NULL: none */
};

/*
 * No new privileges, no core file, not dumpable, killed when the supervisor dies.  After the
 * user change: the kernel takes the last two back whenever a process changes its ids (prctl(2)).
 *
 *   parent   the supervisor; already dead is an error
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err sandbox_enter(pid_t parent, postern_error *err);

/*
 * landlock(7): no file is executed, none is written or made outside of the state folder, none is
 * opened that the role does not need; no TCP port is bound, none is connected to unless it must.
 * A kernel without landlock, or with less of it, does what it can; ret_is_complete says so.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err sandbox_restrict_files(const struct sandbox_rules *rules,
                                                    bool *ret_is_complete, postern_error *err);
/*
 * landlock(7), too: a domain of its own for this process and all that it starts.  What is in it neither
 * signals nor traces what is outside, nor looks into its memory, environment and descriptors, even
 * where both are one user's.  Nothing else changes: it opens, binds and connects as before.
 *   sandbox_can_stand_apart()   false: this kernel is older than Linux 6.12, or landlock is turned off;
 *                               sandbox_stand_apart() does nothing then
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
bool sandbox_can_stand_apart(void);
POSTERN_MUST_USE postern_err sandbox_stand_apart(postern_error *err);
/*
 * seccomp(2): a list of system calls; what nobody here needs fails with EPERM, what only an
 * intruder needs kills the process.  Nothing in a build without libseccomp or with sanitizers.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err sandbox_restrict_calls(const struct sandbox_rules *rules,
                                                    postern_error *err);
/*
 * Of a child that may change its user, and of all that it starts: nobody becomes root by a system
 * call, nor asks the kernel for what only root has, nor sets limits of another process, which by
 * RLIMIT_CPU would end it.  Refused with EPERM, for programs try such things.  Nothing in a build
 * without libseccomp.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err sandbox_forbid_root(postern_error *err);
bool sandbox_has_call_filter(void); /* in this build */

#endif
