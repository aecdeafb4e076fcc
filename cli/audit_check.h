/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is the audit chain whole?  Fed with the lines of all files, oldest first; says where the first
 * break is.  Pure; the chain is postern-private/audit_chain.h's.
 *
 * Whole means: from the first line with chain members on, each line is the one that the next was
 * written behind.  Before the chain there may be records of an older posternd.  A damaged line is
 * no break when the record behind it is "chain" with reason "torn" and goes on from the line
 * before: a write that was cut short.
 */
#ifndef POSTERN_CLI_AUDIT_CHECK_H
#define POSTERN_CLI_AUDIT_CHECK_H

#include "audit_proof.h"

/* Bytes with NUL of a file's name in a message; longer ones lose their beginning. */
#define AUDIT_CHECK_FILE_MAX 256

struct audit_place {
    char     file[AUDIT_CHECK_FILE_MAX];
    uint64_t line; /* 0: nowhere */
};

struct audit_check {
    /* To be set before the first line: an exported head that must be in the chain. */
    bool    has_wanted, has_wanted_seq;
    uint8_t wanted_hash[AUDIT_HASH_LEN];
    int64_t wanted_seq;
    /* Checkpoints to compare with, or NULL; borrowed. */
    struct audit_proof *proof;

    uint64_t           record_count;    /* lines of the chain */
    uint64_t           unchained_count; /* before it */
    uint64_t           torn_count;      /* pieces of lines, each explained by a record */
    struct audit_head  head;            /* seq 0: no chain */
    int64_t            first_seq;
    char               first_time[40];  /* escaped; "" when the record has none */
    bool               is_wanted_found;
    struct audit_place last;            /* of the chain's last line */
    struct audit_place damaged;         /* first damaged line since, not explained yet */
    uint64_t           damaged_count;
    struct audit_place broken;          /* the first break */
    char               what[300];       /* one sentence about it; printable */
    postern_json       json;
};

/*
 * The next line.
 *
 *   line       without its newline
 *   is_whole   false: too long, or without a newline at the end of a file
 *   False: the chain is broken, c->broken and c->what say where and how; or memory ran out (err is
 *   set, c->broken.line is 0)
 */
bool audit_check_line(struct audit_check *c, const char *file, uint64_t number, postern_bytes line,
                      bool is_whole, postern_error *err);
/* After the last line.  False: broken. */
bool audit_check_finish(struct audit_check *c);
void audit_check_free(struct audit_check *c);

#endif
