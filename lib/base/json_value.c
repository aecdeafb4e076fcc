/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading values out of a scanned document: look-ups and unescaped strings.  Relies on json.c having
 * refused everything that is not RFC 8259.  Numbers: json_number.c.
 */
#include "base/json_text.h"

#include <stddef.h>

/* ---- characters ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX at `at`, which is the backslash. */
static uint32_t decode_u(const uint8_t *at, const uint8_t *end)
{
    uint32_t unit = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return POSTERN_JSON_NO_CHAR;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return POSTERN_JSON_NO_CHAR;
        unit = unit << 4 | (uint32_t)digit;
    }
    return unit;
}

static uint32_t decode_unicode(const uint8_t *at, const uint8_t *end, size_t *ret_len)
{
    uint32_t high = decode_u(at, end), low;

    if (high == POSTERN_JSON_NO_CHAR || high == 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return POSTERN_JSON_NO_CHAR;
    *ret_len = 6;
    if (high < 0xD800 || high > 0xDFFF)
        return high;
    low = decode_u(at + 6, end);
    if (low == POSTERN_JSON_NO_CHAR || low < 0xDC00 || low > 0xDFFF)
        return POSTERN_JSON_NO_CHAR;
    *ret_len = 12;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

uint32_t postern_json_decode_escape(const uint8_t *at, const uint8_t *end, size_t *ret_len)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (end - at < 2 || at[1] == '\0')
        return POSTERN_JSON_NO_CHAR;
    if (at[1] == 'u')
        return decode_unicode(at, end, ret_len);
    found = strchr(letters, at[1]);
    if (found == NULL)
        return POSTERN_JSON_NO_CHAR;
    *ret_len = 2;
    return (uint8_t)meaning[found - letters];
}

static uint32_t decode_utf8(const uint8_t *at, size_t len)
{
    static const uint8_t first_mask[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t c = at[0] & first_mask[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (at[i] & 0x3F);
    return c;
}

uint32_t postern_json_chars_next(postern_json_chars *c)
{
    uint32_t ret;
    size_t len = 0;

    if (c->at >= c->end)
        return POSTERN_JSON_NO_CHAR;
    if (c->is_escaped && *c->at == '\\') {
        ret = postern_json_decode_escape(c->at, c->end, &len);
    } else {
        len = postern_utf8_len((postern_bytes){ c->at, (size_t)(c->end - c->at) });
        ret = len == 0 ? POSTERN_JSON_NO_CHAR : decode_utf8(c->at, len);
    }
    c->at = len == 0 ? c->end : c->at + len;
    return ret;
}

int postern_json_chars_compare(postern_json_chars a, postern_json_chars b)
{
    ptrdiff_t a_len = a.end - a.at, b_len = b.end - b.at;
    uint32_t x, y;

    if (!a.is_escaped && !b.is_escaped) { /* bytes of UTF-8 sort as code points do */
        int order = memcmp(a.at, b.at, (size_t)(a_len < b_len ? a_len : b_len));

        return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
    }
    do {
        x = postern_json_chars_next(&a);
        y = postern_json_chars_next(&b);
    } while (x == y && x != POSTERN_JSON_NO_CHAR);
    if (x == POSTERN_JSON_NO_CHAR || y == POSTERN_JSON_NO_CHAR)
        return (y == POSTERN_JSON_NO_CHAR) - (x == POSTERN_JSON_NO_CHAR);
    return (x > y) - (x < y);
}

static void add_char(postern_buf *out, uint32_t c)
{
    uint8_t utf8[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t first[] = { 0, 0x00, 0xC0, 0xE0, 0xF0 };

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        utf8[i] = (uint8_t)(0x80 | (c & 0x3F));
    utf8[0] = (uint8_t)(first[len] | c);
    postern_buf_add(out, (postern_bytes){ utf8, len });
}

/* ---- look-ups ---- */

static const postern_json_node *node_at(const postern_json *j, uint32_t node)
{
    return node < j->count ? &j->nodes[node] : NULL;
}

postern_json_type postern_json_type_of(const postern_json *j, uint32_t node)
{
    const postern_json_node *n = node_at(j, node);

    return n == NULL ? POSTERN_JSON_NONE : (postern_json_type)n->type;
}

uint32_t postern_json_first(const postern_json *j, uint32_t container)
{
    const postern_json_node *n = node_at(j, container);

    return n == NULL || n->child_count == 0 ? POSTERN_JSON_ABSENT : container + 1;
}

uint32_t postern_json_next(const postern_json *j, uint32_t node)
{
    const postern_json_node *n = node_at(j, node);

    return n == NULL || n->next == 0 ? POSTERN_JSON_ABSENT : n->next;
}

static postern_bytes name_text(const postern_json *j, const postern_json_node *n)
{
    return (postern_bytes){ j->text.ptr + n->key, n->key_end - n->key };
}

static postern_bytes value_text(const postern_json *j, const postern_json_node *n)
{
    return (postern_bytes){ j->text.ptr + n->start, n->end - n->start };
}

static postern_json_chars chars_of(postern_bytes text, bool is_escaped)
{
    return (postern_json_chars){ text.ptr, text.ptr + text.len, is_escaped };
}

postern_json_chars postern_json_chars_of_name(const postern_json *j, uint32_t node)
{
    const postern_json_node *n = &j->nodes[node];

    return chars_of(name_text(j, n), n->key_is_escaped);
}

/* Most texts that are compared differ in their first byte: no call for those.  None holds NUL, so that
 * strncmp() sees all of it or a difference. */
static inline bool text_is(postern_bytes text, bool is_escaped, const char *want)
{
    if (is_escaped)
        return postern_json_chars_compare(chars_of(text, true),
                                          chars_of(postern_bytes_str(want), false)) == 0;
    if (text.len != 0 && text.ptr[0] != (uint8_t)want[0])
        return false;
    return strncmp((const char *)text.ptr, want, text.len) == 0 && want[text.len] == '\0';
}

uint32_t postern_json_member(const postern_json *j, uint32_t object, const char *name)
{
    const postern_json_node *n;

    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT || j->nodes[object].child_count == 0)
        return POSTERN_JSON_ABSENT;
    for (uint32_t i = object + 1; i != 0; i = n->next) {
        n = &j->nodes[i];
        if (text_is(name_text(j, n), n->key_is_escaped, name))
            return i;
    }
    return POSTERN_JSON_ABSENT;
}

postern_bytes postern_json_raw(const postern_json *j, uint32_t node)
{
    const postern_json_node *n = node_at(j, node);
    postern_bytes text;

    if (n == NULL)
        return POSTERN_BYTES_NONE;
    text = value_text(j, n);
    if (n->type != POSTERN_JSON_STRING)
        return text;
    return (postern_bytes){ text.ptr - 1, text.len + 2 };
}

/* ---- strings ---- */

static bool unescape(postern_bytes text, bool is_escaped, postern_buf *scratch, postern_bytes *ret)
{
    postern_json_chars chars = chars_of(text, is_escaped);
    size_t start = scratch == NULL ? 0 : scratch->len;

    if (!is_escaped) {
        *ret = text;
        return true;
    }
    if (scratch == NULL)
        return false;
    for (uint32_t c; (c = postern_json_chars_next(&chars)) != POSTERN_JSON_NO_CHAR;)
        add_char(scratch, c);
    if (scratch->failed)
        return false;
    *ret = (postern_bytes){ scratch->ptr + start, scratch->len - start };
    return true;
}

bool postern_json_string(const postern_json *j, uint32_t node, postern_buf *scratch,
                         postern_bytes *ret)
{
    const postern_json_node *n = node_at(j, node);

    return n != NULL && n->type == POSTERN_JSON_STRING &&
           unescape(value_text(j, n), n->is_escaped, scratch, ret);
}

bool postern_json_string_is(const postern_json *j, uint32_t node, const char *want)
{
    const postern_json_node *n = node_at(j, node);

    return n != NULL && n->type == POSTERN_JSON_STRING &&
           text_is(value_text(j, n), n->is_escaped, want);
}

bool postern_json_name(const postern_json *j, uint32_t node, postern_buf *scratch,
                       postern_bytes *ret)
{
    const postern_json_node *n = node_at(j, node);

    return n != NULL && n->key != 0 && unescape(name_text(j, n), n->key_is_escaped, scratch, ret);
}

bool postern_json_name_is(const postern_json *j, uint32_t node, const char *want)
{
    const postern_json_node *n = node_at(j, node);

    return n != NULL && n->key != 0 &&
           text_is(name_text(j, n), n->key_is_escaped, want);
}
