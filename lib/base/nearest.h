/* SPDX-License-Identifier: BSD-2-Clause */
/* Did you mean …?  Edit distance between a word that nobody knows and those that are known. */
#ifndef POSTERN_LIB_NEAREST_H
#define POSTERN_LIB_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes with NUL of a word that is compared: longer ones are no slip of the finger. */
#define POSTERN_NEAREST_MAX 64

/*
 * True when `written` is a likely slip for `meant` and nearer than any before: *best is the least
 * distance so far, POSTERN_NEAREST_MAX to begin with.
 */
bool postern_nearest_is_slip(const char *written, const char *meant, size_t *best);
/* The nearest of `choices`, words with blanks between, into ret; false when none is near. */
bool postern_nearest_word(const char *word, const char *choices, char *ret, size_t ret_size);

#endif
