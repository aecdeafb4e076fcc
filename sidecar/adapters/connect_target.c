/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The target of a CONNECT: host, colon, port, and nothing that a resolver would read in another way
 * (no user, no octal, decimal or short addresses, no zone).  RFC 9112 §3.2.3, RFC 3986 §3.2.2, RFC
 * 1123 §2.1.
 */
#include "raw_connect.h"

#include <arpa/inet.h>

#define DNS_NAME_MAX  253 /* RFC 1035 §2.3.4, written out without the root's dot */
#define DNS_LABEL_MAX 63
#define PORT_DIGITS   5

static bool is_address(int family, postern_bytes text, char *room)
{
    uint8_t bytes[16];

    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return inet_pton(family, room, bytes) == 1;
}

/* Underscores are no host names (RFC 952), but container networks are full of them. */
static bool is_label(postern_bytes label)
{
    return label.len <= DNS_LABEL_MAX && line_is_made_of(label, LINE_ALNUM "-_") &&
           label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

/* Labels between dots, one dot behind the last allowed.  *ret_last: the last label. */
static bool is_name(postern_bytes text, postern_bytes *ret_last)
{
    postern_reader r = { text };

    while (postern_reader_take_until(&r, '.', ret_last))
        if (!is_label(*ret_last))
            return false;
    if (postern_reader_is_done(&r))
        return true; /* that dot; an empty text had no label and *ret_last is empty */
    *ret_last = r.rest;
    return is_label(r.rest);
}

/* A last label of digits makes it an address (WHATWG URL, "ends in a number"): of four parts then,
 * in decimal without leading zero, which inet_pton(3) demands. */
static bool is_host(postern_bytes text, char *host)
{
    postern_bytes last = POSTERN_BYTES_NONE;

    if (!is_name(text, &last) || last.len == 0)
        return false;
    if (text.len - (text.ptr[text.len - 1] == '.') > DNS_NAME_MAX)
        return false;
    if (line_is_made_of(last, LINE_DIGITS) ||
        (last.len > 1 && last.ptr[0] == '0' && (last.ptr[1] | 0x20) == 'x'))
        return is_address(AF_INET, text, host);
    memcpy(host, text.ptr, text.len);
    host[text.len] = '\0';
    return true;
}

static bool is_port(postern_bytes text, char *port)
{
    unsigned number = 0;

    if (text.len > PORT_DIGITS || !line_is_made_of(text, LINE_DIGITS) || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++)
        number = number * 10 + (text.ptr[i] - '0');
    memcpy(port, text.ptr, text.len);
    port[text.len] = '\0';
    return number <= 65535;
}

/* "[" IPv6 "]" or a name, up to the colon before the port. */
static bool take_host(postern_reader *r, char *host)
{
    postern_bytes text;

    if (!postern_reader_take_byte(r, '['))
        return postern_reader_take_until(r, ':', &text) && is_host(text, host);
    return postern_reader_take_until(r, ']', &text) && text.len < INET6_ADDRSTRLEN &&
           is_address(AF_INET6, text, host) && postern_reader_take_byte(r, ':');
}

postern_err connect_target_parse(postern_bytes target, char host[ADAPTER_HOST_MAX], char port[6],
                                 postern_error *err)
{
    postern_reader r = { target };

    if (!take_host(&r, host) || !is_port(r.rest, port))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the CONNECT target is not host:port with a port of 1 to 65535");
    return POSTERN_OK;
}
