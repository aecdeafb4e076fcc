/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One operation in flight: a validation, an acquisition, a question to the helper.  It never
 * blocks by itself; drive it with poll(2), libevent, or the blocking postern_op_run().  One
 * thread at a time.
 *
 *     while ((e = postern_op_step(op, &err)) == POSTERN_AGAIN)
 *         wait for postern_op_fd(op) to be readable, at most postern_op_wait_ms(op)
 */
#ifndef POSTERN_OP_H
#define POSTERN_OP_H

#include <postern/event.h>
#include <postern/grant.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct postern_op postern_op;

/* Total, default: a person waits for a login; saslauthd and Dovecot use the like. */
#define POSTERN_OP_DEADLINE_MS 5000

/* A clock that tests can hold still.  NULL members mean the system's clocks. */
typedef struct postern_clock {
    int64_t (*now_s)(void *arg);   /* seconds since 1970 */
    int64_t (*mono_ms)(void *arg); /* monotonic milliseconds */
    void *arg;
} postern_clock;

/*
 * Work until done or until it would block.
 *
 *   POSTERN_OK      proved or obtained: take the result
 *   POSTERN_AGAIN   poll and step again
 *   anything else   the verdict, final: later calls say the same
 */
POSTERN_MUST_USE postern_err postern_op_step(postern_op *op, postern_error *err);
/* Readable when step() has work; -1: none (step again after wait_ms).  The op owns it. */
int postern_op_fd(const postern_op *op);
/* Time-out for poll(2), always ≥ 0 and never past the op's deadline. */
int postern_op_wait_ms(const postern_op *op);
/* step() and poll(2) until the verdict; returns it, never POSTERN_AGAIN. */
POSTERN_MUST_USE postern_err postern_op_run(postern_op *op, postern_error *err);
/* Next recorded event; false when there is none.  Pulled after step(). */
bool postern_op_next_event(postern_op *op, postern_event *ret_event);
/* Details of a rejection or of an undecided end; never NULL, code POSTERN_ERR_UNSET before the
 * end. */
const postern_failure *postern_op_failure(const postern_op *op);
/* Ownership moves; NULL unless step() said POSTERN_OK, and on the second call. */
postern_grant  *postern_op_take_grant(postern_op *op);
postern_secret *postern_op_take_token(postern_op *op);
/* Cancels and wipes; NULL is fine. */
void postern_op_free(postern_op *op);
static inline void postern_auto_op(postern_op **op) { postern_op_free(*op); }

#ifdef __cplusplus
}
#endif
#endif
