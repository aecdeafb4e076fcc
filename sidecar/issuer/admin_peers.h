/* SPDX-License-Identifier: BSD-2-Clause */
/* admin_peers: users and groups that may administer clients.  Root always may: it can become anyone. */
#ifndef POSTERN_ISSUER_ADMIN_PEERS_H
#define POSTERN_ISSUER_ADMIN_PEERS_H

#include <postern/config.h>

struct admin_peers;

/*
 * Resolve the names of admin_peers: once; a name that does not exist here admits nobody and is logged.
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err admin_peers_new(const postern_section *server, struct admin_peers **ret, postern_error *err);
void admin_peers_free(struct admin_peers *p); /* NULL is fine */
/* May the process at the other end of this unix socket?  False, and logged, also when the kernel does not say who it is. */
bool admin_peers_allow(const struct admin_peers *p, int fd);

#endif
