/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An issuer's metadata (RFC 8414, OpenID Connect Discovery), fetched when it is first needed, kept for
 * a while, fetched again before it is old.  For the keyring, which needs jwks_uri, and for
 * introspection.  Called with an operation that can wait.
 */
#ifndef POSTERN_LIB_DISCOVERY_H
#define POSTERN_LIB_DISCOVERY_H

#include "fetch.h"
#include "grant/op.h"
#include "metadata.h"
#include "server.h"

struct discovery; /* thread-safe */

/*
 *   server   kept, not copied
 *   needs    POSTERN_NEED_* that a document must bring
 *   POSTERN_OK · NOMEM
 */
POSTERN_MUST_USE postern_err postern_discovery_new(const struct server *server, unsigned needs,
                                                   struct discovery **ret, postern_error *err);
void postern_discovery_free(struct discovery *d); /* NULL is fine */
/*
 * The metadata in force, or where to wait for it.
 *   op         for events (metadata.loaded, metadata.unusable, metadata.moved)
 *   ret        copied
 *   ret_wait   set on AGAIN alone: step it and ask again; the caller's to postern_fetch_free()
 *   POSTERN_OK · AGAIN · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER · TIMEOUT · NOMEM ·
 *   SYSTEM
 */
POSTERN_MUST_USE postern_err postern_discovery_get(struct discovery *d, postern_op *op,
                                                   struct postern_metadata *ret,
                                                   struct fetch **ret_wait, postern_error *err);

#endif
