/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `key: value` files, saslauthd and Cyrus style: bytes in, lines out.  Knows no key;
 * lib/oauth/config.c does.
 *
 * '#' starts a comment in column 1 only (URLs hold '#'); a line that begins with a blank
 * continues the one before, also over comments and empty lines (Postfix); an empty value, a line
 * without ':', an indented comment, a NUL, a control character or bytes that are not UTF-8 are
 * errors with line and column.
 */
#ifndef POSTERN_LIB_KEYFILE_H
#define POSTERN_LIB_KEYFILE_H

#include <postern/bytes.h>

#define POSTERN_KEYFILE_MAX 262144  /* bytes: a mapping of thousands belongs in a map file */
#define POSTERN_KEYFILE_LINES 4096
#define POSTERN_KEY_MAX 64          /* bytes of a key with NUL */

typedef struct postern_keyfile_entry {
    char  key[POSTERN_KEY_MAX]; /* lower-cased [a-z0-9_-] */
    /* Continuation lines joined by one space, blanks at both ends cut off. */
    char *value;
    int   line, column;         /* of the value, from 1 */
} postern_keyfile_entry;

typedef struct postern_keyfile postern_keyfile;
/*
 * `name` stands in front of every error ("services/imap.conf:3:7: …"); it is used during the
 * call only.
 *   POSTERN_OK · CONFIG_SYNTAX (also: larger than the limits) · CONFIG_KEY (twice) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_keyfile_parse(const char *name, postern_bytes text,
                                                   postern_keyfile **ret, postern_error *err);
size_t postern_keyfile_count(const postern_keyfile *f);
/* In the order of the file; NULL past the end. */
const postern_keyfile_entry *postern_keyfile_at(const postern_keyfile *f, size_t i);
void postern_keyfile_free(postern_keyfile *f);
static inline void postern_auto_keyfile(postern_keyfile **f) { postern_keyfile_free(*f); }

#endif
