/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map from proved names to local users, in the syntax of PostgreSQL's pg_ident.conf without its
 * first column: a name, or a regular expression behind a slash, and the local user, in which \1 is
 * what the expression's first group matched.  The first line that matches counts.  Read by
 * config_maps.c, asked by identity.c.
 */
#ifndef POSTERN_LIB_USERNAME_MAP_H
#define POSTERN_LIB_USERNAME_MAP_H

#include <postern/bytes.h>

#define POSTERN_MAP_FILE_MAX ((size_t)1 << 20) /* bytes: all lines below */
/* Of one in a dump: each quotation mark twice, and two more and a number for each line. */
#define POSTERN_MAP_DUMP_MAX (3 * POSTERN_MAP_FILE_MAX)
/* Each is compared with each name: 10,000 take 100 us.  More people belong in a claim. */
#define POSTERN_MAP_LINES_MAX 10000
/* Each may take 50 us for a name of 1 KiB. */
#define POSTERN_MAP_PATTERNS_MAX 64

struct username_map; /* immutable; thread-safe */

/*
 *   shown   how errors call the file
 *   POSTERN_OK · CONFIG_SYNTAX (with file:line:column) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_username_map_parse(const char *shown, postern_bytes text,
                                                        struct username_map **ret,
                                                        postern_error *err);
/* Read what postern_username_map_dump() wrote: lines keep the numbers that they had in their file.
 */
POSTERN_MUST_USE postern_err postern_username_map_parse_dump(const char *shown, postern_bytes text,
                                                             struct username_map **ret,
                                                             postern_error *err);
/* As a valid file, each line under "# line N". */
void postern_username_map_dump(const struct username_map *m, postern_buf *out);
void postern_username_map_free(struct username_map *m); /* NULL is fine */

/*
 *   name       1 to POSTERN_IDENTITY_MAX bytes without NUL
 *   out        the user is appended
 *   ret_line   of the file
 *   POSTERN_OK · NO_MAPPING (no line, nothing in place of \1, too long) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_username_map_find(const struct username_map *m,
                                                       postern_bytes name, postern_buf *out,
                                                       int *ret_line, postern_error *err);

/* Whom line i can name: before, then what \1 is, then behind. */
struct username_map_user {
    postern_bytes before, behind;
    bool is_whole; /* without \1; behind is empty */
    int line;      /* of the file */
};
size_t postern_username_map_count(const struct username_map *m);
/* False past the last line. */
bool postern_username_map_user(const struct username_map *m, size_t i,
                               struct username_map_user *ret);
const char *postern_username_map_shown(const struct username_map *m);

#endif
