/* SPDX-License-Identifier: BSD-2-Clause */
/* See redis_request.h.  The protocol: redis.io/docs/latest/develop/reference/protocol-spec */
#include "redis_request.h"

#include "redis_keys.h"

#define END_LEN    2 /* CRLF */
#define HEADER_MAX 12 /* bytes of a mark, the digits of REDIS_BULK_MAX, and CRLF */

/* mark digits CRLF at the beginning of `in`. */
static redis_scan_end read_header(postern_bytes in, uint8_t mark, uint64_t max, uint64_t *ret,
                                  size_t *ret_len)
{
    size_t len = in.len < HEADER_MAX ? in.len : HEADER_MAX;
    size_t digits = 1;

    if (len == 0)
        return REDIS_SCAN_MORE;
    if (in.ptr[0] != mark)
        return REDIS_SCAN_BROKEN;
    while (digits < len && in.ptr[digits] >= '0' && in.ptr[digits] <= '9')
        digits++;
    if (digits == len)
        return len == HEADER_MAX ? REDIS_SCAN_BROKEN : REDIS_SCAN_MORE;
    if (in.ptr[digits] != '\r' ||
        !redis_read_number((postern_bytes){ in.ptr + 1, digits - 1 }, ret) || *ret > max)
        return REDIS_SCAN_BROKEN;
    if (digits + 1 == in.len)
        return REDIS_SCAN_MORE;
    if (in.ptr[digits + 1] != '\n')
        return REDIS_SCAN_BROKEN;
    *ret_len = digits + END_LEN;
    return REDIS_SCAN_DONE;
}

static postern_bytes behind(postern_bytes in, size_t at)
{
    return at < in.len ? (postern_bytes){ in.ptr + at, in.len - at } : POSTERN_BYTES_NONE;
}

static redis_scan_end read_count(struct redis_scan *s, postern_bytes in)
{
    uint64_t count;
    size_t len;
    redis_scan_end end = read_header(in, '*', REDIS_WORDS_MAX, &count, &len);

    if (end != REDIS_SCAN_DONE)
        return end;
    if (count == 0) /* Redis passes over it without an answer; no client sends it */
        return REDIS_SCAN_BROKEN;
    s->count = (size_t)count;
    s->at = len;
    return REDIS_SCAN_DONE;
}

/* Are the bytes of CRLF that are here CRLF's? */
static bool may_end(postern_bytes in, size_t at)
{
    return (at >= in.len || in.ptr[at] == '\r') && (at + 1 >= in.len || in.ptr[at + 1] == '\n');
}

static redis_scan_end read_word(struct redis_scan *s, postern_bytes in, size_t max)
{
    uint64_t len;
    size_t header, end;
    redis_scan_end e = read_header(behind(in, s->at), '$', REDIS_BULK_MAX, &len, &header);

    if (e != REDIS_SCAN_DONE)
        return e;
    end = s->at + header + (size_t)len;
    if (end + END_LEN > max) {
        s->at += header;
        s->rest = (size_t)len + END_LEN;
        return REDIS_SCAN_LARGE;
    }
    if (!may_end(in, end))
        return REDIS_SCAN_BROKEN;
    if (in.len < end + END_LEN)
        return REDIS_SCAN_MORE;
    s->at = end + END_LEN;
    s->known++;
    return REDIS_SCAN_DONE;
}

redis_scan_end redis_scan_step(struct redis_scan *s, postern_bytes in, size_t max)
{
    redis_scan_end end = s->count == 0 ? read_count(s, in) : REDIS_SCAN_DONE;

    while (end == REDIS_SCAN_DONE && s->known < s->count)
        end = read_word(s, in, max);
    return end;
}

void redis_scan_words(postern_bytes in, size_t count, postern_bytes *ret)
{
    size_t at = 0, header;
    uint64_t len;

    if (read_header(in, '*', REDIS_WORDS_MAX, &len, &header) != REDIS_SCAN_DONE)
        count = 0; /* the caller scanned it: it is there */
    else
        at = header;
    for (size_t i = 0; i < count; i++) {
        if (read_header(behind(in, at), '$', REDIS_BULK_MAX, &len, &header) != REDIS_SCAN_DONE)
            len = header = 0;
        at += header;
        ret[i] = (postern_bytes){ in.ptr + at, (size_t)len };
        at += (size_t)len + END_LEN;
    }
}

/* Bytes of the word that is under way: its last two are CRLF. */
static redis_scan_end take_rest(struct redis_scan *s, postern_bytes in, size_t *used)
{
    while (s->rest != 0 && *used < in.len) {
        size_t left = in.len - *used;
        size_t body = s->rest > END_LEN ? s->rest - END_LEN : 0;

        if (body == 0) {
            if (in.ptr[*used] != (s->rest == END_LEN ? '\r' : '\n'))
                return REDIS_SCAN_BROKEN;
            body = 1;
        }
        left = left < body ? left : body;
        s->rest -= left;
        *used += left;
    }
    if (s->rest != 0)
        return REDIS_SCAN_MORE;
    s->known++;
    return REDIS_SCAN_DONE;
}

redis_scan_end redis_scan_rest(struct redis_scan *s, postern_bytes in, size_t *ret_used)
{
    uint64_t len;
    size_t header;

    *ret_used = 0;
    while (s->known < s->count) {
        redis_scan_end end;

        if (s->rest == 0) {
            end = read_header(behind(in, *ret_used), '$', REDIS_BULK_MAX, &len, &header);
            if (end != REDIS_SCAN_DONE)
                return end;
            *ret_used += header;
            s->rest = (size_t)len + END_LEN;
        }
        end = take_rest(s, in, ret_used);
        if (end != REDIS_SCAN_DONE)
            return end;
    }
    return REDIS_SCAN_DONE;
}
