/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a postern_context, for validate.c, introspecting.c, judge.c and upkeep.c: compiled
 * rules, a pool of workspaces, the list of accounts, the tokens that were proved lately. */
#ifndef POSTERN_LIB_CONTEXT_INNER_H
#define POSTERN_LIB_CONTEXT_INNER_H

#include <postern/context.h>

#include "accounts.h"
#include "blocks.h"
#include "cache.h"
#include "jose/jwt.h"
#include "rules.h"

/* The rules of a service by its file's name or one of its service_names; NULL when no file names
 * it. */
const struct service_rules *postern_context_rules(const postern_context *ctx, const char *service);
struct accounts *postern_context_accounts(const postern_context *ctx);
struct blocks *postern_context_blocks(const postern_context *ctx);
struct cache *postern_context_cache(const postern_context *ctx);
/* All that the configuration names; NULL: none. */
struct issuer_rules *postern_context_issuers(const postern_context *ctx);
/* What issuers said of tokens; NULL: none is asked. */
struct cache *postern_context_answers(const postern_context *ctx);
const postern_clock *postern_context_clock(const postern_context *ctx);
/* False when the clock is the system's own and it was never set. */
bool postern_context_clock_is_sane(const postern_context *ctx, int64_t now_s);
/* True in the process that made it. */
bool postern_context_is_ours(const postern_context *ctx);

/* How issuers are reached, in place of libcurl.  Before the first operation; it outlives ctx. */
void postern_context_set_transport(postern_context *ctx, const postern_http_transport *transport);

/* A workspace from the pool, or a new one.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_context_take_jwt(postern_context *ctx, postern_jwt **ret,
                                                      postern_error *err);
/* Back into the pool, wiped; freed when the pool is full. */
void postern_context_give_jwt(postern_context *ctx, postern_jwt *take_jwt);

#endif
