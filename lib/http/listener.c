/* SPDX-License-Identifier: BSD-2-Clause */
/* Who listens, from the kernel's list of sockets; see listener.h.  Whatever is not exactly as the
 * kernel writes it is "unclear". */
#include "http/listener.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

postern_err postern_listener_address_from(const struct sockaddr *sa, socklen_t len,
                                          struct postern_tcp_address *ret, postern_error *err)
{
    if (!postern_tcp_address_from(sa, len, ret))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the other end has no IP address");
    return POSTERN_OK;
}

/* The address itself, or the wildcard of its family; "::" takes IPv4 too unless IPV6_V6ONLY, which
 * /proc does not tell. */
static bool serves(const struct postern_tcp_address *local, const struct postern_tcp_address *where)
{
    static const uint8_t any_ipv6[16] = { 0 };
    static const uint8_t any_ipv4[16] = { [10] = 0xff, [11] = 0xff };
    bool is_ipv4 = memcmp(where->ip, mapped_prefix, sizeof mapped_prefix) == 0;

    if (local->port != where->port)
        return false;
    return memcmp(local->ip, where->ip, 16) == 0 || memcmp(local->ip, any_ipv6, 16) == 0 ||
           (is_ipv4 && memcmp(local->ip, any_ipv4, 16) == 0);
}

static bool holds_inode(const struct postern_listeners *set, uint64_t inode)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->at[i].inode == inode)
            return true;
    return false;
}

postern_err postern_listeners_add_line(struct postern_listeners *set,
                                       const struct postern_tcp_address *where, postern_bytes line,
                                       postern_error *err)
{
    struct postern_tcp_socket l;

    if (!postern_proc_tcp_read_line(line, &l))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the kernel's list of sockets cannot be read");
    if (l.state != POSTERN_TCP_LISTEN || !serves(&l.local, where))
        return POSTERN_OK;
    if (l.inode == 0)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the listener on port %u has no inode",
                            where->port);
    if (holds_inode(set, l.inode))
        return POSTERN_OK; /* the list moved while it was read */
    if (set->count == POSTERN_LISTENERS_MAX)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "more than %d sockets listen on port %u",
                            POSTERN_LISTENERS_MAX, where->port);
    set->at[set->count].uid = l.uid;
    set->at[set->count++].inode = l.inode;
    return POSTERN_OK;
}

struct search {
    const struct postern_tcp_address *where;
    struct postern_listeners *set;
};

static postern_err add_line(void *arg, postern_bytes line, postern_error *err)
{
    const struct search *s = arg;

    return postern_listeners_add_line(s->set, s->where, line, err);
}

/* A list that cannot be read tells nothing of who listens. */
static postern_err read_all(struct search *s, postern_error *err)
{
    postern_err e = postern_proc_tcp_walk(add_line, s, err);

    if (e != POSTERN_ERR_SYSTEM)
        return e;
    if (err != NULL)
        err->code = POSTERN_ERR_ISSUER_UNTRUSTED;
    return POSTERN_ERR_ISSUER_UNTRUSTED;
}

postern_err postern_listeners_find(const struct postern_tcp_address *where, uid_t uid,
                                   struct postern_listeners *ret, postern_error *err)
{
    struct postern_listeners set = { 0 };
    struct search search = { where, &set };

    POSTERN_TRY(read_all(&search, err));
    if (set.count == 0)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "nobody listens on port %u of this machine",
                            where->port);
    for (size_t i = 0; i < set.count; i++)
        if (set.at[i].uid != 0 && set.at[i].uid != uid)
            return POSTERN_FAIL(
                err, ISSUER_UNTRUSTED,
                "port %u of this machine belongs to uid %lu, neither root nor uid %lu", where->port,
                (unsigned long)set.at[i].uid, (unsigned long)uid);
    *ret = set;
    return POSTERN_OK;
}

bool postern_listeners_are_same(const struct postern_listeners *a,
                                const struct postern_listeners *b)
{
    if (a->count == 0 || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!holds_inode(b, a->at[i].inode))
            return false;
    return true;
}
