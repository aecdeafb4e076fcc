/* SPDX-License-Identifier: BSD-2-Clause */
/* What an administrator can change about each reason code: the last line of `postern why`. */
#ifndef POSTERN_CLI_WHY_ADVICE_H
#define POSTERN_CLI_WHY_ADVICE_H

#include <postern/error.h>

/* One sentence or two; NULL: no such code. */
const char *why_advice(postern_err code);
/* What to change where one action of a session was refused or held; NULL: nothing of its own. */
const char *why_advice_action(const char *reason);
/* What was let through because the policy is on trial. */
#define WHY_ADVICE_SHADOW                                                                          \
    "It was let through because the policy is on trial (`policy_mode: shadow`); with `policy_mode: "  \
    "enforce` it is refused by the rule above."

#endif
