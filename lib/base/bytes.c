/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views and readers: compare, search, UTF-8 (RFC 3629), and the checked steps that parsers are made
 * of.  Owns no memory; called by every parser.
 */
#include <postern/bytes.h>

#include "base/ascii.h"
#include "base/eight_bytes.h"

bool postern_bytes_equal(postern_bytes a, postern_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool postern_bytes_equal_str(postern_bytes a, const char *s)
{
    return postern_bytes_equal(a, postern_bytes_str(s));
}

/* Eight bytes at a time; the empty asm hides `diff` from the optimiser, so that no early exit can
 * be invented. */
bool postern_bytes_equal_ct(postern_bytes a, postern_bytes b)
{
    uint64_t diff = 0;
    size_t i = 0;

    if (a.len != b.len)
        return false;
    for (; a.len - i >= 8; i += 8) {
        uint64_t x, y;

        memcpy(&x, a.ptr + i, 8);
        memcpy(&y, b.ptr + i, 8);
        diff |= x ^ y;
        __asm__ __volatile__("" : "+r"(diff));
    }
    for (; i < a.len; i++) {
        diff |= (uint64_t)(a.ptr[i] ^ b.ptr[i]);
        __asm__ __volatile__("" : "+r"(diff));
    }
    return diff == 0;
}

size_t postern_bytes_find(postern_bytes b, uint8_t c)
{
    const uint8_t *at = b.len == 0 ? NULL : memchr(b.ptr, c, b.len);

    return at == NULL ? b.len : (size_t)(at - b.ptr);
}

/* clang-format off */
/*
 * RFC 3629 §4 as ranges: by the first byte, the length of the sequence and the range of the second
 * byte (which alone rules out overlong forms, surrogates and values past U+10FFFF); the others are
 * 80..BF.
 */
static const struct utf8_row {
    uint8_t first_low, first_high, second_low, second_high, len;
} utf8_rows[] = {
    { 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
    { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 },
    { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
};
/* clang-format on */

size_t postern_utf8_len(postern_bytes b)
{
    if (b.len == 0)
        return 0;
    if (b.ptr[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof utf8_rows / sizeof utf8_rows[0]; i++) {
        const struct utf8_row *r = &utf8_rows[i];

        if (b.ptr[0] < r->first_low || b.ptr[0] > r->first_high)
            continue;
        if (b.len < r->len || b.ptr[1] < r->second_low || b.ptr[1] > r->second_high)
            return 0;
        for (size_t k = 2; k < r->len; k++)
            if ((b.ptr[k] & 0xC0) != 0x80)
                return 0;
        return r->len;
    }
    return 0;
}

bool postern_bytes_is_utf8(postern_bytes b)
{
    while (b.len != 0) {
        size_t len = postern_utf8_len(b);

        if (len == 0)
            return false;
        b.ptr += len;
        b.len -= len;
    }
    return true;
}

bool postern_bytes_is_printable(postern_bytes b)
{
    size_t i = 0;

    for (; b.len - i >= 8; i += 8)
        if (!postern_eight_are_printable(postern_eight_at(b.ptr + i)))
            return false;
    if (b.len > 8) /* the last eight, of which some were looked at */
        return postern_eight_are_printable(postern_eight_at(b.ptr + b.len - 8));
    for (; i < b.len; i++)
        if (b.ptr[i] < 0x20 || b.ptr[i] > 0x7E)
            return false;
    return true;
}

bool postern_bytes_has_control(postern_bytes b)
{
    if (postern_bytes_is_printable(b)) /* nearly every text is */
        return false;
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];

        if (c < 0x20 || c == 0x7F)
            return true;
        if (c == 0xC2 && i + 1 < b.len && b.ptr[i + 1] < 0xA0) /* C2 80 to C2 9F */
            return true;
    }
    return false;
}

static void skip(postern_reader *r, size_t len)
{
    if (len == 0) /* ptr may be NULL then */
        return;
    r->rest.ptr += len;
    r->rest.len -= len;
}

bool postern_reader_take_byte(postern_reader *r, uint8_t want)
{
    if (r->rest.len == 0 || r->rest.ptr[0] != want)
        return false;
    skip(r, 1);
    return true;
}

bool postern_reader_take_lit(postern_reader *r, const char *want)
{
    size_t len = strlen(want);

    if (r->rest.len < len || !postern_bytes_equal_str((postern_bytes){ r->rest.ptr, len }, want))
        return false;
    skip(r, len);
    return true;
}

/* ASCII only, by hand: strncasecmp(3) follows the host's locale. */
bool postern_reader_take_lit_nocase(postern_reader *r, const char *want)
{
    size_t len = strlen(want);

    if (r->rest.len < len || !postern_ascii_equal_nocase(r->rest.ptr, (const uint8_t *)want, len))
        return false;
    skip(r, len);
    return true;
}

bool postern_reader_take_until(postern_reader *r, uint8_t stop, postern_bytes *ret)
{
    size_t len = postern_bytes_find(r->rest, stop);

    if (len == r->rest.len)
        return false;
    *ret = (postern_bytes){ r->rest.ptr, len };
    skip(r, len + 1);
    return true;
}

bool postern_reader_take_len(postern_reader *r, size_t len, postern_bytes *ret)
{
    if (r->rest.len < len)
        return false;
    *ret = (postern_bytes){ r->rest.ptr, len };
    skip(r, len);
    return true;
}
