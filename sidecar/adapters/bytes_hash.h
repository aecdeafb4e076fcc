/* SPDX-License-Identifier: BSD-2-Clause */
/* FNV-1a of 64 bits.  No defence against bytes that are made up to collide: what is found by it is
 * compared, or a collision costs nobody but who made it. */
#ifndef POSTERN_ADAPTERS_BYTES_HASH_H
#define POSTERN_ADAPTERS_BYTES_HASH_H

#include <postern/bytes.h>

#define BYTES_HASH_START UINT64_C(14695981039346656037)

static inline uint64_t bytes_hash_byte(uint64_t h, uint8_t byte)
{
    return (h ^ byte) * UINT64_C(1099511628211);
}

static inline uint64_t bytes_hash_add(uint64_t h, postern_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        h = bytes_hash_byte(h, bytes.ptr[i]);
    return h;
}

#endif
