/* SPDX-License-Identifier: BSD-2-Clause */
/* See scope.h. */
#include "scope.h"

bool postern_scope_is_list(postern_bytes scope)
{
    bool is_in_word = false;

    for (size_t i = 0; i < scope.len; i++) {
        if (scope.ptr[i] == ' ' ? !is_in_word : !postern_is_scope_byte(scope.ptr[i]))
            return false;
        is_in_word = scope.ptr[i] != ' ';
    }
    return is_in_word || scope.len == 0;
}

postern_bytes postern_scope_next(postern_bytes *rest)
{
    size_t end = postern_bytes_find(*rest, ' ');
    postern_bytes word = { rest->ptr, end };
    size_t used = end < rest->len ? end + 1 : end;

    rest->ptr = rest->ptr == NULL ? NULL : rest->ptr + used;
    rest->len -= used;
    return word;
}

bool postern_scope_has(postern_bytes scope, postern_bytes wanted)
{
    while (scope.len != 0)
        if (postern_bytes_equal(postern_scope_next(&scope), wanted))
            return true;
    return false;
}
