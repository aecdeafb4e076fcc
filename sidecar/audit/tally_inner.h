/* SPDX-License-Identifier: BSD-2-Clause */
/* How the memory of tally_memory.h is laid out; for tally.c and tally_read.c. */
#ifndef POSTERN_SIDECAR_AUDIT_TALLY_INNER_H
#define POSTERN_SIDECAR_AUDIT_TALLY_INNER_H

#include <stdatomic.h>

#include "tally_memory.h"

struct tally_slot {
    _Atomic uint64_t count;   /* the door's, only rises */
    _Atomic uint64_t written; /* the audit child's: how much of it is in the log */
    _Atomic int64_t  first_ms, last_ms;
    _Atomic uint64_t version; /* of the texts; odd: they are being written */
    uint16_t len[TALLY_FIELDS];
    char     texts[TALLY_TEXTS_MAX]; /* one behind the other */
    uint8_t  spare[8];
};
_Static_assert(sizeof(struct tally_slot) == 1024, "slots share no cache line");

struct tally_shared {
    _Atomic uint32_t is_stuck;
    _Atomic uint64_t owner[TALLY_REGIONS]; /* 0: nobody; OWNER_OF(pid), with OWNER_GONE when it ended */
    _Alignas(4096) struct tally_slot slots[TALLY_REGIONS][TALLY_SLOTS];
};

#define OWNER_GONE     UINT64_C(1)
#define OWNER_OF(pid)  ((uint64_t)(pid) << 1)

struct tally_memory {
    struct tally_shared *shared;
};

#endif
