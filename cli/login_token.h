/* SPDX-License-Identifier: BSD-2-Clause */
/* A token with which the agent acts for a person: of a stored login, refreshed where it is due, and
 * exchanged where another service is meant. */
#ifndef POSTERN_CLI_LOGIN_TOKEN_H
#define POSTERN_CLI_LOGIN_TOKEN_H

#include <postern/exchange.h>

#include "login_store.h"
#include "token_fetch.h"

/* What an exchange is for; NULL: not said. */
struct login_exchange {
    const char *resource, *scope, *purpose, *authorization_details;
    postern_bytes actor_token; /* empty: the agent's own where the settings say so, else none */
    int deadline_ms;           /* 0: the usual one */
};

/*
 * The login's own access token, fresh.  One process refreshes, however many wait; the new refresh
 * token is on the disk before the access token is anybody's.
 *
 *   key   which login
 *   ret   freed by token_got_free(), in every case
 *   POSTERN_OK · LOGIN_NEEDED · USAGE (several fit) · BUSY · codes of postern_refresh_start()
 */
POSTERN_MUST_USE postern_err login_token_obtain(const struct token_settings *s,
                                                const struct login_key *key, postern_bytes secret,
                                                const struct token_want *want,
                                                struct token_got *ret, postern_error *err);
/* `subject` for another token.  POSTERN_OK · codes of postern_exchange_start() */
POSTERN_MUST_USE postern_err login_token_exchange(const struct token_settings *s,
                                                  postern_bytes secret, postern_bytes subject,
                                                  const struct login_exchange *x,
                                                  struct token_got *ret, postern_error *err);
/* What `postern token --login` gives: the login's own token where it is for that resource, else one
 * by exchange. */
POSTERN_MUST_USE postern_err login_token_for(const struct token_settings *s, postern_bytes secret,
                                             const struct token_want *want, struct token_got *ret,
                                             postern_error *err);

#endif
