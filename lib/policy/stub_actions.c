/* SPDX-License-Identifier: BSD-2-Clause */
/* stub until merge */
#include "policy/rules.h"
const char *postern_policy_protocol(size_t i)
{
    return i == 0 ? "raw" : NULL;
}
bool postern_policy_action_at(const char *protocol, size_t i, postern_policy_action *ret)
{
    if (i != 0 || strcmp(protocol, "raw") != 0)
        return false;
    *ret = (postern_policy_action){ "connect", "", "the door's name" };
    return true;
}
