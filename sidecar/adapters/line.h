/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of a text protocol, found one after the other in bytes that arrive piece by piece: each
 * byte is looked at once, however it arrives.  A line ends with LF or CRLF; a CR elsewhere, NUL, DEL
 * and every other control but HTAB are refused where they stand, before the line is complete.
 */
#ifndef POSTERN_ADAPTERS_LINE_H
#define POSTERN_ADAPTERS_LINE_H

#include <postern/bytes.h>

/* How far the lines of `in` were read; offsets, because `in` may move.  Zeroed: from its start. */
struct line_scan {
    size_t start; /* of the line that is being read: what was used so far */
    size_t at;    /* first byte not looked at */
};

struct line {
    postern_bytes text;    /* without its end */
    bool          has_crlf;
};

/*
 * The next line.
 *
 *   max       bytes that all lines of this scan together may have, ends included
 *   POSTERN_OK · POSTERN_AGAIN (not complete) · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED
 */
POSTERN_MUST_USE postern_err line_next(struct line_scan *s, postern_bytes in, size_t max,
                                       struct line *ret, postern_error *err);

#define LINE_DIGITS "0123456789"
#define LINE_ALNUM  LINE_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define LINE_BASE64URL LINE_ALNUM "-_"
/* True when there is at least one byte and each is one of `set`. */
bool line_is_made_of(postern_bytes text, const char *set);

#endif
