/* SPDX-License-Identifier: BSD-2-Clause */
/* See <postern/upkeep.h>.  One issuer after the other: one that is silent costs the next a few
 * seconds, and its logins fetch for themselves meanwhile. */
#include <postern/upkeep.h>

#include "context_inner.h"
#include "retry.h"

/* Of one issuer: its metadata, then its keys, and a second for the steps between. */
#define ISSUER_MS (2 * POSTERN_RETRY_FETCH_MS + 1000)
/* A thousand issuers that are all down at once are seen to in the next round. */
#define DEADLINE_MAX_MS 600000

struct upkeep_op {
    postern_op op;
    postern_context *ctx;
    struct issuer_rules *issuer; /* whose turn it is; NULL: all were seen to */
    struct fetch *wait;          /* NULL: nothing is waited for */
};

/* What went wrong is in an event; here it only matters that the next one gets its turn. */
static postern_err pass(postern_err e, postern_error *err)
{
    if (e == POSTERN_AGAIN)
        return e;
    return e == POSTERN_ERR_NOMEM ? POSTERN_FAIL(err, NOMEM, "upkeep") : POSTERN_OK;
}

static postern_err see_to_metadata(struct upkeep_op *u, postern_error *err)
{
    struct postern_metadata m;

    if (u->issuer->discovery == NULL)
        return POSTERN_OK;
    return pass(postern_discovery_get(u->issuer->discovery, &u->op, DISCOVERY_LOOK_AHEAD, &m,
                                      &u->wait, NULL),
                err);
}

static postern_err see_to_keys(struct upkeep_op *u, postern_error *err)
{
    const struct key_look look = { .how = KEYRING_LOOK_AHEAD };
    POSTERN_AUTO(jwks) keys = NULL;
    uint64_t generation;

    if (postern_keyring_due_in_ms(u->issuer->keys, postern_op_mono_ms(&u->op)) != 0)
        return POSTERN_OK;
    return pass(
        postern_keyring_get(u->issuer->keys, &u->op, &look, &keys, &generation, &u->wait, NULL),
        err);
}

/* AGAIN after each issuer, so that its events are pulled before they are too many. */
static postern_err see_to_issuer(struct upkeep_op *u, postern_error *err)
{
    if (u->issuer == NULL)
        return POSTERN_OK;
    POSTERN_TRY(see_to_metadata(u, err));
    POSTERN_TRY(see_to_keys(u, err));
    u->issuer = u->issuer->next;
    return u->issuer == NULL ? POSTERN_OK : POSTERN_AGAIN;
}

static postern_err step(postern_op *op, postern_error *err)
{
    struct upkeep_op *u = (struct upkeep_op *)op;
    struct fetch *waited = POSTERN_STEAL(u->wait); /* not let go before it was looked at again */
    postern_err e = see_to_issuer(u, err);

    postern_fetch_free(waited);
    return e;
}

static int get_fd(const postern_op *op)
{
    const struct upkeep_op *u = (const struct upkeep_op *)op;

    return u->wait == NULL ? -1 : postern_fetch_fd(u->wait);
}

static int get_wait_ms(const postern_op *op)
{
    const struct upkeep_op *u = (const struct upkeep_op *)op;

    return u->wait == NULL ? 0 : postern_fetch_wait_ms(u->wait);
}

static void destroy(postern_op *op)
{
    struct upkeep_op *u = (struct upkeep_op *)op;

    postern_fetch_free(u->wait);
    postern_context_free(u->ctx);
}

static bool is_ours(const postern_op *op)
{
    return postern_context_is_ours(((const struct upkeep_op *)op)->ctx);
}

static const struct postern_op_class upkeep_class = {
    .name = "upkeep",
    .size = sizeof(struct upkeep_op),
    .step = step,
    .fd = get_fd,
    .wait_ms = get_wait_ms,
    .destroy = destroy,
    .is_ours = is_ours,
};

static int get_deadline_ms(const struct issuer_rules *issuers)
{
    int deadline_ms = ISSUER_MS;

    for (; issuers != NULL && deadline_ms < DEADLINE_MAX_MS; issuers = issuers->next)
        deadline_ms += ISSUER_MS;
    return deadline_ms;
}

postern_err postern_upkeep_start(postern_context *ctx, postern_op **ret_op, postern_error *err)
{
    struct issuer_rules *issuers = postern_context_issuers(ctx);
    struct upkeep_op *u;
    postern_op *op;

    POSTERN_TRY(postern_op_new(&upkeep_class, postern_context_clock(ctx), get_deadline_ms(issuers),
                               &op, err));
    u = (struct upkeep_op *)op;
    u->ctx = postern_context_ref(ctx);
    u->issuer = issuers;
    *ret_op = op;
    return POSTERN_OK;
}

static int64_t get_sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t postern_upkeep_in_ms(postern_context *ctx)
{
    const postern_clock *clock = postern_context_clock(ctx);
    int64_t now_ms = clock->mono_ms(clock->arg), in_ms = -1;

    for (struct issuer_rules *i = postern_context_issuers(ctx); i != NULL; i = i->next) {
        in_ms = get_sooner(in_ms, postern_keyring_due_in_ms(i->keys, now_ms));
        if (i->discovery != NULL)
            in_ms = get_sooner(in_ms, postern_discovery_due_in_ms(i->discovery, now_ms));
    }
    return in_ms;
}

void postern_upkeep_forget(postern_context *ctx)
{
    const postern_clock *clock = postern_context_clock(ctx);
    int64_t now_ms = clock->mono_ms(clock->arg);

    if (!postern_context_is_ours(ctx)) /* whose locks may be held for ever */
        return;
    postern_cache_sweep(postern_context_cache(ctx), now_ms);
    if (postern_context_answers(ctx) != NULL)
        postern_cache_sweep(postern_context_answers(ctx), now_ms);
}
