/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads /proc/net/tcp and tcp6 (proc(5)); see listener.h.  Whatever is not exactly as the kernel
 * writes it is "unclear". */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "http/listener.h"

#define STATE_LISTEN 0x0a /* TCP_LISTEN of the kernel's tcp_states.h */

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

postern_err postern_listener_address_from(const struct sockaddr *sa, socklen_t len,
                                          struct postern_listener_address *ret, postern_error *err)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (len >= sizeof v4 && sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        memcpy(ret->ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(ret->ip + 12, &v4.sin_addr, 4);
        ret->port = ntohs(v4.sin_port);
        return POSTERN_OK;
    }
    if (len >= sizeof v6 && sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof v6);
        memcpy(ret->ip, &v6.sin6_addr, 16);
        ret->port = ntohs(v6.sin6_port);
        return POSTERN_OK;
    }
    return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the other end has no IP address");
}

static void skip_blanks(postern_reader *r)
{
    while (postern_reader_take_byte(r, ' '))
        ;
}

/* -1: not a digit of base 10 or 16. */
static int digit_value(uint8_t c, unsigned base)
{
    int v = -1;

    if (c >= '0' && c <= '9')
        v = c - '0';
    else if (c >= 'A' && c <= 'F')
        v = c - 'A' + 10;
    return v < (int)base ? v : -1;
}

/* A number of 1..19 digits (width 0), or of exactly `width`. */
static bool take_number(postern_reader *r, unsigned base, size_t width, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;

    while (n < r->rest.len && n < (width != 0 ? width : 19) &&
           digit_value(r->rest.ptr[n], base) >= 0)
        v = v * base + (unsigned)digit_value(r->rest.ptr[n++], base);
    if (n == 0 || (width != 0 && n != width))
        return false;
    r->rest = (postern_bytes){ r->rest.ptr + n, r->rest.len - n };
    *ret = v;
    return true;
}

/* "0100007F:20DE", or 32 digits for IPv6: words of 32 bits as this machine stores them, printed as
 * numbers. */
static bool take_endpoint(postern_reader *r, struct postern_listener_address *ret)
{
    size_t words = postern_bytes_find(r->rest, ':') / 8;
    uint64_t v;

    if (words != 1 && words != 4)
        return false;
    memcpy(ret->ip, mapped_prefix, sizeof mapped_prefix);
    for (size_t i = 0; i < words; i++) {
        uint32_t word;

        if (!take_number(r, 16, 8, &v))
            return false;
        word = (uint32_t)v;
        memcpy(ret->ip + (words == 1 ? 12 : i * 4), &word, 4);
    }
    if (!postern_reader_take_byte(r, ':') || !take_number(r, 16, 4, &v))
        return false;
    ret->port = (uint16_t)v;
    return true;
}

struct line {
    struct postern_listener_address local;
    unsigned state;
    uid_t uid;
    uint64_t inode;
};

/* `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`; the rest of the line is not
 * ours to judge. */
static bool read_line(postern_bytes text, struct line *ret)
{
    postern_reader r = { text };
    struct postern_listener_address remote;
    uint64_t v, state, uid, inode;

    skip_blanks(&r);
    if (!take_number(&r, 10, 0, &v) || !postern_reader_take_lit(&r, ": "))
        return false;
    if (!take_endpoint(&r, &ret->local) || !postern_reader_take_byte(&r, ' ') ||
        !take_endpoint(&r, &remote))
        return false;
    if (!postern_reader_take_byte(&r, ' ') || !take_number(&r, 16, 2, &state) ||
        !postern_reader_take_byte(&r, ' '))
        return false;
    if (!take_number(&r, 16, 8, &v) || !postern_reader_take_byte(&r, ':') ||
        !take_number(&r, 16, 8, &v))
        return false; /* queues */
    if (!postern_reader_take_byte(&r, ' ') || !take_number(&r, 16, 2, &v) ||
        !postern_reader_take_byte(&r, ':'))
        return false; /* timer */
    if (!take_number(&r, 16, 8, &v) || !postern_reader_take_byte(&r, ' ') ||
        !take_number(&r, 16, 8, &v))
        return false; /* expiry, retransmissions */
    skip_blanks(&r);
    if (!take_number(&r, 10, 0, &uid) || uid > UINT32_MAX || !postern_reader_take_byte(&r, ' '))
        return false;
    skip_blanks(&r);
    if (!take_number(&r, 10, 0, &v) || !postern_reader_take_byte(&r, ' ') ||
        !take_number(&r, 10, 0, &inode))
        return false;
    if (!postern_reader_is_done(&r) && !postern_reader_take_byte(&r, ' '))
        return false; /* a number that runs into something else */
    ret->state = (unsigned)state;
    ret->uid = (uid_t)uid;
    ret->inode = inode;
    return true;
}

/* The address itself, or the wildcard of its family; "::" takes IPv4 too unless IPV6_V6ONLY, which
 * /proc does not tell. */
static bool serves(const struct postern_listener_address *local,
                   const struct postern_listener_address *where)
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
                                       const struct postern_listener_address *where,
                                       postern_bytes line, postern_error *err)
{
    struct line l;

    if (!read_line(line, &l))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the kernel's list of sockets cannot be read");
    if (l.state != STATE_LISTEN || !serves(&l.local, where))
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

/* All lines behind the heading. */
static postern_err read_lines(FILE *in, const struct postern_listener_address *where,
                              struct postern_listeners *set, postern_error *err)
{
    char line[POSTERN_LISTENER_LINE];

    if (fgets(line, sizeof line, in) == NULL)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the kernel's list of sockets is empty");
    for (size_t n = 0; fgets(line, sizeof line, in) != NULL; n++) {
        size_t len = strlen(line);

        if (len == 0 || line[len - 1] != '\n' || n == POSTERN_LISTENER_LINES)
            return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the kernel's list of sockets is too long");
        POSTERN_TRY(postern_listeners_add_line(set, where,
                                               (postern_bytes){ (uint8_t *)line, len - 1 }, err));
    }
    return ferror(in)
               ? POSTERN_FAIL(err, ISSUER_UNTRUSTED, "reading the kernel's list of sockets: %m")
               : POSTERN_OK;
}

struct source {
    const char *path;
    bool may_be_missing;
};

/* A kernel without IPv6 has no tcp6, and then nobody listens there. */
static const struct source sources[] = { { "/proc/net/tcp", false }, { "/proc/net/tcp6", true } };

static postern_err read_source(const struct source *s, const struct postern_listener_address *where,
                               struct postern_listeners *set, postern_error *err)
{
    FILE *in = fopen(s->path, "re");
    postern_err e;

    if (in == NULL && errno == ENOENT && s->may_be_missing)
        return POSTERN_OK;
    if (in == NULL)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "%s: %m", s->path);
    e = read_lines(in, where, set, err);
    (void)fclose(in); /* only read from */
    return e;
}

postern_err postern_listeners_find(const struct postern_listener_address *where, uid_t uid,
                                   struct postern_listeners *ret, postern_error *err)
{
    struct postern_listeners set = { 0 };

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        POSTERN_TRY(read_source(&sources[i], where, &set, err));
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
