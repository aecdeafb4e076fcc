/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Class of an outcome → what the PAM host is told (doc/design/outcomes.md).  Rejections are
 * authentication failures; what could not be decided is PAM_AUTHINFO_UNAVAIL, so that a stack can
 * tell the two apart.  PAM_IGNORE is in no row.
 */
#include "module.h"

static const struct {
    postern_class class;
    int auth, account;
} rows[] = {
    { POSTERN_CLASS_PROVED, PAM_SUCCESS, PAM_SUCCESS },
    { POSTERN_CLASS_TOKEN, PAM_AUTH_ERR, PAM_AUTH_ERR },
    { POSTERN_CLASS_SCOPE, PAM_AUTH_ERR, PAM_AUTH_ERR },
    { POSTERN_CLASS_TRANSPORT, PAM_AUTH_ERR, PAM_AUTH_ERR },
    { POSTERN_CLASS_IDENTITY, PAM_AUTH_ERR, PAM_PERM_DENIED },
    { POSTERN_CLASS_POLICY, PAM_AUTH_ERR, PAM_PERM_DENIED },
    { POSTERN_CLASS_REMOTE, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
    { POSTERN_CLASS_RESOURCE, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
    { POSTERN_CLASS_CONFIG, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
    { POSTERN_CLASS_USAGE, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
    { POSTERN_CLASS_INTERNAL, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
    { POSTERN_CLASS_AGAIN, PAM_INCOMPLETE, PAM_AUTHINFO_UNAVAIL },
};

int module_result_of(enum module_phase phase, postern_err e)
{
    postern_class class = postern_err_class(e);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].class == class)
            return phase == MODULE_ACCOUNT ? rows[i].account : rows[i].auth;
    return PAM_AUTHINFO_UNAVAIL;
}
