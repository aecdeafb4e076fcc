/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket (sidecar/quota.h). */
#include "config.h"

#include "quota.h"

static void refill(struct quota *q, int64_t now_us)
{
    int64_t earned = (now_us - q->refill_us) / QUOTA_REFILL_US;

    if (earned <= 0)
        return;
    q->spent = earned < q->spent ? q->spent - earned : 0;
    q->refill_us += earned * QUOTA_REFILL_US;
}

bool quota_take(struct quota *q, int64_t now_us, int64_t *ret_missed)
{
    refill(q, now_us);
    if (q->spent == QUOTA_BURST) {
        q->missed++;
        return false;
    }
    q->spent++;
    *ret_missed = q->missed;
    q->missed = 0;
    return true;
}
