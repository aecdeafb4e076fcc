/* SPDX-License-Identifier: BSD-2-Clause */
/* What a scope is made of: scope-tokens with one space between (RFC 6749 §3.3). */
#ifndef POSTERN_LIB_SCOPE_H
#define POSTERN_LIB_SCOPE_H

#include <postern/bytes.h>

#include <stdbool.h>

static inline bool postern_is_scope_byte(uint8_t c)
{
    return c >= 0x21 && c <= 0x7E && c != '"' && c != '\\';
}

/* Words with one space between; empty is no scope at all, and fine. */
bool postern_scope_is_list(postern_bytes scope);
/* The next word of such a list, a view into it; empty at the end. */
postern_bytes postern_scope_next(postern_bytes *rest);
/* True when `scope`, such a list, holds `wanted` as a whole word, case-sensitive. */
bool postern_scope_has(postern_bytes scope, postern_bytes wanted);

#endif
