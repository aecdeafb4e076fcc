/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients in the store; see store_clients.h. */
#include "store_clients.h"

#include "store_grants.h"
#include "store_inner.h"
#include "store_revocations.h"

static postern_err read_client(struct run *r, struct client_record *ret, postern_error *err)
{
    *ret = (struct client_record){
        .auth = (client_auth_method)sqlite3_column_int(r->stmt, 1),
        .flags = (unsigned)sqlite3_column_int64(r->stmt, 8),
        .created_s = sqlite3_column_int64(r->stmt, 9),
        .used_s = sqlite3_column_int64(r->stmt, 10),
    };
    if (ret->auth > CLIENT_AUTH_BY_NOTHING ||
        !run_column_text(r, 0, ret->name, sizeof ret->name) ||
        !run_column_blob(r, 2, ret->secret_sha256, CLIENT_SECRET_HASH) ||
        !run_column_text(r, 3, ret->scopes, sizeof ret->scopes) ||
        !run_column_text(r, 4, ret->resources, sizeof ret->resources) ||
        !run_column_text(r, 5, ret->title, sizeof ret->title) ||
        !run_column_text(r, 6, ret->redirects, sizeof ret->redirects) ||
        !run_column_text(r, 7, ret->jwks, sizeof ret->jwks))
        return POSTERN_FAIL(err, SYSTEM, "store: a client's row is damaged");
    return POSTERN_OK;
}

postern_err store_client_find(struct store *s, const char *name, bool *ret_found,
                              struct client_record *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_FIND);

    if (run_bind_text(&r, 1, name) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "finding a client", err);
    POSTERN_TRY(run_row(&r, "finding a client", ret_found, err));
    return *ret_found ? read_client(&r, ret, err) : POSTERN_OK;
}

postern_err store_client_list(struct store *s, const char *after, struct client_record *ret,
                              size_t max, size_t *ret_count, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_LIST);
    size_t n = 0;
    int rc = run_bind_text(&r, 1, after);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r.stmt, 2, (sqlite3_int64)max);
    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW && n < max)
            POSTERN_TRY(read_client(&r, &ret[n++], err));
    if (rc != SQLITE_DONE)
        return store_fail(s, rc, "listing clients", err);
    *ret_count = n;
    return POSTERN_OK;
}

static postern_err count_clients(struct store *s, int64_t *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_COUNT);
    bool is_found = false;

    POSTERN_TRY(run_row(&r, "counting clients", &is_found, err));
    if (!is_found)
        return POSTERN_FAIL(err, SYSTEM, "store: clients cannot be counted");
    *ret = sqlite3_column_int64(r.stmt, 0);
    return POSTERN_OK;
}

static int bind_client(struct run *r, const struct client_record *c)
{
    const char *const texts[] = { c->scopes, c->resources, c->title, c->redirects, c->jwks };
    int rc = run_bind_text(r, 1, c->name);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(r->stmt, 2, (int)c->auth);
    if (rc == SQLITE_OK)
        rc = run_bind_blob(r, 3, c->secret_sha256, CLIENT_SECRET_HASH);
    for (int i = 0; rc == SQLITE_OK && i < 5; i++)
        rc = run_bind_text(r, 4 + i, texts[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r->stmt, 9, c->flags);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r->stmt, 10, c->created_s);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r->stmt, 11, c->used_s);
    return rc;
}

postern_err store_client_add(struct store *s, const struct client_record *client, store_add *ret,
                             postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_ADD);
    int64_t count = 0;

    POSTERN_TRY(count_clients(s, &count, err));
    if (count >= CLIENTS_MAX) {
        *ret = STORE_FULL;
        return POSTERN_OK;
    }
    if (bind_client(&r, client) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "adding a client", err);
    POSTERN_TRY(run_done(&r, "adding a client", err));
    *ret = sqlite3_changes(s->db) == 1 ? STORE_ADDED : STORE_EXISTS;
    return POSTERN_OK;
}

/* ---- removing ---- */

struct removal {
    const char *name;
    int64_t now_s, until_s;
    bool is_found;
    int64_t removed_s;
};

static postern_err delete_client(struct store *s, struct removal *rm, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_DELETE);

    if (run_bind_text(&r, 1, rm->name) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "removing a client", err);
    POSTERN_TRY(run_done(&r, "removing a client", err));
    rm->is_found = sqlite3_changes(s->db) == 1;
    return POSTERN_OK;
}

static postern_err remove_inside(struct store *s, void *arg, postern_error *err)
{
    struct removal *rm = arg;
    struct revocation what = { .kind = POSTERN_REVOCATION_CLIENT,
                               .before_s = rm->now_s,
                               .until_s = rm->until_s };

    POSTERN_TRY(delete_client(s, rm, err));
    if (!rm->is_found)
        return POSTERN_OK;
    memcpy(what.name, rm->name, strlen(rm->name) + 1); /* it was in the store: a name fits */
    POSTERN_TRY(store_revocation_add(s, &what, err));
    POSTERN_TRY(store_grants_end_of_client(s, rm->name, rm->now_s, err));
    return store_client_removed_at(s, rm->name, &rm->removed_s, err);
}

postern_err store_client_remove(struct store *s, const char *name, int64_t now_s, int64_t until_s,
                                bool *ret_found, int64_t *ret_removed_s, postern_error *err)
{
    struct removal rm = { name, now_s, until_s, false, STORE_NEVER };

    POSTERN_TRY(store_transact(s, remove_inside, &rm, err));
    *ret_found = rm.is_found;
    *ret_removed_s = rm.removed_s;
    return POSTERN_OK;
}

postern_err store_client_removed_at(struct store *s, const char *name, int64_t *ret_removed_s,
                                    postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_REMOVED_AT);
    bool is_found = false;

    if (run_bind_text(&r, 1, name) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "finding a removal", err);
    POSTERN_TRY(run_row(&r, "finding a removal", &is_found, err));
    *ret_removed_s = is_found ? sqlite3_column_int64(r.stmt, 0) : STORE_NEVER;
    return POSTERN_OK;
}

/* ---- use ---- */

postern_err store_client_touch(struct store *s, const char *name, int64_t now_s,
                               postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_TOUCH);

    if (run_bind_text(&r, 1, name) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "noting a client's use", err);
    return run_done(&r, "noting a client's use", err);
}

postern_err store_client_set_secret(struct store *s, const char *name,
                                    const uint8_t sha256[CLIENT_SECRET_HASH], bool *ret_found,
                                    postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CLIENT_SET_SECRET);

    if (run_bind_text(&r, 1, name) != SQLITE_OK ||
        run_bind_blob(&r, 2, sha256, CLIENT_SECRET_HASH) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "changing a secret", err);
    POSTERN_TRY(run_done(&r, "changing a secret", err));
    *ret_found = sqlite3_changes(s->db) == 1;
    return POSTERN_OK;
}

postern_err store_once(struct store *s, const char *owner, const char *id, int64_t until_s,
                       bool *ret_is_first, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_ONCE);

    if (run_bind_text(&r, 1, owner) != SQLITE_OK || run_bind_text(&r, 2, id) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, until_s) != SQLITE_OK)
        return store_fail(s, sqlite3_errcode(s->db), "taking a one-time identifier", err);
    POSTERN_TRY(run_done(&r, "taking a one-time identifier", err));
    *ret_is_first = sqlite3_changes(s->db) == 1;
    return POSTERN_OK;
}
