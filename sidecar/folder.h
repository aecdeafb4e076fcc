/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders in which posternd puts what others trust by its place: sockets, the key set, the
 * store, the audit file.  Called by listen.c, published_file.c and generation.c, always before
 * anything is created.
 */
#ifndef POSTERN_SIDECAR_FOLDER_H
#define POSTERN_SIDECAR_FOLDER_H

#include <sys/types.h>

#include <postern/error.h>

typedef enum folder_trust {
    /* It and every folder above it: nobody else can put another in its place. */
    FOLDER_TRUST_CHAIN = 0,
    /* Only it: its parents may belong to a group, as /var/log does on some systems. */
    FOLDER_TRUST_SELF
} folder_trust;

/*
 * Open a folder; make what is missing of its path.  Trusted means: owned by root or by this
 * process's user, and not writable by group or others (root's sticky folders above it, such as
 * /tmp, are fine).
 *
 *   path     absolute; links are followed, and of a chain the folders that they stand in are judged
 *            as well as those that they lead to
 *   mode     of folders made here, 0755 for those above it
 *   ret_fd   O_PATH descriptor of the folder, the caller's
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (the detail names the folder and what to change) ·
 *   POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err folder_open(const char *path, folder_trust trust, mode_t mode,
                                         int *ret_fd, postern_error *err);

/*
 * The same for the folder that holds a file.
 *
 *   file       absolute, not ending in '/'
 *   ret_name   the last part of `file`, borrowed from it
 */
POSTERN_MUST_USE postern_err folder_open_parent(const char *file, folder_trust trust, mode_t mode,
                                                int *ret_fd, const char **ret_name,
                                                postern_error *err);

#endif
