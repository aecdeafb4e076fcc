/* SPDX-License-Identifier: BSD-2-Clause */
/* Classes of ASCII bytes.  Not <ctype.h>, which follows the host's locale. */
#ifndef POSTERN_LIB_ASCII_H
#define POSTERN_LIB_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool postern_ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool postern_ascii_is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool postern_ascii_is_alnum(uint8_t c)
{
    return postern_ascii_is_digit(c) || postern_ascii_is_alpha(c);
}

static inline bool postern_ascii_is_hex(uint8_t c)
{
    return postern_ascii_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline uint8_t postern_ascii_to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* ASCII case ignored, and no other. */
static inline bool postern_ascii_equal_nocase(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (postern_ascii_to_lower(a[i]) != postern_ascii_to_lower(b[i]))
            return false;
    return true;
}

#endif
