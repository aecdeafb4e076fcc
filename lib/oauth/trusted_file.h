/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read a small file that decides who gets in (configuration, key sets), and refuse one that others
 * may have written. Blocking.  Called by config_load.c, keyring.c and accounts.c.
 */
#ifndef POSTERN_LIB_TRUSTED_FILE_H
#define POSTERN_LIB_TRUSTED_FILE_H

#include <sys/stat.h>

#include <postern/bytes.h>

enum file_trust {
    FILE_OF_ROOT_OR_SELF = 0, /* owner root or us, nobody else may write; a regular file */
    FILE_NAMED_BY_USER /* whoever runs this program named it on the command line: any file or pipe
                        */
};

/*
 *   path     opened and followed if it is a symbolic link (Kubernetes mounts are)
 *   shown    how errors call it
 *   out      gets the content; its `max` is the limit
 *   ret_st   of the descriptor, before reading; NULL allowed; set even when reading fails, zeroed
 * when there is no file POSTERN_OK · CONFIG_FILE (not there, not readable, not trusted, too large)
 * · NOMEM
 */
POSTERN_MUST_USE postern_err postern_trusted_file_read(const char *path, const char *shown,
                                                       enum file_trust trust, postern_buf *out,
                                                       struct stat *ret_st, postern_error *err);
/* Judge owner and mode alone.  POSTERN_OK · CONFIG_FILE */
POSTERN_MUST_USE postern_err postern_trusted_file_check(const struct stat *st, const char *shown,
                                                        postern_error *err);
/* True when the two are the same content as far as stat(2) can tell. */
bool postern_file_is_same(const struct stat *a, const struct stat *b);

#endif
