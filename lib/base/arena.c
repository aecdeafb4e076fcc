/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: blocks that are filled front to back and wiped and freed together.  `max` bounds the
 * bytes handed out, not the slack of the last block.  Called by parsers whose results live and die
 * as one.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_SIZE 4096 /* bytes: a page holds the strings of an ordinary configuration file */

struct postern_arena_block {
    struct postern_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t bytes[];
};

static struct postern_arena_block *add_block(postern_arena *a, size_t at_least)
{
    size_t cap = at_least < BLOCK_SIZE ? BLOCK_SIZE : at_least;
    struct postern_arena_block *b;

    if (cap > SIZE_MAX - sizeof *b)
        return NULL;
    b = calloc(1, sizeof *b + cap);
    if (b == NULL)
        return NULL;
    b->cap = cap;
    b->next = a->head;
    a->head = b;
    return b;
}

void *postern_arena_alloc(postern_arena *a, size_t len)
{
    const size_t align = alignof(max_align_t);
    struct postern_arena_block *b = a->head;
    void *ret;

    if (len == 0)
        len = 1; /* two allocations never share an address */
    if (len > a->max || a->max - len < a->used || len > SIZE_MAX - align)
        return NULL;
    len = (len + align - 1) / align * align;
    if (b == NULL || b->cap - b->used < len)
        b = add_block(a, len);
    if (b == NULL)
        return NULL;
    ret = b->bytes + b->used;
    b->used += len;
    a->used += len < a->max - a->used ? len : a->max - a->used;
    return ret;
}

char *postern_arena_text(postern_arena *a, postern_bytes from)
{
    char *text = from.len == SIZE_MAX ? NULL : postern_arena_alloc(a, from.len + 1);

    if (text != NULL && from.len != 0)
        memcpy(text, from.ptr, from.len); /* the NUL is there: arena memory is zeroed */
    return text;
}

void postern_arena_free(postern_arena *a)
{
    while (a->head != NULL) {
        struct postern_arena_block *b = a->head;

        a->head = b->next;
        postern_wipe(b->bytes, b->used);
        free(b);
    }
    a->used = 0;
}
