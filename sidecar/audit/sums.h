/* SPDX-License-Identifier: BSD-2-Clause */
/* What doors counted (audit/tally_memory.h) into records "actions". */
#ifndef POSTERN_SIDECAR_AUDIT_SUMS_H
#define POSTERN_SIDECAR_AUDIT_SUMS_H

#include "file.h"
#include "tally_memory.h"

struct sums {
    struct tally_memory *memory; /* NULL: none yet */
    struct tally_cursor  at;     /* of the round that is going on */
};

/*
 * Write one batch of what was counted, from s->at on, and mark what stands in the file.  The file's
 * batch must be empty.
 *   ret_is_over   the round is over, the next begins at the first region
 *   POSTERN_OK · POSTERN_ERR_AUDIT, NOMEM (what is not written is counted still)
 */
POSTERN_MUST_USE postern_err sums_write(struct sums *s, struct audit_file *f, int64_t now_ms,
                                        bool *ret_is_over, postern_error *err);
void sums_free(struct sums *s);

#endif
