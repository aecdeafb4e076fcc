/* SPDX-License-Identifier: BSD-2-Clause */
/* What a scope is made of: scope-token of RFC 6749 §3.3. */
#ifndef POSTERN_LIB_SCOPE_H
#define POSTERN_LIB_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

static inline bool postern_is_scope_byte(uint8_t c)
{
    return c >= 0x21 && c <= 0x7E && c != '"' && c != '\\';
}

#endif
