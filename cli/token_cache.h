/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens between two runs of `postern token`: one file of mode 0600 for each (issuer, client,
 * resource, scope, secret file), in a folder that only the user can enter.  A cache that cannot be
 * used is no error: the caller fetches.  One run at a time fetches for one entry.
 */
#ifndef POSTERN_CLI_TOKEN_CACHE_H
#define POSTERN_CLI_TOKEN_CACHE_H

#include "token.h"

/* A token with less left is fetched anew: a login takes seconds, clocks differ. */
#define TOKEN_CACHE_MARGIN_S 30

struct token_cache; /* one entry, locked */

/* NULL when there is no place for it.  Waits for another run that fetches the same, at most as long
 * as a fetch may take. */
struct token_cache *token_cache_open(const struct token_settings *s);
/* True when a token with more than `min_left_s` left is there. */
bool token_cache_find(const struct token_cache *c, int64_t now_s, int64_t min_left_s,
                      postern_secret **ret_token, postern_token_info *ret_info);
/* Keep a token of known life; anything that goes wrong leaves the cache without it. */
void token_cache_store(const struct token_cache *c, int64_t now_s, postern_bytes token,
                       const postern_token_info *info);
/* Unlocks; NULL is fine. */
void token_cache_close(struct token_cache *c);
static inline void token_cache_auto(struct token_cache **c)
{
    token_cache_close(*c);
}

#endif
