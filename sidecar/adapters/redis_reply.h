/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies of RESP 2 and 3 as they arrive from a server that may lie: where each ends, what it
 * begins with, and how much it holds.  Nothing is kept but how far it was looked at, whatever it is
 * nested in.  Streamed types (`$?`, `*?`), which no released Redis sends, are not taken.
 */
#ifndef POSTERN_ADAPTERS_REDIS_REPLY_H
#define POSTERN_ADAPTERS_REDIS_REPLY_H

#include <postern/bytes.h>

#define REDIS_DEPTH_MAX 32      /* COMMAND DOCS nests 9 deep; a script of ours that needs more is not */
#define REDIS_LINE_MAX  65536   /* bytes of a line: errors of scripts are the longest */
#define REDIS_REPLY_BULK_MAX 4294967296ull /* bytes of a bulk; Redis's own bound is 512 MiB */
#define REDIS_ELEMENTS_MAX 4294967296ull   /* of one aggregate; Redis holds 2^32 - 1 in a list */
#define REDIS_LABEL_MAX 16      /* "punsubscribe" is 12 */

struct redis_reply {
    uint64_t left[REDIS_DEPTH_MAX]; /* elements that are still to come, level by level */
    unsigned depth;                 /* aggregates that are open */
    uint64_t rest;                  /* bytes of a bulk with its end that are still to come */
    bool is_attribute;              /* the one that is read came as one, and a reply follows */
    uint8_t type;                   /* its first byte, behind attributes; 0: not seen */
    bool is_error, is_null;
    bool is_ok;                     /* +OK */
    uint64_t bytes;                 /* that were looked at */
    /* Elements, pairs of a map, that the outermost aggregate says it has; 1 for others.  Where it
     * has two, of which the second has more: that (SCAN). */
    uint64_t rows;
    uint64_t found; /* elements of its second one, where that has some */
    /* Of an outermost array or push: its first element where that is a bulk, and its third where
     * that is a number; for messages of pub/sub.  Of an error: its beginning. */
    size_t index;
    char label[REDIS_LABEL_MAX];
    uint64_t third;
};

typedef enum redis_reply_end {
    REDIS_REPLY_BROKEN = 0,
    REDIS_REPLY_MORE, /* `used` bytes are of it */
    REDIS_REPLY_DONE  /* it ends behind them */
} redis_reply_end;

/* Zeroed: a new one.  Bytes from the first that was not used; an unfinished line is not used. */
redis_reply_end redis_reply_step(struct redis_reply *r, postern_bytes in, size_t *ret_used);

#endif
