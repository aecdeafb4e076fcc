/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the audit log's keys, for `postern audit verify`, `key` and `digest`. */
#ifndef POSTERN_CLI_AUDIT_KEYS_H
#define POSTERN_CLI_AUDIT_KEYS_H

#include <postern-private/audit_checkpoint.h>

/*
 * All of a file, of at most `max` bytes.
 *   out   POSTERN_BUF_INIT(max)
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_LIMIT
 */
POSTERN_MUST_USE postern_err audit_key_file_read(const char *path, postern_buf *out,
                                                 postern_error *err);
/* The file that was named, or the one of this name in audit_key_dir.  *ret_path is the caller's to
 * free.  POSTERN_OK · POSTERN_ERR_NOMEM · codes of postern_config_load() */
POSTERN_MUST_USE postern_err audit_key_path(const char *named, const char *config_dir,
                                            const char *file, char **ret_path, postern_error *err);
/* POSTERN_OK · codes of audit_key_file_read() and audit_keys_read() */
POSTERN_MUST_USE postern_err audit_public_keys_read(const char *path, struct audit_keys **ret,
                                                    postern_error *err);

#endif
