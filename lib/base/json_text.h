/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters of JSON strings, escaped or not: what the scan and the accessors share.
 * lib/base/json*.c only. */
#ifndef POSTERN_LIB_JSON_TEXT_H
#define POSTERN_LIB_JSON_TEXT_H

#include <postern-private/json.h>

/* No code point: the escape is not one, or the text has ended. */
#define POSTERN_JSON_NO_CHAR UINT32_MAX

/*
 * The escape at `at` (a backslash; at < end) as a code point, a surrogate pair as one (RFC 8259
 * §7).  NO_CHAR for anything that is no escape, for a lone surrogate and for NUL, which C
 * readers would take for an end.
 */
uint32_t postern_json_decode_escape(const uint8_t *at, const uint8_t *end, size_t *ret_len);

/* The characters of a string that has been scanned. */
typedef struct postern_json_chars {
    const uint8_t *at, *end;
    bool           is_escaped; /* a backslash begins an escape */
} postern_json_chars;
postern_json_chars postern_json_chars_of_name(const postern_json *j, uint32_t node);
uint32_t           postern_json_chars_next(postern_json_chars *c); /* NO_CHAR at the end */
/* <0, 0, >0 in the order of code points. */
int postern_json_chars_compare(postern_json_chars a, postern_json_chars b);

#endif
