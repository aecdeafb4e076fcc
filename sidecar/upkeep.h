/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of <postern/upkeep.h> on an event loop: keys and metadata of issuers are there before a
 * login needs them, and claims are forgotten in time.  For the helper, and for the first loop of a door. */
#ifndef POSTERN_SIDECAR_UPKEEP_H
#define POSTERN_SIDECAR_UPKEEP_H

#include <event2/event.h>
#include <postern/context.h>

/* Between two rounds at least: what keeps failing at once keeps no processor busy. */
#define UPKEEP_PAUSE_MS 200
/* Between two looks for claims whose minute in the cache is over: that long they may outlast it. */
#define UPKEEP_FORGET_S 5

struct upkeep;

/* The first round begins when the loop runs next.  ctx is kept alive.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err upkeep_new(struct event_base *base, postern_context *ctx,
                                        struct upkeep **ret, postern_error *err);
void upkeep_free(struct upkeep *u); /* NULL is fine */

#endif
