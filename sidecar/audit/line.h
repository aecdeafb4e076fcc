/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process's line to the audit child: records out, confirmations back, in any number at one time.
 * One event loop, one line.  Whoever decides releases the decision in `done`, and only there.
 *
 * `done` is called when the record is written, and in a stream when it is on its way: where
 * AUDIT_STREAM_AFTER records of this line were written without a failure, the last of them within
 * AUDIT_STREAM_MS, a record that stands in the audit child's queue (where this process cannot change
 * it any more) is as good as written.  This process keeps it until it is, and sends it again when the
 * audit child dies or has no room; and from the first failure on nothing is released before it is
 * written.  What that gives up: doc/decisions/0118.
 */
#ifndef POSTERN_SIDECAR_AUDIT_LINE_H
#define POSTERN_SIDECAR_AUDIT_LINE_H

#include <event2/event.h>

#include "record.h"

/* Records on their way; more are refused (POSTERN_ERR_AUDIT), so that a stuck disk costs logins and
 * not memory. */
#define AUDIT_IN_FLIGHT_MAX 4096
#define AUDIT_LOGINS_FREE   512 /* of them, which audit_line_has_room() leaves alone */
/* Records of what happened, for which nobody waits: as many as sessions of one process may end at one
 * time, of 700 bytes each. */
#define AUDIT_FACTS_MAX 65536
/* The audit child writes in microseconds; a record that is not confirmed by then failed.  Below
 * POSTERN_OP_DEADLINE_MS, so that callers are told "undecided". */
#define AUDIT_CONFIRM_MS 3000

/* A record for which nobody waits is sent with the next that somebody waits for, at the latest after
 * this: two records in one batch cost the audit child little more than one.  An end is told a
 * fiftieth of a second late, which the time in it does not show. */
#define AUDIT_FACT_WAIT_MS 20
/* Below the first everything waits to be written: who logs in now and then always does.  Fifty
 * milliseconds: the audit child answers a stream each AUDIT_REST_MS or two (audit/server.h), and one
 * that has lost its processor for longer is waited for. */
#define AUDIT_STREAM_AFTER 16
#define AUDIT_STREAM_MS    50
/* So many released and not written at most: what the audit child writes in a few milliseconds. */
#define AUDIT_STREAM_MAX 1024
/* What has happened and could not be written is tried again after this. */
#define AUDIT_RETRY_MS 1000
/* And whoever wants to end waits for it so long: a new audit child and a line to it take two seconds,
 * and drain_timeout is 25 unless somebody says less. */
#define AUDIT_GIVE_UP_MS 3000
/* Records of one message, and bytes of them: what fits beside them in a datagram is as much again. */
#define AUDIT_MESSAGE_RECORDS_MAX 16
#define AUDIT_MESSAGE_BYTES_MAX   16384

struct audit_line;

/* Exactly once for each record that audit_line_send() took: POSTERN_OK, or POSTERN_ERR_AUDIT with
 * `err` filled. */
typedef void (*audit_done)(void *arg, postern_err e, const postern_error *err);

/* While there is no line, want_line is asked for again after this. */
#define AUDIT_WANT_MS 1000

struct audit_line_owner {
    /* The line is gone: ask the supervisor; again each second until there is one. */
    void (*want_line)(void *arg);
    /* Nothing is in flight any more; not called from audit_line_send().  May be NULL. */
    void (*idle)(void *arg);
    void *arg;
    bool has_no_streams; /* everything waits until it is written */
};

/* There is no line yet, and none is asked for: the supervisor hands out the first one by itself. */
POSTERN_MUST_USE postern_err audit_line_new(struct event_base *base, struct audit_line_owner owner,
                                            struct audit_line **ret, postern_error *err);
/* A line is there; what was on its way on the one before fails.  May call any `done`. */
void audit_line_set(struct audit_line *l, int take_fd);
bool audit_line_is_set(const struct audit_line *l);
/*
 * Format and send one record.  No `done` is called before this returns.
 *   done   NULL: nobody waits, it has happened (the end of a session).  Such a record is kept while
 *          there is no line, sent after AUDIT_FACT_WAIT_MS at most, and again on the next line until it
 *          is written; one that the audit child refuses is logged.  May send and
 *          cancel records; must not free the line
 *   POSTERN_OK · POSTERN_ERR_AUDIT (no line, too many in flight, memory): `done` will not be called
 */
POSTERN_MUST_USE postern_err audit_line_send(struct audit_line *l, const struct audit_record *r,
                                             audit_done done, void *arg, postern_error *err);
/*
 * The same, with all that are sent so in this round of the event loop: one message for many, which
 * costs each of them a part of a turn.
 */
POSTERN_MUST_USE postern_err audit_line_send_together(struct audit_line *l,
                                                      const struct audit_record *r,
                                                      audit_done done, void *arg,
                                                      postern_error *err);
/* False: so many are on their way that more should wait; some places are left for logins. */
bool audit_line_has_room(const struct audit_line *l);
/* Whoever waits with `arg` waits no more; the record is written all the same. */
void audit_line_cancel(struct audit_line *l, const void *arg);
/*
 * Nothing is in flight; without a line, nothing that anybody waits for or that a stream released.  Where
 * nothing can be written for AUDIT_GIVE_UP_MS: nothing that anybody waits for.
 */
bool audit_line_is_idle(const struct audit_line *l);
/*
 * Fail what was sent before now_ms - AUDIT_CONFIRM_MS; called by a timer of its own, and by
 * tests.  Monotonic clock.
 */
void audit_line_expire(struct audit_line *l, int64_t now_ms);
/* Nobody is called; what a stream released and nobody wrote is logged.  NULL is fine. */
void audit_line_free(struct audit_line *l);

#endif
