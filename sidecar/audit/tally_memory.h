/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that tally.h counts in: made by the supervisor once, shared with each door and each
 * audit child for as long as posternd runs.  It is a memfd whose size is sealed: nobody can take a
 * page away from whoever reads it.
 *
 * It has TALLY_REGIONS regions, each one thread's of one door process; a door that comes beside
 * another, or after one that died, takes regions that nobody has.  A region has TALLY_SLOTS slots,
 * each for one struct tally_of.  Of a slot's numbers only the door raises `count`, and only the
 * audit child sets `written`: what is between the two is not in the log yet, and a slot in which
 * there is something keeps its texts.  So nothing is read half-written, and neither side waits for
 * the other.  At least once: an audit child that dies between its write and `written` leaves behind
 * a record that the next one repeats (doc/decisions/0110).
 *
 * The door may be broken into: whoever reads takes nothing on trust but the size.
 */
#ifndef POSTERN_SIDECAR_AUDIT_TALLY_MEMORY_H
#define POSTERN_SIDECAR_AUDIT_TALLY_MEMORY_H

#include <sys/types.h>

#include <postern/error.h>

#include "tally.h"

/* Two doors of 64 loops: one that drains and one that began. */
#define TALLY_REGIONS 128
/* Of 1 KiB: sessions times actions times rules of one second.  What finds no slot gets a record. */
#define TALLY_SLOTS 512
/* Bytes of all texts of a slot. */
#define TALLY_TEXTS_MAX 960
#define TALLY_FIELDS 8

struct tally_memory;

/* A memfd, zeroed and sealed.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err tally_memory_make(int *ret_fd, postern_error *err);
/*
 * Map it.
 *   fd   stays the caller's; refused unless it has the size and the seals
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_MALFORMED · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err tally_memory_map(int fd, struct tally_memory **ret,
                                              postern_error *err);
void tally_memory_free(struct tally_memory *m); /* NULL is fine */

/* ---- door: one for each loop ---- */

/*
 * Take a region for this process; it is the process's until tally_memory_orphan().
 *   pid   of this process; above 0
 *   POSTERN_OK · POSTERN_ERR_LIMIT (none is free) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err tally_new(struct tally_memory *m, pid_t pid, struct tally **ret,
                                       postern_error *err);
void tally_free(struct tally *t); /* the region stays; NULL is fine */

/* ---- supervisor ---- */

/* That process has ended: its regions are free when what is in them is written. */
void tally_memory_orphan(struct tally_memory *m, pid_t pid);

/* ---- audit child ---- */

/* Which slot, and how much was counted in it up to now. */
struct tally_place {
    size_t   region, slot;
    uint64_t through;
};

/* What was counted in a slot and is not in the log. */
struct tally_sum {
    struct tally_place place; /* for tally_mark() */
    int64_t  count; /* above 0 */
    int64_t  first_ms, last_ms;
    char     texts[TALLY_TEXTS_MAX + TALLY_FIELDS];
    struct tally_of of; /* points into texts */
};

struct tally_cursor {
    size_t region, slot;
};

/*
 * The next sum at or after the cursor, which moves behind it; a region that nobody has any more and
 * that holds nothing is given back on the way.  False: there is none up to the end.
 */
bool tally_next(struct tally_memory *m, struct tally_cursor *at, struct tally_sum *ret);
/* It stands in the log. */
void tally_mark(struct tally_memory *m, const struct tally_place *p);
/* Nothing can be written at the moment: nobody counts until it is said otherwise. */
void tally_set_stuck(struct tally_memory *m, bool is_stuck);

#endif
