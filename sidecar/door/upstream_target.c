/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a backend is: the text of `backend:` (sidecar/door/upstream.h). */
#include "config.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "upstream.h"

#define PORT_DIGITS 5 /* 65535 */

static bool copy(postern_bytes from, char *room, size_t room_size)
{
    if (from.len == 0 || from.len >= room_size)
        return false;
    memcpy(room, from.ptr, from.len);
    room[from.len] = '\0';
    return true;
}

static bool take_port(postern_bytes text, struct upstream_target *t)
{
    unsigned number = 0;

    if (text.len == 0 || text.len > PORT_DIGITS || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return number <= 65535 && copy(text, t->port, sizeof t->port);
}

/* RFC 952 and 1123, and the underscore that compose files and service records put into names. */
static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* A name whose last label is a number is an address in disguise (127.1, 0177.0.0.1) to some. */
static bool is_name(const char *host)
{
    const char *label = host;

    for (const char *at = host;; at++) {
        if (is_label_byte(*at))
            continue;
        if (at == label || at - label > 63 || *label == '-' || at[-1] == '-')
            return false;
        if (*at == '\0')
            return *label < '0' || *label > '9';
        if (*at != '.')
            return false;
        label = at + 1;
    }
}

static bool take_host(postern_bytes text, struct upstream_target *t)
{
    struct in_addr v4;

    if (!copy(text, t->host, sizeof t->host) || strlen(t->host) != text.len)
        return false;
    return inet_pton(AF_INET, t->host, &v4) == 1 || is_name(t->host);
}

static bool take_literal_v6(postern_bytes text, struct upstream_target *t)
{
    struct sockaddr_storage address;
    socklen_t len;

    return copy(text, t->host, sizeof t->host) && strlen(t->host) == text.len &&
           strchr(t->host, ':') != NULL && upstream_target_address(t, &address, &len);
}

static bool take_network(const char *text, struct upstream_target *t)
{
    postern_reader r = { postern_bytes_str(text) };
    postern_bytes host;

    if (postern_reader_take_byte(&r, '['))
        return postern_reader_take_until(&r, ']', &host) && postern_reader_take_byte(&r, ':') &&
               take_port(r.rest, t) && take_literal_v6(host, t);
    return postern_reader_take_until(&r, ':', &host) && take_port(r.rest, t) && take_host(host, t);
}

postern_err upstream_target_parse(const char *text, struct upstream_target *ret, postern_error *err)
{
    static const char unix_prefix[] = "unix:";
    struct upstream_target t = { .tls = UPSTREAM_VERIFY_FULL };
    bool is_unix = strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0;
    char quoted[260];

    if (is_unix) {
        postern_bytes path = postern_bytes_str(text + sizeof unix_prefix - 1);

        if (path.len == 0 || path.ptr[0] != '/' || !copy(path, t.path, sizeof t.path))
            return POSTERN_FAIL(
                err, CONFIG_VALUE, "%s is not unix: and an absolute path of at most %zu bytes",
                postern_error_quote(text, strlen(text), quoted, sizeof quoted), sizeof t.path - 1);
    } else if (!take_network(text, &t)) {
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s is not HOST:PORT, [IPV6]:PORT or unix:/PATH",
                            postern_error_quote(text, strlen(text), quoted, sizeof quoted));
    }
    *ret = t;
    return POSTERN_OK;
}

/* getaddrinfo(3) would say the same, with a look at the library's settings. */
static bool read_v4(const struct upstream_target *t, struct sockaddr_in *ret)
{
    unsigned port = 0;

    for (const char *p = t->port; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (unsigned)(*p - '0');
    }
    *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    return port != 0 && port <= UINT16_MAX && inet_pton(AF_INET, t->host, &ret->sin_addr) == 1;
}

bool upstream_target_address(const struct upstream_target *t, struct sockaddr_storage *ret,
                             socklen_t *ret_len)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;

    /* The strict form of IPv4 only; of IPv6 the kernel's, with %interface.  Asks nobody. */
    memset(ret, 0, sizeof *ret);
    if (strchr(t->host, ':') == NULL) {
        *ret_len = sizeof(struct sockaddr_in);
        return read_v4(t, (struct sockaddr_in *)ret);
    }
    if (getaddrinfo(t->host, t->port, &hints, &found) != 0)
        return false;
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    *ret_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool upstream_target_is_local(const struct upstream_target *t)
{
    struct sockaddr_storage address;
    socklen_t len;

    if (t->path[0] != '\0')
        return true;
    if (!upstream_target_address(t, &address, &len))
        return false;
    if (address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}
