/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key rotation; see key_ring.h.  The files say which key signs and which is next, the rows say
 * since when: a file without a row (killed between the two) gets its row when it is read.  Called
 * by main.c (timer) and admin.c (`postern keys`).
 */
#include "key_ring.h"

#include <stdlib.h>

#include "keys.h"

#define PUBLIC_MAX (KEY_RING_MAX * (KEY_JWK_MAX + 1) + 32)

struct key_ring {
    struct store *store;
    int dir_fd;
    postern_signing_key *signer, *next; /* next: NULL when none is announced */
    struct key_row rows[KEY_RING_MAX];
    size_t count;
    postern_buf public_set;
};

/* ---- reading ---- */

static struct key_row *find_row(struct key_ring *r, const postern_signing_key *key)
{
    for (size_t i = 0; key != NULL && i < r->count; i++)
        if (strcmp(r->rows[i].kid, postern_signing_key_kid(key)) == 0)
            return &r->rows[i];
    return NULL;
}

static postern_err add_row(struct key_ring *r, const postern_signing_key *key, int64_t now_s,
                           postern_error *err)
{
    POSTERN_AUTO_BUF jwk = POSTERN_BUF_INIT(KEY_JWK_MAX);
    struct key_row row = { .made_s = now_s };

    POSTERN_TRY(postern_signing_key_public_jwk(key, &jwk, err));
    if (jwk.failed || jwk.len >= sizeof row.jwk ||
        strlen(postern_signing_key_kid(key)) >= sizeof row.kid)
        return POSTERN_FAIL(err, NOMEM, "the public half of a signing key");
    memcpy(row.jwk, jwk.ptr, jwk.len);
    memcpy(row.kid, postern_signing_key_kid(key), strlen(postern_signing_key_kid(key)) + 1);
    return store_key_add(r->store, &row, err);
}

static postern_err write_public(struct key_ring *r, postern_error *err)
{
    postern_buf_reset(&r->public_set);
    postern_buf_add_str(&r->public_set, "{\"keys\":[");
    for (size_t i = 0; i < r->count; i++) {
        postern_buf_add_str(&r->public_set, i == 0 ? "" : ",");
        postern_buf_add_str(&r->public_set, r->rows[i].jwk);
    }
    postern_buf_add_str(&r->public_set, "]}");
    return r->public_set.failed ? POSTERN_FAIL(err, NOMEM, "key set") : POSTERN_OK;
}

static postern_err read_rows(struct key_ring *r, postern_error *err)
{
    POSTERN_TRY(store_key_list(r->store, r->rows, KEY_RING_MAX, &r->count, err));
    return write_public(r, err);
}

static bool is_same(const postern_signing_key *a, const postern_signing_key *b)
{
    return a != NULL && b != NULL &&
           strcmp(postern_signing_key_kid(a), postern_signing_key_kid(b)) == 0;
}

/* The same key again stays the object that it was: somebody signs with it. */
static void replace(postern_signing_key **key, postern_signing_key *take_new)
{
    postern_signing_key *gone = is_same(*key, take_new) ? take_new : *key;

    if (gone != take_new)
        *key = take_new;
    postern_signing_key_free(gone);
}

static postern_err read_files(struct key_ring *r, postern_error *err)
{
    POSTERN_AUTO(signing_key) signer = NULL;
    POSTERN_AUTO(signing_key) next = NULL;

    /* In this order: a next one that takes over in between is seen twice, never not at all. */
    POSTERN_TRY(next_key_load(r->dir_fd, &next, err));
    POSTERN_TRY(signing_key_load(r->dir_fd, &signer, err));
    if (is_same(next, signer)) {
        postern_signing_key_free(next);
        next = NULL;
    }
    replace(&r->signer, POSTERN_STEAL(signer));
    replace(&r->next, POSTERN_STEAL(next));
    return POSTERN_OK;
}

/* Files, and a row for each of them; what signs is marked so. */
static postern_err read_all(struct key_ring *r, int64_t now_s, postern_error *err)
{
    struct key_row *signs;

    POSTERN_TRY(read_files(r, err));
    POSTERN_TRY(read_rows(r, err));
    if (find_row(r, r->signer) == NULL)
        POSTERN_TRY(add_row(r, r->signer, now_s, err));
    if (r->next != NULL && find_row(r, r->next) == NULL)
        POSTERN_TRY(add_row(r, r->next, now_s, err));
    POSTERN_TRY(read_rows(r, err));
    signs = find_row(r, r->signer);
    if (signs == NULL || (r->next != NULL && find_row(r, r->next) == NULL))
        return POSTERN_FAIL(err, INTERNAL, "a signing key has no row: more than %d are kept",
                            KEY_RING_MAX);
    if (signs->started_s != 0 && signs->retired_s == 0)
        return POSTERN_OK;
    POSTERN_TRY(store_key_started(r->store, signs->kid, now_s, err));
    return read_rows(r, err);
}

postern_err key_ring_open(struct store *store, int dir_fd, int64_t now_s, struct key_ring **ret,
                          postern_error *err)
{
    struct key_ring *r = calloc(1, sizeof *r);
    postern_err e;

    if (r == NULL)
        return POSTERN_FAIL(err, NOMEM, "key ring");
    r->store = store;
    r->dir_fd = dir_fd;
    r->public_set = POSTERN_BUF_INIT(PUBLIC_MAX);
    e = read_all(r, now_s, err);
    if (e != POSTERN_OK) {
        key_ring_free(r);
        return e;
    }
    *ret = r;
    return POSTERN_OK;
}

void key_ring_free(struct key_ring *r)
{
    if (r == NULL)
        return;
    postern_signing_key_free(r->signer);
    postern_signing_key_free(r->next);
    postern_buf_free(&r->public_set);
    free(r);
}

const postern_signing_key *key_ring_signer(const struct key_ring *r)
{
    return r->signer;
}

postern_bytes key_ring_public(const struct key_ring *r)
{
    return postern_buf_bytes(&r->public_set);
}

const struct key_row *key_ring_rows(const struct key_ring *r, size_t *ret_count)
{
    *ret_count = r->count;
    return r->rows;
}

const struct key_row *key_ring_next(const struct key_ring *r)
{
    for (size_t i = 0; r->next != NULL && i < r->count; i++)
        if (strcmp(r->rows[i].kid, postern_signing_key_kid(r->next)) == 0)
            return &r->rows[i];
    return NULL;
}

/* ---- steps ---- */

postern_err key_ring_make_next(struct key_ring *r, int64_t now_s, bool *ret_is_full,
                               postern_error *err)
{
    *ret_is_full = r->next == NULL && r->count >= KEY_RING_MAX;
    if (r->next != NULL || *ret_is_full)
        return POSTERN_OK;
    POSTERN_TRY(next_key_make(r->dir_fd, &r->next, err));
    return read_all(r, now_s, err);
}

postern_err key_ring_note_published(struct key_ring *r, int64_t now_s, postern_error *err)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].published_s == 0)
            POSTERN_TRY(store_key_published(r->store, r->rows[i].kid, now_s, err));
    return read_rows(r, err);
}

/* The row of the old key says that it is retired before the file is the new one's: what is killed
 * in between keeps the old key, and read_all() takes the mark back. */
static postern_err take_over(struct key_ring *r, const struct key_times *times, int64_t now_s,
                             postern_error *err)
{
    const struct key_row *next = key_ring_next(r);

    if (next == NULL || next->published_s == 0 || now_s - next->published_s < times->announce_s)
        return POSTERN_OK;
    POSTERN_TRY(store_key_retired(r->store, postern_signing_key_kid(r->signer), now_s, err));
    POSTERN_TRY(next_key_take_over(r->dir_fd, err));
    return read_all(r, now_s, err);
}

static postern_err make_when_due(struct key_ring *r, const struct key_times *times, int64_t now_s,
                                 postern_error *err)
{
    const struct key_row *signs = find_row(r, r->signer);
    bool is_full = false;

    if (times->rotation_s == 0 || r->next != NULL ||
        now_s - signs->started_s < times->rotation_s)
        return POSTERN_OK;
    return key_ring_make_next(r, now_s, &is_full, err); /* full: the next step tries again */
}

/* A row that has no file any more and was not retired: somebody removed the file. */
static bool is_orphan(struct key_ring *r, const struct key_row *row)
{
    return row->retired_s == 0 && row != find_row(r, r->signer) && row != find_row(r, r->next);
}

static postern_err drop_old(struct key_ring *r, int64_t now_s, postern_error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct key_row *row = &r->rows[i];

        if (is_orphan(r, row))
            POSTERN_TRY(store_key_retired(r->store, row->kid, now_s, err));
        else if (row->retired_s != 0 && now_s - row->retired_s > KEY_KEEP_S)
            POSTERN_TRY(store_key_forget(r->store, row->kid, err));
    }
    return read_rows(r, err);
}

postern_err key_ring_step(struct key_ring *r, const struct key_times *times, int64_t now_s,
                          bool *ret_changed, postern_error *err)
{
    POSTERN_AUTO_BUF before = POSTERN_BUF_INIT(PUBLIC_MAX);

    postern_buf_add(&before, key_ring_public(r));
    if (before.failed)
        return POSTERN_FAIL(err, NOMEM, "key set");
    POSTERN_TRY(read_all(r, now_s, err));
    POSTERN_TRY(take_over(r, times, now_s, err));
    POSTERN_TRY(make_when_due(r, times, now_s, err));
    POSTERN_TRY(drop_old(r, now_s, err));
    *ret_changed = !postern_bytes_equal(postern_buf_bytes(&before), key_ring_public(r));
    return POSTERN_OK;
}
