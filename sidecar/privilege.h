/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities that the spawner child keeps when it becomes its user, and how they end
 * (capabilities(7)).  Started without root there are none, and everything here changes nothing.
 */
#ifndef POSTERN_SIDECAR_PRIVILEGE_H
#define POSTERN_SIDECAR_PRIVILEGE_H

#include "users.h"

typedef enum privilege {
    PRIVILEGE_NONE = 0,
    PRIVILEGE_SIGNAL, /* CAP_KILL: end what runs as somebody else */
    PRIVILEGE_START   /* the same, CAP_SETUID and CAP_SETGID: start it */
} privilege;

/*
 * Become the account as users_become() does, but keep PRIVILEGE_START.  Whoever holds that could
 * become root: sandbox_forbid_root() is next.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the process must exit then)
 */
POSTERN_MUST_USE postern_err privilege_become(const struct account *a, postern_error *err);
/* From now on no more than that, for good.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err privilege_reduce(privilege to, postern_error *err);

#endif
