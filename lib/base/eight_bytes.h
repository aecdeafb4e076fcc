/* SPDX-License-Identifier: BSD-2-Clause */
/* Eight bytes looked at in one step: nearly all text is plain, and what is not ends the step. */
#ifndef POSTERN_LIB_EIGHT_BYTES_H
#define POSTERN_LIB_EIGHT_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EACH_BYTE(v) (UINT64_C(0x0101010101010101) * (v))

static inline uint64_t postern_eight_at(const uint8_t *at)
{
    uint64_t x;

    memcpy(&x, at, sizeof x);
    return x;
}

/* Of a byte of 0x20 to 0x7E neither difference nor sum reaches the top bit, or the next byte: a top
 * bit that is set proves that one of the eight is another. */
static inline bool postern_eight_are_printable(uint64_t x)
{
    return (((x - EACH_BYTE(0x20)) | (x + EACH_BYTE(1)) | x) & EACH_BYTE(0x80)) == 0;
}

#endif
