/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash chain of the audit file: each line ends with its number and the SHA-256 of the line
 * before it, so that a line that was changed, removed or put in between is found (`postern audit
 * verify`).  Pure: bytes in, bytes out.  The audit child writes with it, the command line reads
 * with it; not installed.
 *
 *   {"time":…,…,"seq":17,"prev":"<64 hexadecimal digits, lower case>"}
 *
 * A chain begins with "seq":1 and 64 zeros, in a record {"time":…,"event":"chain","reason":…}.
 * What the chain cannot tell: that lines at its end are missing or that its last line was changed;
 * for that the head is kept elsewhere (postern(1)).
 */
#ifndef POSTERN_PRIVATE_AUDIT_CHAIN_H
#define POSTERN_PRIVATE_AUDIT_CHAIN_H

#include <postern-private/json.h>

/* Bytes of a line with its newline: PIPE_BUF, so that a line on a pipe is whole or not there. */
#define AUDIT_LINE_MAX 4096
/* ,"seq":9007199254740991,"prev":"<64>" is 97; what a record leaves free for it. */
#define AUDIT_CHAIN_ROOM 98
/* Bytes of a record without chain members and newline. */
#define AUDIT_RECORD_MAX (AUDIT_LINE_MAX - AUDIT_CHAIN_ROOM)
#define AUDIT_HASH_LEN 32
#define AUDIT_HASH_DIGITS (2 * AUDIT_HASH_LEN)
/* JSON integers are exact up to 2^53-1: a million records a second for 285 years. */
#define AUDIT_SEQ_MAX 9007199254740991

/* The last line of a chain.  Zeroed: the chain has none yet, and the next is "seq":1. */
struct audit_head {
    int64_t seq;
    uint8_t hash[AUDIT_HASH_LEN]; /* of that line, without its newline */
};

/*
 * Append the next line of the chain, with its newline.
 *
 *   head     moves to the new line on POSTERN_OK only
 *   record   one JSON object that was scanned strictly, as it stands in the message
 *   j        of a scan that `object` is a node of; the record's text
 *   out      room for AUDIT_LINE_MAX more; not touched unless POSTERN_OK or POSTERN_ERR_NOMEM
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (no object, empty, with "seq" or "prev" of its own, with raw
 *   line ends) ·
 *   POSTERN_ERR_LIMIT (above AUDIT_RECORD_MAX; no number left) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_chain_add(struct audit_head *head, const postern_json *j,
                                             uint32_t object, postern_buf *out, postern_error *err);

typedef enum audit_line_kind {
    /* Not one JSON object, too long, or with chain members that are not as we write them. */
    AUDIT_LINE_DAMAGED = 0,
    AUDIT_LINE_UNCHAINED,   /* a JSON object without "seq" and "prev": of an older posternd */
    AUDIT_LINE_CHAINED
} audit_line_kind;

struct audit_link {
    audit_line_kind kind;
    int64_t         seq;                  /* the rest for AUDIT_LINE_CHAINED */
    uint8_t         prev[AUDIT_HASH_LEN];
    struct audit_head head;               /* what the next line must go on from */
};

/*
 * Read one line.
 *
 *   line   without its newline; must stay alive while j is read
 *   j      zeroed or used before; afterwards the line's, empty when AUDIT_LINE_DAMAGED
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_chain_read(postern_bytes line, postern_json *j,
                                              struct audit_link *ret, postern_error *err);
/* Does `link` come right behind `head`? */
bool audit_chain_follows(const struct audit_head *head, const struct audit_link *link);

/* 64 hexadecimal digits, lower case only.  False: anything else. */
bool audit_hash_parse(postern_bytes text, uint8_t ret[AUDIT_HASH_LEN]);
void audit_hash_text(const uint8_t hash[AUDIT_HASH_LEN], char ret[AUDIT_HASH_DIGITS + 1]);

#endif
