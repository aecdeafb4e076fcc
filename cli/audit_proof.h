/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far is the audit chain proved?  Checkpoints that stand in it, and those that were kept
 * elsewhere, are verified and compared with the records that they name.  Fed by audit_check.c with
 * each record in turn; pure.
 *
 * The chain alone proves that nobody changed a record and left the rest; whoever can write the file
 * can also write the whole of it anew.  A checkpoint that he cannot sign is what stops him there,
 * and one that is kept where he cannot write stops him from leaving the end away.
 */
#ifndef POSTERN_CLI_AUDIT_PROOF_H
#define POSTERN_CLI_AUDIT_PROOF_H

#include <postern-private/audit_checkpoint.h>

/* Kept checkpoints of one verification: one a minute for two years, 130 bytes each. */
#define AUDIT_PROOF_LINES_MAX (1u << 20)

struct audit_proof_line {
    struct audit_head head;
    struct audit_head own; /* of the record that it became, the next one; seq 0: of no known form */
    char     time[AUDIT_CHECKPOINT_TIME_MAX];
    uint32_t file; /* which of the files, from 0 */
    uint64_t line;
};

struct audit_proof {
    const struct audit_keys *keys; /* NULL: checkpoints are counted and no more; borrowed */

    /* Those that were kept, sorted by audit_proof_begin(). */
    struct audit_proof_line *lines;
    size_t   line_count, room;
    uint64_t other_count; /* lines that are none */

    size_t   at;            /* of lines: the first that no record was compared with */
    int64_t  matched_seq;   /* of the latest that a record agreed with */
    uint64_t inside_count;  /* checkpoints in the chain */
    uint64_t missing_count; /* of them: not kept, though earlier and later ones are */
    int64_t  missing_seq;   /* the first such one's record */
    int64_t  proved_seq;    /* 0: nothing is */
    char     proved_time[AUDIT_CHECKPOINT_TIME_MAX], proved_host[AUDIT_CHECKPOINT_HOST_MAX];
    char     what[300];     /* what is wrong; printable */
};

/*
 * A line that was kept; the keys must be there.
 *   POSTERN_OK (one more, or counted as none) · POSTERN_ERR_BAD_SIGNATURE (what says why: wrong, or by
 *   a foreign key) · POSTERN_ERR_LIMIT, NOMEM
 */
POSTERN_MUST_USE postern_err audit_proof_keep(struct audit_proof *p, uint32_t file, uint64_t number,
                                              postern_bytes line, postern_error *err);
/* All are kept; records follow. */
void audit_proof_begin(struct audit_proof *p);
/* The record before the first that there is.  It must be the latest that a kept checkpoint names, or be
 * that checkpoint: else somebody could have begun behind it anew.  False: what says why it cannot
 * be. */
bool audit_proof_before(struct audit_proof *p, const struct audit_head *head);
/*
 * The next record.
 *   j, link   of its line
 *   False: what says what is wrong with it
 */
bool audit_proof_record(struct audit_proof *p, const postern_json *j, const struct audit_link *link);
/* A kept checkpoint of a record behind the last one; NULL: none, nothing was cut off. */
const struct audit_proof_line *audit_proof_cut_off(const struct audit_proof *p,
                                                   const struct audit_head *last);
void audit_proof_free(struct audit_proof *p); /* not the keys */

#endif
