/* SPDX-License-Identifier: BSD-2-Clause */
/* One allocation after the other, freed (and wiped) together.  For parse results that live and
 * die as one. */
#ifndef POSTERN_LIB_ARENA_H
#define POSTERN_LIB_ARENA_H

#include <postern/bytes.h>

typedef struct postern_arena { struct postern_arena_block *head; size_t used, max; } postern_arena;
#define POSTERN_ARENA_INIT(max_bytes) ((postern_arena){ NULL, 0, (max_bytes) })
/* Zeroed, aligned for any type; NULL when full. */
void *postern_arena_alloc(postern_arena *a, size_t len);
/* Copy with NUL; NULL when full. */
char *postern_arena_text(postern_arena *a, postern_bytes from);
void  postern_arena_free(postern_arena *a);

#endif
