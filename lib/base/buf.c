/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The growing buffer.  Storage never moves by realloc(3): the old block is wiped before it goes
 * back, so that a token cannot stay behind in the heap.  Called by every writer.
 */
#include <postern/bytes.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 64 /* bytes of the first block: most names and refs fit, most buffers grow once */

/* Room for `more` bytes and a NUL behind them.  The old block stays in *ret_old: `more` may be a
 * view into it. */
static bool make_room(postern_buf *b, size_t more, uint8_t **ret_old)
{
    size_t need, cap;
    uint8_t *bigger;

    *ret_old = NULL;
    if (b->failed || more > b->max || b->len > b->max - more || b->max == SIZE_MAX)
        return false;
    need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap <= b->max / 2 ? b->cap * 2 : b->max + 1;
    if (cap < CAP_MIN)
        cap = CAP_MIN;
    if (cap < need)
        cap = need;
    bigger = malloc(cap);
    if (bigger == NULL)
        return false;
    if (b->len != 0)
        memcpy(bigger, b->ptr, b->len);
    *ret_old = b->ptr;
    b->ptr = bigger;
    b->cap = cap;
    return true;
}

static void drop_old(uint8_t *old, size_t len)
{
    if (old == NULL)
        return;
    postern_wipe(old, len);
    free(old);
}

/* With a byte left for the NUL; nearly every addition. */
static bool has_room(const postern_buf *b, size_t more)
{
    return !b->failed && more < b->cap - b->len && more <= b->max - b->len;
}

void postern_buf_add(postern_buf *b, postern_bytes more)
{
    size_t old_cap = b->cap;
    uint8_t *old;

    if (more.len != 0 && has_room(b, more.len)) {
        memmove(b->ptr + b->len, more.ptr, more.len);
        b->len += more.len;
        return;
    }
    if (!make_room(b, more.len, &old)) {
        b->failed = true;
        return;
    }
    if (more.len != 0)
        memmove(b->ptr + b->len, more.ptr, more.len);
    b->len += more.len;
    drop_old(old, old_cap);
}

void postern_buf_add_str(postern_buf *b, const char *s)
{
    postern_buf_add(b, postern_bytes_str(s));
}

void postern_buf_add_byte(postern_buf *b, uint8_t c)
{
    if (has_room(b, 1))
        b->ptr[b->len++] = c;
    else
        postern_buf_add(b, (postern_bytes){ &c, 1 });
}

/* Twice through the format: once to measure, once into exactly that room. */
void postern_buf_addf(postern_buf *b, const char *fmt, ...)
{
    size_t old_cap = b->cap;
    uint8_t *old = NULL;
    va_list args;
    int len, written;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || !make_room(b, (size_t)len, &old)) {
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    written = vsnprintf((char *)b->ptr + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    if (written == len)
        b->len += (size_t)len;
    else
        b->failed = true;
    drop_old(old, old_cap);
}

const char *postern_buf_cstr(postern_buf *b)
{
    if (b->failed)
        return NULL;
    if (b->ptr == NULL)
        return "";
    b->ptr[b->len] = '\0'; /* make_room() always leaves a byte for it */
    return (const char *)b->ptr;
}

void postern_buf_reset(postern_buf *b)
{
    postern_wipe(b->ptr, b->len);
    b->len = 0;
    b->failed = false;
}

void postern_buf_free(postern_buf *b)
{
    if (b == NULL)
        return;
    drop_old(b->ptr, b->cap);
    *b = POSTERN_BUF_INIT(b->max);
}
