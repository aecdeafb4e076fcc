/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens whose signature was proved a moment ago: their claims, so that the next login with the
 * same bytes is spared the proof.  Nothing but the proof is remembered.  Whatever depends on the
 * time, the request or somebody's word (exp, audience, binding, scope, mapping, authzid,
 * revocation, block, the key being in force) is judged again by whoever finds an entry.  Called by
 * validate.c; another one, of what issuers said of tokens, by introspecting.c.
 * doc/decisions/0023-verified-token-cache.md, 0051-introspection.md.
 */
#ifndef POSTERN_LIB_CACHE_H
#define POSTERN_LIB_CACHE_H

#include <postern-private/json.h>

/* How long a proof is taken for granted; less when `exp` is nearer.  What it spares is worth having
 * several times a minute, and a bound in minutes is one that nobody has to think about. */
#define POSTERN_CACHE_KEEP_MS 60000
/* Tokens: a machine's doors hold 5,000 sessions; a busy agent has one token for all of its own. */
#define POSTERN_CACHE_TOKENS_MAX 4096
/* Bytes of all entries: 2 KiB for each, where a common token takes 1.5. */
#define POSTERN_CACHE_BYTES_MAX 8388608
/* Bytes of one: a token of more would push out a hundred others; it is proved each time. */
#define POSTERN_CACHE_ENTRY_MAX 16384
/* Parts with a lock each: more than cores that log somebody in at the same time. */
#define POSTERN_CACHE_SHARDS 8

#define POSTERN_CACHE_DIGEST_LEN 32 /* SHA-256 */

struct cache; /* thread-safe */

/* A token before an issuer and a service.  The cache is a context's, whose configuration never
 * changes, so the generation of the configuration is no field: it is which cache one asks. */
struct cache_key {
    uint8_t digest[POSTERN_CACHE_DIGEST_LEN]; /* of all bytes of the token, signature and all */
    const void *issuer, *service;             /* rules of the context; compared, not followed */
};

/* Never changes once it is found. */
struct cached_token;

/* What was proved. */
struct cache_proof {
    const postern_json *claims; /* copied */
    uint64_t keys_generation;   /* of the key set that proved it */
    uint64_t words;             /* postern_cache_words() when the operation began */
    int64_t now_ms;             /* monotonic */
    int64_t life_s;             /* until exp; none left: it is not kept */
    int64_t keep_ms;            /* 0: POSTERN_CACHE_KEEP_MS */
};

/* POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_cache_new(struct cache **ret, postern_error *err);
/* Wipes every entry; in a forked child those that no thread was busy with.  NULL is fine. */
void postern_cache_free(struct cache *c);

/* False: no memory for it, so this token is neither looked for nor kept. */
bool postern_cache_key_make(struct cache *c, postern_bytes token, const void *issuer,
                            const void *service, struct cache_key *ret);
/* NULL: not there.  Else the caller's until postern_cached_release(). */
struct cached_token *postern_cache_find(struct cache *c, const struct cache_key *key,
                                        int64_t now_ms);
const postern_json *postern_cached_claims(const struct cached_token *t);
uint64_t postern_cached_keys_generation(const struct cached_token *t);
int64_t postern_cached_proved_ms(const struct cached_token *t); /* now_ms of its proof */
void postern_cached_release(struct cached_token *t);            /* NULL is fine */
/*
 * Keep a proof, in place of an earlier one of the same key.  Not kept, which changes no verdict:
 * when somebody's word came since the operation began, when it is too big, dies at once or finds no
 * memory.
 */
void postern_cache_put(struct cache *c, const struct cache_key *key,
                       const struct cache_proof *proof);

/* Nothing of that token is kept any more for that issuer, at whichever service. */
void postern_cache_forget(struct cache *c, const struct cache_key *key);

/* Wipe what is over, asked for again or not. */
void postern_cache_sweep(struct cache *c, int64_t now_ms);

/* How many words that take tokens back (revocations, blocks) came. */
uint64_t postern_cache_words(const struct cache *c);
/* One came, and is in force. */
void postern_cache_note_word(struct cache *c);

/* For tests and benchmarks; of one moment when nobody else is at work. */
struct cache_counts {
    uint64_t found, kept, refused; /* refused: for a word that came meanwhile */
    size_t tokens, bytes;
};
struct cache_counts postern_cache_counts(struct cache *c);

#endif
