/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands behind a star, in a long text: in time that grows with the text and not with the
 * product of both.  Called by pattern.c. */
#ifndef POSTERN_LIB_POLICY_GLOB_H
#define POSTERN_LIB_POLICY_GLOB_H

#include "policy/pattern.h"

/*
 * Does all of `text` match a star with `ops` behind it?  NOT_KNOWN when more than 256 bytes stand
 * between two stars, with names put in, or when the first of them continues a character.
 */
enum pattern_match postern_glob_match(const char *ops, postern_bytes text,
                                      const struct pattern_names *names);

/* Bytes of the character at `i`; the rest of it when `i` is within one. */
size_t postern_glob_char_len(postern_bytes text, size_t i);

#endif
