/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Below a path.  Nothing is made right here: a text that a server might read otherwise than we do lies
 * under nothing, and that is "not known", so that a deny and a `not` do not let it by either.  Called
 * by match_test.c and the reader.
 */
#include "policy/under.h"

#include <stdio.h>

#include "base/ascii.h"

#define BASE_MAX 1024 /* bytes of a base with its names put in: longer is not known */

enum form { FORM_NONE = 0, FORM_PATH, FORM_URI, FORM_NAME };

/* ---- which form ---- */

/* Where the path of "file:///srv" begins; the text's length: it is no URI. */
static size_t find_uri_path(postern_bytes text)
{
    size_t i = 0;

    while (i < text.len && (postern_ascii_is_alnum(text.ptr[i]) ||
                            (i != 0 && strchr("+-.", text.ptr[i]) != NULL && text.ptr[i] != '\0')))
        i++;
    if (i == 0 || text.len - i < 3 || memcmp(text.ptr + i, "://", 3) != 0)
        return text.len;
    for (i += 3; i < text.len && text.ptr[i] != '/'; i++)
        ;
    return i;
}

/* RFC 4514: the only one of the three that begins with a letter and has "=" before any "/". */
static bool is_name(postern_bytes text)
{
    size_t i = 0;

    while (i < text.len && (postern_ascii_is_alnum(text.ptr[i]) || text.ptr[i] == '-' ||
                            text.ptr[i] == '.' || text.ptr[i] == ' '))
        i++;
    return i != 0 && i < text.len && text.ptr[i] == '=';
}

static enum form form_of(postern_bytes text)
{
    if (text.len == 0)
        return FORM_NONE;
    if (text.ptr[0] == '/')
        return FORM_PATH;
    if (find_uri_path(text) != text.len)
        return FORM_URI;
    return is_name(text) ? FORM_NAME : FORM_NONE;
}

/* ---- paths ---- */

static bool is_dots(postern_bytes segment)
{
    return postern_bytes_equal_str(segment, ".") || postern_bytes_equal_str(segment, "..");
}

/* Of a path that begins with a slash.  One slash at the end says nothing. */
static bool has_plain_segments(postern_bytes path)
{
    postern_reader r = { { path.ptr + 1, path.len - 1 } };
    postern_bytes segment;

    while (postern_reader_take_until(&r, '/', &segment))
        if (segment.len == 0 || is_dots(segment))
            return false;
    return !is_dots(r.rest);
}

static bool holds_any(postern_bytes text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || strchr(bytes, text.ptr[i]) != NULL)
            return true;
    return false;
}

static bool is_plain_path(postern_bytes path)
{
    return path.len != 0 && path.ptr[0] == '/' && !holds_any(path, "\\") &&
           has_plain_segments(path);
}

static postern_bytes without_slash(postern_bytes path)
{
    if (path.len != 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

/* Both are plain. */
static bool is_below(postern_bytes base, postern_bytes path)
{
    base = without_slash(base);
    if (path.len < base.len || (base.len != 0 && memcmp(path.ptr, base.ptr, base.len) != 0))
        return false;
    return path.len == base.len || path.ptr[base.len] == '/';
}

static enum match under_path(postern_bytes base, postern_bytes text)
{
    if (!is_plain_path(base) || !is_plain_path(text))
        return MATCH_UNKNOWN;
    return is_below(base, text) ? MATCH_YES : MATCH_NO;
}

/* ---- URIs ---- */

/* Percent signs, questions and fragments are left to nobody's reading; tabs and line ends some
 * leave out. */
static bool is_plain_uri(postern_bytes uri)
{
    size_t path = find_uri_path(uri);

    return path < uri.len && !holds_any(uri, "%?#\\") && !postern_bytes_has_control(uri) &&
           is_plain_path((postern_bytes){ uri.ptr + path, uri.len - path });
}

static bool is_same_nocase(postern_bytes a, postern_bytes b)
{
    return a.len == b.len && (a.len == 0 || postern_ascii_equal_nocase(a.ptr, b.ptr, a.len));
}

/* The host of what stands between "//" and the path, without its port and the dot of its root. */
static postern_bytes host_of(postern_bytes authority)
{
    size_t end = 0;

    if (authority.len != 0 && authority.ptr[0] == '[') /* an address of IPv6 */
        end = postern_bytes_find(authority, ']');
    while (end < authority.len && authority.ptr[end] != ':')
        end++;
    while (end != 0 && authority.ptr[end - 1] == '.')
        end--;
    return (postern_bytes){ authority.ptr, end };
}

/* "127.1", "2130706433" and "0x7f000001" are 127.0.0.1 to whom a last label that is a number makes
 * an address (WHATWG URL, "ends in a number"). */
static bool ends_in_number(postern_bytes host)
{
    size_t start = host.len;

    while (start != 0 && host.ptr[start - 1] != '.')
        start--;
    host = (postern_bytes){ host.ptr + start, host.len - start };
    if (host.len > 1 && postern_ascii_equal_nocase(host.ptr, (const uint8_t *)"0x", 2))
        return true;
    for (size_t i = 0; i < host.len; i++)
        if (!postern_ascii_is_digit(host.ptr[i]))
            return false;
    return host.len != 0;
}

static bool is_in_brackets(postern_bytes host)
{
    return host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
}

/* In the one usual spelling of an address of IPv4, any of IPv6. */
static bool read_address(postern_bytes host, struct net *ret)
{
    char text[64]; /* an address has 45 characters at most */

    if (is_in_brackets(host))
        host = (postern_bytes){ host.ptr + 1, host.len - 2 };
    if (host.len >= sizeof text || holds_any(host, ""))
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)host.len, (const char *)host.ptr); /* fits */
    return postern_net_read_address(text, ret);
}

/* Where none is, some find it in the path; what is beyond ASCII may be a digit or dot to some. */
static bool is_odd_host(postern_bytes host)
{
    struct net address;

    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] >= 0x80)
            return true;
    return host.len == 0 ||
           ((ends_in_number(host) || is_in_brackets(host)) && !read_address(host, &address));
}

/* Of two that are written in other ways. */
static enum match is_same_place(postern_bytes a, postern_bytes b)
{
    struct net first, second;

    if (is_same_nocase(a, b) || is_odd_host(a) || is_odd_host(b))
        return MATCH_UNKNOWN;
    return read_address(a, &first) && read_address(b, &second) && postern_net_holds(&first, &second)
               ? MATCH_UNKNOWN
               : MATCH_NO;
}

/*
 * Two that begin with the same scheme and other bytes: they may still be one place.  Hosts have no
 * case, a port may be the usual one, "user@" is read by some as a host, and a file of "localhost" or of
 * any other name may be one of this host.
 */
static enum match is_same_host(postern_bytes scheme, postern_bytes base, postern_bytes text)
{
    if (is_same_nocase(scheme, postern_bytes_str("file")) ||
        postern_bytes_find(base, '@') != base.len || postern_bytes_find(text, '@') != text.len)
        return MATCH_UNKNOWN;
    return is_same_place(host_of(base), host_of(text));
}

/* "https://host" against "https://host". */
static enum match is_same_origin(postern_bytes base, postern_bytes text)
{
    size_t colon = postern_bytes_find(base, ':'), text_colon = postern_bytes_find(text, ':');
    postern_bytes scheme = { base.ptr, colon };

    if (postern_bytes_equal(base, text))
        return MATCH_YES;
    if (!is_same_nocase(scheme, (postern_bytes){ text.ptr, text_colon }))
        return MATCH_NO;
    return is_same_host(scheme, (postern_bytes){ base.ptr + colon + 3, base.len - colon - 3 },
                        (postern_bytes){ text.ptr + text_colon + 3, text.len - text_colon - 3 });
}

/* "http:///host/path": to some the path begins with the host.  A file has none. */
static bool lacks_host(postern_bytes uri, size_t path)
{
    size_t colon = postern_bytes_find(uri, ':');

    return path == colon + 3 &&
           !is_same_nocase((postern_bytes){ uri.ptr, colon }, postern_bytes_str("file"));
}

static enum match under_uri(postern_bytes base, postern_bytes text)
{
    size_t path = find_uri_path(base), text_path = find_uri_path(text);
    enum match origin;

    if (!is_plain_uri(base) || !is_plain_uri(text) ||
        lacks_host(base, path) != lacks_host(text, text_path))
        return MATCH_UNKNOWN;
    origin = is_same_origin((postern_bytes){ base.ptr, path },
                            (postern_bytes){ text.ptr, text_path });
    if (origin == MATCH_NO || !is_below((postern_bytes){ base.ptr + path, base.len - path },
                                        (postern_bytes){ text.ptr + text_path,
                                                         text.len - text_path }))
        return MATCH_NO;
    return origin;
}

/* "%2e" is a dot and "%2f" a slash to whoever decodes first. */
static uint8_t take_decoded(postern_bytes *text)
{
    uint8_t c = text->ptr[0];
    size_t len = 1;

    if (text->len > 2 && postern_ascii_equal_nocase(text->ptr, (const uint8_t *)"%2e", 3)) {
        c = '.';
        len = 3;
    }
    *text = (postern_bytes){ text->ptr + len, text->len - len };
    return c;
}

static bool has_hidden_mark(postern_bytes uri)
{
    static const char *const marks[] = { "%2f", "%5c", "%00", "%25" };

    for (size_t i = 0; i + 3 <= uri.len; i++)
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (postern_ascii_equal_nocase(uri.ptr + i, (const uint8_t *)marks[k], 3))
                return true;
    return false;
}

bool postern_uri_is_devious(postern_bytes uri)
{
    size_t dots = 0;
    bool is_segment_of_dots = true;

    if (holds_any(uri, "\\") || has_hidden_mark(uri))
        return true;
    while (uri.len != 0) {
        uint8_t c = take_decoded(&uri);
        bool is_end = strchr("/?#;", c) != NULL;

        if (is_end && is_segment_of_dots && dots != 0)
            return true;
        dots = is_end ? 0 : dots + (c == '.');
        is_segment_of_dots = is_end || (is_segment_of_dots && c == '.');
    }
    return is_segment_of_dots && dots != 0;
}

/* ---- directory names ---- */

/* A directory reads several blanks as one. */
static bool has_wide_gap(postern_bytes name)
{
    for (size_t i = 0; i + 1 < name.len; i++)
        if (name.ptr[i] == ' ' && name.ptr[i + 1] == ' ')
            return true;
    return false;
}

/* Escapes, quotes and names of many values are more than a comparison of parts can see through. */
static bool is_plain_name(postern_bytes name)
{
    return is_name(name) && !holds_any(name, "\\\"#+<>;") && !postern_bytes_has_control(name) &&
           !has_wide_gap(name);
}

static postern_bytes trim(postern_bytes text)
{
    while (text.len != 0 && text.ptr[0] == ' ')
        text = (postern_bytes){ text.ptr + 1, text.len - 1 };
    while (text.len != 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* The last part of *name, which is cut off; the part is empty when it is none. */
static postern_bytes take_last_part(postern_bytes *name)
{
    size_t start = name->len;
    postern_bytes part;

    while (start != 0 && name->ptr[start - 1] != ',')
        start--;
    part = trim((postern_bytes){ name->ptr + start, name->len - start });
    name->len = start == 0 ? 0 : start - 1;
    return part;
}

static bool is_ascii(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0x80)
            return false;
    return true;
}

/*
 * "ou=People" and "OU = people": directories compare nearly all that stands in a name so.  A type has
 * other names ("organizationalUnitName", "2.5.4.11"), and letters beyond ASCII have a case and
 * several spellings, too: there parts that differ may be one.
 */
static enum match is_same_part(postern_bytes a, postern_bytes b)
{
    size_t a_at = postern_bytes_find(a, '='), b_at = postern_bytes_find(b, '=');
    postern_bytes a_value = trim((postern_bytes){ a.ptr + a_at + 1, a.len - a_at - 1 });
    postern_bytes b_value = trim((postern_bytes){ b.ptr + b_at + 1, b.len - b_at - 1 });

    if (!is_same_nocase(a_value, b_value))
        return is_ascii(a_value) && is_ascii(b_value) ? MATCH_NO : MATCH_UNKNOWN;
    return is_same_nocase(trim((postern_bytes){ a.ptr, a_at }), trim((postern_bytes){ b.ptr, b_at }))
               ? MATCH_YES
               : MATCH_UNKNOWN;
}

static bool has_whole_parts(postern_bytes name)
{
    while (name.len != 0) {
        postern_bytes part = take_last_part(&name);
        size_t at = postern_bytes_find(part, '=');

        if (at == 0 || at + 1 >= part.len)
            return false;
    }
    return true;
}

static enum match under_name(postern_bytes base, postern_bytes text)
{
    enum match ret = MATCH_YES;

    if (!is_plain_name(base) || !is_plain_name(text) || !has_whole_parts(base) ||
        !has_whole_parts(text))
        return MATCH_UNKNOWN;
    while (base.len != 0 && ret != MATCH_NO) {
        enum match m = text.len == 0
                           ? MATCH_NO
                           : is_same_part(take_last_part(&base), take_last_part(&text));

        ret = m == MATCH_YES ? ret : m;
    }
    return ret;
}

/* ---- the base, with names put in ---- */

/* A name is one segment and nothing else: what separates has no place in it. */
static bool put_name(const char *name, char *room, size_t *used)
{
    postern_bytes text = postern_bytes_str(name);

    if (text.len == 0 || text.len >= BASE_MAX - *used || is_dots(text) ||
        trim(text).len != text.len || /* "al " and "al" are one in a directory */
        holds_any(text, "/\\%?#,=+\"<>;:"))
        return false;
    memcpy(room + *used, text.ptr, text.len);
    *used += text.len;
    return true;
}

static bool fill_base(const struct pattern *base, const struct pattern_names *names, char *room,
                      postern_bytes *ret)
{
    size_t used = 0;

    for (size_t i = 0; i < base->len; i++) {
        uint8_t op = (uint8_t)base->ops[i];

        if (op == PATTERN_AGENT || op == PATTERN_USER) {
            if (!put_name(op == PATTERN_AGENT ? names->agent : names->user, room, &used))
                return false;
        } else if (used == BASE_MAX) {
            return false;
        } else {
            room[used++] = (char)op;
        }
    }
    *ret = (postern_bytes){ (const uint8_t *)room, used };
    return true;
}

static enum match under(postern_bytes base, postern_bytes text)
{
    switch (form_of(base)) {
    case FORM_PATH:
        return under_path(base, text);
    case FORM_URI:
        return under_uri(base, text);
    case FORM_NAME:
        return under_name(base, text);
    case FORM_NONE:
        break;
    }
    return MATCH_UNKNOWN;
}

enum match postern_under(const struct pattern *base, postern_bytes text,
                         const struct pattern_names *names)
{
    char room[BASE_MAX];
    postern_bytes filled;

    if (base->kind == PATTERN_LITERAL)
        return under((postern_bytes){ (const uint8_t *)base->ops, base->len }, text);
    return fill_base(base, names, room, &filled) ? under(filled, text) : MATCH_UNKNOWN;
}

const char *postern_under_check_base(const struct pattern *base)
{
    static const struct pattern_names names = { .agent = "x", .user = "x" };
    char room[BASE_MAX];
    postern_bytes text;

    if (!fill_base(base, &names, room, &text) || form_of(text) == FORM_NONE)
        return "`under` compares with an absolute path, a URI with a path, or a directory name";
    /* It lies under itself when it is plain. */
    return under(text, text) == MATCH_YES
               ? NULL
               : "`under` compares plain names: no . or .. segment, no empty one, no backslash, no "
                 "% ? # in a URI, no escapes in a directory name";
}
