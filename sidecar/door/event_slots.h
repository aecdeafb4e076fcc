/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where libevent's smallest blocks live.  For each descriptor that a loop has ever watched libevent
 * keeps one of 16 bytes, as long as the loop.  On the heap it would stand between the blocks of a
 * session and hold their page when the session has gone: 5,000 ended sessions left 12 MiB behind,
 * with pages of their own for these blocks 3.
 */
#ifndef POSTERN_SIDECAR_DOOR_EVENT_SLOTS_H
#define POSTERN_SIDECAR_DOOR_EVENT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>

#define EVENT_SLOT_BYTES 32u /* what is larger comes from the heap */
/* Descriptors times loops; those beyond it come from the heap.  32 MiB of addresses, not of memory. */
#define EVENT_SLOTS_MAX 1048576u

/* Before the process has threads; again does nothing.  False: no room, the heap serves as before. */
bool event_slots_start(void);

/* What libevent calls from then on, on any thread: as malloc(3), realloc(3), free(3).  Blocks from
 * before it belong to the heap and are known as such. */
void *event_slots_take(size_t size);
void *event_slots_resize(void *block, size_t size);
void event_slots_give(void *block);
/* One of ours, for tests. */
bool event_slots_has(const void *block);

#endif
