/* SPDX-License-Identifier: BSD-2-Clause */
/* People and their browsers' sessions in the store; see store_users.h.  A session goes with its
 * person: the database's own rule (ON DELETE CASCADE). */
#include "store_users.h"

#include <stdlib.h>

#include "store_inner.h"

static postern_err fail_bind(const struct store *s, const char *doing, postern_error *err)
{
    return store_fail(s, sqlite3_errcode(s->db), doing, err);
}

/* ---- people ---- */

static postern_err read_user(const struct run *r, struct user_record *ret, postern_error *err)
{
    *ret = (struct user_record){ .log_n = sqlite3_column_int(r->stmt, 3),
                                 .r = sqlite3_column_int(r->stmt, 4),
                                 .p = sqlite3_column_int(r->stmt, 5),
                                 .created_s = sqlite3_column_int64(r->stmt, 6) };
    if (!run_column_text(r, 0, ret->name, sizeof ret->name) ||
        !run_column_blob(r, 1, ret->salt, sizeof ret->salt) ||
        !run_column_blob(r, 2, ret->password, sizeof ret->password))
        return POSTERN_FAIL(err, SYSTEM, "store: a person's row is damaged");
    return POSTERN_OK;
}

postern_err store_user_find(struct store *s, const char *name, bool *ret_found,
                            struct user_record *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_FIND);

    if (run_bind_text(&r, 1, name) != SQLITE_OK)
        return fail_bind(s, "finding a person", err);
    POSTERN_TRY(run_row(&r, "finding a person", ret_found, err));
    return *ret_found ? read_user(&r, ret, err) : POSTERN_OK;
}

postern_err store_user_list(struct store *s, const char *after, struct user_record *ret, size_t max,
                            size_t *ret_count, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_LIST);
    size_t n = 0;
    int rc = SQLITE_OK;

    if (run_bind_text(&r, 1, after) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, (sqlite3_int64)max) != SQLITE_OK)
        return fail_bind(s, "listing people", err);
    while (n < max && (rc = sqlite3_step(r.stmt)) == SQLITE_ROW)
        POSTERN_TRY(read_user(&r, &ret[n++], err));
    if (n < max && rc != SQLITE_DONE)
        return store_fail(s, rc, "listing people", err);
    *ret_count = n;
    return POSTERN_OK;
}

static int bind_password(struct run *r, int at, const struct user_record *user)
{
    const int numbers[] = { user->log_n, user->r, user->p };
    int rc = run_bind_blob(r, at, user->salt, sizeof user->salt);

    if (rc == SQLITE_OK)
        rc = run_bind_blob(r, at + 1, user->password, sizeof user->password);
    for (int i = 0; rc == SQLITE_OK && i < 3; i++)
        rc = sqlite3_bind_int(r->stmt, at + 2 + i, numbers[i]);
    return rc;
}

static postern_err insert_user(struct store *s, const struct user_record *user, store_add *ret,
                               postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_ADD);

    if (run_bind_text(&r, 1, user->name) != SQLITE_OK ||
        bind_password(&r, 2, user) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 7, user->created_s) != SQLITE_OK)
        return fail_bind(s, "adding a person", err);
    POSTERN_TRY(run_done(&r, "adding a person", err));
    *ret = sqlite3_changes(s->db) == 1 ? STORE_ADDED : STORE_EXISTS;
    return POSTERN_OK;
}

static postern_err count_users(struct store *s, int64_t *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_COUNT);
    bool is_found = false;

    POSTERN_TRY(run_row(&r, "counting people", &is_found, err));
    *ret = is_found ? sqlite3_column_int64(r.stmt, 0) : 0;
    return POSTERN_OK;
}

struct addition {
    const struct user_record *user;
    store_add result;
};

static postern_err add_inside(struct store *s, void *arg, postern_error *err)
{
    struct addition *a = arg;
    int64_t count = 0;

    POSTERN_TRY(count_users(s, &count, err));
    if (count < USERS_MAX)
        return insert_user(s, a->user, &a->result, err);
    a->result = STORE_FULL;
    return POSTERN_OK;
}

postern_err store_user_add(struct store *s, const struct user_record *user, store_add *ret,
                           postern_error *err)
{
    struct addition a = { user, STORE_ADD_UNSET };

    POSTERN_TRY(store_transact(s, add_inside, &a, err));
    *ret = a.result;
    return POSTERN_OK;
}

postern_err store_user_set_password(struct store *s, const struct user_record *was,
                                    const struct user_record *now, bool *ret_found,
                                    postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_SET_PASSWORD);

    if (run_bind_text(&r, 1, was->name) != SQLITE_OK || bind_password(&r, 2, now) != SQLITE_OK ||
        run_bind_blob(&r, 7, was->password, sizeof was->password) != SQLITE_OK ||
        run_bind_blob(&r, 8, was->salt, sizeof was->salt) != SQLITE_OK)
        return fail_bind(s, "setting a password", err);
    POSTERN_TRY(run_done(&r, "setting a password", err));
    *ret_found = sqlite3_changes(s->db) == 1;
    return POSTERN_OK;
}

/* ---- removing a person ---- */

struct removal {
    const char *name;
    int64_t now_s, until_s;
    bool is_found;
    struct revocation *ended;
    size_t count, cap;
};

static postern_err add_ended(struct removal *rm, const struct run *r, postern_error *err)
{
    struct revocation what = { .kind = POSTERN_REVOCATION_GRANT, .before_s = rm->now_s,
                               .until_s = rm->until_s };

    if (rm->count == rm->cap) {
        size_t cap = rm->cap == 0 ? 16 : 2 * rm->cap;
        struct revocation *grown = reallocarray(rm->ended, cap, sizeof *grown);

        if (grown == NULL)
            return POSTERN_FAIL(err, NOMEM, "%zu grants", cap);
        rm->ended = grown;
        rm->cap = cap;
    }
    if (!run_column_text(r, 0, what.name, sizeof what.name))
        return POSTERN_FAIL(err, SYSTEM, "store: a grant's row is damaged");
    rm->ended[rm->count++] = what;
    return POSTERN_OK;
}

static postern_err find_grants(struct store *s, struct removal *rm, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_USER_GRANTS);
    int rc;

    if (run_bind_text(&r, 1, rm->name) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, rm->now_s) != SQLITE_OK)
        return fail_bind(s, "finding a person's grants", err);
    while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW)
        POSTERN_TRY(add_ended(rm, &r, err));
    return rc == SQLITE_DONE ? POSTERN_OK : store_fail(s, rc, "finding a person's grants", err);
}

static postern_err run_on_name(struct store *s, enum store_query q, const char *name,
                               const int64_t *now_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    if (run_bind_text(&r, 1, name) != SQLITE_OK ||
        (now_s != NULL && sqlite3_bind_int64(r.stmt, 2, *now_s) != SQLITE_OK))
        return fail_bind(s, "removing a person", err);
    return run_done(&r, "removing a person", err);
}

static postern_err remove_inside(struct store *s, void *arg, postern_error *err)
{
    struct removal *rm = arg;

    POSTERN_TRY(run_on_name(s, QUERY_USER_DELETE, rm->name, NULL, err));
    rm->is_found = sqlite3_changes(s->db) == 1;
    if (!rm->is_found)
        return POSTERN_OK;
    POSTERN_TRY(find_grants(s, rm, err));
    for (size_t i = 0; i < rm->count; i++)
        POSTERN_TRY(store_revocation_add(s, &rm->ended[i], err));
    return run_on_name(s, QUERY_USER_GRANTS_END, rm->name, &rm->now_s, err);
}

postern_err store_user_remove(struct store *s, const char *name, int64_t now_s, int64_t until_s,
                              bool *ret_found, struct revocation **ret_ended, size_t *ret_count,
                              postern_error *err)
{
    struct removal rm = { .name = name, .now_s = now_s, .until_s = until_s };
    postern_err e = store_transact(s, remove_inside, &rm, err);

    if (e != POSTERN_OK) {
        free(rm.ended);
        return e;
    }
    *ret_found = rm.is_found;
    *ret_ended = rm.ended;
    *ret_count = rm.count;
    return POSTERN_OK;
}

/* ---- sessions ---- */

static postern_err insert_session(struct store *s, const struct session_record *session,
                                  postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_ADD);

    if (run_bind_blob(&r, 1, session->id_sha256, SESSION_ID_HASH) != SQLITE_OK ||
        run_bind_text(&r, 2, session->user) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, session->authenticated_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 4, session->seen_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 5, session->ends_s) != SQLITE_OK)
        return fail_bind(s, "adding a session", err);
    return run_done(&r, "adding a session", err);
}

static postern_err end_oldest(struct store *s, const char *user, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_END_OLDEST);

    if (run_bind_text(&r, 1, user) != SQLITE_OK ||
        sqlite3_bind_int(r.stmt, 2, SESSIONS_MAX - 1) != SQLITE_OK)
        return fail_bind(s, "ending old sessions", err);
    return run_done(&r, "ending old sessions", err);
}

static postern_err add_session_inside(struct store *s, void *arg, postern_error *err)
{
    const struct session_record *session = arg;

    POSTERN_TRY(end_oldest(s, session->user, err));
    return insert_session(s, session, err);
}

postern_err store_session_add(struct store *s, const struct session_record *session,
                              postern_error *err)
{
    struct session_record copy = *session;

    return store_transact(s, add_session_inside, &copy, err);
}

postern_err store_session_find(struct store *s, const uint8_t id_sha256[SESSION_ID_HASH],
                               bool *ret_found, struct session_record *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_FIND);

    if (run_bind_blob(&r, 1, id_sha256, SESSION_ID_HASH) != SQLITE_OK)
        return fail_bind(s, "finding a session", err);
    POSTERN_TRY(run_row(&r, "finding a session", ret_found, err));
    if (!*ret_found)
        return POSTERN_OK;
    *ret = (struct session_record){ .authenticated_s = sqlite3_column_int64(r.stmt, 1),
                                    .seen_s = sqlite3_column_int64(r.stmt, 2),
                                    .ends_s = sqlite3_column_int64(r.stmt, 3) };
    memcpy(ret->id_sha256, id_sha256, SESSION_ID_HASH);
    if (!run_column_text(&r, 0, ret->user, sizeof ret->user))
        return POSTERN_FAIL(err, SYSTEM, "store: a session's row is damaged");
    return POSTERN_OK;
}

postern_err store_session_touch(struct store *s, const uint8_t id_sha256[SESSION_ID_HASH],
                                int64_t now_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_TOUCH);

    if (run_bind_blob(&r, 1, id_sha256, SESSION_ID_HASH) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return fail_bind(s, "noting a session's use", err);
    return run_done(&r, "noting a session's use", err);
}

postern_err store_session_end(struct store *s, const uint8_t id_sha256[SESSION_ID_HASH],
                              postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_END);

    if (run_bind_blob(&r, 1, id_sha256, SESSION_ID_HASH) != SQLITE_OK)
        return fail_bind(s, "ending a session", err);
    return run_done(&r, "ending a session", err);
}

postern_err store_session_end_others(struct store *s, const char *user,
                                     const uint8_t id_sha256[SESSION_ID_HASH], postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_END_OTHERS);

    if (run_bind_text(&r, 1, user) != SQLITE_OK ||
        run_bind_blob(&r, 2, id_sha256, SESSION_ID_HASH) != SQLITE_OK)
        return fail_bind(s, "ending sessions", err);
    return run_done(&r, "ending sessions", err);
}

postern_err store_sessions_forget(struct store *s, int64_t now_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_SESSION_FORGET);

    if (sqlite3_bind_int64(r.stmt, 1, now_s) != SQLITE_OK)
        return fail_bind(s, "forgetting sessions", err);
    return run_done(&r, "forgetting sessions", err);
}
