/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One operation's way to what its token's issuer says of it: remembered, or asked.  Part of
 * validate.c, which judges the claims.
 */
#ifndef POSTERN_LIB_INTROSPECTING_H
#define POSTERN_LIB_INTROSPECTING_H

#include "context_inner.h"
#include "introspector.h"

struct introspecting {
    /* Set by whoever asks, before the first step. */
    postern_context *ctx;
    postern_op *op;
    const struct trust *trust;
    postern_bytes token;
    const char *peer;
    int64_t max_age_ms; /* of an answer that is remembered; 0: as the issuer file says */
    bool is_look_again; /* as of postern_request */
    bool is_embedded;   /* a token of the embedded issuer: asked over its line, never remembered */
    postern_trail *trail;
    enum trail_step trail_step; /* INTROSPECTION, or ACTIVE behind everything else */

    struct cache_key key;
    bool has_key;
    struct cached_token *cached; /* the answer was remembered, */
    struct fetch *question;      /* or asked for */
    const postern_json *claims;  /* NULL: none yet */
    int64_t told_ms;             /* monotonic: the answer is of then, or later */
};

/*
 *   ret_wait   set on AGAIN alone: wait for it, then step again; the caller's to
 * postern_fetch_free() POSTERN_OK (claims) · AGAIN · INACTIVE · what postern_introspector_ask()
 * says, and ISSUER_ANSWER · TIMEOUT · NOMEM
 */
POSTERN_MUST_USE postern_err postern_introspecting_step(struct introspecting *s,
                                                        struct fetch **ret_wait,
                                                        postern_error *err);
/* Since 1970, when the answer is of; by the operation's clocks. */
int64_t postern_introspecting_told_s(const struct introspecting *s);
/* The token was judged: the next login may have the same answer.
 *   exp_s   of the token */
void postern_introspecting_remember(const struct introspecting *s, int64_t exp_s);
void postern_introspecting_end(struct introspecting *s);

#endif
