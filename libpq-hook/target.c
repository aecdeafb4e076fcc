/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a token would go.  libpq encrypts with sslmode=prefer and require too, but looks at no
 * certificate then, and with verify-ca at no name: whoever sits between would have the token (RFC
 * 6750 §5.3).  That a name led to this machine proves nothing either: DNS is asked without proof,
 * and an answer of 127.0.0.1 would hand the token of a server elsewhere to whoever listens here.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

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

/* This machine, without asking anybody (RFC 6761 §6.3). */
static bool names_this_machine(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || is_loopback(host);
}

/* Named so, and connected so: even `localhost` may be something else in a hosts file. */
static bool is_here(const struct hook_connection *c)
{
    return names_this_machine(c->host) && is_loopback(c->hostaddr);
}

static bool is_verified(const struct hook_connection *c)
{
    return c->is_tls && c->sslmode != NULL && strcmp(c->sslmode, "verify-full") == 0;
}

postern_err hook_target(const struct hook_connection *c, struct hook_goal *ret, postern_error *err)
{
    if (c->host == NULL || c->host[0] == '\0')
        return POSTERN_FAIL(err, NO_TOKEN, "the connection has no host");
    if (is_socket(c->host))
        *ret = (struct hook_goal){ "localhost", true };
    else if (is_verified(c))
        *ret = (struct hook_goal){ c->host, false };
    else if (is_here(c))
        *ret = (struct hook_goal){ c->host, true };
    else
        return POSTERN_FAIL(err, TLS_REQUIRED,
                            "but for localhost a token goes with sslmode=verify-full only");
    return POSTERN_OK;
}
