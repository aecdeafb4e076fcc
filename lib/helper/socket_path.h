/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the way to the helper's socket can be trusted.  Called by client.c before every connect.
 */
#ifndef POSTERN_LIB_SOCKET_PATH_H
#define POSTERN_LIB_SOCKET_PATH_H

#include <sys/types.h>

#include <postern/error.h>

/*
 * Every folder above `path` belongs to root or server_uid, and nobody else may write there unless
 * it is sticky: on the path as written and as it resolves, because /var/run may be a link to /run
 * and both ways must be safe.
 *
 *   path   absolute
 *   POSTERN_OK · POSTERN_ERR_HELPER_UNTRUSTED · POSTERN_ERR_HELPER_UNAVAILABLE (something is not
 * there)
 */
POSTERN_MUST_USE postern_err postern_socket_path_check(const char *path, uid_t server_uid,
                                                       postern_error *err);

#endif
