/* SPDX-License-Identifier: BSD-2-Clause */
/* posternd's own credentials at an authorization server: a section of clients/ and the file that
 * the supervisor opened, made usable in a child. */
#ifndef POSTERN_SIDECAR_CLIENT_FILE_H
#define POSTERN_SIDECAR_CLIENT_FILE_H

#include <postern/context.h>

#define CLIENT_CREDENTIAL_MAX 16384 /* bytes: a secret, or an RSA key in PEM with room */

struct client_file {
    postern_agent agent; /* texts of the section, credential below */
    postern_secret *credential;
};

/*
 *   client          lives longer than *ret
 *   credential_fd   the caller's; its position is not moved: others read it too
 *   ret             client_file_free() in every case
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE (loopback_user) · CONFIG_FILE · SYSTEM · NOMEM
 */
POSTERN_MUST_USE postern_err client_file_read(const postern_section *client, int credential_fd,
                                              struct client_file *ret, postern_error *err);
void client_file_free(struct client_file *f);

#endif
