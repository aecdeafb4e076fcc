/* SPDX-License-Identifier: BSD-2-Clause */
/* See line.h.  RFC 9112 §2.2 for what a bare CR may do to readers behind each other. */
#include "line.h"

static bool is_refused(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7F;
}

postern_err line_next(struct line_scan *s, postern_bytes in, size_t max, struct line *ret,
                      postern_error *err)
{
    size_t end = in.len < max ? in.len : max;

    for (; s->at < end; s->at++) {
        uint8_t c = in.ptr[s->at];

        if (c == '\n') {
            bool has_crlf = s->at > s->start && in.ptr[s->at - 1] == '\r';

            ret->text = (postern_bytes){ in.ptr + s->start, s->at - s->start - has_crlf };
            ret->has_crlf = has_crlf;
            s->start = ++s->at;
            return POSTERN_OK;
        }
        if (s->at > s->start && in.ptr[s->at - 1] == '\r')
            return POSTERN_FAIL(err, MESSAGE_MALFORMED, "a CR is not followed by LF");
        if (c != '\r' && is_refused(c))
            return POSTERN_FAIL(err, MESSAGE_MALFORMED, "a line holds a control character");
    }
    if (in.len >= max)
        return POSTERN_FAIL(err, LIMIT, "the login is longer than %zu bytes", max);
    return POSTERN_AGAIN;
}

bool line_is_made_of(postern_bytes text, const char *set)
{
    size_t set_len = strlen(set);

    for (size_t i = 0; i < text.len; i++)
        if (memchr(set, text.ptr[i], set_len) == NULL)
            return false;
    return text.len != 0;
}
