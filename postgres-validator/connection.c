/* SPDX-License-Identifier: BSD-2-Clause */
/* How well the connection that brought the token is protected, and from where it comes: the server
 * knows both of every one. */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "libpq/libpq-be.h"

#include "validator.h"

static bool is_loopback(const SockAddr *a)
{
    const struct sockaddr *sa = (const struct sockaddr *)&a->addr;

    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

/* GSSAPI's encryption is not asked about: a token over it needs `require_tls: host`. */
postern_tls validator_tls_state(const struct Port *port)
{
    if (port->ssl_in_use)
        return POSTERN_TLS_ON;
    if (port->raddr.addr.ss_family == AF_UNIX)
        return POSTERN_TLS_LOCAL;
    return is_loopback(&port->laddr) && is_loopback(&port->raddr) ? POSTERN_TLS_LOCAL
                                                                  : POSTERN_TLS_NONE;
}

/* Not port->remote_host where there is an address: with log_hostname that is what a name server
 * says, which the client's own may be, and a name may read as another address. */
const char *validator_peer(const struct Port *port, char room[INET6_ADDRSTRLEN])
{
    const struct sockaddr *sa = (const struct sockaddr *)&port->raddr.addr;

    if (sa->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, room,
                         INET6_ADDRSTRLEN);
    if (sa->sa_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, room,
                         INET6_ADDRSTRLEN);
    return port->remote_host; /* "[local]" */
}
