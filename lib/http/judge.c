/* SPDX-License-Identifier: BSD-2-Clause */
/* See judge.h.  Order for one exchange: the URL once, each address before its connect(2), the one
 * that stands after it. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/judge.h"
#include "http/url_guard.h"

postern_err postern_judge_url(const struct postern_http_request *rq, struct postern_judge *ret,
                              postern_error *err)
{
    struct postern_judge j = { .is_host_configured = rq->is_host_configured,
                               .listener_uid = rq->listener_uid };
    postern_error why = { 0 };

    if (postern_url_split(postern_bytes_str(rq->url), &j.url, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "%s", why.detail);
    if (!j.url.is_https && !postern_url_is_loopback(&j.url))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "http to %s is refused: it takes https",
                            j.url.host);
    if (!j.url.is_https && !rq->allow_loopback_http)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "http to %s is refused: allow_loopback_http is not set", j.url.host);
    j.check_listener = rq->check_listener && !j.url.is_https;
    *ret = j;
    return POSTERN_OK;
}

postern_err postern_judge_address(struct postern_judge *j, const struct sockaddr *to,
                                  socklen_t to_len, postern_error *err)
{
    struct postern_tcp_address where;
    struct postern_listeners listeners;

    POSTERN_TRY(postern_url_guard_check(&j->url, j->is_host_configured, to, to_len, err));
    if (!j->check_listener)
        return POSTERN_OK;
    if (j->count == POSTERN_JUDGE_ADDRESSES_MAX)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "%s has more than %d addresses", j->url.host,
                            POSTERN_JUDGE_ADDRESSES_MAX);
    POSTERN_TRY(postern_listener_address_from(to, to_len, &where, err));
    POSTERN_TRY(postern_listeners_find(&where, j->listener_uid, &listeners, err));
    j->seen[j->count].where = where;
    j->seen[j->count++].listeners = listeners;
    return POSTERN_OK;
}

/* "127.0.0.1" and 8414, as libcurl reports them. */
static postern_err read_address(const char *ip, int port, struct postern_tcp_address *ret,
                                postern_error *err)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        return postern_listener_address_from((const struct sockaddr *)&v4, sizeof v4, ret, err);
    if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
        return postern_listener_address_from((const struct sockaddr *)&v6, sizeof v6, ret, err);
    return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "connected to something that is no IP address");
}

/* What was seen before connect(2); NULL when the address was never judged. */
static const struct postern_listeners *find_seen(const struct postern_judge *j,
                                                 const struct postern_tcp_address *where)
{
    for (size_t i = 0; i < j->count; i++)
        if (j->seen[i].where.port == where->port &&
            memcmp(j->seen[i].where.ip, where->ip, sizeof where->ip) == 0)
            return &j->seen[i].listeners;
    return NULL;
}

postern_err postern_judge_connected(const struct postern_judge *j, const char *ip, int port,
                                    postern_error *err)
{
    struct postern_tcp_address where;
    struct postern_listeners now;
    const struct postern_listeners *before;

    if (!j->check_listener)
        return POSTERN_OK;
    POSTERN_TRY(read_address(ip, port, &where, err));
    if ((before = find_seen(j, &where)) == NULL)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "connected to an address that was not judged");
    POSTERN_TRY(postern_listeners_find(&where, j->listener_uid, &now, err));
    if (!postern_listeners_are_same(before, &now))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "the listener on port %d changed while we connected", port);
    return POSTERN_OK;
}
