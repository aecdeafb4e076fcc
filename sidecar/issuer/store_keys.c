/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of signing keys; see store_keys.h.  Called by key_ring.c. */
#include "store_keys.h"

#include "store_inner.h"

static postern_err read_key(struct run *r, struct key_row *ret, postern_error *err)
{
    *ret = (struct key_row){
        .made_s = sqlite3_column_int64(r->stmt, 2),
        .published_s = sqlite3_column_int64(r->stmt, 3),
        .started_s = sqlite3_column_int64(r->stmt, 4),
        .retired_s = sqlite3_column_int64(r->stmt, 5),
    };
    if (!run_column_text(r, 0, ret->kid, sizeof ret->kid) ||
        !run_column_text(r, 1, ret->jwk, sizeof ret->jwk))
        return POSTERN_FAIL(err, SYSTEM, "store: a signing key's row is damaged");
    return POSTERN_OK;
}

postern_err store_key_list(struct store *s, struct key_row *ret, size_t max, size_t *ret_count,
                           postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_KEY_LIST);
    size_t n = 0;
    int rc = sqlite3_bind_int64(r.stmt, 1, (sqlite3_int64)max);

    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW && n < max)
            POSTERN_TRY(read_key(&r, &ret[n++], err));
    if (rc != SQLITE_DONE)
        return store_fail(s, rc, "listing signing keys", err);
    *ret_count = n;
    return POSTERN_OK;
}

postern_err store_key_add(struct store *s, const struct key_row *row, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_KEY_ADD);

    if (run_bind_text(&r, 1, row->kid) != SQLITE_OK ||
        run_bind_text(&r, 2, row->jwk) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, row->made_s) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "adding a signing key", err);
    return run_done(&r, "adding a signing key", err);
}

/* A statement of a kid and perhaps a time. */
static postern_err change(struct store *s, enum store_query q, const char *kid, int64_t now_s,
                          postern_error *err)
{
    AUTO_RUN r = run_start(s, q);
    int rc = run_bind_text(&r, 1, kid);

    if (rc == SQLITE_OK && q != QUERY_KEY_FORGET)
        rc = sqlite3_bind_int64(r.stmt, 2, now_s);
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "changing a signing key", err);
    return run_done(&r, "changing a signing key", err);
}

postern_err store_key_published(struct store *s, const char *kid, int64_t now_s, postern_error *err)
{
    return change(s, QUERY_KEY_PUBLISHED, kid, now_s, err);
}

postern_err store_key_started(struct store *s, const char *kid, int64_t now_s, postern_error *err)
{
    return change(s, QUERY_KEY_STARTED, kid, now_s, err);
}

postern_err store_key_retired(struct store *s, const char *kid, int64_t now_s, postern_error *err)
{
    return change(s, QUERY_KEY_RETIRED, kid, now_s, err);
}

postern_err store_key_forget(struct store *s, const char *kid, postern_error *err)
{
    return change(s, QUERY_KEY_FORGET, kid, 0, err);
}
