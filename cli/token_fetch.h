/* SPDX-License-Identifier: BSD-2-Clause */
/* One token for one resource: from the user's store, or from the authorization server; the agent's
 * own, or a person's where the settings say so. */
#ifndef POSTERN_CLI_TOKEN_FETCH_H
#define POSTERN_CLI_TOKEN_FETCH_H

#include "token.h"

#define TOKEN_OAUTH_ERROR_ROOM 64 /* bytes: the longest registered `error` has 26 */

struct token_want {
    bool use_no_cache;  /* neither take one from the store nor leave one there */
    bool must_be_new;   /* ask the server even when the store has one; store the answer */
    int64_t min_left_s; /* what a stored one must have left, if more than TOKEN_CACHE_MARGIN_S */
};

struct token_got {
    postern_secret *token;
    postern_token_info info;
    bool is_stored;                           /* came from the store */
    char oauth_error[TOKEN_OAUTH_ERROR_ROOM]; /* of the server that refused; "" otherwise */
};

/*
 * Read the secret's file, look into the store, ask the server.  Blocks, at most for a lock and an
 * operation's deadline.
 *
 *   ret   freed by token_got_free(), in every case
 *   POSTERN_OK · CONFIG_FILE · NOMEM · codes of postern_acquire_start(), of login_token_for()
 */
POSTERN_MUST_USE postern_err token_obtain(const struct token_settings *s,
                                          const struct token_want *want, struct token_got *ret,
                                          postern_error *err);
void token_got_free(struct token_got *g);
/* For what is asked once by a person at a terminal: metadata and one request on a slow day. */
#define TOKEN_PATIENT_MS 15000
/* The server's word, if `op` has one. */
void token_keep_oauth_error(const postern_op *op, struct token_got *ret);
/* The agent's own token for no resource in particular, from the server. */
POSTERN_MUST_USE postern_err token_obtain_own(const struct token_settings *s, postern_bytes secret,
                                              struct token_got *ret, postern_error *err);
/* The credential's file, or nothing for a public client.  POSTERN_OK · CONFIG_FILE · NOMEM */
POSTERN_MUST_USE postern_err token_read_credential(const struct token_settings *s,
                                                   postern_secret **ret, postern_error *err);

#endif
