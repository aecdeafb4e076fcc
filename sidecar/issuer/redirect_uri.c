/* SPDX-License-Identifier: BSD-2-Clause */
/* Redirect URIs; see redirect_uri.h.  Called by clients.c (what is registered) and by the
 * authorization endpoint (what is asked).  Knows no client. */
#include "redirect_uri.h"

#include "words.h"

#define PORT_MAX 65535
#define HTTPS    "https://"
#define HTTP     "http://"

/* http on a loopback literal, cut around its port. */
struct loopback {
    postern_bytes before; /* "http://127.0.0.1" */
    postern_bytes after;  /* path and query */
};

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* unreserved and reserved of RFC 3986 §2, without '#' (RFC 6749 §3.1.2) and '*' (nobody means it
 * but as a wildcard). */
static bool is_uri_byte(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-._~:/?[]@!$&'()+,;=", c) != NULL);
}

static bool is_uri_text(postern_bytes uri)
{
    for (size_t i = 0; i < uri.len; i++) {
        if (uri.ptr[i] != '%') {
            if (!is_uri_byte(uri.ptr[i]))
                return false;
        } else if (uri.len - i < 3 || !is_hex(uri.ptr[i + 1]) || !is_hex(uri.ptr[i + 2])) {
            return false;
        }
    }
    return true;
}

static bool take_prefix(postern_reader *r, const char *prefix)
{
    size_t len = strlen(prefix);

    if (r->rest.len < len || memcmp(r->rest.ptr, prefix, len) != 0)
        return false;
    r->rest = (postern_bytes){ r->rest.ptr + len, r->rest.len - len };
    return true;
}

/* [":" 1..65535], no leading zero: two spellings of one port would be two addresses. */
static bool take_port(postern_reader *r)
{
    unsigned port = 0;
    size_t i = 0;

    if (!postern_reader_take_byte(r, ':'))
        return true;
    for (; i < r->rest.len && is_digit(r->rest.ptr[i]) && port <= PORT_MAX; i++)
        port = 10 * port + (r->rest.ptr[i] - (unsigned)'0');
    if (i == 0 || r->rest.ptr[0] == '0' || port > PORT_MAX)
        return false;
    r->rest = (postern_bytes){ r->rest.ptr + i, r->rest.len - i };
    return true;
}

/* What may follow an authority; path-abempty of RFC 3986 §3.3, or a query at once. */
static bool is_path(postern_bytes rest)
{
    return rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == '?';
}

/* Letters, digits, '-' and single dots inside: names and IPv4, without empty labels.  "[…]" is left
 * to the loopback form: nobody's web site is an IPv6 literal. */
static bool take_host(postern_reader *r)
{
    postern_bytes all = r->rest;
    size_t i = 0;
    uint8_t last = '.';

    for (; i < all.len && (is_alpha(all.ptr[i]) || is_digit(all.ptr[i]) || all.ptr[i] == '-' ||
                           (all.ptr[i] == '.' && last != '.'));
         i++)
        last = all.ptr[i];
    r->rest = (postern_bytes){ all.ptr + i, all.len - i };
    return i != 0 && last != '.';
}

static bool is_https(postern_bytes uri)
{
    postern_reader r = { uri };

    return take_prefix(&r, HTTPS) && take_host(&r) && take_port(&r) && is_path(r.rest);
}

static bool split_loopback(postern_bytes uri, struct loopback *ret)
{
    postern_reader r = { uri };
    const uint8_t *host_end;

    if (!take_prefix(&r, HTTP) || (!take_prefix(&r, "127.0.0.1") && !take_prefix(&r, "[::1]")))
        return false;
    host_end = r.rest.ptr;
    if (!take_port(&r) || !is_path(r.rest))
        return false;
    *ret = (struct loopback){ { uri.ptr, (size_t)(host_end - uri.ptr) }, r.rest };
    return true;
}

/* scheme ":" something, the scheme a name in reverse (RFC 8252 §7.1): lower case, labels not
 * empty. */
static bool is_private_use(postern_bytes uri)
{
    size_t colon = postern_bytes_find(uri, ':'), dots = 0;
    uint8_t last = '.';

    if (colon + 1 >= uri.len || uri.ptr[0] < 'a' || uri.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < colon; last = uri.ptr[i++]) {
        uint8_t c = uri.ptr[i];

        if (c == '.' ? last == '.' : !(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-')
            return false;
        dots += c == '.';
    }
    return dots != 0 && last != '.' && postern_bytes_find(uri, '@') == uri.len;
}

bool redirect_uri_is_good(postern_bytes uri)
{
    struct loopback loopback;

    return uri.len <= REDIRECT_URI_MAX && is_uri_text(uri) &&
           (is_https(uri) || split_loopback(uri, &loopback) || is_private_use(uri));
}

bool redirect_uri_matches(postern_bytes registered, postern_bytes presented)
{
    struct loopback a, b;

    if (!redirect_uri_is_good(registered) || !redirect_uri_is_good(presented))
        return false;
    if (postern_bytes_equal(registered, presented))
        return true;
    return split_loopback(registered, &a) && split_loopback(presented, &b) &&
           postern_bytes_equal(a.before, b.before) && postern_bytes_equal(a.after, b.after);
}

bool redirect_uri_is_registered(const char *registered_words, postern_bytes presented)
{
    postern_bytes word;

    while (words_next(&registered_words, &word))
        if (redirect_uri_matches(word, presented))
            return true;
    return false;
}
