/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_fetch.h. */
#include <stdio.h>
#include <time.h>

#include "secret_file.h"
#include "token_cache.h"
#include "token_fetch.h"

static int64_t read_clock_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail with this clock */
    return t.tv_sec;
}

static postern_err start_op(const struct token_settings *s, postern_bytes secret, postern_op **ret,
                            postern_error *err)
{
    postern_acquire rq = {
        .size = sizeof rq,
        .agent = { .issuer = s->issuer,
                   .client_id = s->client_id,
                   .credential = secret,
                   .tls_ca_file = s->tls_ca_file,
                   .allow_loopback_http = s->allow_loopback_http,
                   .loopback_uid = s->loopback_uid },
        .resource = s->resource,
        .scope = s->scope,
    };

    return postern_acquire_start(NULL, &rq, ret, err);
}

static void keep_oauth_error(const postern_op *op, struct token_got *ret)
{
    const char *word = postern_acquire_oauth_error(op);

    if (word != NULL) /* a longer one is none that we know: its beginning does for that */
        (void)snprintf(ret->oauth_error, sizeof ret->oauth_error, "%s", word);
}

/* Ask the server; `c` may be NULL. */
static postern_err fetch(const struct token_settings *s, postern_bytes secret,
                         const struct token_cache *c, struct token_got *ret, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    POSTERN_TRY(start_op(s, secret, &op, err));
    e = postern_op_run(op, err);
    keep_oauth_error(op, ret);
    if (e != POSTERN_OK)
        return e;
    if ((ret->token = postern_op_take_token(op)) == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a fetch without a token");
    ret->info = *postern_acquire_info(op);
    if (c != NULL)
        token_cache_store(c, read_clock_s(), postern_secret_bytes(ret->token), &ret->info);
    return POSTERN_OK;
}

static bool find_stored(const struct token_cache *c, const struct token_want *want,
                        struct token_got *ret)
{
    int64_t min_left_s =
        want->min_left_s > TOKEN_CACHE_MARGIN_S ? want->min_left_s : TOKEN_CACHE_MARGIN_S;

    if (c == NULL || want->must_be_new)
        return false;
    ret->is_stored = token_cache_find(c, read_clock_s(), min_left_s, &ret->token, &ret->info);
    return ret->is_stored;
}

postern_err token_obtain(const struct token_settings *s, const struct token_want *want,
                         struct token_got *ret, postern_error *err)
{
    POSTERN_AUTO(secret) secret = NULL;
    __attribute__((cleanup(token_cache_auto))) struct token_cache *c = NULL;

    *ret = (struct token_got){ 0 };
    POSTERN_TRY(secret_file_read(s->secret_file, &secret, err));
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
