/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit file as its only writer sees it: records are gathered, chained and appended by one
 * write(2); how many of them stand there whole is known afterwards.  Knows nothing of messages and
 * events (audit/server.c).
 *
 * What is never done: no byte that somebody else wrote is changed or cut.  What a write of ours
 * leaves of a line (disk full) is cut off again at once; where that is not allowed (append-only
 * file, pipe) or not possible any more (we were killed), the piece gets a line end and the chain
 * goes on behind it with a record "chain", reason "torn".
 */
#ifndef POSTERN_SIDECAR_AUDIT_FILE_H
#define POSTERN_SIDECAR_AUDIT_FILE_H

#include <postern-private/audit_chain.h>

/*
 * Records of one write.  At 700 bytes 180 kB: large enough that the call's cost is shared, small
 * enough that whoever asks alone waits for less than a millisecond.
 */
#define AUDIT_BATCH_MAX 256
/* Records of one write to a pipe or socket: PIPE_BUF bytes are written whole or not at all. */
#define AUDIT_BATCH_STREAM_MAX 1

struct audit_file;

POSTERN_MUST_USE postern_err audit_file_new(struct audit_file **ret, postern_error *err);
/* Closes the descriptor.  Not synced: audit_file_sync() before.  NULL is fine. */
void audit_file_free(struct audit_file *f);

/*
 * Go on in this file.  What stands in it, when it is a regular file, says how:
 *
 *   nothing                      the chain that we have goes on with a record "chain", reason
 *                                "rotated", so that the file says where the chain stands; when we
 *                                have none, one begins, reason "new"
 *   a last line of a chain       that chain goes on
 *   …, a piece of a line behind  it goes on behind the piece, reason "torn"
 *   …, but we have written more  the chain that we have goes on, reason "replaced": lines were taken
 *                                away, or it is another file; `postern audit verify` stops there
 *   … without seq and prev       a chain begins, reason "unchained": an older posternd wrote there
 *   … that is no record          the chain that we have goes on, or one begins; reason "damaged"
 *   what cannot be read          likewise; reason "unreadable"
 *
 * Pipes and other descriptors: the chain that we have goes on, or one begins.  A "chain" record is
 * written at once; when that fails it goes out before the next record.
 *
 *   take_fd   O_APPEND is set on a regular file that lacks it; the one before is synced and closed
 *   now_ms    since 1970, for that record
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (the file before stays in use) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_file_take(struct audit_file *f, int take_fd, int64_t now_ms,
                                             postern_error *err);
/* Where the chain stands in the file: what was written, not what was added. */
struct audit_head audit_file_head(const struct audit_file *f);
/* The descriptor, to wait for room when it is no regular file; -1: none. */
int  audit_file_fd(const struct audit_file *f);
/* A write would not wait: always true of a regular file. */
bool audit_file_is_writable(const struct audit_file *f);
/* No room in this batch for one more. */
bool audit_file_is_full(const struct audit_file *f);

/*
 * Add a record to the batch.
 *
 *   j, object   as for audit_chain_add()
 *   POSTERN_OK · the codes of audit_chain_add() · POSTERN_ERR_AUDIT (no file yet) ·
 *   POSTERN_ERR_LIMIT (batch is full)
 */
POSTERN_MUST_USE postern_err audit_file_add(struct audit_file *f, const postern_json *j,
                                            uint32_t object, int64_t now_ms, postern_error *err);
/*
 * Write a "chain" record that is still owed, so that audit_file_head() is what the next record will
 * be behind.  The batch must be empty.
 *   POSTERN_OK · as of audit_file_add() and audit_file_write()
 */
POSTERN_MUST_USE postern_err audit_file_settle(struct audit_file *f, int64_t now_ms,
                                               postern_error *err);
/*
 * Write the batch; it is empty afterwards.
 *
 *   ret_whole   how many of the records, in the order they were added, stand in the file
 *   POSTERN_OK (all) · POSTERN_ERR_AUDIT (errno's words; the rest is not there)
 */
POSTERN_MUST_USE postern_err audit_file_write(struct audit_file *f, size_t *ret_whole,
                                              postern_error *err);
/* Something was written since the last sync. */
bool audit_file_is_dirty(const struct audit_file *f);
/* fdatasync(2).  What cannot be synced (pipe) is well.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err audit_file_sync(struct audit_file *f, postern_error *err);

#endif
