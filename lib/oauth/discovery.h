/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An issuer's metadata (RFC 8414, OpenID Connect Discovery), fetched when it is first needed, kept
 * for a while, fetched again before it is old.  For the keyring, which needs jwks_uri, and for
 * introspection.  Called with an operation that can wait.
 */
#ifndef POSTERN_LIB_DISCOVERY_H
#define POSTERN_LIB_DISCOVERY_H

#include "fetch.h"
#include "grant/op.h"
#include "metadata.h"
#include "server.h"

/* How long a document counts: what Cache-Control says, within these; the lower one where it says
 * nothing.  Endpoints move by announcement, not within the hour. */
#define POSTERN_DISCOVERY_TTL_MS     3600000
#define POSTERN_DISCOVERY_TTL_MAX_MS 86400000
/* How long, from the last good fetch, endpoints are still used while the issuer gives no document:
 * the endpoint itself answers or does not. */
#define POSTERN_DISCOVERY_STALE_MS 604800000
/* While it is unusable, an event each hour: the first of a night is scrolled away by morning. */
#define POSTERN_DISCOVERY_REMIND_MS 3600000

struct discovery; /* thread-safe */

/* AHEAD: for upkeep, which fetches before what is in force is old. */
enum discovery_look { DISCOVERY_LOOK_WHEN_OLD = 0, DISCOVERY_LOOK_AHEAD };

/*
 *   server   kept, not copied; its issuer is a URL without query (config_check.c saw to it)
 *   needs    POSTERN_NEED_* that a document must bring
 *   POSTERN_OK · USAGE (server->issuer is none) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_discovery_new(const struct server *server, unsigned needs,
                                                   struct discovery **ret, postern_error *err);
void postern_discovery_free(struct discovery *d); /* NULL is fine */
/*
 * The metadata in force, or where to wait for it.  Steps a fetch that is under way: ask again when
 * the descriptor is readable, there is no need to step it.
 *   op         for events (metadata.loaded, metadata.unusable, metadata.moved)
 *   ret        copied
 *   ret_wait   set on AGAIN alone; the caller's to postern_fetch_free(), before the context goes
 *   POSTERN_OK · AGAIN · ISSUER_UNREACHABLE · ISSUER_UNTRUSTED · ISSUER_ANSWER · TIMEOUT · NOMEM ·
 *   CONFIG_FILE (tls_ca_file) · SYSTEM
 */
POSTERN_MUST_USE postern_err postern_discovery_get(struct discovery *d, postern_op *op,
                                                   enum discovery_look look,
                                                   struct postern_metadata *ret,
                                                   struct fetch **ret_wait, postern_error *err);
/* How old metadata must be before a doubt makes it old: one request in so long, whatever fails. */
#define POSTERN_DISCOVERY_DOUBT_MS 30000
/* Where it led nobody could be reached, or nothing used: it may be another document by now.  Who asks
 * next looks, when POSTERN_DISCOVERY_DOUBT_MS have passed since it came. */
void postern_discovery_doubt(struct discovery *d);
/* Milliseconds until a look AHEAD has something to do; 0: now. */
int64_t postern_discovery_due_in_ms(struct discovery *d, int64_t now_ms);

#endif
