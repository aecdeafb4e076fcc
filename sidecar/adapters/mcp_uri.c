/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spellings of a URI.  A rule compares text: `file:///srv/reports/../../etc/passwd` begins as a
 * rule wants and is another file.  What has a second spelling (RFC 3986 §6.2.2) is not judged by
 * the first.
 */
#include "mcp_action.h"

#include <arpa/inet.h>

#define PORT_DIGITS 5

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

/* What is in no URI (RFC 3986 §2) but as an escape, which is its other spelling.  Braces are in
 * templates (RFC 6570). */
static bool has_plain_bytes(postern_bytes uri)
{
    postern_reader r = { uri };
    bool is_file = postern_reader_take_lit(&r, "file:");

    for (size_t i = 0; i < uri.len; i++) {
        uint8_t c = uri.ptr[i];

        if (c <= ' ' || c >= 0x7F || strchr("\"<>\\^`|", c) != NULL)
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

/* ---- hosts ---- */

/* Schemes whose URIs a browser's parser (WHATWG URL, "special") also reads without slashes, with
 * more of them, with hosts in several spellings, and with a port that says nothing. */
static const struct special {
    const char *scheme;
    const char *port; /* the usual one; "" for files, which have none and no host */
} specials[] = {
    { "file", "" },     { "ftp", "21" }, { "http", "80" },
    { "https", "443" }, { "ws", "80" },  { "wss", "443" },
};

static const struct special *find_special(postern_bytes scheme)
{
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (postern_bytes_equal_str(scheme, specials[i].scheme))
            return &specials[i];
    return NULL;
}

static bool is_made_of(postern_bytes text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || strchr(bytes, text.ptr[i]) == NULL)
            return false;
    return true;
}

/* "0x" alone is zero to some. */
static bool is_number(postern_bytes label)
{
    postern_reader r = { label };

    if (postern_reader_take_lit(&r, "0x"))
        return is_made_of(r.rest, "0123456789abcdef");
    return label.len != 0 && is_made_of(label, "0123456789");
}

/* A last label that is a number makes an address of it: then four in decimal, without leading
 * zeros, which inet_pton(3) demands. */
static bool is_plain_name(postern_bytes host)
{
    size_t start = host.len;
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (host.len == 0 || host.ptr[host.len - 1] == '.' || postern_bytes_find(host, '%') != host.len)
        return false;
    while (start != 0 && host.ptr[start - 1] != '.')
        start--;
    if (!is_number((postern_bytes){ host.ptr + start, host.len - start }))
        return true;
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1;
}

/* As RFC 5952 writes it; an address of IPv4 within is written as one of IPv4. */
static bool is_plain_v6(postern_bytes host)
{
    char text[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (host.len >= sizeof text || postern_bytes_find(host, '.') != host.len)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 &&
           inet_ntop(AF_INET6, &address, again, sizeof again) != NULL && strcmp(text, again) == 0;
}

/* Behind the host: nothing, or a port in digits that is not the usual one, nor 65616, which is 80
 * to whoever keeps 16 bits of it. */
static bool is_plain_port(postern_bytes rest, const char *usual)
{
    postern_reader r = { rest };
    unsigned number = 0;

    if (rest.len == 0)
        return true;
    if (!postern_reader_take_byte(&r, ':') || r.rest.len == 0 || r.rest.len > PORT_DIGITS ||
        r.rest.ptr[0] == '0' || !is_made_of(r.rest, "0123456789"))
        return false;
    for (size_t i = 0; i < r.rest.len; i++)
        number = number * 10 + (r.rest.ptr[i] - '0');
    return number <= 65535 && !postern_bytes_equal_str(r.rest, usual);
}

static bool is_plain_authority(postern_bytes text, const char *usual_port)
{
    postern_reader r = { text };
    postern_bytes host;
    size_t colon;

    if (postern_bytes_find(text, '@') != text.len)
        return false;
    if (postern_reader_take_byte(&r, '['))
        return postern_reader_take_until(&r, ']', &host) && is_plain_v6(host) &&
               is_plain_port(r.rest, usual_port);
    colon = postern_bytes_find(text, ':');
    return is_plain_name((postern_bytes){ text.ptr, colon }) &&
           is_plain_port((postern_bytes){ text.ptr + colon, text.len - colon }, usual_port);
}

/* ---- heads ---- */

/* One root: file:////etc, file://localhost/etc and file:///srv//x are other spellings. */
static bool is_plain_file(postern_bytes authority, postern_bytes path)
{
    if (authority.len != 0)
        return false;
    for (size_t i = 0; i + 1 < path.len; i++)
        if (path.ptr[i] == '/' && path.ptr[i + 1] == '/')
            return false;
    return true;
}

/* What stands behind "file:" and its like: two slashes, who is meant, and a path, without which
 * some read "/". */
static bool is_plain_special(const struct special *special, postern_bytes text)
{
    postern_reader r = { text };
    postern_bytes authority, path;

    if (!postern_reader_take_lit(&r, "//"))
        return false;
    authority = (postern_bytes){ r.rest.ptr, postern_bytes_find(r.rest, '/') };
    path = (postern_bytes){ r.rest.ptr + authority.len, r.rest.len - authority.len };
    if (path.len == 0 || postern_bytes_find(authority, '?') != authority.len ||
        postern_bytes_find(authority, '#') != authority.len)
        return false;
    return special->port[0] == '\0' ? is_plain_file(authority, path)
                                    : is_plain_authority(authority, special->port);
}

static bool has_plain_head(postern_bytes uri)
{
    postern_reader r = { uri };
    const struct special *special;
    postern_bytes scheme, rest;

    if (!postern_reader_take_until(&r, ':', &scheme))
        return true;
    if (has_upper(scheme))
        return false;
    special = find_special(scheme);
    rest = r.rest;
    if (postern_reader_take_lit(&r, "//") &&
        has_upper((postern_bytes){ r.rest.ptr, postern_bytes_find(r.rest, '/') }))
        return false;
    return special == NULL || is_plain_special(special, rest);
}

bool mcp_uri_is_plain(postern_bytes uri)
{
    return uri.len != 0 && has_plain_bytes(uri) && has_plain_segments(uri) && has_plain_head(uri);
}
