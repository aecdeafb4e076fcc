/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As whom issuers are asked about tokens (`client:` of their files).  The supervisor opens each
 * credential while it is root; the children that validate read them and give them to their context.
 */
#ifndef POSTERN_SIDECAR_ISSUER_CLIENTS_H
#define POSTERN_SIDECAR_ISSUER_CLIENTS_H

#include <postern/context.h>

/* Issuers with introspection in one configuration: a fleet's handful, and descriptors in each
 * child. */
#define ISSUER_CLIENTS_MAX 64
/* Of sidecar/role.h's "file", in place of a key of a door. */
#define ISSUER_CLIENT_KEY "issuer_client"

struct issuer_clients {
    struct {
        const postern_section *issuer; /* of the configuration */
        int fd;
    } list[ISSUER_CLIENTS_MAX];
    size_t count;
};

/*
 *   c     lives longer than *ret
 *   ret   issuer_clients_close() in every case
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · LIMIT
 */
POSTERN_MUST_USE postern_err issuer_clients_open(const postern_config *c,
                                                 struct issuer_clients *ret, postern_error *err);
void issuer_clients_close(struct issuer_clients *s);
/* NULL: that issuer is not asked. */
const postern_section *issuer_client_of(const postern_config *c, const postern_section *issuer);
/*
 * To the context whose configuration `issuer` is of.
 *   credential_fd   the caller's
 *   POSTERN_OK · as client_file_read() and postern_context_set_issuer_client()
 */
POSTERN_MUST_USE postern_err issuer_client_give(postern_context *ctx, const postern_section *issuer,
                                                int credential_fd, postern_error *err);

#endif
