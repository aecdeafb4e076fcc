/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Request line and fields, read once and strictly; see status_request.h.  Nothing of a request has
 * an effect, so this reader only has to name the page; what it does not like is 400.
 */
#include "status_request.h"

static const struct {
    const char *path;
    status_page page;
} pages[] = {
    { "/healthz", STATUS_HEALTHZ },
    { "/readyz", STATUS_READYZ },
    { "/metrics", STATUS_METRICS },
};

static bool is_token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL); /* RFC 9110 §5.6.2 */
}

static bool is_token(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char(text.ptr[i]))
            return false;
    return text.len != 0;
}

/* A line without its end, which is CRLF; a bare LF is taken too (RFC 9112 §2.2). */
static bool take_line(postern_reader *r, postern_bytes *ret)
{
    if (!postern_reader_take_until(r, '\n', ret))
        return false;
    if (ret->len != 0 && ret->ptr[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

static status_page find_page(postern_bytes target)
{
    target.len = postern_bytes_find(target, '?'); /* no page takes a query; scrapers may send one */
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (postern_bytes_equal_str(target, pages[i].path))
            return pages[i].page;
    return STATUS_NOT_FOUND;
}

static status_page read_request_line(postern_bytes line)
{
    postern_reader r = { line };
    postern_bytes method, target;

    if (!postern_reader_take_until(&r, ' ', &method) || !is_token(method) ||
        !postern_reader_take_until(&r, ' ', &target) || target.len == 0 ||
        !postern_bytes_is_printable(target) || !postern_reader_take_lit(&r, "HTTP/1.") ||
        r.rest.len != 1 || (r.rest.ptr[0] != '0' && r.rest.ptr[0] != '1'))
        return STATUS_BAD;
    if (!postern_bytes_equal_str(method, "GET"))
        return STATUS_NOT_ALLOWED;
    return find_page(target);
}

static bool is_name(postern_bytes name, const char *want)
{
    postern_reader r = { name };

    return postern_reader_take_lit_nocase(&r, want) && postern_reader_is_done(&r);
}

static bool is_zero(postern_bytes value)
{
    postern_reader r = { value };

    while (postern_reader_take_byte(&r, ' ') || postern_reader_take_byte(&r, '\t'))
        ;
    return postern_bytes_equal_str(r.rest, "0");
}

/* A body would stand behind the head: none of the pages takes one. */
static bool is_field_fine(postern_bytes line)
{
    postern_reader r = { line };
    postern_bytes name;

    if (!postern_reader_take_until(&r, ':', &name) || !is_token(name))
        return false;
    if (is_name(name, "Transfer-Encoding"))
        return false;
    if (is_name(name, "Content-Length"))
        return is_zero(r.rest);
    for (size_t i = 0; i < r.rest.len; i++)
        if (r.rest.ptr[i] < 0x20 && r.rest.ptr[i] != '\t')
            return false;
    return true;
}

static bool is_complete(postern_bytes head)
{
    postern_reader r = { head };
    postern_bytes line;

    while (take_line(&r, &line))
        if (line.len == 0)
            return true;
    return false;
}

status_page status_request_read(postern_bytes head)
{
    postern_reader r = { head };
    postern_bytes line;
    status_page page;

    if (!is_complete(head))
        return head.len >= STATUS_HEAD_MAX ? STATUS_BAD : STATUS_MORE;
    if (!take_line(&r, &line))
        return STATUS_BAD;
    page = read_request_line(line);
    /* A method that is not allowed is told so even with its body. */
    while (page != STATUS_NOT_ALLOWED && take_line(&r, &line) && line.len != 0)
        if (!is_field_fine(line))
            return STATUS_BAD;
    return page;
}
