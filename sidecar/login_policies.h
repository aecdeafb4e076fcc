/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policies of services (`policy:` of services/NAME.conf): who may act as whom.  Read and judged by
 * the supervisor, so that --check, a start and a reload name what is wrong, and inherited by the
 * helper, which may open no file.  Immutable once open.
 */
#ifndef POSTERN_SIDECAR_LOGIN_POLICIES_H
#define POSTERN_SIDECAR_LOGIN_POLICIES_H

#include <postern/config.h>
#include <postern/policy.h>

struct login_policy {
    const char *service; /* name of its file; the configuration's */
    postern_policy *policy;
};
struct login_policies {
    struct login_policy *list;
    size_t count;
};

/*
 *   c     lives longer than *ret
 *   ret   login_policies_close() in every case
 *   As policy_read() (policy_ask.h).
 */
POSTERN_MUST_USE postern_err login_policies_open(const postern_config *c,
                                                 struct login_policies *ret, postern_error *err);
void login_policies_close(struct login_policies *s);
/* NULL: that service has none, or `s` is NULL. */
const postern_policy *login_policies_find(const struct login_policies *s, const char *service);

#endif
