/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pass over a text file before it is parsed.  Called by keyfile.c and by the reader of
 * policies.
 */
#include "base/plain_text.h"

static const char *judge_byte(uint8_t c)
{
    if (c == '\0')
        return "a NUL byte: this is no text file";
    if (c == '\r')
        return "a carriage return: save the file with Unix line ends";
    if ((c < 0x20 && c != '\t') || c == 0x7F)
        return "a control character";
    return NULL;
}

bool postern_plain_text_check(postern_bytes text, struct postern_text_fault *ret)
{
    *ret = (struct postern_text_fault){ NULL, 1, 1 };
    while (text.len != 0) {
        size_t len = postern_utf8_len(text);
        bool is_end = text.ptr[0] == '\n';

        ret->what = len == 0 ? "not UTF-8" : is_end ? NULL : judge_byte(text.ptr[0]);
        if (ret->what != NULL)
            return false;
        ret->column = is_end ? 1 : ret->column + 1;
        ret->line += is_end ? 1 : 0;
        text.ptr += len;
        text.len -= len;
    }
    return true;
}
