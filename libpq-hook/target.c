/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a token would go.  libpq encrypts with sslmode=prefer and require too, but looks at no
 * certificate then, and with verify-ca at no name: whoever sits between would have the token (RFC
 * 6750 §5.3).
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "hook.h"

static bool is_socket(const char *host)
{
    return host[0] == '/' || host[0] == '@';
}

static bool is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (address == NULL)
        return false;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_verified(const struct hook_connection *c)
{
    return c->is_tls && c->sslmode != NULL && strcmp(c->sslmode, "verify-full") == 0;
}

postern_err hook_target(const struct hook_connection *c, const char **ret_host, postern_error *err)
{
    if (c->host == NULL || c->host[0] == '\0')
        return POSTERN_FAIL(err, NO_TOKEN, "the connection has no host");
    if (is_socket(c->host)) {
        *ret_host = "localhost";
        return POSTERN_OK;
    }
    if (!is_verified(c) && !is_loopback(c->hostaddr))
        return POSTERN_FAIL(err, TLS_REQUIRED,
                            "a token goes over the network with sslmode=verify-full only");
    *ret_host = c->host;
    return POSTERN_OK;
}
