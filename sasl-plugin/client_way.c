/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a token that nobody typed may go.  Without TLS no certificate says who answers: on this machine
 * it is asked whose process does.  While a daemon is down every user may listen on its port, and a
 * name that only DNS has put on loopback is no name of this machine's (doc/decisions/0131).
 */
#include "config.h" /* first: asks libc for its extensions */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <postern-private/tcp_peer.h>

#include "client.h"

#define SERVER_USER "POSTERN_SERVER_USER"

/* ---- ports ---- */

/* Only root opens such a port, and hands it to whom it will.  Not known: none is. */
static bool is_roots(in_port_t port)
{
    FILE *in = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    char line[16] = "";
    bool is_read = in != NULL && fgets(line, sizeof line, in) != NULL;

    if (in != NULL)
        (void)fclose(in); /* only read from */
    return is_read && (unsigned long)port < strtoul(line, NULL, 10);
}

/* ---- where ---- */

static bool read_port(const char *text, in_port_t *ret)
{
    unsigned long port = strtoul(text, NULL, 10);

    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || port > UINT16_MAX)
        return false;
    *ret = (in_port_t)port;
    return true;
}

static bool read_end(const char *ip_port, struct postern_tcp_address *ret)
{
    struct plugin_peer p = plugin_peer_parse(ip_port);
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    in_port_t port;

    if (!read_port(p.port, &port))
        return false;
    v4.sin_port = v6.sin6_port = htons(port);
    if (inet_pton(AF_INET, p.ip, &v4.sin_addr) == 1)
        return postern_tcp_address_from((const struct sockaddr *)&v4, sizeof v4, ret);
    return inet_pton(AF_INET6, p.ip, &v6.sin6_addr) == 1 &&
           postern_tcp_address_from((const struct sockaddr *)&v6, sizeof v6, ret);
}

static bool is_name_of_loopback(const char *name)
{
    struct plugin_peer named = { .ip = "" };

    if (name == NULL || snprintf(named.ip, sizeof named.ip, "%s", name) >= (int)sizeof named.ip)
        return false;
    return strcasecmp(name, "localhost") == 0 || plugin_peer_is_loopback(&named);
}

/* ---- the way ---- */

static postern_err check_owner(const struct postern_tcp_address *self,
                               const struct postern_tcp_address *server, postern_error *err)
{
    uid_t owner = POSTERN_OVERFLOW_UID;
    postern_error why = { 0 };

    if (is_roots(server->port))
        return POSTERN_OK;
    if (postern_tcp_peer_owner_between(self, server, &owner, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, NO_TOKEN,
                            "who answers on this machine is not known (%s): it takes TLS",
                            why.detail);
    if (owner == POSTERN_OVERFLOW_UID) /* naming him would trust all whom the namespace lacks */
        return POSTERN_FAIL(err, NO_TOKEN,
                            "uid %lu answers on this machine, which is everybody whom this user "
                            "namespace does not know, and cannot be named: it takes TLS",
                            (unsigned long)owner);
    if (!postern_owner_is_trusted(owner, secure_getenv(SERVER_USER)))
        return POSTERN_FAIL(err, NO_TOKEN,
                            "uid %lu answers on this machine, neither root nor you: it takes TLS, "
                            "or " SERVER_USER " names the server's user",
                            (unsigned long)owner);
    return POSTERN_OK;
}

static postern_err check_loopback(const sasl_client_params_t *params, postern_error *err)
{
    struct postern_tcp_address self, server;

    if (!is_name_of_loopback(params->serverFQDN))
        return POSTERN_FAIL(err, NO_TOKEN,
                            "the name asked for is none of this machine's, but led here: it takes "
                            "TLS, or localhost");
    if (!read_end(params->iplocalport, &self) || !read_end(params->ipremoteport, &server))
        return POSTERN_FAIL(err, NO_TOKEN, "who answers on this machine is not known: it takes TLS");
    if (self.port == 0 && server.port == 0) /* libvirt: a unix socket, whose folder has an owner */
        return POSTERN_OK;
    return check_owner(&self, &server, err);
}

postern_err client_check_way(const sasl_client_params_t *params, postern_error *err)
{
    switch (plugin_tls_state(params->external_ssf, params->iplocalport, params->ipremoteport)) {
    case POSTERN_TLS_ON:
        return POSTERN_OK;
    case POSTERN_TLS_LOCAL:
        return check_loopback(params, err);
    case POSTERN_TLS_UNKNOWN:
    case POSTERN_TLS_NONE:
        break;
    }
    return POSTERN_FAIL(err, NO_TOKEN,
                        "tokens found without asking go over TLS, or to programs of this machine "
                        "that are known to answer");
}
