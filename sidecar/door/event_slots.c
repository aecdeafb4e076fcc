/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header.  Slots are taken from the front of one mapping, or from those given back. */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <event2/event.h>

#include "event_slots.h"

union slot {
    union slot *next; /* while it is free */
    max_align_t align;
    uint8_t bytes[EVENT_SLOT_BYTES];
};
_Static_assert(sizeof(union slot) == EVENT_SLOT_BYTES, "slots lie side by side");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static union slot *first; /* NULL: not started */
static size_t used;       /* from the front on, given back or not */
static union slot *given;

bool event_slots_has(const void *block)
{
    uintptr_t at = (uintptr_t)block, begin = (uintptr_t)first;

    return first != NULL && at >= begin && at - begin < EVENT_SLOTS_MAX * sizeof(union slot);
}

static void *take_slot(void)
{
    union slot *s = NULL;

    (void)pthread_mutex_lock(&lock); /* a plain mutex: cannot fail */
    if (given != NULL) {
        s = given;
        given = s->next;
    } else if (first != NULL && used < EVENT_SLOTS_MAX) {
        s = &first[used++];
    }
    (void)pthread_mutex_unlock(&lock); /* likewise */
    return s;
}

void *event_slots_take(size_t size)
{
    void *slot = size <= EVENT_SLOT_BYTES ? take_slot() : NULL;

    return slot != NULL ? slot : malloc(size);
}

void event_slots_give(void *block)
{
    union slot *s = block;

    if (!event_slots_has(block)) {
        free(block);
        return;
    }
    (void)pthread_mutex_lock(&lock); /* as above */
    s->next = given;
    given = s;
    (void)pthread_mutex_unlock(&lock); /* likewise */
}

void *event_slots_resize(void *block, size_t size)
{
    void *bigger;

    if (block == NULL)
        return event_slots_take(size);
    if (!event_slots_has(block))
        return realloc(block, size);
    if (size <= EVENT_SLOT_BYTES)
        return block;
    if ((bigger = malloc(size)) == NULL)
        return NULL;
    memcpy(bigger, block, EVENT_SLOT_BYTES);
    event_slots_give(block);
    return bigger;
}

bool event_slots_start(void)
{
    void *room;

    if (first != NULL)
        return true;
    room = mmap(NULL, EVENT_SLOTS_MAX * sizeof(union slot), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return false;
    first = room;
    event_set_mem_functions(event_slots_take, event_slots_resize, event_slots_give);
    return true;
}
