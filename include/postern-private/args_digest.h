/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in an audit record for the arguments of an action, and what an approval is bound to:
 * a digest under a key that the log's readers do not have, so that nobody guesses short arguments.
 * Doors make it, `postern audit digest` makes it again for whoever has the key; not installed.
 */
#ifndef POSTERN_PRIVATE_ARGS_DIGEST_H
#define POSTERN_PRIVATE_ARGS_DIGEST_H

#include <postern/bytes.h>

#define ARGS_DIGEST_KEY_LEN 32 /* bytes, HMAC-SHA-256 */
#define ARGS_DIGEST_MAX     44 /* bytes with NUL: base64url of 32 bytes */

struct args_digest_key {
    uint8_t bytes[ARGS_DIGEST_KEY_LEN];
};

/*
 * Of an action's name and its pieces, each with its length, so that no two lists of pieces are the
 * same text:
 *
 *   HMAC-SHA-256(key, "postern args 1" · len(action) action · count · len(piece) piece …)
 *
 * and where a session has chosen another database than the first one
 *
 *   HMAC-SHA-256(key, "postern args 2" · len(database) database · len(action) action · count · …)
 *
 * each length and the count in eight bytes, most significant first; base64url without padding.
 *   action     "redis:SET"; NULL is ""
 *   database   "3"; NULL or "": the first, or there is but one
 *   False: the library failed, and nothing may be released
 */
POSTERN_MUST_USE bool args_digest_make(const struct args_digest_key *key, const char *action,
                                       const char *database, const postern_bytes *pieces,
                                       size_t count, char ret[ARGS_DIGEST_MAX]);

/* For whoever makes many under one key: the key is set up once.  One thread at a time. */
struct args_digest_maker;
/* NULL: the library failed. */
struct args_digest_maker *args_digest_maker_new(const struct args_digest_key *key);
void args_digest_maker_free(struct args_digest_maker *m); /* NULL is fine; the key is wiped */
/* As args_digest_make(). */
POSTERN_MUST_USE bool args_digest_make_with(struct args_digest_maker *m, const char *action,
                                            const char *database, const postern_bytes *pieces,
                                            size_t count, char ret[ARGS_DIGEST_MAX]);

#endif
