/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the clock says to a policy: all its tests on time and auth_age at one moment, in one number.
 * For what was decided then and happens later: where the number is the same, no time has run out.
 */
#include "policy/match.h"

/* FNV-1a, 64 bits: which of a file's few tests hold is nothing that anybody could choose. */
#define CLOCK_START UINT64_C(0xcbf29ce484222325)
#define CLOCK_PRIME UINT64_C(0x100000001b3)

uint64_t postern_policy_clock(const postern_policy *p, const postern_policy_subject *s,
                              int64_t now_s)
{
    const postern_policy_question q = { .size = sizeof q, .subject = s, .now_s = now_s };
    const struct asking a = { .q = &q, .s = s };
    uint64_t ret = CLOCK_START;

    if (!p->is_finished || !p->heeds_clock)
        return 0;
    for (size_t i = 0; i < p->rule_count; i++)
        for (const struct test *t = p->by_index[i]->tests; t != NULL; t = t->next)
            if (t->attr == ATTR_TIME || t->attr == ATTR_AUTH_AGE)
                ret = (ret ^ (uint64_t)postern_test_match(p->by_index[i], t, &a)) * CLOCK_PRIME;
    return ret;
}
