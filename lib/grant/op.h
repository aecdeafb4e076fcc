/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine behind every postern_op: deadline, final verdict, events, results.  A concrete
 * operation embeds struct postern_op as its first member and brings a class; the engine calls it
 * and never more than that.
 */
#ifndef POSTERN_LIB_OP_H
#define POSTERN_LIB_OP_H

#include <sys/types.h>

#include <postern/op.h>

/* Ring; the oldest is overwritten: events are hints, the verdict is not in them. */
#define POSTERN_OP_EVENTS 8

struct postern_op_class {
    const char *name;
    /* Of the concrete struct; allocated zeroed, wiped on free. */
    size_t      size;
    /* OK, AGAIN or a verdict; never called again after one. */
    postern_err (*step)(postern_op *op, postern_error *err);
    /* NULL: -1; not asked once there is a verdict. */
    int (*fd)(const postern_op *op);
    int (*wait_ms)(const postern_op *op);                    /* NULL or < 0: until the deadline */
    /* NULL: nothing of its own; in a forked child too: close, never send. */
    void (*destroy)(postern_op *op);
    /* Verdict in a forked child; UNSET: USAGE. */
    postern_err after_fork;
    /* False in a forked child; NULL: the engine asks getpid(2). */
    bool (*is_ours)(const postern_op *op);
    /* For the sentence of a deadline that passed: what was waited for.  NULL: nothing to add. */
    const char *(*awaits)(const postern_op *op);
};

struct postern_op {
    const struct postern_op_class *class;
    postern_clock   clock;            /* both functions set */
    int64_t         deadline_mono_ms;
    /* Maker; a forked child never steps it; unused with class->is_ours. */
    pid_t           pid;
    postern_err     verdict;          /* POSTERN_ERR_UNSET until final */
    postern_error   verdict_error;
    /* NULL until there is something to tell: postern_op_tell().  It is five times as large as all else,
     * and logins that are proved have none. */
    postern_failure *failure;
    struct postern_op_events *events; /* NULL until the first */
    postern_grant  *grant;
    postern_secret *token;
};

/*
 * Allocate class->size bytes.  clock NULL: the system's.  deadline_ms 0: POSTERN_OP_DEADLINE_MS.
 * An op whose deadline has passed is TIMEOUT, also when a result lies ready: it may be as old as
 * the host was slow.
 *   POSTERN_OK · NOMEM · USAGE (negative deadline)
 */
POSTERN_MUST_USE postern_err postern_op_new(const struct postern_op_class *class,
                                            const postern_clock *clock, int deadline_ms,
                                            postern_op **ret, postern_error *err);
int64_t postern_op_now_s(const postern_op *op);
int64_t postern_op_mono_ms(const postern_op *op);
/* The op's failure to fill in, the same one each time.  NULL: no memory, and so is the verdict. */
postern_failure *postern_op_tell(postern_op *op);
/* A new event to fill in.  NULL: no memory, and the event is lost. */
postern_event *postern_op_emit(postern_op *op, const char *static_name);
/* Both members filled from the system where NULL. */
postern_clock postern_clock_or_system(const postern_clock *clock);

#endif
