/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_target.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/bytes.h>

#include "connect_target.h"

#define UNIX_SUFFIX "+unix"

bool connect_target_is_url(const char *word)
{
    return strstr(word, "://") != NULL;
}

/* Copy into room with a NUL; false when empty or too long. */
static bool keep(postern_bytes from, char *room, size_t room_size)
{
    if (from.len == 0 || from.len >= room_size)
        return false;
    memcpy(room, from.ptr, from.len);
    room[from.len] = '\0';
    return strlen(room) == from.len;
}

static bool ends_with(postern_bytes b, const char *end)
{
    size_t len = strlen(end);

    return b.len > len && memcmp(b.ptr + b.len - len, end, len) == 0;
}

static bool read_service(postern_bytes scheme, struct connect_target *ret)
{
    if (!keep(scheme, ret->service, sizeof ret->service) || !host_is_service(ret->service))
        return false;
    for (char *c = ret->service; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return true;
}

/* 1..65535 without sign, blanks or leading zero, so that it is written in one way only. */
static bool is_port(const char *text)
{
    return text[0] != '0' && strspn(text, "0123456789") == strlen(text) &&
           strtoul(text, NULL, 10) <= 65535;
}

/* "[2001:db8::1]:6380" or "name:6380". */
static bool read_authority(postern_bytes authority, struct connect_target *ret)
{
    postern_reader r = { authority };
    bool is_ipv6 = postern_reader_take_byte(&r, '[');
    postern_bytes host;

    if (!postern_reader_take_until(&r, is_ipv6 ? ']' : ':', &host) ||
        !keep(host, ret->host, sizeof ret->host) || !host_is_name(ret->host) ||
        (strchr(ret->host, ':') != NULL) != is_ipv6)
        return false;
    if (is_ipv6 && !postern_reader_take_byte(&r, ':'))
        return false;
    return keep(r.rest, ret->port, sizeof ret->port) && is_port(ret->port);
}

/* A path as it stands: nothing is decoded, so it names one file only. */
static bool read_path(postern_bytes path, struct connect_target *ret)
{
    (void)snprintf(ret->host, sizeof ret->host, "localhost");
    return keep(path, ret->path, sizeof ret->path) && ret->path[0] == '/' &&
           postern_bytes_is_printable(path) && postern_bytes_find(path, ' ') == path.len;
}

static void write_text(struct connect_target *t)
{
    bool is_ipv6 = strchr(t->host, ':') != NULL;

    if (t->path[0] != '\0') /* TARGET_TEXT_ROOM has room for both */
        (void)snprintf(t->text, sizeof t->text, "%s" UNIX_SUFFIX "://%s", t->service, t->path);
    else
        (void)snprintf(t->text, sizeof t->text, "%s://%s%s%s:%s", t->service, is_ipv6 ? "[" : "",
                       t->host, is_ipv6 ? "]" : "", t->port);
}

postern_err connect_target_parse(const char *url, struct connect_target *ret, postern_error *err)
{
    struct connect_target t = { .port = "" };
    postern_reader r = { postern_bytes_str(url) };
    postern_bytes scheme;
    char room[260];
    bool is_unix;

    if (!postern_reader_take_until(&r, ':', &scheme) || !postern_reader_take_lit(&r, "//"))
        return POSTERN_FAIL(err, USAGE, "%s is not SERVICE://HOST:PORT",
                            postern_error_quote(url, strlen(url), room, sizeof room));
    is_unix = ends_with(scheme, UNIX_SUFFIX);
    if (is_unix)
        scheme.len -= strlen(UNIX_SUFFIX);
    if (!read_service(scheme, &t))
        return POSTERN_FAIL(err, USAGE, "the service before :// is not one word");
    if (is_unix && !read_path(r.rest, &t))
        return POSTERN_FAIL(err, USAGE,
                            "SERVICE" UNIX_SUFFIX "://PATH wants the absolute path of a "
                            "socket, of at most %d bytes",
                            TARGET_PATH_ROOM - 1);
    if (!is_unix && !read_authority(r.rest, &t))
        return POSTERN_FAIL(err, USAGE, "behind :// there must be HOST:PORT and nothing else");
    write_text(&t);
    *ret = t;
    return POSTERN_OK;
}
