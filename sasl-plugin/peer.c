/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is on the other side and how well the way there is protected, as far as the host told
 * libsasl.  Some hosts never tell (Postfix, svnserve, memcached): that is UNKNOWN or NONE here, and
 * `require_tls: host` in the service file decides.
 */
#include <arpa/inet.h>

#include "plugin.h"

/* Copy when it fits, else leave "". */
static void copy_field(postern_bytes from, char *to, size_t to_size)
{
    if (from.len == 0 || from.len >= to_size)
        return;
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
}

struct plugin_peer plugin_peer_parse(const char *ip_port)
{
    struct plugin_peer peer = { .ip = "", .port = "" };
    postern_reader r = { postern_bytes_str(ip_port) };
    postern_bytes ip;

    if (!postern_bytes_is_printable(r.rest) || !postern_reader_take_until(&r, ';', &ip))
        return peer;
    copy_field(ip, peer.ip, sizeof peer.ip);
    copy_field(r.rest, peer.port, sizeof peer.port);
    return peer;
}

bool plugin_peer_is_loopback(const struct plugin_peer *p)
{
    static const uint8_t v4_mapped_127[13] = { [10] = 0xFF, [11] = 0xFF, [12] = 127 };
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, p->ip, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, p->ip, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) ||
               postern_bytes_equal((postern_bytes){ v6.s6_addr, sizeof v4_mapped_127 },
                                   (postern_bytes){ v4_mapped_127, sizeof v4_mapped_127 });
    return false;
}

postern_tls plugin_tls_state(sasl_ssf_t external_ssf, const char *iplocalport,
                             const char *ipremoteport)
{
    struct plugin_peer local = plugin_peer_parse(iplocalport),
                       remote = plugin_peer_parse(ipremoteport);

    if (external_ssf > 1) /* 1 is integrity without secrecy */
        return POSTERN_TLS_ON;
    if (local.ip[0] == '\0' && remote.ip[0] == '\0')
        return POSTERN_TLS_UNKNOWN;
    if (plugin_peer_is_loopback(&local) && plugin_peer_is_loopback(&remote))
        return POSTERN_TLS_LOCAL;
    return POSTERN_TLS_NONE;
}
