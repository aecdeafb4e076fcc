/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shape of configured URLs and listening addresses (RFC 3986 §3, RFC 8414 §2).  Resolves
 * nothing, changes nothing.  Called by config_check.c.
 */
#include "url.h"

#include <arpa/inet.h>
#include "base/ascii.h"

/* pchar of RFC 3986 §3.3 and the slash. */
static bool is_path_byte(uint8_t c)
{
    return postern_ascii_is_alnum(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static bool is_port(postern_bytes text)
{
    unsigned port = 0;

    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return port <= 65535;
}

/* Splits HOST[:PORT] or [IPv6][:PORT]; `ret_port` is empty when there is no colon. */
static bool split_authority(postern_bytes authority, postern_bytes *ret_host,
                            postern_bytes *ret_port)
{
    size_t end;

    if (authority.len != 0 && authority.ptr[0] == '[') {
        end = postern_bytes_find(authority, ']');
        if (end == authority.len)
            return false;
        end++;
    } else {
        end = postern_bytes_find(authority, ':');
    }
    *ret_host = (postern_bytes){ authority.ptr, end };
    *ret_port = POSTERN_BYTES_NONE;
    if (end == authority.len)
        return true;
    if (authority.ptr[end] != ':')
        return false;
    *ret_port = (postern_bytes){ authority.ptr + end + 1, authority.len - end - 1 };
    return is_port(*ret_port);
}

static bool is_host(postern_bytes host)
{
    bool is_ip_literal = host.len != 0 && host.ptr[0] == '[';
    size_t start = is_ip_literal ? 1 : 0, end = host.len - start;

    if (host.len < 2 * start + 1)
        return false;
    for (size_t i = start; i < end; i++) {
        uint8_t c = host.ptr[i];

        if (is_ip_literal ? !(postern_ascii_is_hex(c) || c == ':' || c == '.')
                          : !(postern_ascii_is_alnum(c) || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return true;
}

static bool is_loopback_host(postern_bytes host)
{
    return postern_bytes_equal_str(host, "127.0.0.1") || postern_bytes_equal_str(host, "[::1]");
}

static const char *find_path_fault(postern_bytes path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '?')
            return "holds a query";
        if (path.ptr[i] == '#')
            return "holds a fragment";
        if (path.ptr[i] == '%' && (path.len - i < 3 || !postern_ascii_is_hex(path.ptr[i + 1]) ||
                                   !postern_ascii_is_hex(path.ptr[i + 2])))
            return "holds a '%' without two hexadecimal digits";
        if (path.ptr[i] != '%' && !is_path_byte(path.ptr[i]))
            return "holds a character that no URL may have";
    }
    return NULL;
}

static postern_bytes take_authority(postern_reader *r)
{
    size_t len = 0;
    postern_bytes authority = POSTERN_BYTES_NONE;

    while (len < r->rest.len && strchr("/?#", r->rest.ptr[len]) == NULL)
        len++;
    (void)postern_reader_take_len(r, len, &authority); /* len ≤ rest */
    return authority;
}

const char *postern_url_fault(const char *url, enum url_loopback_http loopback_http)
{
    postern_reader r = { postern_bytes_str(url) };
    bool is_http = postern_reader_take_lit(&r, "http://");
    postern_bytes authority, host, port;

    if (strlen(url) > POSTERN_CONFIG_URL_MAX)
        return "is longer than 448 bytes";
    if (!is_http && !postern_reader_take_lit(&r, "https://"))
        return "must begin with https://";
    authority = take_authority(&r);
    if (postern_bytes_find(authority, '@') != authority.len)
        return "holds user information";
    if (!split_authority(authority, &host, &port))
        return "has a port that is not 1 to 65535";
    if (!is_host(host))
        return "has no valid host name";
    if (is_http && !is_loopback_host(host))
        return "is plain http: only 127.0.0.1 and [::1] may be reached so, write https://";
    if (is_http && loopback_http != URL_LOOPBACK_HTTP_ALLOWED)
        return "is plain http: to loopback that needs \"allow_loopback_http: yes\"";
    return find_path_fault(r.rest);
}

const char *postern_listen_fault(const char *text)
{
    postern_bytes host, port;

    if (!split_authority(postern_bytes_str(text), &host, &port) || port.len == 0)
        return "is not ADDRESS:PORT with a port from 1 to 65535";
    if (!is_loopback_host(host))
        return "is not loopback: 127.0.0.1:PORT or [::1]:PORT in this version";
    return NULL;
}

static bool is_bracketed(postern_bytes host)
{
    return host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
}

/* inet_pton(3) on a view, into 4 or 16 bytes with zeros behind; longer than any address is none. */
static bool read_literal(postern_bytes host, uint8_t ret[sizeof(struct in6_addr)])
{
    bool is_v6 = is_bracketed(host);
    postern_bytes bare = is_v6 ? (postern_bytes){ host.ptr + 1, host.len - 2 } : host;
    char text[INET6_ADDRSTRLEN];

    memset(ret, 0, sizeof(struct in6_addr));
    if (bare.len >= sizeof text)
        return false;
    memcpy(text, bare.ptr, bare.len);
    text[bare.len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, ret) == 1;
}

const char *postern_address_fault(const char *text)
{
    uint8_t room[sizeof(struct in6_addr)];
    postern_bytes host, port;

    if (!split_authority(postern_bytes_str(text), &host, &port) || port.len == 0)
        return "is not ADDRESS:PORT with a port from 1 to 65535";
    if (!read_literal(host, room))
        return "is no literal address, such as 192.0.2.1:6380 or [::]:6380";
    return NULL;
}

/* Ports are compared as text: is_port() takes one form of each. */
bool postern_address_is_same(const char *a, const char *b)
{
    uint8_t address_a[sizeof(struct in6_addr)], address_b[sizeof(struct in6_addr)];
    postern_bytes host_a, host_b, port_a, port_b;

    if (strcmp(a, b) == 0)
        return true;
    return split_authority(postern_bytes_str(a), &host_a, &port_a) &&
           split_authority(postern_bytes_str(b), &host_b, &port_b) &&
           postern_bytes_equal(port_a, port_b) && is_bracketed(host_a) == is_bracketed(host_b) &&
           read_literal(host_a, address_a) && read_literal(host_b, address_b) &&
           memcmp(address_a, address_b, sizeof address_a) == 0;
}

/* In brackets there is an address, else a name or an address; 253 bytes: RFC 1035 §2.3.4. */
const char *postern_target_fault(const char *text)
{
    uint8_t room[sizeof(struct in6_addr)];
    postern_bytes host, port;

    if (!split_authority(postern_bytes_str(text), &host, &port) || port.len == 0)
        return "is not HOST:PORT with a port from 1 to 65535";
    if (!is_host(host) || host.len > 253 || (is_bracketed(host) && !read_literal(host, room)))
        return "has no valid host name";
    return NULL;
}
