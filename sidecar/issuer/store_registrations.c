/* SPDX-License-Identifier: BSD-2-Clause */
/* Self-registered clients and invitations in the store; see store_registrations.h. */
#include "store_registrations.h"

#include "store_inner.h"

static postern_err fail_bind(struct store *s, const char *doing, postern_error *err)
{
    return store_fail(s, sqlite3_errcode(s->db), doing, err);
}

static postern_err count_rows(struct store *s, enum store_query q, int64_t *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);
    bool is_found = false;

    POSTERN_TRY(run_row(&r, "counting rows", &is_found, err));
    if (!is_found)
        return POSTERN_FAIL(err, SYSTEM, "store: rows cannot be counted");
    *ret = sqlite3_column_int64(r.stmt, 0);
    return POSTERN_OK;
}

postern_err store_invitation_add(struct store *s, const struct invitation *i, bool *ret_is_full,
                                 postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_INVITATION_ADD);
    int64_t count = 0;

    POSTERN_TRY(count_rows(s, QUERY_INVITATION_COUNT, &count, err));
    *ret_is_full = count >= INVITATIONS_MAX;
    if (*ret_is_full)
        return POSTERN_OK;
    if (run_bind_blob(&r, 1, i->sha256, INVITATION_HASH) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, i->created_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 3, i->expires_s) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 4, i->uses) != SQLITE_OK)
        return fail_bind(s, "adding an invitation", err);
    return run_done(&r, "adding an invitation", err);
}

/* ---- registering ---- */

struct registration {
    const struct client_record *client;
    const uint8_t *sha256;
    int64_t quota;
    store_register outcome;
};

static postern_err use_invitation(struct store *s, struct registration *g, postern_error *err)
{
    AUTO_RUN r = run_start(s, QUERY_INVITATION_USE);

    if (run_bind_blob(&r, 1, g->sha256, INVITATION_HASH) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 2, g->client->created_s) != SQLITE_OK)
        return fail_bind(s, "using an invitation", err);
    POSTERN_TRY(run_done(&r, "using an invitation", err));
    if (sqlite3_changes(s->db) != 1)
        g->outcome = STORE_REGISTER_NOT_INVITED;
    return POSTERN_OK;
}

static postern_err add_client(struct store *s, struct registration *g, postern_error *err)
{
    static const store_register outcomes[] = {
        [STORE_ADD_UNSET] = STORE_REGISTER_UNSET,
        [STORE_ADDED] = STORE_REGISTERED,
        [STORE_EXISTS] = STORE_REGISTER_EXISTS,
        [STORE_FULL] = STORE_REGISTER_FULL,
    };
    store_add added = STORE_ADD_UNSET;

    POSTERN_TRY(store_client_add(s, g->client, &added, err));
    g->outcome = outcomes[added];
    return POSTERN_OK;
}

/* Something is left undone: the transaction must not be. */
static postern_err register_inside(struct store *s, void *arg, postern_error *err)
{
    struct registration *g = arg;
    int64_t count = 0;

    if (g->sha256 != NULL)
        POSTERN_TRY(use_invitation(s, g, err));
    if (g->outcome != STORE_REGISTER_UNSET)
        return POSTERN_ERR_USAGE;
    POSTERN_TRY(count_rows(s, QUERY_REGISTERED_COUNT, &count, err));
    if (count >= g->quota)
        g->outcome = STORE_REGISTER_FULL;
    else
        POSTERN_TRY(add_client(s, g, err));
    return g->outcome == STORE_REGISTERED ? POSTERN_OK : POSTERN_ERR_USAGE;
}

postern_err store_client_register(struct store *s, const struct client_record *client,
                                  const uint8_t *sha256, int64_t quota, store_register *ret,
                                  postern_error *err)
{
    struct registration g = { client, sha256, quota, STORE_REGISTER_UNSET };
    postern_err e = store_transact(s, register_inside, &g, err);

    if (e != POSTERN_OK && e != POSTERN_ERR_USAGE)
        return e;
    if (g.outcome == STORE_REGISTER_UNSET)
        return POSTERN_FAIL(err, INTERNAL, "a registration without outcome");
    *ret = g.outcome; /* unless STORE_REGISTERED everything was rolled back */
    return POSTERN_OK;
}

/* ---- forgetting ---- */

struct forgetting {
    int64_t now_s, unused_s, never_used_s;
};

static postern_err run_times(struct store *s, enum store_query q, const int64_t *times, int count,
                             postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    for (int i = 0; i < count; i++)
        if (sqlite3_bind_int64(r.stmt, i + 1, times[i]) != SQLITE_OK)
            return fail_bind(s, "forgetting registrations", err);
    return run_done(&r, "forgetting registrations", err);
}

static postern_err forget_inside(struct store *s, void *arg, postern_error *err)
{
    const struct forgetting *f = arg;
    const int64_t times[] = { f->now_s, f->unused_s, f->never_used_s };

    POSTERN_TRY(run_times(s, QUERY_REGISTERED_END_GRANTS, times, 3, err));
    POSTERN_TRY(run_times(s, QUERY_REGISTERED_FORGET, times + 1, 2, err));
    return run_times(s, QUERY_INVITATION_FORGET, times, 1, err);
}

postern_err store_registrations_forget(struct store *s, int64_t now_s, int64_t unused_s,
                                       int64_t never_used_s, postern_error *err)
{
    struct forgetting f = { now_s, unused_s, never_used_s };

    return store_transact(s, forget_inside, &f, err);
}
