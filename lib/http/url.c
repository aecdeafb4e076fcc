/* SPDX-License-Identifier: BSD-2-Clause */
/* Split and judge a URL; see url.h.  RFC 3986 §3; the host rules are narrower on purpose. */
#include <arpa/inet.h>

#include "http/url.h"
#include "base/ascii.h"

#define LABEL_MAX 63 /* RFC 1035 §2.3.4 */

/* RFC 3986 §3.3, §3.4: pchar, '/' and '?'; a '%' needs two hex digits. */
static bool is_path_text(postern_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];

        if (c == '%' && (b.len - i < 3 || !postern_ascii_is_hex(b.ptr[i + 1]) ||
                         !postern_ascii_is_hex(b.ptr[i + 2])))
            return false;
        if (!postern_ascii_is_alnum(c) && (c == 0 || strchr("-._~%!$&'()*+,;=:@/?", c) == NULL))
            return false;
    }
    return true;
}

/* Dot-separated labels; the last one may not begin with a digit: "1.2.3", "0x7f.1" and "2130706433"
 * are addresses to some. */
static bool is_host_name(postern_bytes host)
{
    size_t label_len = 0, label_at = 0;

    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];

        if (c == '.') {
            if (label_len == 0 || i + 1 == host.len)
                return false;
            label_len = 0;
            label_at = i + 1;
        } else if (!postern_ascii_is_alnum(c) && c != '-' && c != '_') {
            return false;
        } else if (++label_len > LABEL_MAX) {
            return false;
        }
    }
    return label_len != 0 && !postern_ascii_is_digit(host.ptr[label_at]);
}

/* Lower-case copy with NUL; the caller checked the length. */
static void copy_lower(postern_bytes from, char *to)
{
    for (size_t i = 0; i < from.len; i++)
        to[i] = (char)(from.ptr[i] >= 'A' && from.ptr[i] <= 'Z' ? from.ptr[i] + ('a' - 'A')
                                                                : from.ptr[i]);
    to[from.len] = '\0';
}

static postern_err judge_host(postern_bytes host, bool is_bracketed, struct postern_url *u,
                              postern_error *err)
{
    char room[260];

    if (host.len >= sizeof u->host)
        return POSTERN_FAIL(err, LIMIT, "URL: host of %zu bytes", host.len);
    if (host.len == 0 || memchr(host.ptr, 0, host.len) != NULL)
        return POSTERN_FAIL(err, MALFORMED, "URL: no host");
    copy_lower(host, u->host);
    if (is_bracketed)
        u->kind = inet_pton(AF_INET6, u->host, u->address) == 1 ? POSTERN_URL_HOST_IPV6
                                                                : POSTERN_URL_HOST_NONE;
    else if (inet_pton(AF_INET, u->host, u->address) == 1)
        u->kind = POSTERN_URL_HOST_IPV4;
    else
        u->kind = is_host_name(host) ? POSTERN_URL_HOST_NAME : POSTERN_URL_HOST_NONE;
    if (u->kind == POSTERN_URL_HOST_NONE)
        return POSTERN_FAIL(err, MALFORMED, "URL: host %s is neither a name nor an address",
                            postern_error_quote(host.ptr, host.len, room, sizeof room));
    return POSTERN_OK;
}

/* Decimal 1..65535 without leading zero. */
static bool read_port(postern_bytes text, uint16_t *ret)
{
    uint32_t port = 0;

    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!postern_ascii_is_digit(text.ptr[i]))
            return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (port > 65535)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* `authority` is all between "//" and the path: host, perhaps a port, never user info. */
static postern_err split_authority(postern_bytes authority, struct postern_url *u,
                                   postern_error *err)
{
    postern_reader r = { authority };
    bool is_bracketed = postern_reader_take_byte(&r, '[');
    postern_bytes host;

    if (memchr(authority.ptr, '@', authority.len) != NULL)
        return POSTERN_FAIL(err, MALFORMED, "URL: user information is not allowed");
    if (is_bracketed && !postern_reader_take_until(&r, ']', &host))
        return POSTERN_FAIL(err, MALFORMED, "URL: '[' without ']'");
    if (!is_bracketed)
        (void)postern_reader_take_len(&r, postern_bytes_find(r.rest, ':'),
                                      &host); /* at most what is left: cannot fail */
    POSTERN_TRY(judge_host(host, is_bracketed, u, err));
    u->port = u->is_https ? 443 : 80;
    if (postern_reader_is_done(&r))
        return POSTERN_OK;
    if (!postern_reader_take_byte(&r, ':') || !read_port(r.rest, &u->port))
        return POSTERN_FAIL(err, MALFORMED, "URL: port is not a number from 1 to 65535");
    return POSTERN_OK;
}

/* Bytes before the first of '/', '?' and '#'. */
static size_t find_authority_end(postern_bytes b)
{
    size_t n = 0;

    while (n < b.len && b.ptr[n] != '/' && b.ptr[n] != '?' && b.ptr[n] != '#')
        n++;
    return n;
}

postern_err postern_url_split(postern_bytes text, struct postern_url *ret, postern_error *err)
{
    struct postern_url u = { 0 };
    postern_reader r = { text };
    postern_bytes authority;

    if (text.len >= POSTERN_HTTP_URL_MAX)
        return POSTERN_FAIL(err, LIMIT, "URL of %zu bytes, at most %d", text.len,
                            POSTERN_HTTP_URL_MAX - 1);
    u.is_https = postern_reader_take_lit(&r, "https://");
    if (!u.is_https && !postern_reader_take_lit(&r, "http://"))
        return POSTERN_FAIL(err, MALFORMED, "URL does not begin with https:// or http://");
    if (!postern_reader_take_len(&r, find_authority_end(r.rest), &authority) || authority.len == 0)
        return POSTERN_FAIL(err, MALFORMED, "URL: no host");
    POSTERN_TRY(split_authority(authority, &u, err));
    u.origin = (postern_bytes){ text.ptr, text.len - r.rest.len };
    if (!is_path_text(r.rest))
        return POSTERN_FAIL(
            err, MALFORMED,
            "URL: fragment, or a character that must be percent-encoded, behind the host");
    u.path = (postern_bytes){ r.rest.ptr, postern_bytes_find(r.rest, '?') };
    u.has_query = u.path.len < r.rest.len;
    if (u.has_query)
        u.query = (postern_bytes){ r.rest.ptr + u.path.len + 1, r.rest.len - u.path.len - 1 };
    *ret = u;
    return POSTERN_OK;
}

bool postern_url_is_same_origin(const struct postern_url *a, const struct postern_url *b)
{
    return a->is_https == b->is_https && a->port == b->port && a->kind == b->kind &&
           strcmp(a->host, b->host) == 0;
}

bool postern_url_is_loopback(const struct postern_url *u)
{
    static const uint8_t ipv6_loopback[16] = { [15] = 1 };

    switch (u->kind) {
    case POSTERN_URL_HOST_IPV4:
        return u->address[0] == 127;
    case POSTERN_URL_HOST_IPV6:
        return memcmp(u->address, ipv6_loopback, sizeof ipv6_loopback) == 0;
    case POSTERN_URL_HOST_NAME:
        return strcmp(u->host, "localhost") == 0;
    case POSTERN_URL_HOST_NONE:
        break;
    }
    return false;
}
