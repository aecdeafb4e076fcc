/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many refusals of strangers the audit log holds.  Everybody may connect to the helper's socket
 * and to the control socket; whoever may not ask gets no verdict, only a refusal, and without a
 * bound on the records of those any local process could fill the disk, after which no login has its
 * record and all are undecided.  Verdicts on tokens are never counted here.  Strangers at a door
 * are summed up instead (audit/denials.h).  Pure: the clock is a parameter.
 */
#ifndef POSTERN_SIDECAR_QUOTA_H
#define POSTERN_SIDECAR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* A misconfigured host shows itself in its first logins: all of those have their record. */
#define QUOTA_BURST 60
/* Then one a second: with records of 700 bytes 60 MB a day, what log rotation is made for. */
#define QUOTA_REFILL_US 1000000

struct quota {
    int64_t spent;     /* of QUOTA_BURST; zero-initialised is full */
    int64_t refill_us; /* monotonic: `spent` was right then */
    int64_t missed;    /* records not written since the last one that was */
};

/*
 * May one more record be written?  False: it is counted as missed.
 *
 *   ret_missed   records missed since the last true; set only then
 */
bool quota_take(struct quota *q, int64_t now_us, int64_t *ret_missed);

#endif
