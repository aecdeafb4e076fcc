/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses by kind, longest prefix not needed: the tables are disjoint.  IANA special-purpose
 * registries (RFC 6890). */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/url_guard.h"

enum address_kind {
    ADDRESS_NEVER = 0, /* nobody's authorization server lives there */
    ADDRESS_PRIVATE,   /* inside an organisation */
    ADDRESS_LOOPBACK,
    ADDRESS_PUBLIC
};

struct prefix {
    uint8_t bytes[16];
    unsigned bits;
    enum address_kind kind;
};

static const struct prefix ipv4_prefixes[] = {
    { { 0 }, 8, ADDRESS_NEVER },          /* "this network": 0.0.0.0 reaches loopback on Linux */
    { { 10 }, 8, ADDRESS_PRIVATE },       /* RFC 1918 */
    { { 100, 64 }, 10, ADDRESS_PRIVATE }, /* RFC 6598, carrier-grade NAT */
    { { 127 }, 8, ADDRESS_LOOPBACK },
    { { 169, 254 }, 16, ADDRESS_NEVER },     /* link-local: cloud metadata services */
    { { 172, 16 }, 12, ADDRESS_PRIVATE },    /* RFC 1918 */
    { { 192, 0, 0 }, 24, ADDRESS_NEVER },    /* RFC 6890, protocol assignments */
    { { 192, 0, 2 }, 24, ADDRESS_NEVER },    /* RFC 5737, documentation */
    { { 192, 168 }, 16, ADDRESS_PRIVATE },   /* RFC 1918 */
    { { 198, 18 }, 15, ADDRESS_NEVER },      /* RFC 2544, benchmarks */
    { { 198, 51, 100 }, 24, ADDRESS_NEVER }, /* RFC 5737 */
    { { 203, 0, 113 }, 24, ADDRESS_NEVER },  /* RFC 5737 */
    { { 224 }, 3, ADDRESS_NEVER },           /* multicast, reserved, broadcast */
};

/* Of IPv6 only 2000::/3 is public (RFC 4291 §2.4); everything that is not named here is refused. */
static const struct prefix ipv6_prefixes[] = {
    { { [15] = 1 }, 128, ADDRESS_LOOPBACK },
    { { 0xfd, 0x00, 0x0e, 0xc2 },
      32,
      ADDRESS_NEVER },                /* fd00:ec2::/32: a cloud's metadata service */
    { { 0xfc }, 7, ADDRESS_PRIVATE }, /* RFC 4193 */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDRESS_NEVER }, /* RFC 3849, documentation */
    { { 0x20, 0x01, 0x00 }, 23, ADDRESS_NEVER },       /* RFC 2928: Teredo, benchmarks, ORCHID */
    { { 0x20, 0x02 }, 16, ADDRESS_NEVER },             /* RFC 3056, 6to4: hides an IPv4 address */
    { { 0x20 }, 3, ADDRESS_PUBLIC },
};

static const struct prefix nat64_prefix = { { 0x00, 0x64, 0xff, 0x9b },
                                            96,
                                            ADDRESS_NEVER }; /* RFC 6052 §2.1 */

static bool has_prefix(const uint8_t *address, const struct prefix *p)
{
    unsigned whole = p->bits / 8, rest = p->bits % 8;

    for (unsigned i = 0; i < whole; i++)
        if (address[i] != p->bytes[i])
            return false;
    return rest == 0 || (address[whole] ^ p->bytes[whole]) >> (8 - rest) == 0;
}

static enum address_kind kind_of_ipv4(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof ipv4_prefixes / sizeof *ipv4_prefixes; i++)
        if (has_prefix(address, &ipv4_prefixes[i]))
            return ipv4_prefixes[i].kind;
    return ADDRESS_PUBLIC;
}

static enum address_kind kind_of_ipv6(const uint8_t *address)
{
    if (has_prefix(address,
                   &nat64_prefix)) /* IPv6-only networks reach IPv4 so: the IPv4 address counts */
        return kind_of_ipv4(address + 12) == ADDRESS_PUBLIC ? ADDRESS_PUBLIC : ADDRESS_NEVER;
    for (size_t i = 0; i < sizeof ipv6_prefixes / sizeof *ipv6_prefixes; i++)
        if (has_prefix(address, &ipv6_prefixes[i]))
            return ipv6_prefixes[i].kind;
    return ADDRESS_NEVER;
}

/* The raw address and which kind of literal would name it; false for anything but IP. */
static bool read_sockaddr(const struct sockaddr *to, socklen_t to_len, uint8_t ret_address[16],
                          postern_url_host *ret_literal)
{
    if (to_len >= sizeof(struct sockaddr_in) && to->sa_family == AF_INET) {
        memcpy(ret_address, (const uint8_t *)to + offsetof(struct sockaddr_in, sin_addr), 4);
        *ret_literal = POSTERN_URL_HOST_IPV4;
        return true;
    }
    if (to_len >= sizeof(struct sockaddr_in6) && to->sa_family == AF_INET6) {
        memcpy(ret_address, (const uint8_t *)to + offsetof(struct sockaddr_in6, sin6_addr), 16);
        *ret_literal = POSTERN_URL_HOST_IPV6;
        return true;
    }
    return false;
}

postern_err postern_url_guard_check(const struct postern_url *url, bool is_host_configured,
                                    const struct sockaddr *to, socklen_t to_len, postern_error *err)
{
    uint8_t address[16] = { 0 };
    char text[INET6_ADDRSTRLEN] = "?";
    postern_url_host literal;
    enum address_kind kind;

    if (!read_sockaddr(to, to_len, address, &literal))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "%s resolves to something that is no IP address",
                            url->host);
    (void)inet_ntop(to->sa_family, address, text, sizeof text); /* only for the message */
    kind = literal == POSTERN_URL_HOST_IPV4 ? kind_of_ipv4(address) : kind_of_ipv6(address);
    if (url->kind != POSTERN_URL_HOST_NAME &&
        (url->kind != literal ||
         memcmp(url->address, address, literal == POSTERN_URL_HOST_IPV4 ? 4 : 16) != 0))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "%s was about to be reached at %s", url->host,
                            text);
    if (!url->is_https && kind != ADDRESS_LOOPBACK)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "http to %s would go to %s, which is not loopback", url->host, text);
    if (kind == ADDRESS_NEVER)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "%s is at %s: link-local, metadata, multicast or reserved", url->host,
                            text);
    if (kind != ADDRESS_PUBLIC && !is_host_configured)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "%s, which only a fetched document names, is at the private address %s",
                            url->host, text);
    return POSTERN_OK;
}
