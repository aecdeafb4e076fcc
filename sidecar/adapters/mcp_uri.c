/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spellings of a URI.  A rule compares text: `file:///srv/reports/../../etc/passwd` begins as a
 * rule wants and is another file.  What has a second spelling (RFC 3986 §6.2.2) is not judged by
 * the first.
 */
#include "mcp_action.h"

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; /* lower case has a second spelling */
}

static bool is_unreserved(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* %XX of what must be written so, and is no separator of a path to anybody.  In a file's name each
 * byte stands for itself, so that one which need not be escaped is not. */
static bool is_plain_escape(postern_bytes rest, bool is_file)
{
    int high, low, c;

    if (rest.len < 3)
        return false;
    high = hex_value(rest.ptr[1]);
    low = hex_value(rest.ptr[2]);
    if (high < 0 || low < 0)
        return false;
    c = high * 16 + low;
    if (is_file && strchr("!$&'()*+,;=:@", c) != NULL) /* NUL is among them */
        return false;
    return c != 0 && c != '/' && c != '\\' && !is_unreserved(c);
}

static bool has_plain_bytes(postern_bytes uri)
{
    postern_reader r = { uri };
    bool is_file = postern_reader_take_lit(&r, "file:");

    for (size_t i = 0; i < uri.len; i++) {
        uint8_t c = uri.ptr[i];

        if (c <= ' ' || c >= 0x7F || c == '\\')
            return false;
        if (c == '%' && !is_plain_escape((postern_bytes){ uri.ptr + i, uri.len - i }, is_file))
            return false;
    }
    return true;
}

static bool is_dots(postern_bytes segment)
{
    return postern_bytes_equal_str(segment, ".") || postern_bytes_equal_str(segment, "..");
}

/* Neither "." nor ".." between separators, wherever they stand: a server decides what is a path. */
static bool has_plain_segments(postern_bytes uri)
{
    size_t start = 0;

    for (size_t i = 0; i <= uri.len; i++) {
        if (i < uri.len && strchr("/?#;:&=", uri.ptr[i]) == NULL)
            continue;
        if (is_dots((postern_bytes){ uri.ptr + start, i - start }))
            return false;
        start = i + 1;
    }
    return true;
}

/* Scheme and host ignore case (RFC 3986 §3.1, §3.2.2). */
static bool has_upper(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')
            return true;
    return false;
}

static bool has_plain_head(postern_bytes uri)
{
    postern_reader r = { uri };
    postern_bytes scheme, host;

    if (!postern_reader_take_until(&r, ':', &scheme))
        return true;
    if (has_upper(scheme))
        return false;
    if (!postern_reader_take_lit(&r, "//"))
        return true;
    host = (postern_bytes){ r.rest.ptr, postern_bytes_find(r.rest, '/') };
    if (has_upper(host))
        return false;
    /* Files have one root: file:////etc, file://localhost/etc and file:///srv//x are other
     * spellings. */
    if (!postern_bytes_equal_str(scheme, "file"))
        return true;
    if (host.len != 0)
        return false;
    for (size_t i = 0; i + 1 < r.rest.len; i++)
        if (r.rest.ptr[i] == '/' && r.rest.ptr[i + 1] == '/')
            return false;
    return true;
}

bool mcp_uri_is_plain(postern_bytes uri)
{
    return uri.len != 0 && has_plain_bytes(uri) && has_plain_segments(uri) && has_plain_head(uri);
}
