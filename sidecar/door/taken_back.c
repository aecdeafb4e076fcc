/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that only grow by what our own issuer and control say (taken_back.h); each kind of revocation
 * has a share of its own. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../text_hash.h"
#include "taken_back.h"

#define BUCKETS 8192 /* a power of two: with three full shares a walk is 24 long */

struct revocation {
    LIST_ENTRY(revocation) entry;
    postern_revocation_kind kind;
    int64_t     before_s;
    const char *name; /* behind the issuer */
    char        issuer[];
};
LIST_HEAD(revocation_list, revocation);

struct taken_back {
    struct revocation_list revocations[BUCKETS];
    size_t             count[POSTERN_REVOCATION_KINDS];
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
    for (size_t i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&t->revocations[i])) {
            struct revocation *r = LIST_FIRST(&t->revocations[i]);

            LIST_REMOVE(r, entry);
            free(r);
        }
    free(t->blocks);
    free(t->coming);
    free(t);
}

/* ---- revocations ---- */

static size_t bucket_of(const char *name)
{
    return text_hash(name) & (BUCKETS - 1); /* who makes up names here can remove clients */
}

static struct revocation *find(const struct taken_back *t, const struct revoke_message *m)
{
    struct revocation *r;

    LIST_FOREACH (r, &t->revocations[bucket_of(m->name)], entry)
        if (r->kind == m->kind && strcmp(r->name, m->name) == 0 &&
            strcmp(r->issuer, m->issuer) == 0)
            return r;
    return NULL;
}

static void forget(struct taken_back *t, struct revocation *r)
{
    t->count[r->kind]--;
    LIST_REMOVE(r, entry);
    free(r);
}

/* No token that they are about is alive any more. */
static void forget_old(struct taken_back *t, postern_revocation_kind kind, int64_t oldest_s)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct revocation *r = LIST_FIRST(&t->revocations[i]);

        while (r != NULL) {
            struct revocation *next = LIST_NEXT(r, entry);

            if (r->kind == kind && r->before_s < oldest_s)
                forget(t, r);
            r = next;
        }
    }
}

static postern_err make_room(struct taken_back *t, postern_revocation_kind kind, int64_t now_s,
                             postern_error *err)
{
    if (t->count[kind] >= POSTERN_REVOCATIONS_MAX)
        forget_old(t, kind, now_s - POSTERN_REVOCATION_KEEP_S);
    if (t->count[kind] >= POSTERN_REVOCATIONS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d revocations by %s", POSTERN_REVOCATIONS_MAX,
                            postern_revocation_kind_name(kind));
    return POSTERN_OK;
}

static postern_err add(struct taken_back *t, const struct revoke_message *m, int64_t now_s,
                       postern_error *err)
{
    size_t issuer_size = strlen(m->issuer) + 1, name_size = strlen(m->name) + 1;
    struct revocation *r;

    POSTERN_TRY(make_room(t, m->kind, now_s, err));
    r = malloc(sizeof *r + issuer_size + name_size);
    if (r == NULL)
        return POSTERN_FAIL(err, NOMEM, "revocation of a %s", postern_revocation_kind_name(m->kind));
    memcpy(r->issuer, m->issuer, issuer_size);
    memcpy(r->issuer + issuer_size, m->name, name_size);
    r->name = r->issuer + issuer_size;
    r->kind = m->kind;
    r->before_s = m->before_s;
    LIST_INSERT_HEAD(&t->revocations[bucket_of(m->name)], r, entry);
    t->count[m->kind]++;
    return POSTERN_OK;
}

postern_err taken_back_revoke(struct taken_back *t, const struct revoke_message *m, int64_t now_s,
                              bool *ret_is_new, postern_error *err)
{
    struct revocation *r = find(t, m);
    bool is_later = r != NULL && r->before_s < m->before_s;

    *ret_is_new = r == NULL || (is_later && m->kind == POSTERN_REVOCATION_CLIENT);
    if (r == NULL)
        return add(t, m, now_s, err);
    if (is_later)
        r->before_s = m->before_s;
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

static postern_err tell_revocations(const struct taken_back *t, postern_context *ctx,
                                    postern_error *err)
{
    const struct revocation *r;

    for (size_t i = 0; i < BUCKETS; i++)
        LIST_FOREACH (r, &t->revocations[i], entry)
            POSTERN_TRY(unless_untrusted(
                postern_context_revoke(ctx, r->issuer, r->kind, r->name, r->before_s, err)));
    return POSTERN_OK;
}

postern_err taken_back_tell(const struct taken_back *t, postern_context *ctx, postern_error *err)
{
    const postern_section *server =
        postern_config_section(postern_context_config(ctx), POSTERN_SECTION_SERVER, NULL);

    postern_context_expect_blocks(ctx);
    if (server != NULL)
        POSTERN_TRY(unless_untrusted(postern_context_expect_revocations(
            ctx, postern_section_text(server, "issuer"), err)));
    POSTERN_TRY(tell_revocations(t, ctx, err));
    if (t->ready_issuer[0] != '\0')
        POSTERN_TRY(
            unless_untrusted(postern_context_revocations_ready(ctx, t->ready_issuer, err)));
    return taken_back_tell_blocks(t, ctx, err);
}
