/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_fetch.h. */
#include <stdio.h>

#include <postern-private/clock.h>
#include <postern/acquire.h>

#include "login_token.h"
#include "secret_file.h"
#include "token_cache.h"
#include "token_fetch.h"

postern_err token_read_credential(const struct token_settings *s, postern_secret **ret,
                                  postern_error *err)
{
    if (s->auth == POSTERN_CLIENT_AUTH_NONE)
        return postern_secret_new(POSTERN_BYTES_NONE, ret, err);
    return secret_file_read(s->secret_file, ret, err);
}

void token_keep_oauth_error(const postern_op *op, struct token_got *ret)
{
    const char *word = postern_acquire_oauth_error(op);

    if (word != NULL) /* a longer one is none that we know: its beginning does for that */
        (void)snprintf(ret->oauth_error, sizeof ret->oauth_error, "%s", word);
}

static postern_err ask(const postern_acquire *rq, struct token_got *ret, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    POSTERN_TRY(postern_acquire_start(NULL, rq, &op, err));
    e = postern_op_run(op, err);
    token_keep_oauth_error(op, ret);
    if (e != POSTERN_OK)
        return e;
    if ((ret->token = postern_op_take_token(op)) == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a fetch without a token");
    ret->info = *postern_acquire_info(op);
    return POSTERN_OK;
}

postern_err token_obtain_own(const struct token_settings *s, postern_bytes secret,
                             struct token_got *ret, postern_error *err)
{
    const postern_acquire rq = { .size = sizeof rq, .agent = token_agent(s, secret) };

    *ret = (struct token_got){ 0 };
    return ask(&rq, ret, err);
}

/* Ask the server; `c` may be NULL. */
static postern_err fetch(const struct token_settings *s, postern_bytes secret,
                         const struct token_cache *c, struct token_got *ret, postern_error *err)
{
    const postern_acquire rq = {
        .size = sizeof rq,
        .agent = token_agent(s, secret),
        .resource = s->resource,
        .scope = s->scope,
    };

    POSTERN_TRY(ask(&rq, ret, err));
    if (c != NULL)
        token_cache_store(c, clock_wall_s(), postern_secret_bytes(ret->token), &ret->info);
    return POSTERN_OK;
}

static bool find_stored(const struct token_cache *c, const struct token_want *want,
                        struct token_got *ret)
{
    int64_t min_left_s =
        want->min_left_s > TOKEN_CACHE_MARGIN_S ? want->min_left_s : TOKEN_CACHE_MARGIN_S;

    if (c == NULL || want->must_be_new)
        return false;
    ret->is_stored = token_cache_find(c, clock_wall_s(), min_left_s, &ret->token, &ret->info);
    return ret->is_stored;
}

postern_err token_obtain(const struct token_settings *s, const struct token_want *want,
                         struct token_got *ret, postern_error *err)
{
    POSTERN_AUTO(secret) secret = NULL;
    __attribute__((cleanup(token_cache_auto))) struct token_cache *c = NULL;

    *ret = (struct token_got){ 0 };
    POSTERN_TRY(token_read_credential(s, &secret, err));
    if (s->is_login)
        return login_token_for(s, postern_secret_bytes(secret), want, ret, err);
    if (!want->use_no_cache)
        c = token_cache_open(s);
    if (find_stored(c, want, ret))
        return POSTERN_OK;
    return fetch(s, postern_secret_bytes(secret), c, ret, err);
}

void token_got_free(struct token_got *g)
{
    postern_secret_free(g->token);
    g->token = NULL;
}
