/* SPDX-License-Identifier: BSD-2-Clause */
/* See postern-private/proc_tcp.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include <postern-private/proc_tcp.h>

#define LINE_ROOM 512 /* bytes of a line of /proc/net/tcp6; the kernel writes fewer than 256 */

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool postern_tcp_address_from(const struct sockaddr *sa, socklen_t len,
                              struct postern_tcp_address *ret)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (len >= sizeof v4 && sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        memcpy(ret->ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(ret->ip + 12, &v4.sin_addr, 4);
        ret->port = ntohs(v4.sin_port);
        return true;
    }
    if (len >= sizeof v6 && sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof v6);
        memcpy(ret->ip, &v6.sin6_addr, 16);
        ret->port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

bool postern_tcp_address_equal(const struct postern_tcp_address *a,
                               const struct postern_tcp_address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
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
static bool take_endpoint(postern_reader *r, struct postern_tcp_address *ret)
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

/* `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`; the rest of the line is not
 * ours to judge. */
bool postern_proc_tcp_read_line(postern_bytes line, struct postern_tcp_socket *ret)
{
    postern_reader r = { line };
    uint64_t v, state, uid, inode;

    skip_blanks(&r);
    if (!take_number(&r, 10, 0, &v) || !postern_reader_take_lit(&r, ": "))
        return false;
    if (!take_endpoint(&r, &ret->local) || !postern_reader_take_byte(&r, ' ') ||
        !take_endpoint(&r, &ret->remote))
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

/* ---- the files ---- */

struct walk {
    postern_err (*visit)(void *arg, postern_bytes line, postern_error *err);
    void *arg;
};

/* All lines behind the heading. */
static postern_err read_lines(FILE *in, const struct walk *w, postern_error *err)
{
    char line[LINE_ROOM];

    if (fgets(line, sizeof line, in) == NULL)
        return POSTERN_FAIL(err, SYSTEM, "the kernel's list of sockets is empty");
    for (size_t n = 0; fgets(line, sizeof line, in) != NULL; n++) {
        size_t len = strlen(line);

        if (len == 0 || line[len - 1] != '\n' || n == POSTERN_PROC_TCP_LINES)
            return POSTERN_FAIL(err, SYSTEM, "the kernel's list of sockets is too long");
        POSTERN_TRY(w->visit(w->arg, (postern_bytes){ (uint8_t *)line, len - 1 }, err));
    }
    return ferror(in) ? POSTERN_FAIL(err, SYSTEM, "reading the kernel's list of sockets: %m")
                      : POSTERN_OK;
}

struct source {
    const char *path;
    bool may_be_missing;
};

/* A kernel without IPv6 has no tcp6, and then nobody listens there. */
static const struct source sources[] = { { "/proc/net/tcp", false }, { "/proc/net/tcp6", true } };

static postern_err read_source(const struct source *s, const struct walk *w, postern_error *err)
{
    FILE *in = fopen(s->path, "re");
    postern_err e;

    if (in == NULL && errno == ENOENT && s->may_be_missing)
        return POSTERN_OK;
    if (in == NULL)
        return POSTERN_FAIL(err, SYSTEM, "%s: %m", s->path);
    e = read_lines(in, w, err);
    (void)fclose(in); /* only read from */
    return e;
}

postern_err postern_proc_tcp_walk(postern_err (*visit)(void *arg, postern_bytes line,
                                                       postern_error *err),
                                  void *arg, postern_error *err)
{
    const struct walk w = { visit, arg };

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        POSTERN_TRY(read_source(&sources[i], &w, err));
    return POSTERN_OK;
}
