/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of an issuer by HTTP: from jwks_uri, written in its file or found by discovery.  A source
 * for keyring.c.  Whatever strangers send, the issuer is asked once in a cool-down.  RFC 7517 §5,
 * RFC 9111.
 */
#ifndef POSTERN_LIB_KEY_FETCH_H
#define POSTERN_LIB_KEY_FETCH_H

#include "discovery.h"
#include "keyring.h"

/* How long a set counts: what Cache-Control says within the bounds.  A key that was withdrawn
 * counts no longer than the highest; an issuer that says "0" is not asked for each login. */
#define POSTERN_KEY_FETCH_TTL_MS     900000
#define POSTERN_KEY_FETCH_TTL_MIN_MS 60000
#define POSTERN_KEY_FETCH_TTL_MAX_MS 86400000
/* How long, from the last good fetch, keys count while the issuer fails: a night and a morning. */
#define POSTERN_KEY_FETCH_STALE_MS 86400000
/* An unknown kid earns a fetch once in so long ... */
#define POSTERN_KEY_FETCH_HURRY_MS 30000
/* ... and so many in an hour: a rotation needs one or two, a flood of strangers gets no more. */
#define POSTERN_KEY_FETCH_HURRIES 10
/* A kid that was not in a set fetched for its sake is not looked for again for so long. */
#define POSTERN_KEY_FETCH_ABSENT_MS 60000
/* Kids remembered as absent: fixed room; a newer one takes the place of an older. */
#define POSTERN_KEY_FETCH_ABSENT_MAX 1024

/*
 *   server      kept, not copied
 *   url         kept; NULL: by discovery
 *   discovery   kept; may be NULL beside a url
 *   POSTERN_OK · NOMEM
 */
POSTERN_MUST_USE postern_err postern_key_fetch_new(const struct server *server, const char *url,
                                                   struct discovery *discovery,
                                                   struct key_source **ret, postern_error *err);

/* RFC 7517 §8.5.2 names the first; most issuers send the second. */
#define POSTERN_KEY_FETCH_ACCEPT "application/jwk-set+json, application/json"
/* Is it a key set, by status and type?  POSTERN_OK · ISSUER_UNREACHABLE · ISSUER_ANSWER */
POSTERN_MUST_USE postern_err postern_key_fetch_judge(const struct postern_http_response *r,
                                                     const char *url, postern_error *err);

#endif
