/* SPDX-License-Identifier: BSD-2-Clause */
/* Revocations in the store; see store_revocations.h. */
#include "store_revocations.h"

#include <stdlib.h>

#include "store_inner.h"

postern_err store_revocation_add(struct store *s, const struct revocation *what,
                                 postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REVOCATION_ADD);

    if (sqlite3_bind_int(r.stmt, 1, (int)what->kind) != SQLITE_OK ||
        run_bind_text(&r, 2, what->name) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, what->before_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 4, what->until_s) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "remembering a revocation", err);
    return run_done(&r, "remembering a revocation", err);
}

postern_err store_revocation_find(struct store *s, postern_revocation_kind kind, const char *name,
                                  bool *ret_found, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REVOCATION_FIND);

    if (sqlite3_bind_int(r.stmt, 1, (int)kind) != SQLITE_OK ||
        run_bind_text(&r, 2, name) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "finding a revocation", err);
    return run_row(&r, "finding a revocation", ret_found, err);
}

struct list {
    struct revocation *items;
    size_t count, cap;
};

static bool grow(struct list *l)
{
    size_t cap = l->cap == 0 ? 64 : l->cap * 2;
    struct revocation *items = reallocarray(l->items, cap, sizeof *items);

    if (items == NULL)
        return false;
    l->items = items;
    l->cap = cap;
    return true;
}

static postern_err read_all(struct run *r, struct list *l, postern_error *err)
{
    int rc;

    while ((rc = sqlite3_step(r->stmt)) == SQLITE_ROW) {
        struct revocation *item;

        if (l->count == l->cap && !grow(l))
            return POSTERN_FAIL(err, NOMEM, "%zu revocations", l->count);
        item = &l->items[l->count++];
        *item = (struct revocation){ .kind = (postern_revocation_kind)sqlite3_column_int(r->stmt, 0),
                                     .before_s = sqlite3_column_int64(r->stmt, 2),
                                     .until_s = sqlite3_column_int64(r->stmt, 3) };
        if (item->kind < POSTERN_REVOCATION_CLIENT || item->kind > POSTERN_REVOCATION_GRANT ||
            !run_column_text(r, 1, item->name, sizeof item->name))
            return POSTERN_FAIL(err, SYSTEM, "store: a revocation's row is damaged");
    }
    return rc == SQLITE_DONE ? POSTERN_OK : store_fail(r->store, rc, "listing revocations", err);
}

postern_err store_revocations_list(struct store *s, struct revocation **ret, size_t *ret_count,
                                   postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REVOCATION_LIST);
    struct list l = { 0 };
    postern_err e = read_all(&r, &l, err);

    if (e != POSTERN_OK) {
        free(l.items);
        return e;
    }
    *ret = l.items;
    *ret_count = l.count;
    return POSTERN_OK;
}

postern_err store_revocations_forget(struct store *s, int64_t now_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REVOCATION_FORGET);

    if (sqlite3_bind_int64(r.stmt, 1, now_s) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "forgetting revocations", err);
    return run_done(&r, "forgetting revocations", err);
}
