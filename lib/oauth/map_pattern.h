/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which regular expressions a map of user names may hold: such as mean the same to PostgreSQL and
 * to regcomp(3), match a whole name, and cannot be made slow by one.  Called by username_map.c.
 */
#ifndef POSTERN_LIB_MAP_PATTERN_H
#define POSTERN_LIB_MAP_PATTERN_H

#include <postern/bytes.h>

#define POSTERN_MAP_PATTERN_MAX 256 /* bytes: a line that people can still read */
/* Of one pattern: each star more is a loop more inside of the others. */
#define POSTERN_MAP_REPEATS_MAX 16
#define POSTERN_MAP_BOUND_MAX   64 /* of {m,n}: regcomp() writes them out */

/*
 *   text     behind the '/'
 *   ret_at   where in it the fault is
 *   ret_groups   how many ( ) it has; when there is no fault
 * NULL: it may be compiled.  Else the fault, for people.
 */
const char *postern_map_pattern_fault(postern_bytes text, size_t *ret_at, size_t *ret_groups);

#endif
