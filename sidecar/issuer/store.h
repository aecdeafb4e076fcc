/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the issuer remembers, on SQLite.  One writer: the issuer child (two for the moment of a
 * reload); a call that returned POSTERN_OK survives kill -9 and power loss.  Knows no grammar:
 * clients.c, people.c and the endpoints check what goes in.  One header a kind of thing:
 * store_clients.h, store_revocations.h, store_users.h, store_grants.h.
 */
#ifndef POSTERN_ISSUER_STORE_H
#define POSTERN_ISSUER_STORE_H

#include <postern/bytes.h>

struct store;

/*
 * Open (make, migrate) the database in `dir`, which must belong to us.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (not ours, newer schema) · POSTERN_ERR_SYSTEM (no
 *   database) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err store_open(const char *dir, struct store **ret, postern_error *err);
void store_close(struct store *s); /* NULL is fine */

#endif
