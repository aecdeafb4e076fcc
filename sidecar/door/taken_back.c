/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that only grow by what our own issuer and control say (taken_back.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "taken_back.h"

struct revocation {
    char   *issuer, *client;
    int64_t before_s;
};

struct taken_back {
    struct revocation *revocations;
    size_t             count, room;
    char               ready_issuer[POSTERN_URL_MAX]; /* the embedded one; "": not yet */
    postern_block     *blocks, *coming;
    size_t             block_count, coming_count, coming_room;
    bool               has_blocks;
};

postern_err taken_back_new(struct taken_back **ret, postern_error *err)
{
    struct taken_back *t = calloc(1, sizeof *t);

    if (t == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocations of a door");
    *ret = t;
    return POSTERN_OK;
}

void taken_back_free(struct taken_back *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->revocations[i].issuer);
        free(t->revocations[i].client);
    }
    free(t->revocations);
    free(t->blocks);
    free(t->coming);
    free(t);
}

/* ---- revocations ---- */

static struct revocation *find(const struct taken_back *t, const char *issuer, const char *client)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->revocations[i].client, client) == 0 &&
            strcmp(t->revocations[i].issuer, issuer) == 0)
            return &t->revocations[i];
    return NULL;
}

static bool grow(struct taken_back *t)
{
    size_t room = t->room == 0 ? 32 : t->room * 2;
    struct revocation *grown;

    if (t->count < t->room)
        return true;
    if (t->count >= POSTERN_REVOCATIONS_MAX)
        return false;
    grown = reallocarray(t->revocations, room, sizeof *grown);
    if (grown == NULL)
        return false;
    t->revocations = grown;
    t->room = room;
    return true;
}

postern_err taken_back_revoke(struct taken_back *t, const char *issuer, const char *client,
                              int64_t before_s, bool *ret_is_new, postern_error *err)
{
    struct revocation *r = find(t, issuer, client), fresh = { .before_s = before_s };

    *ret_is_new = r == NULL || r->before_s < before_s;
    if (r != NULL) {
        r->before_s = *ret_is_new ? before_s : r->before_s;
        return POSTERN_OK;
    }
    fresh.issuer = strdup(issuer);
    fresh.client = strdup(client);
    if (fresh.issuer == NULL || fresh.client == NULL || !grow(t)) {
        free(fresh.issuer);
        free(fresh.client);
        return POSTERN_FAIL(err, NOMEM, "revocation %zu", t->count + 1);
    }
    t->revocations[t->count++] = fresh;
    return POSTERN_OK;
}

void taken_back_set_ready(struct taken_back *t, const char *issuer)
{
    size_t len = strnlen(issuer, sizeof t->ready_issuer - 1);

    memcpy(t->ready_issuer, issuer, len);
    t->ready_issuer[len] = '\0';
}

/* ---- blocks ---- */

void taken_back_begin_blocks(struct taken_back *t)
{
    free(t->coming);
    t->coming = NULL;
    t->coming_count = t->coming_room = 0;
}

postern_err taken_back_add_block(struct taken_back *t, const postern_block *b, postern_error *err)
{
    if (t->coming_count == POSTERN_BLOCKS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d blocked agents", POSTERN_BLOCKS_MAX);
    if (t->coming_count == t->coming_room) {
        size_t room = t->coming_room == 0 ? 16 : t->coming_room * 2;
        postern_block *grown = reallocarray(t->coming, room, sizeof *grown);

        if (grown == NULL)
            return POSTERN_FAIL(err, NOMEM, "%zu blocks", room);
        t->coming = grown;
        t->coming_room = room;
    }
    t->coming[t->coming_count++] = *b;
    return POSTERN_OK;
}

void taken_back_end_blocks(struct taken_back *t)
{
    free(t->blocks);
    t->blocks = t->coming;
    t->block_count = t->coming_count;
    t->has_blocks = true;
    t->coming = NULL;
    taken_back_begin_blocks(t);
}

/* ---- telling ---- */

/* USAGE: no issuer file trusts that issuer, so none of its tokens opens anything here. */
static postern_err unless_untrusted(postern_err e)
{
    return e == POSTERN_ERR_USAGE ? POSTERN_OK : e;
}

bool taken_back_is_told(const struct taken_back *t, const postern_context *ctx)
{
    const postern_section *server =
        postern_config_section(postern_context_config(ctx), POSTERN_SECTION_SERVER, NULL);

    return t->has_blocks &&
           (server == NULL || strcmp(postern_section_text(server, "issuer"), t->ready_issuer) == 0);
}

postern_err taken_back_tell_blocks(const struct taken_back *t, postern_context *ctx,
                                   postern_error *err)
{
    if (!t->has_blocks)
        return POSTERN_OK;
    return postern_context_set_blocks(ctx, t->blocks, t->block_count, err);
}

postern_err taken_back_tell(const struct taken_back *t, postern_context *ctx, postern_error *err)
{
    const postern_section *server =
        postern_config_section(postern_context_config(ctx), POSTERN_SECTION_SERVER, NULL);

    postern_context_expect_blocks(ctx);
    if (server != NULL)
        POSTERN_TRY(unless_untrusted(postern_context_expect_revocations(
            ctx, postern_section_text(server, "issuer"), err)));
    for (size_t i = 0; i < t->count; i++)
        POSTERN_TRY(unless_untrusted(
            postern_context_revoke_client(ctx, t->revocations[i].issuer, t->revocations[i].client,
                                          t->revocations[i].before_s, err)));
    if (t->ready_issuer[0] != '\0')
        POSTERN_TRY(
            unless_untrusted(postern_context_revocations_ready(ctx, t->ready_issuer, err)));
    return taken_back_tell_blocks(t, ctx, err);
}
