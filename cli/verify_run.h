/* SPDX-License-Identifier: BSD-2-Clause */
/* One token judged here, without posternd: for `postern verify` and `postern doctor`. */
#ifndef POSTERN_CLI_VERIFY_RUN_H
#define POSTERN_CLI_VERIFY_RUN_H

#include <postern/grant.h>
#include <postern/trail.h>

#define VERIFY_SCOPES_MAX 64 /* --required-scope, each */

struct verify_run {
    const char *service, *config_dir; /* by a service's rules; config_dir NULL: the system's */
    const char *issuer, *audience, *jwks_file; /* without service: the token alone */
    const char *scopes[VERIFY_SCOPES_MAX + 1]; /* demanded besides; NULL behind the last */
    int64_t now_s;                             /* -1: the system's clock */
};

/*
 * Judge it, as a login over a local connection.
 *   trail   gets the way of the checks; NULL allowed
 *   POSTERN_OK and *ret · what a login would be refused with · CONFIG_* · NOMEM
 */
POSTERN_MUST_USE postern_err verify_run(const struct verify_run *v, postern_bytes token,
                                        postern_trail *trail, postern_grant **ret,
                                        postern_error *err);

#endif
