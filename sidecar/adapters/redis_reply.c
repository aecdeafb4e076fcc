/* SPDX-License-Identifier: BSD-2-Clause */
/* See redis_reply.h. */
#include "redis_reply.h"

#include "redis_keys.h"

#define END_LEN 2

/* A line from its first byte; *ret without its end.  MORE leaves it unused. */
static redis_reply_end read_line(postern_bytes in, postern_bytes *ret)
{
    size_t len = in.len < REDIS_LINE_MAX ? in.len : REDIS_LINE_MAX;
    const uint8_t *cr = len == 0 ? NULL : memchr(in.ptr, '\r', len);

    if (cr == NULL)
        return len == REDIS_LINE_MAX || (len != 0 && memchr(in.ptr, '\n', len) != NULL)
                   ? REDIS_REPLY_BROKEN
                   : REDIS_REPLY_MORE;
    len = (size_t)(cr - in.ptr);
    if (memchr(in.ptr, '\n', len) != NULL)
        return REDIS_REPLY_BROKEN;
    if (len + 1 == in.len)
        return REDIS_REPLY_MORE;
    if (in.ptr[len + 1] != '\n')
        return REDIS_REPLY_BROKEN;
    *ret = (postern_bytes){ in.ptr, len };
    return REDIS_REPLY_DONE;
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

/* ":12" where the third element of a message is its number of subscriptions. */
static void keep_third(struct redis_reply *r, postern_bytes digits)
{
    if (!redis_read_number(digits, &r->third))
        r->third = 0;
}

/* The reply that it belongs to follows. */
static redis_reply_end close_attribute(struct redis_reply *r)
{
    r->is_attribute = false;
    r->index = 0;
    r->third = 0;
    return REDIS_REPLY_MORE;
}

/* An element is complete: so may be what it was in. */
static redis_reply_end close_element(struct redis_reply *r)
{
    if (r->depth == 1)
        r->index++;
    while (r->depth != 0 && --r->left[r->depth - 1] == 0) {
        r->depth--;
        if (r->depth == 1)
            r->index++;
        if (r->depth == 0 && r->is_attribute)
            return close_attribute(r);
    }
    return r->depth == 0 ? REDIS_REPLY_DONE : REDIS_REPLY_MORE;
}

static bool read_size(postern_bytes digits, uint64_t max, bool may_be_null, uint64_t *ret,
                      bool *ret_null)
{
    *ret_null = may_be_null && postern_bytes_equal_str(digits, "-1");
    if (*ret_null) {
        *ret = 0;
        return true;
    }
    return redis_read_number(digits, ret) && *ret <= max;
}

/* Something with elements.  An attribute is one more element that is none. */
static redis_reply_end open_aggregate(struct redis_reply *r, uint8_t mark, uint64_t count,
                                      bool is_outermost)
{
    if (r->depth == 1 && r->index == 1 && !r->is_attribute && mark != '|')
        r->found = count;
    if (is_outermost && mark != '|')
        r->rows = count;
    else if (r->depth == 1 && r->index == 1 && r->rows == 2 && mark != '|')
        r->rows = count > 2 ? count : 2; /* a cursor and what was found */
    if (mark == '%' || mark == '|')
        count *= 2;
    if (mark == '|') {
        if (r->depth == 0)
            r->is_attribute = true;
        else if (r->left[r->depth - 1] == UINT64_MAX)
            return REDIS_REPLY_BROKEN;
        else
            r->left[r->depth - 1]++;
    }
    if (count == 0)
        return mark == '|' && r->depth == 0 ? close_attribute(r) : close_element(r);
    if (r->depth == REDIS_DEPTH_MAX)
        return REDIS_REPLY_BROKEN;
    r->left[r->depth++] = count;
    return REDIS_REPLY_MORE;
}

static redis_reply_end open_bulk(struct redis_reply *r, uint64_t len, bool is_null)
{
    if (is_null)
        return close_element(r);
    r->rest = len + END_LEN;
    return REDIS_REPLY_MORE;
}

/* Of which kind a message or an error is. */
static void keep_label(struct redis_reply *r, postern_bytes in)
{
    size_t len = strlen(r->label);

    if (r->is_attribute || r->index != 0 || !(r->depth == 1 || (r->depth == 0 && r->is_error)))
        return;
    for (size_t i = 0; i < in.len && len + 1 < sizeof r->label; i++)
        r->label[len++] = (char)in.ptr[i];
}

/* One line: a whole simple element, or what a longer one begins with. */
static redis_reply_end take_line(struct redis_reply *r, postern_bytes line)
{
    uint8_t mark = line.len == 0 ? 0 : line.ptr[0];
    bool is_outermost = r->depth == 0 && !r->is_attribute, is_null = false;
    postern_bytes text = { line.ptr + 1, line.len == 0 ? 0 : line.len - 1 };
    uint64_t size = 0;

    if (is_outermost && mark != '|') {
        r->type = mark;
        r->is_error = mark == '-' || mark == '!';
        r->rows = 1;
    }
    if (is_one_of(mark, "+-:#,(_")) {
        if (is_outermost) {
            r->is_null = mark == '_';
            r->is_ok = mark == '+' && postern_bytes_equal_str(text, "OK");
        }
        if (is_outermost && mark == '-')
            keep_label(r, text);
        if (mark == ':' && r->depth == 1 && r->index == 2)
            keep_third(r, text);
        return close_element(r);
    }
    if (is_one_of(mark, "$=!")) {
        if (!read_size(text, REDIS_REPLY_BULK_MAX, mark == '$', &size, &is_null))
            return REDIS_REPLY_BROKEN;
        if (is_outermost)
            r->is_null = is_null;
        return open_bulk(r, size, is_null);
    }
    if (!is_one_of(mark, "*%~>|") ||
        !read_size(text, REDIS_ELEMENTS_MAX, mark == '*', &size, &is_null))
        return REDIS_REPLY_BROKEN;
    if (mark == '>' && !is_outermost)
        return REDIS_REPLY_BROKEN; /* a push stands by itself */
    if (is_outermost)
        r->is_null = is_null;
    return open_aggregate(r, mark, size, is_outermost);
}

/* Bytes of a bulk; its last two are CRLF. */
static redis_reply_end take_bulk(struct redis_reply *r, postern_bytes in, size_t *used)
{
    while (r->rest != 0 && *used < in.len) {
        size_t len = in.len - *used;

        if (r->rest > END_LEN) {
            len = len < r->rest - END_LEN ? len : (size_t)(r->rest - END_LEN);
            keep_label(r, (postern_bytes){ in.ptr + *used, len });
        } else {
            if (in.ptr[*used] != (r->rest == END_LEN ? '\r' : '\n'))
                return REDIS_REPLY_BROKEN;
            len = 1;
        }
        r->rest -= len;
        *used += len;
    }
    return r->rest == 0 ? close_element(r) : REDIS_REPLY_MORE;
}

redis_reply_end redis_reply_step(struct redis_reply *r, postern_bytes in, size_t *ret_used)
{
    redis_reply_end end = REDIS_REPLY_MORE;
    size_t used = 0;

    while (end == REDIS_REPLY_MORE && used < in.len) {
        postern_bytes line;

        if (r->rest != 0) {
            end = take_bulk(r, in, &used);
            continue;
        }
        end = read_line((postern_bytes){ in.ptr + used, in.len - used }, &line);
        if (end != REDIS_REPLY_DONE)
            break;
        used += line.len + END_LEN;
        end = take_line(r, line);
    }
    *ret_used = used;
    r->bytes += used;
    return end;
}
