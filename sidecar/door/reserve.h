/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libevent keeps a few bytes for each descriptor number that it ever watched.  Taken one by one
 * among the memory of sessions, each of these pieces holds a whole page when those have gone:
 * 16 MiB after 3,000 sessions.  Taken at the start they lie together: 1 MiB.
 */
#ifndef POSTERN_SIDECAR_DOOR_RESERVE_H
#define POSTERN_SIDECAR_DOOR_RESERVE_H

#include <event2/event.h>

#include <postern/error.h>

/*
 * Make `base` ready for descriptors up to number `count` - 1, those that are open now excepted.
 * Once for each loop, before its thread starts; 2 us each.  Stops early, without harm, at the limit
 * of descriptors.
 *
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err reserve_descriptors(struct event_base *base, size_t count,
                                                 postern_error *err);

#endif
