/* SPDX-License-Identifier: BSD-2-Clause */
/* FNV-1a of 64 bits, folded.  No defence against names that are made up to collide: tables that use
 * it cap what they hold. */
#ifndef POSTERN_SIDECAR_TEXT_HASH_H
#define POSTERN_SIDECAR_TEXT_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline size_t text_hash(const char *text)
{
    uint64_t h = 14695981039346656037u;

    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 1099511628211u;
    return (size_t)(h ^ (h >> 32));
}

#endif
