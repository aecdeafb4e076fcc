/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grants, codes and refresh tokens in the store; see store_grants.h.  What is used once is used
 * inside a transaction that looks and marks: of fifty that come at the same moment one gets it.
 */
#include "store_grants.h"

#include "store_inner.h"
#include "store_revocations.h"

/* A code is remembered for so long behind its end, so that its reuse is known as such. */
#define CODE_REMEMBER_S 86400

static postern_err fail_bind(const struct store *s, const char *doing, postern_error *err)
{
    return store_fail(s, sqlite3_errcode(s->db), doing, err);
}

/* ---- grants ---- */

static postern_err read_grant(const struct run *r, struct grant_record *ret, postern_error *err)
{
    *ret = (struct grant_record){ .created_s = sqlite3_column_int64(r->stmt, 7),
                                  .auth_time_s = sqlite3_column_int64(r->stmt, 8),
                                  .ends_s = sqlite3_column_int64(r->stmt, 9),
                                  .ended_s = sqlite3_column_int64(r->stmt, 10) };
    if (!run_column_text(r, 0, ret->id, sizeof ret->id) ||
        !run_column_text(r, 1, ret->user, sizeof ret->user) ||
        !run_column_text(r, 2, ret->client, sizeof ret->client) ||
        !run_column_text(r, 3, ret->scopes, sizeof ret->scopes) ||
        !run_column_text(r, 4, ret->resources, sizeof ret->resources) ||
        !run_column_text(r, 5, ret->purpose, sizeof ret->purpose) ||
        !run_column_text(r, 6, ret->details, sizeof ret->details))
        return POSTERN_FAIL(err, SYSTEM, "store: a grant's row is damaged");
    return POSTERN_OK;
}

postern_err store_grant_find(struct store *s, const char *id, bool *ret_found,
                             struct grant_record *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_GRANT_FIND);

    if (run_bind_text(&r, 1, id) != SQLITE_OK)
        return fail_bind(s, "finding a grant", err);
    POSTERN_TRY(run_row(&r, "finding a grant", ret_found, err));
    return *ret_found ? read_grant(&r, ret, err) : POSTERN_OK;
}

static postern_err insert_grant(struct store *s, const struct grant_record *g, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_GRANT_ADD);
    const char *const texts[] = { g->id,        g->user,    g->client, g->scopes,
                                  g->resources, g->purpose, g->details };
    const int64_t times[] = { g->created_s, g->auth_time_s, g->ends_s };
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < 7; i++)
        rc = run_bind_text(&r, 1 + i, texts[i]);
    for (int i = 0; rc == SQLITE_OK && i < 3; i++)
        rc = sqlite3_bind_int64(r.stmt, 8 + i, times[i]);
    return rc == SQLITE_OK ? run_done(&r, "adding a grant", err)
                           : store_fail(s, rc, "adding a grant", err);
}

static postern_err insert_code(struct store *s, const struct code_record *c, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CODE_ADD);

    if (run_bind_blob(&r, 1, c->sha256, GRANT_HASH) != SQLITE_OK ||
        run_bind_text(&r, 2, c->grant) != SQLITE_OK ||
        run_bind_text(&r, 3, c->redirect) != SQLITE_OK ||
        run_bind_text(&r, 4, c->challenge) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 5, c->expires_s) != SQLITE_OK)
        return fail_bind(s, "adding a code", err);
    return run_done(&r, "adding a code", err);
}

struct new_grant {
    const struct grant_record *grant;
    const struct code_record *code;
};

static postern_err add_inside(struct store *s, void *arg, postern_error *err)
{
    const struct new_grant *n = arg;

    POSTERN_TRY(insert_grant(s, n->grant, err));
    return insert_code(s, n->code, err);
}

postern_err store_grant_add(struct store *s, const struct grant_record *grant,
                            const struct code_record *code, postern_error *err)
{
    struct new_grant n = { grant, code };

    return store_transact(s, add_inside, &n, err);
}

postern_err store_grant_list(struct store *s, const char *user, const char *after, int64_t now_s,
                             struct grant_record *ret, size_t max, size_t *ret_count,
                             postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_GRANT_LIST);
    size_t n = 0;
    int rc = SQLITE_OK;

    if (run_bind_text(&r, 1, user) != SQLITE_OK || run_bind_text(&r, 2, after) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, now_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 4, (sqlite3_int64)max) != SQLITE_OK)
        return fail_bind(s, "listing grants", err);
    while (n < max && (rc = sqlite3_step(r.stmt)) == SQLITE_ROW)
        POSTERN_TRY(read_grant(&r, &ret[n++], err));
    if (n < max && rc != SQLITE_DONE)
        return store_fail(s, rc, "listing grants", err);
    *ret_count = n;
    return POSTERN_OK;
}

postern_err store_grant_count(struct store *s, const char *user, int64_t now_s, int64_t *ret,
                              postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_GRANT_COUNT);
    bool is_found = false;

    if (run_bind_text(&r, 1, user) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return fail_bind(s, "counting grants", err);
    POSTERN_TRY(run_row(&r, "counting grants", &is_found, err));
    if (!is_found)
        return POSTERN_FAIL(err, SYSTEM, "store: grants cannot be counted");
    *ret = sqlite3_column_int64(r.stmt, 0);
    return POSTERN_OK;
}

/* ---- what is used once ---- */

/* A row of code or refresh beside its grant. */
struct single_use {
    bool is_there;
    char grant[GRANT_ID_MAX];
    int64_t expires_s, used_s;
};

static grant_use judge(const struct single_use *u, const struct grant_record *g, int64_t now_s)
{
    if (!u->is_there || g->ended_s != 0)
        return GRANT_UNKNOWN;
    if (u->used_s != 0)
        return GRANT_REUSED;
    return now_s >= u->expires_s || now_s >= g->ends_s ? GRANT_EXPIRED : GRANT_USED;
}

static postern_err find_its_grant(struct store *s, struct single_use *u, struct grant_record *ret,
                                  postern_error *err)
{
    bool is_found = false;

    if (u->is_there)
        POSTERN_TRY(store_grant_find(s, u->grant, &is_found, ret, err));
    u->is_there = is_found;
    return POSTERN_OK;
}

postern_err store_code_find(struct store *s, const uint8_t sha256[GRANT_HASH], int64_t now_s,
                            grant_use *ret, struct code_record *ret_code,
                            struct grant_record *ret_grant, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_CODE_FIND);
    struct single_use u = { 0 };

    if (run_bind_blob(&r, 1, sha256, GRANT_HASH) != SQLITE_OK)
        return fail_bind(s, "finding a code", err);
    POSTERN_TRY(run_row(&r, "finding a code", &u.is_there, err));
    if (u.is_there) {
        *ret_code = (struct code_record){ .expires_s = sqlite3_column_int64(r.stmt, 3) };
        memcpy(ret_code->sha256, sha256, GRANT_HASH);
        u.expires_s = ret_code->expires_s;
        u.used_s = sqlite3_column_int64(r.stmt, 4);
        if (!run_column_text(&r, 0, ret_code->grant, sizeof ret_code->grant) ||
            !run_column_text(&r, 1, ret_code->redirect, sizeof ret_code->redirect) ||
            !run_column_text(&r, 2, ret_code->challenge, sizeof ret_code->challenge))
            return POSTERN_FAIL(err, SYSTEM, "store: a code's row is damaged");
        memcpy(u.grant, ret_code->grant, sizeof u.grant);
    }
    POSTERN_TRY(find_its_grant(s, &u, ret_grant, err));
    *ret = judge(&u, ret_grant, now_s);
    return POSTERN_OK;
}

postern_err store_refresh_find(struct store *s, const uint8_t sha256[GRANT_HASH], int64_t now_s,
                               grant_use *ret, struct refresh_record *ret_refresh,
                               struct grant_record *ret_grant, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REFRESH_FIND);
    struct single_use u = { 0 };

    if (run_bind_blob(&r, 1, sha256, GRANT_HASH) != SQLITE_OK)
        return fail_bind(s, "finding a refresh token", err);
    POSTERN_TRY(run_row(&r, "finding a refresh token", &u.is_there, err));
    if (u.is_there) {
        *ret_refresh = (struct refresh_record){ .created_s = sqlite3_column_int64(r.stmt, 1),
                                                .expires_s = sqlite3_column_int64(r.stmt, 2) };
        memcpy(ret_refresh->sha256, sha256, GRANT_HASH);
        u.expires_s = ret_refresh->expires_s;
        u.used_s = sqlite3_column_int64(r.stmt, 3);
        if (!run_column_text(&r, 0, ret_refresh->grant, sizeof ret_refresh->grant))
            return POSTERN_FAIL(err, SYSTEM, "store: a refresh token's row is damaged");
        memcpy(u.grant, ret_refresh->grant, sizeof u.grant);
    }
    POSTERN_TRY(find_its_grant(s, &u, ret_grant, err));
    *ret = judge(&u, ret_grant, now_s);
    return POSTERN_OK;
}

static postern_err insert_refresh(struct store *s, const struct refresh_record *n,
                                  postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_REFRESH_ADD);

    if (run_bind_blob(&r, 1, n->sha256, GRANT_HASH) != SQLITE_OK ||
        run_bind_text(&r, 2, n->grant) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, n->created_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 4, n->expires_s) != SQLITE_OK)
        return fail_bind(s, "adding a refresh token", err);
    return run_done(&r, "adding a refresh token", err);
}

static postern_err mark_used(struct store *s, enum store_query q, const uint8_t sha256[GRANT_HASH],
                             int64_t now_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    if (run_bind_blob(&r, 1, sha256, GRANT_HASH) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return fail_bind(s, "using up a code or refresh token", err);
    POSTERN_TRY(run_done(&r, "using up a code or refresh token", err));
    if (sqlite3_changes(s->db) != 1) /* it was looked at in this very transaction */
        return POSTERN_FAIL(err, INTERNAL, "store: a code or refresh token was not there to use");
    return POSTERN_OK;
}

struct use {
    const uint8_t *sha256;
    int64_t now_s;
    const struct refresh_record *next; /* NULL: none */
    grant_use result;
};

static postern_err redeem_inside(struct store *s, void *arg, postern_error *err)
{
    struct use *u = arg;
    struct code_record code;
    struct grant_record grant = { 0 };

    POSTERN_TRY(store_code_find(s, u->sha256, u->now_s, &u->result, &code, &grant, err));
    if (u->result != GRANT_USED)
        return POSTERN_OK;
    POSTERN_TRY(mark_used(s, QUERY_CODE_USE, u->sha256, u->now_s, err));
    return u->next == NULL ? POSTERN_OK : insert_refresh(s, u->next, err);
}

static postern_err rotate_inside(struct store *s, void *arg, postern_error *err)
{
    struct use *u = arg;
    struct refresh_record old;
    struct grant_record grant = { 0 };

    POSTERN_TRY(store_refresh_find(s, u->sha256, u->now_s, &u->result, &old, &grant, err));
    if (u->result != GRANT_USED)
        return POSTERN_OK;
    POSTERN_TRY(mark_used(s, QUERY_REFRESH_USE, u->sha256, u->now_s, err));
    return insert_refresh(s, u->next, err);
}

postern_err store_code_redeem(struct store *s, const uint8_t sha256[GRANT_HASH], int64_t now_s,
                              const struct refresh_record *refresh, grant_use *ret,
                              postern_error *err)
{
    struct use u = { sha256, now_s, refresh, GRANT_USE_UNSET };

    POSTERN_TRY(store_transact(s, redeem_inside, &u, err));
    *ret = u.result;
    return POSTERN_OK;
}

postern_err store_refresh_rotate(struct store *s, const uint8_t old[GRANT_HASH], int64_t now_s,
                                 const struct refresh_record *next, grant_use *ret,
                                 postern_error *err)
{
    struct use u = { old, now_s, next, GRANT_USE_UNSET };

    POSTERN_TRY(store_transact(s, rotate_inside, &u, err));
    *ret = u.result;
    return POSTERN_OK;
}

/* ---- ending ---- */

struct ending {
    const char *id;
    int64_t now_s, until_s;
    bool is_found;
};

static postern_err run_end_query(struct store *s, enum store_query q, const char *name,
                                 int64_t now_s, bool *ret_changed, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    if (run_bind_text(&r, 1, name) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return fail_bind(s, "ending a grant", err);
    POSTERN_TRY(run_done(&r, "ending a grant", err));
    *ret_changed = sqlite3_changes(s->db) != 0;
    return POSTERN_OK;
}

static postern_err end_inside(struct store *s, void *arg, postern_error *err)
{
    struct ending *e = arg;
    struct revocation what = { .kind = POSTERN_REVOCATION_GRANT, .before_s = e->now_s, .until_s = e->until_s };

    POSTERN_TRY(run_end_query(s, QUERY_GRANT_END, e->id, e->now_s, &e->is_found, err));
    if (!e->is_found)
        return POSTERN_OK;
    memcpy(what.name, e->id, strlen(e->id) + 1); /* it was in the store: an id fits */
    return store_revocation_add(s, &what, err);
}

postern_err store_grant_end(struct store *s, const char *id, int64_t now_s, int64_t until_s,
                            bool *ret_found, postern_error *err)
{
    struct ending e = { id, now_s, until_s, false };

    POSTERN_TRY(store_transact(s, end_inside, &e, err));
    *ret_found = e.is_found;
    return POSTERN_OK;
}

postern_err store_grants_end_of_client(struct store *s, const char *client, int64_t now_s,
                                       postern_error *err)
{
    bool is_changed;

    return run_end_query(s, QUERY_GRANT_END_OF_CLIENT, client, now_s, &is_changed, err);
}

static postern_err forget(struct store *s, enum store_query q, int64_t before_s,
                          postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    if (sqlite3_bind_int64(r.stmt, 1, before_s) != SQLITE_OK)
        return fail_bind(s, "forgetting what is over", err);
    return run_done(&r, "forgetting what is over", err);
}

postern_err store_grants_forget(struct store *s, int64_t now_s, postern_error *err)
{
    POSTERN_TRY(forget(s, QUERY_CODE_FORGET, now_s - CODE_REMEMBER_S, err));
    POSTERN_TRY(forget(s, QUERY_REFRESH_FORGET, now_s, err));
    POSTERN_TRY(forget(s, QUERY_GRANT_FORGET, now_s, err));
    return forget(s, QUERY_ONCE_FORGET, now_s, err);
}
