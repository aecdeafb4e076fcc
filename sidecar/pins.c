/* SPDX-License-Identifier: BSD-2-Clause */
/* See pins.h. */
#include "pins.h"

#include <pthread.h>
#include <stdlib.h>

#include <postern-private/sha256.h>

_Static_assert(PINS_DIGEST_LEN == SHA256_LEN, "a pin");

#define SLOTS (2 * PINS_MAX) /* never more than half full: a search ends */

struct pin {
    bool is_used;
    uint8_t tool[PINS_DIGEST_LEN];
    uint8_t accepted[PINS_DIGEST_LEN]; /* what was first seen, or approved since */
    uint8_t now[PINS_DIGEST_LEN];      /* the last that was not accepted when it was seen */
};

struct pins {
    struct pins *next;
    size_t count;
    bool is_full; /* a tool was seen for which there was no room */
    struct pin slots[SLOTS];
    char door[];
};

/* The doors of a process are few, and fixed while it lives. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pins *doors;

static struct pins *add_door(const char *door)
{
    size_t size = strlen(door) + 1;
    struct pins *p = calloc(1, sizeof *p + size);

    if (p == NULL)
        return NULL;
    memcpy(p->door, door, size);
    p->next = doors;
    doors = p;
    return p;
}

struct pins *pins_of(const char *door)
{
    struct pins *p;

    (void)pthread_mutex_lock(&lock);
    for (p = doors; p != NULL && strcmp(p->door, door) != 0; p = p->next)
        continue;
    if (p == NULL)
        p = add_door(door);
    (void)pthread_mutex_unlock(&lock);
    return p;
}

/* The tool's slot, or the free one in which it would stand. */
static struct pin *find(struct pins *p, const uint8_t tool[PINS_DIGEST_LEN])
{
    size_t at = ((size_t)tool[0] << 8 | tool[1]) % SLOTS;

    while (p->slots[at].is_used && memcmp(p->slots[at].tool, tool, PINS_DIGEST_LEN) != 0)
        at = (at + 1) % SLOTS;
    return &p->slots[at];
}

/* What differs from what was accepted is kept until a person accepts it: somebody has read it, and a
 * server that says the old words again before the call is made takes nothing back from him. */
static void see(struct pins *p, const uint8_t tool[PINS_DIGEST_LEN],
                const uint8_t now[PINS_DIGEST_LEN])
{
    struct pin *pin = find(p, tool);

    if (!pin->is_used && p->count == PINS_MAX) {
        p->is_full = true;
        return;
    }
    if (!pin->is_used) {
        pin->is_used = true;
        p->count++;
        memcpy(pin->tool, tool, PINS_DIGEST_LEN);
        memcpy(pin->accepted, now, PINS_DIGEST_LEN);
        memcpy(pin->now, now, PINS_DIGEST_LEN);
    }
    if (memcmp(pin->accepted, now, PINS_DIGEST_LEN) != 0)
        memcpy(pin->now, now, PINS_DIGEST_LEN);
}

bool pins_see(struct pins *p, postern_bytes tool, postern_bytes text)
{
    uint8_t name[PINS_DIGEST_LEN], now[PINS_DIGEST_LEN];

    if (!sha256_make(tool, name) || !sha256_make(text, now))
        return false;
    (void)pthread_mutex_lock(&lock);
    see(p, name, now);
    (void)pthread_mutex_unlock(&lock);
    return true;
}

bool pins_is_changed(struct pins *p, postern_bytes tool, uint8_t ret_now[PINS_DIGEST_LEN])
{
    uint8_t name[PINS_DIGEST_LEN];
    const struct pin *pin;
    bool is_changed;

    memset(ret_now, 0, PINS_DIGEST_LEN);
    if (!sha256_make(tool, name))
        return true;
    (void)pthread_mutex_lock(&lock);
    pin = find(p, name);
    is_changed = pin->is_used ? memcmp(pin->accepted, pin->now, PINS_DIGEST_LEN) != 0 : p->is_full;
    if (pin->is_used)
        memcpy(ret_now, pin->now, PINS_DIGEST_LEN);
    (void)pthread_mutex_unlock(&lock);
    return is_changed;
}

void pins_accept(struct pins *p, postern_bytes tool, const uint8_t now[PINS_DIGEST_LEN])
{
    uint8_t name[PINS_DIGEST_LEN];
    struct pin *pin;

    if (!sha256_make(tool, name))
        return;
    (void)pthread_mutex_lock(&lock);
    pin = find(p, name);
    if (pin->is_used)
        memcpy(pin->accepted, now, PINS_DIGEST_LEN);
    (void)pthread_mutex_unlock(&lock);
}
