/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small writer: what it writes, postern_json_scan() reads.  It does not count brackets; its
 * callers open and close in one function.  Errors are the buffer's (`failed`), looked at once at
 * the end.
 */
#include <postern-private/json.h>

#include "base/eight_bytes.h"

/*
 * Line ends that are no controls (U+2028, U+2029: many programs split lines there) and the marks
 * that turn the direction of text around (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to
 * U+2069: UAX #9), by which a name in a log could pass for other members or another record.  0:
 * none of them.
 */
static unsigned find_deceiver(const uint8_t *at, size_t len)
{
    unsigned c;

    if (len == 2 && at[0] == 0xD8 && at[1] == 0x9C)
        return 0x061C;
    if (len != 3 || at[0] != 0xE2)
        return 0;
    c = 0x2000u | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    if (c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))
        return c;
    return 0;
}

/* A top bit of the result is set where a byte of x is 0, and then perhaps in bytes above it. */
static uint64_t find_zeros(uint64_t x)
{
    return (x - EACH_BYTE(1)) & ~x & EACH_BYTE(0x80);
}

static bool are_plain(const uint8_t *eight)
{
    uint64_t x = postern_eight_at(eight);

    return postern_eight_are_printable(x) &&
           (find_zeros(x ^ EACH_BYTE('"')) | find_zeros(x ^ EACH_BYTE('\\'))) == 0;
}

/* The longest beginning of plain ASCII: nearly always the whole. */
static size_t count_plain(postern_bytes text)
{
    size_t len = 0;

    while (text.len - len >= 8 && are_plain(text.ptr + len))
        len += 8;
    while (len < text.len && text.ptr[len] >= 0x20 && text.ptr[len] < 0x7F &&
           text.ptr[len] != '"' && text.ptr[len] != '\\')
        len++;
    return len;
}

/* One character that is not plain; returns its length. */
static size_t add_character(postern_buf *out, postern_bytes text)
{
    size_t len = postern_utf8_len(text);
    uint8_t c = text.ptr[0];

    if (len == 0 || c == 0)
        postern_buf_add_str(out, "\xEF\xBF\xBD");
    else if (c == '"' || c == '\\')
        postern_buf_addf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7F)
        postern_buf_addf(out, "\\u%04x", c);
    else if (find_deceiver(text.ptr, len) != 0)
        postern_buf_addf(out, "\\u%04x", find_deceiver(text.ptr, len));
    else
        postern_buf_add(out, (postern_bytes){ text.ptr, len });
    return len == 0 ? 1 : len;
}

/* Bytes as they are, except quote, backslash, controls and what deceives a reader; what is not
 * UTF-8, and NUL, becomes U+FFFD. */
static void add_quoted(postern_buf *out, postern_bytes text)
{
    postern_buf_add_byte(out, '"');
    while (text.len != 0) {
        size_t len = count_plain(text);

        if (len != 0)
            postern_buf_add(out, (postern_bytes){ text.ptr, len });
        else
            len = add_character(out, text);
        text.ptr += len;
        text.len -= len;
    }
    postern_buf_add_byte(out, '"');
}

static void begin_value(postern_json_writer *w, const char *name)
{
    if (w->needs_comma)
        postern_buf_add_byte(w->out, ',');
    w->needs_comma = true;
    if (name == NULL)
        return;
    add_quoted(w->out, postern_bytes_str(name));
    postern_buf_add_byte(w->out, ':');
}

static void open_container(postern_json_writer *w, const char *name, uint8_t bracket)
{
    begin_value(w, name);
    postern_buf_add_byte(w->out, bracket);
    w->needs_comma = false;
}

static void close_container(postern_json_writer *w, uint8_t bracket)
{
    postern_buf_add_byte(w->out, bracket);
    w->needs_comma = true;
}

void postern_json_open_object(postern_json_writer *w, const char *name)
{
    open_container(w, name, '{');
}

void postern_json_close_object(postern_json_writer *w)
{
    close_container(w, '}');
}

void postern_json_open_array(postern_json_writer *w, const char *name)
{
    open_container(w, name, '[');
}

void postern_json_close_array(postern_json_writer *w)
{
    close_container(w, ']');
}

void postern_json_put_string(postern_json_writer *w, const char *name, postern_bytes value)
{
    begin_value(w, name);
    add_quoted(w->out, value);
}

void postern_json_put_str(postern_json_writer *w, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        postern_json_put_string(w, name, postern_bytes_str(value));
}

void postern_json_put_integer(postern_json_writer *w, const char *name, int64_t value)
{
    uint8_t digits[20]; /* of 2^63, with its sign */
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    begin_value(w, name);
    do
        digits[--at] = (uint8_t)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        digits[--at] = '-';
    postern_buf_add(w->out, (postern_bytes){ digits + at, sizeof digits - at });
}

void postern_json_put_flag(postern_json_writer *w, const char *name, bool value)
{
    begin_value(w, name);
    postern_buf_add_str(w->out, value ? "true" : "false");
}

void postern_json_put_raw(postern_json_writer *w, const char *name, postern_bytes json)
{
    begin_value(w, name);
    postern_buf_add(w->out, json);
}
