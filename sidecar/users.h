/* SPDX-License-Identifier: BSD-2-Clause */
/* The users that posternd's children become.  Called by the supervisor (resolve) and by a child
 * once (become). */
#ifndef POSTERN_SIDECAR_USERS_H
#define POSTERN_SIDECAR_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include <postern/error.h>

#define ACCOUNT_NAME_MAX 64

struct account {
    uid_t uid;
    gid_t gid;
    char  name[ACCOUNT_NAME_MAX]; /* as configured */
};

/*
 * The account of a `*_user:` setting.
 *
 *   key    of the setting, for errors: "helper_user"
 *   name   a user's name, or a number (its group is the passwd entry's; the same number when there
 *          is none)
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE (no such user, root, out of range; the detail says
 *   what to do)
 */
POSTERN_MUST_USE postern_err users_resolve(const char *key, const char *name, struct account *ret,
                                           postern_error *err);
/* The account that this process has already: what every role shares when posternd is not root. */
struct account users_self(void);

/*
 * Become the account for good: no supplementary groups, real, effective and saved ids changed
 * and read back.  Without root only the process's own account is possible, and nothing is
 * changed.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err users_become(const struct account *a, postern_error *err);
/* Its real, effective and saved ids are those of the account: no way back. */
bool users_has_become(const struct account *a);

#endif
