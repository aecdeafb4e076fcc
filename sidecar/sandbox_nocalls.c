/* SPDX-License-Identifier: BSD-2-Clause */
/* No filter of system calls: built without libseccomp, or with sanitizers, whose run-time makes
 * calls of its own (sandbox.h). */
#include "sandbox.h"

postern_err sandbox_restrict_calls(const struct sandbox_rules *rules, postern_error *err)
{
    (void)rules;
    (void)err;
    return POSTERN_OK;
}

postern_err sandbox_forbid_root(postern_error *err)
{
    (void)err;
    return POSTERN_OK;
}

bool sandbox_has_call_filter(void)
{
    return false;
}
