/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a context fetches from issuers (keys, metadata), fetched before it is old, so that no login
 * has to wait for it.  For hosts with a loop; without it everything is fetched by the login that
 * needs it.
 */
#ifndef POSTERN_UPKEEP_H
#define POSTERN_UPKEEP_H

#include <postern/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One round: whatever is due now, one issuer after the other.  POSTERN_OK says that all were seen
 * to, not that all were well: events tell (keys.loaded, keys.unusable, keys.dropped, metadata.loaded,
 * metadata.unusable, metadata.moved); pull them after each step.
 *
 *   ctx      shared; kept alive by the op
 *   ret_op   caller frees with postern_op_free()
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_upkeep_start(postern_context *ctx, postern_op **ret_op,
                                                  postern_error *err);
/* Milliseconds until a round has something to do: 0 now, -1 never (nothing is fetched).  Ask
 * again after each round; wait some milliseconds at least.  Thread-safe. */
int64_t postern_upkeep_in_ms(postern_context *ctx);
/*
 * Wipe what is remembered of tokens for the next login and is over by now: their claims would stay
 * in memory until another login comes by.  Short; call it every few seconds.  Thread-safe; does
 * nothing in a forked child.
 */
void postern_upkeep_forget(postern_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
