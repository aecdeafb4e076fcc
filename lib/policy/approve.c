/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may approve what a policy holds.  Pure. */
#include "policy/rules.h"

bool postern_policy_may_approve(const postern_policy *p, const postern_decision *held,
                                const postern_policy_subject *approver)
{
    (void)p;
    (void)held;
    (void)approver;
    return false; /* no rule can hold yet */
}
