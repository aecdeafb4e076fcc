/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `postern audit show|follow|verify` and `postern why` share: where the audit file is, and
 * exit codes.
 */
#ifndef POSTERN_CLI_AUDIT_H
#define POSTERN_CLI_AUDIT_H

#include <postern/config.h>

enum { AUDIT_DONE = 0, AUDIT_BROKEN = 1, AUDIT_USAGE = 2, AUDIT_UNREADABLE = 3 };

/*
 * The file that was named, or `audit_file:` of the configuration.
 *
 *   named        may be NULL
 *   option       with which one is named, for the message
 *   ret_config   keeps *ret_path alive; untouched when the configuration is not read
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (records go to standard output) · codes of
 *   postern_config_load()
 */
POSTERN_MUST_USE postern_err audit_file_path(const char *named, const char *config_dir,
                                             const char *option, postern_config **ret_config,
                                             const char **ret_path, postern_error *err);
/* For reading; "-" is standard input.  POSTERN_OK · POSTERN_ERR_CONFIG_FILE */
POSTERN_MUST_USE postern_err audit_file_open(const char *path, int *ret_fd, postern_error *err);

/* argv[0] is the verb. */
int audit_show(int argc, char **argv);
int audit_follow(int argc, char **argv);
int audit_verify(int argc, char **argv);
int audit_key(int argc, char **argv);
int audit_digest(int argc, char **argv);

#endif
