/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets: how often one source, one client, or one pair of both may do a thing.  Fixed
 * memory: a full table forgets the bucket that is nearest to full, which loses the least.  Keys
 * are hashed with a per-boot seed.
 */
#ifndef POSTERN_ISSUER_RATE_H
#define POSTERN_ISSUER_RATE_H

#include <postern/bytes.h>

/* 24 bytes each; more sources at once than one machine's issuer has clients. */
#define RATE_BUCKETS 8192

struct rate_rule {
    const char *name;      /* static; keeps rules apart in the table */
    int         burst;     /* takes that may come at once */
    int         refill_ms; /* one take comes back after this */
};

struct rate_table;

/* `seed`: random per boot.  POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err rate_table_new(uint64_t seed, struct rate_table **ret,
                                            postern_error *err);
void rate_table_free(struct rate_table *t);
/*
 * Take one from the bucket (rule, who, where).
 *
 *   who, where   either may be ""
 *   returns      0: taken; else seconds (rounded up) until one is there, nothing taken
 */
int rate_take(struct rate_table *t, const struct rate_rule *rule, const char *who,
              const char *where, int64_t now_mono_ms);
/* What was taken turned out not to count; nothing when the bucket is full, or was forgotten. */
void rate_give_back(struct rate_table *t, const struct rate_rule *rule, const char *who,
                    const char *where, int64_t now_mono_ms);

#endif
