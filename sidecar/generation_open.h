/* SPDX-License-Identifier: BSD-2-Clause */
/* What a generation needs of the file system and of the user database, opened or judged by the
 * supervisor.  Called by generation.c and generation_children.c. */
#ifndef POSTERN_SIDECAR_GENERATION_OPEN_H
#define POSTERN_SIDECAR_GENERATION_OPEN_H

#include "child.h"

/*
 * The account of each role that this configuration runs (the others: this process's own).  Started
 * as root, no two roles are one user.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE · POSTERN_ERR_CONFIG_CONFLICT
 */
POSTERN_MUST_USE postern_err open_accounts(const postern_config *c, const struct role *roles,
                                           struct account ret[ROLE_COUNT], postern_error *err);
bool runs_role(const postern_config *c, role_id id); /* does this configuration have that role? */

/* O_RDWR|O_APPEND on audit_file:, or standard output.  POSTERN_OK · CONFIG_FILE */
POSTERN_MUST_USE postern_err open_audit_file(const char *path, int *ret_fd, postern_error *err);
/* The same on audit_checkpoint_file:; -1 where there is none.  POSTERN_OK · CONFIG_FILE */
POSTERN_MUST_USE postern_err open_checkpoint_file(const char *path, int *ret_fd,
                                                  postern_error *err);
/* The issuer's folder, made when missing: its own and nobody else's.  POSTERN_OK · CONFIG_FILE */
POSTERN_MUST_USE postern_err open_state_dir(const char *path, const struct account *owner,
                                            int *ret_fd, postern_error *err);
/* The folder of jwks_file:, before anybody starts who is allowed to read there only if it is there.
 * POSTERN_OK · CONFIG_FILE */
POSTERN_MUST_USE postern_err make_folder_of(const char *file, postern_error *err);
/*
 * The folder of blocks_file:, made for `owner` when missing.  One that belongs to root (a fleet's
 * read-only mount) is taken as it is; nobody else may own or write one.
 *   POSTERN_OK · CONFIG_FILE
 */
POSTERN_MUST_USE postern_err open_blocks_dir(const char *file, const struct account *owner,
                                             int *ret_fd, postern_error *err);
/*
 * A file that a door needs, to be passed on and never read here.
 *   is_secret   a key: nothing for others; group-readable only for root's or our own group
 *   POSTERN_OK · CONFIG_FILE
 */
POSTERN_MUST_USE postern_err open_door_file(const char *path, const char *shown, bool is_secret,
                                            int *ret_fd, postern_error *err);

#endif
