/* SPDX-License-Identifier: BSD-2-Clause */
/* Opaque access tokens in the store; see store_opaque.h.  What is over is forgotten whenever one is
 * added, so that caps count what lives. */
#include "store_opaque.h"

#include "store_inner.h"

static postern_err fail_bind(const struct store *s, const char *doing, postern_error *err)
{
    return store_fail(s, sqlite3_errcode(s->db), doing, err);
}

static postern_err read_count(struct run *r, int64_t *ret, postern_error *err)
{
    bool is_found = false;

    POSTERN_TRY(run_row(r, "counting opaque tokens", &is_found, err));
    if (!is_found)
        return POSTERN_FAIL(err, SYSTEM, "store: opaque tokens cannot be counted");
    *ret = sqlite3_column_int64(r->stmt, 0);
    return POSTERN_OK;
}

static postern_err count(struct store *s, enum store_query q, const char *client, int64_t *ret,
                         postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    if (client != NULL && run_bind_text(&r, 1, client) != SQLITE_OK)
        return fail_bind(s, "counting opaque tokens", err);
    return read_count(&r, ret, err);
}

static postern_err insert(struct store *s, const struct opaque_record *o, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_OPAQUE_ADD);

    if (run_bind_blob(&r, 1, o->sha256, OPAQUE_HASH) != SQLITE_OK ||
        run_bind_text(&r, 2, o->client) != SQLITE_OK || run_bind_text(&r, 3, o->jti) != SQLITE_OK ||
        run_bind_text(&r, 4, o->claims) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 5, o->exp_s) != SQLITE_OK)
        return fail_bind(s, "keeping an opaque token", err);
    return run_done(&r, "keeping an opaque token", err);
}

struct addition {
    const struct opaque_record *record;
    const struct opaque_caps *caps;
    int64_t over_s;
    store_opaque outcome;
};

static postern_err add_inside(struct store *s, void *arg, postern_error *err)
{
    struct addition *a = arg;
    int64_t of_client = 0, of_strangers = 0, all = 0;

    POSTERN_TRY(store_opaque_forget(s, a->over_s, err));
    POSTERN_TRY(count(s, QUERY_OPAQUE_COUNT_OF, a->record->client, &of_client, err));
    POSTERN_TRY(count(s, QUERY_OPAQUE_COUNT_SELF, a->record->client, &of_strangers, err));
    POSTERN_TRY(count(s, QUERY_OPAQUE_COUNT, NULL, &all, err));
    if (of_client >= a->caps->of_client)
        a->outcome = STORE_OPAQUE_FULL_CLIENT;
    else if (of_strangers >= a->caps->of_self_registered || all >= a->caps->all)
        a->outcome = STORE_OPAQUE_FULL;
    else
        a->outcome = STORE_OPAQUE_KEPT;
    return a->outcome == STORE_OPAQUE_KEPT ? insert(s, a->record, err) : POSTERN_OK;
}

postern_err store_opaque_add(struct store *s, const struct opaque_record *o,
                             const struct opaque_caps *caps, int64_t over_s, store_opaque *ret,
                             postern_error *err)
{
    struct addition a = { o, caps, over_s, STORE_OPAQUE_UNSET };

    POSTERN_TRY(store_transact(s, add_inside, &a, err));
    *ret = a.outcome;
    return POSTERN_OK;
}

postern_err store_opaque_find(struct store *s, const uint8_t sha256[OPAQUE_HASH], bool *ret_found,
                              postern_buf *ret_claims, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_OPAQUE_FIND);
    postern_bytes claims;

    if (run_bind_blob(&r, 1, sha256, OPAQUE_HASH) != SQLITE_OK)
        return fail_bind(s, "finding an opaque token", err);
    POSTERN_TRY(run_row(&r, "finding an opaque token", ret_found, err));
    if (!*ret_found)
        return POSTERN_OK;
    claims.ptr = sqlite3_column_text(r.stmt, 0);
    claims.len = (size_t)sqlite3_column_bytes(r.stmt, 0);
    if (claims.ptr != NULL) /* else: no memory, for the column is never NULL */
        postern_buf_add(ret_claims, claims);
    if (claims.ptr == NULL || ret_claims->failed)
        return POSTERN_FAIL(err, NOMEM, "claims of an opaque token");
    return POSTERN_OK;
}

postern_err store_opaque_end(struct store *s, const char *jti, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_OPAQUE_END);

    if (run_bind_text(&r, 1, jti) != SQLITE_OK)
        return fail_bind(s, "ending an opaque token", err);
    return run_done(&r, "ending an opaque token", err);
}

postern_err store_opaque_forget(struct store *s, int64_t over_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_OPAQUE_FORGET);

    if (sqlite3_bind_int64(r.stmt, 1, over_s) != SQLITE_OK)
        return fail_bind(s, "forgetting opaque tokens", err);
    return run_done(&r, "forgetting opaque tokens", err);
}
