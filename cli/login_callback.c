/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_callback.h.  Strict: bare LF, folded lines, two Host fields and a body are refused. */
#include "config.h" /* first: asks libc for its extensions */

#include <string.h>

#include "login_callback.h"

#define TARGET "/callback"
#define START  "/start"

/* ---- reading ---- */

/* The next line, ended by CRLF; false when there is none, or it holds a control character. */
static bool take_line(postern_reader *r, postern_bytes *ret)
{
    postern_bytes line;

    if (!postern_reader_take_until(r, '\n', &line) || line.len == 0 ||
        line.ptr[line.len - 1] != '\r')
        return false;
    line.len--;
    for (size_t i = 0; i < line.len; i++)
        if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return false;
    *ret = line;
    return true;
}

/* GET SP target SP HTTP/1.x; anything else that is a request line has an empty target. */
static bool read_request_line(postern_bytes line, postern_bytes *ret_target)
{
    postern_reader r = { line };
    postern_bytes method, target;
    bool is_http1;

    if (!postern_reader_take_until(&r, ' ', &method) || method.len == 0 ||
        !postern_reader_take_until(&r, ' ', &target) || target.len == 0)
        return false;
    is_http1 = postern_bytes_equal_str(r.rest, "HTTP/1.1") ||
               postern_bytes_equal_str(r.rest, "HTTP/1.0");
    *ret_target = postern_bytes_equal_str(method, "GET") ? target : POSTERN_BYTES_NONE;
    return is_http1;
}

struct fields {
    postern_bytes host;
    size_t host_count;
    bool has_body;
};

static bool is_name(postern_bytes name, const char *want)
{
    postern_reader r = { name };

    return postern_reader_take_lit_nocase(&r, want) && postern_reader_is_done(&r);
}

static postern_bytes trim(postern_bytes b)
{
    while (b.len != 0 && (b.ptr[0] == ' ' || b.ptr[0] == '\t'))
        b = (postern_bytes){ b.ptr + 1, b.len - 1 };
    while (b.len != 0 && (b.ptr[b.len - 1] == ' ' || b.ptr[b.len - 1] == '\t'))
        b.len--;
    return b;
}

/* NAME ":" value; a name with a blank in it, or none, is not HTTP. */
static bool read_field(postern_bytes line, struct fields *f)
{
    postern_reader r = { line };
    postern_bytes name, value;

    if (!postern_reader_take_until(&r, ':', &name) || name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == ' ' || name.ptr[i] == '\t')
            return false;
    value = trim(r.rest);
    if (is_name(name, "Host")) {
        f->host = value;
        f->host_count++;
    }
    f->has_body |= is_name(name, "Transfer-Encoding") ||
                   (is_name(name, "Content-Length") && !postern_bytes_equal_str(value, "0"));
    return true;
}

static bool read_fields(postern_reader *r, struct fields *f)
{
    postern_bytes line;

    while (take_line(r, &line)) {
        if (line.len == 0)
            return postern_reader_is_done(r); /* nothing is pipelined to a page that is the last */
        if (!read_field(line, f))
            return false;
    }
    return false;
}

/* Only URI characters (RFC 3986 §2): a browser escapes all others. */
static bool is_query(postern_bytes query)
{
    for (size_t i = 0; i < query.len; i++)
        if (query.ptr[i] <= 0x20 || query.ptr[i] >= 0x7f || query.ptr[i] == '#')
            return false;
    return query.len != 0;
}

static bool has_end(postern_bytes head)
{
    return memmem(head.ptr, head.len, "\r\n\r\n", 4) != NULL;
}

enum login_request login_request_read(postern_bytes head, const char *authority,
                                      postern_bytes *ret_query)
{
    postern_reader r = { head }, t;
    postern_bytes line, target;
    struct fields f = { 0 };

    if (!has_end(head))
        return head.len < LOGIN_REQUEST_MAX ? LOGIN_REQUEST_MORE : LOGIN_REQUEST_BAD;
    if (head.len > LOGIN_REQUEST_MAX || !take_line(&r, &line) ||
        !read_request_line(line, &target) || !read_fields(&r, &f) || f.has_body)
        return LOGIN_REQUEST_BAD;
    if (f.host_count != 1 || !postern_bytes_equal_str(f.host, authority))
        return LOGIN_REQUEST_BAD;
    if (postern_bytes_equal_str(target, START))
        return LOGIN_REQUEST_START;
    t = (postern_reader){ target };
    if (!postern_reader_take_lit(&t, TARGET "?") || !is_query(t.rest))
        return LOGIN_REQUEST_OTHER;
    *ret_query = t.rest;
    return LOGIN_REQUEST_CALLBACK;
}

/* ---- pages ---- */

#define FIELDS                                                                                     \
    "Content-Type: text/html; charset=utf-8\r\n"                                                   \
    "Cache-Control: no-store\r\n"                                                                  \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"                      \
    "Referrer-Policy: no-referrer\r\n"                                                             \
    "X-Content-Type-Options: nosniff\r\n"                                                          \
    "Connection: close\r\n"                                                                        \
    "\r\n"
#define HEAD                                                                                       \
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"                              \
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Postern</title></head><body>"
#define TAIL "</body></html>\n"

postern_bytes login_page(enum login_page page)
{
    switch (page) {
    case LOGIN_PAGE_RECEIVED:
        return POSTERN_BYTES_LIT("HTTP/1.1 200 OK\r\n" FIELDS HEAD
                                 "<h1>Your answer has arrived</h1><p>You can close this window; "
                                 "the program that asked goes on by itself.</p>" TAIL);
    case LOGIN_PAGE_NOT_FOUND:
        return POSTERN_BYTES_LIT("HTTP/1.1 404 Not Found\r\n" FIELDS HEAD
                                 "<h1>Nothing here</h1>" TAIL);
    case LOGIN_PAGE_NOT_LED:
        return POSTERN_BYTES_LIT("HTTP/1.1 404 Not Found\r\n" FIELDS HEAD
                                 "<h1>Not known whose browser this is</h1><p>Open the address that "
                                 "the program printed: it leads to the login page from every "
                                 "browser.</p>" TAIL);
    case LOGIN_PAGE_BAD:
        break;
    }
    return POSTERN_BYTES_LIT("HTTP/1.1 400 Bad Request\r\n" FIELDS HEAD
                             "<h1>Not understood</h1>" TAIL);
}

void login_lead(const char *url, postern_buf *out)
{
    postern_buf_add_str(out, "HTTP/1.1 303 See Other\r\nLocation: ");
    postern_buf_add_str(out, url);
    postern_buf_add_str(out, "\r\n" FIELDS HEAD "<h1>The login page is elsewhere</h1>" TAIL);
}
