/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store on SQLite: WAL, synchronous=FULL (each commit is on disk before the answer).  At a
 * reload two issuers have it open for a moment; SQLite's locks keep them in turn.  Every statement
 * is prepared once, at open; values are bound, never spliced.  Called by clients.c,
 * token_endpoint.c and whoami.c through store.h.
 */
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define FILE_NAME    "clients.db"
#define BUSY_WAIT_MS 2000 /* the issuer before us, which is being drained, may be writing */

/* Schema by version: entry i takes a store from user_version i to i + 1.  Only ever append.  (clang
 * wants parentheses around joined literals in a list.) */
static const char *const migrations[] = {
    ("CREATE TABLE client (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,"
     "  secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),"
     "  scopes TEXT NOT NULL, resources TEXT NOT NULL, created_s INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE removal (client TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,"
     "  removed_s INTEGER NOT NULL) WITHOUT ROWID;"),
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof *migrations))

enum query {
    FIND,
    LIST,
    COUNT,
    ADD,
    DELETE,
    REMEMBER,
    REMOVED_AT,
    REMOVALS,
    FORGET,
    BEGIN,
    COMMIT,
    ROLLBACK,
    QUERIES
};

#define CLIENT_COLUMNS "name, secret_sha256, scopes, resources, created_s"
static const char *const query_text[QUERIES] = {
    [FIND] = "SELECT " CLIENT_COLUMNS " FROM client WHERE name = ?1 AND name = ?1 COLLATE BINARY",
    [LIST] = "SELECT " CLIENT_COLUMNS " FROM client WHERE name > ?1 ORDER BY name LIMIT ?2",
    [COUNT] = "SELECT count(*) FROM client",
    [ADD] = ("INSERT INTO client (" CLIENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5)"
             " ON CONFLICT (name) DO NOTHING"),
    [DELETE] = "DELETE FROM client WHERE name = ?1 AND name = ?1 COLLATE BINARY",
    [REMEMBER] = ("INSERT INTO removal (client, removed_s) VALUES (?1, ?2) ON CONFLICT (client)"
                  " DO UPDATE SET removed_s = max(removed_s, excluded.removed_s)"),
    [REMOVED_AT] = "SELECT removed_s FROM removal WHERE client = ?1",
    [REMOVALS] = "SELECT client, removed_s FROM removal ORDER BY client",
    [FORGET] = "DELETE FROM removal WHERE removed_s < ?1",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct client_store {
    sqlite3 *db;
    sqlite3_stmt *queries[QUERIES];
};

static postern_err fail_sqlite(const struct client_store *s, int rc, const char *doing,
                               postern_error *err)
{
    if (rc == SQLITE_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "store: %s", doing);
    return POSTERN_FAIL(err, SYSTEM, "store: %s: %s", doing,
                        s->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(s->db));
}

/* A prepared statement, used once and then reset with its bindings cleared (they may hold a
 * secret's hash). */
struct run {
    struct client_store *store;
    sqlite3_stmt *stmt;
};

static struct run run_start(struct client_store *s, enum query q)
{
    return (struct run){ s, s->queries[q] };
}

static void run_end(struct run *r)
{
    (void)sqlite3_reset(r->stmt); /* repeats the error of the last step, which was handled */
    (void)sqlite3_clear_bindings(r->stmt);
}
#define AUTO_RUN __attribute__((cleanup(run_end))) struct run

static int bind_text(struct run *r, int i, const char *text)
{
    return sqlite3_bind_text(r->stmt, i, text, -1, SQLITE_STATIC);
}

static postern_err run_done(struct run *r, const char *doing, postern_error *err)
{
    int rc = sqlite3_step(r->stmt);

    return rc == SQLITE_DONE ? POSTERN_OK : fail_sqlite(r->store, rc, doing, err);
}

static postern_err run_simple(struct client_store *s, enum query q, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    return run_done(&r, query_text[q], err);
}

/* ---- opening ---- */

static postern_err execute(struct client_store *s, const char *sql, postern_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? POSTERN_OK : fail_sqlite(s, rc, "preparing the database", err);
}

static postern_err read_version(struct client_store *s, int *ret_version, postern_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt); /* repeats rc */
    return rc == SQLITE_ROW ? POSTERN_OK : fail_sqlite(s, rc, "reading the schema version", err);
}

static postern_err apply_migration(struct client_store *s, int from, postern_error *err)
{
    char set_version[64];

    (void)snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d",
                   from + 1); /* fits any int */
    POSTERN_TRY(execute(s, "BEGIN IMMEDIATE", err));
    POSTERN_TRY(
        execute(s, migrations[from], err)); /* on failure the open fails and closing rolls back */
    POSTERN_TRY(execute(s, set_version, err));
    return execute(s, "COMMIT", err);
}

static postern_err migrate(struct client_store *s, postern_error *err)
{
    int version = -1;

    POSTERN_TRY(read_version(s, &version, err));
    if (version < 0 || version > SCHEMA_VERSION)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            FILE_NAME
                            " has schema %d, this posternd knows up to %d: run the newer one",
                            version, SCHEMA_VERSION);
    for (; version < SCHEMA_VERSION; version++)
        POSTERN_TRY(apply_migration(s, version, err));
    return POSTERN_OK;
}

static postern_err prepare(struct client_store *s, postern_error *err)
{
    for (size_t i = 0; i < QUERIES; i++) {
        int rc = sqlite3_prepare_v3(s->db, query_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->queries[i], NULL);

        if (rc != SQLITE_OK)
            return fail_sqlite(s, rc, query_text[i], err);
    }
    return POSTERN_OK;
}

/* SQLite gives its -wal and -shm files the mode of the database, so making that 0600 first settles
 * all. */
static postern_err make_private(const char *path, postern_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        (void)close(fd); /* nothing was written */
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: must be a file of uid %d with mode 0600", path,
                            (int)geteuid());
    }
    (void)close(fd); /* nothing was written */
    return POSTERN_OK;
}

static postern_err open_at(struct client_store *s, const char *path, postern_error *err)
{
    int rc;

    POSTERN_TRY(make_private(path, err));
    rc = sqlite3_open_v2(path, &s->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK)
        return fail_sqlite(s, rc, "opening " FILE_NAME, err);
    (void)sqlite3_busy_timeout(s->db, BUSY_WAIT_MS); /* fails only for a NULL db */
    POSTERN_TRY(
        execute(s,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA trusted_schema = OFF;",
                err));
    POSTERN_TRY(migrate(s, err));
    return prepare(s, err);
}

postern_err client_store_open(const char *dir, struct client_store **ret, postern_error *err)
{
    struct client_store *s = calloc(1, sizeof *s);
    char path[4096];
    postern_err e;
    int n = snprintf(path, sizeof path, "%s/" FILE_NAME, dir);

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "store");
    if (n < 0 || (size_t)n >= sizeof path)
        e = POSTERN_FAIL(err, CONFIG_FILE, "state_dir: path is too long");
    else
        e = open_at(s, path, err);
    if (e != POSTERN_OK) {
        client_store_close(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

void client_store_close(struct client_store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < QUERIES; i++)
        (void)sqlite3_finalize(s->queries[i]); /* repeats an error that was handled */
    (void)sqlite3_close(s->db);                /* all statements are finalized: cannot be busy */
    free(s);
}

/* ---- clients ---- */

static bool copy_column(sqlite3_stmt *stmt, int column, char *room, size_t room_size)
{
    const void *text = sqlite3_column_text(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);

    if (text == NULL || len >= room_size)
        return false;
    memcpy(room, text, len);
    room[len] = '\0';
    return true;
}

static postern_err read_client(struct run *r, struct client_record *ret, postern_error *err)
{
    const void *hash = sqlite3_column_blob(r->stmt, 1);

    *ret = (struct client_record){ .created_s = sqlite3_column_int64(r->stmt, 4) };
    if (hash == NULL || sqlite3_column_bytes(r->stmt, 1) != CLIENT_SECRET_HASH ||
        !copy_column(r->stmt, 0, ret->name, sizeof ret->name) ||
        !copy_column(r->stmt, 2, ret->scopes, sizeof ret->scopes) ||
        !copy_column(r->stmt, 3, ret->resources, sizeof ret->resources))
        return POSTERN_FAIL(err, SYSTEM, "store: a client's row is damaged");
    memcpy(ret->secret_sha256, hash, CLIENT_SECRET_HASH);
    return POSTERN_OK;
}

postern_err client_store_find(struct client_store *s, const char *name, bool *ret_found,
                              struct client_record *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, FIND);
    int rc = bind_text(&r, 1, name);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(r.stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail_sqlite(s, rc, "finding a client", err);
    if (rc == SQLITE_ROW)
        POSTERN_TRY(read_client(&r, ret, err));
    *ret_found = rc == SQLITE_ROW;
    return POSTERN_OK;
}

postern_err client_store_list(struct client_store *s, const char *after, struct client_record *ret,
                              size_t max, size_t *ret_count, postern_error *err)
{
    AUTO_RUN r = run_start(s, LIST);
    size_t n = 0;
    int rc = bind_text(&r, 1, after);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r.stmt, 2, (sqlite3_int64)max);
    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW && n < max)
            POSTERN_TRY(read_client(&r, &ret[n++], err));
    if (rc != SQLITE_DONE)
        return fail_sqlite(s, rc, "listing clients", err);
    *ret_count = n;
    return POSTERN_OK;
}

static postern_err count_clients(struct client_store *s, int64_t *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, COUNT);
    int rc = sqlite3_step(r.stmt);

    if (rc != SQLITE_ROW)
        return fail_sqlite(s, rc, "counting clients", err);
    *ret = sqlite3_column_int64(r.stmt, 0);
    return POSTERN_OK;
}

postern_err client_store_add(struct client_store *s, const struct client_record *client,
                             store_add *ret, postern_error *err)
{
    AUTO_RUN r = run_start(s, ADD);
    int64_t count = 0;

    POSTERN_TRY(count_clients(s, &count, err));
    if (count >= CLIENTS_MAX) {
        *ret = STORE_FULL;
        return POSTERN_OK;
    }
    if (bind_text(&r, 1, client->name) != SQLITE_OK ||
        sqlite3_bind_blob(r.stmt, 2, client->secret_sha256, CLIENT_SECRET_HASH, SQLITE_STATIC) !=
            SQLITE_OK ||
        bind_text(&r, 3, client->scopes) != SQLITE_OK ||
        bind_text(&r, 4, client->resources) != SQLITE_OK ||
        sqlite3_bind_int64(r.stmt, 5, client->created_s) != SQLITE_OK)
        return fail_sqlite(s, sqlite3_errcode(s->db), "adding a client", err);
    POSTERN_TRY(run_done(&r, "adding a client", err));
    *ret = sqlite3_changes(s->db) == 1 ? STORE_ADDED : STORE_EXISTS;
    return POSTERN_OK;
}

static postern_err delete_client(struct client_store *s, const char *name, bool *ret_found,
                                 postern_error *err)
{
    AUTO_RUN r = run_start(s, DELETE);

    if (bind_text(&r, 1, name) != SQLITE_OK)
        return fail_sqlite(s, sqlite3_errcode(s->db), "removing a client", err);
    POSTERN_TRY(run_done(&r, "removing a client", err));
    *ret_found = sqlite3_changes(s->db) == 1;
    return POSTERN_OK;
}

static postern_err remember_removal(struct client_store *s, const char *name, int64_t now_s,
                                    postern_error *err)
{
    AUTO_RUN r = run_start(s, REMEMBER);

    if (bind_text(&r, 1, name) != SQLITE_OK || sqlite3_bind_int64(r.stmt, 2, now_s) != SQLITE_OK)
        return fail_sqlite(s, sqlite3_errcode(s->db), "remembering a removal", err);
    return run_done(&r, "remembering a removal", err);
}

static postern_err remove_inside(struct client_store *s, const char *name, int64_t now_s,
                                 bool *ret_found, int64_t *ret_removed_s, postern_error *err)
{
    POSTERN_TRY(delete_client(s, name, ret_found, err));
    if (!*ret_found)
        return POSTERN_OK;
    POSTERN_TRY(remember_removal(s, name, now_s, err));
    return client_store_removed_at(s, name, ret_removed_s, err);
}

postern_err client_store_remove(struct client_store *s, const char *name, int64_t now_s,
                                bool *ret_found, int64_t *ret_removed_s, postern_error *err)
{
    bool found = false;
    int64_t removed_s = STORE_NEVER;
    postern_err e;

    POSTERN_TRY(run_simple(s, BEGIN, err));
    e = remove_inside(s, name, now_s, &found, &removed_s, err);
    if (e == POSTERN_OK)
        e = run_simple(s, COMMIT, err);
    if (e != POSTERN_OK) {
        (void)run_simple(s, ROLLBACK, NULL); /* the failure to report is the first one */
        return e;
    }
    *ret_found = found;
    *ret_removed_s = removed_s;
    return POSTERN_OK;
}

/* ---- removals ---- */

postern_err client_store_removed_at(struct client_store *s, const char *name,
                                    int64_t *ret_removed_s, postern_error *err)
{
    AUTO_RUN r = run_start(s, REMOVED_AT);
    int rc = bind_text(&r, 1, name);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(r.stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail_sqlite(s, rc, "finding a removal", err);
    *ret_removed_s = rc == SQLITE_ROW ? sqlite3_column_int64(r.stmt, 0) : STORE_NEVER;
    return POSTERN_OK;
}

struct removal_list {
    struct client_removal *items;
    size_t count, cap;
};

static bool grow_removals(struct removal_list *l)
{
    size_t cap = l->cap == 0 ? 64 : l->cap * 2;
    struct client_removal *items = reallocarray(l->items, cap, sizeof *items);

    if (items == NULL)
        return false;
    l->items = items;
    l->cap = cap;
    return true;
}

static postern_err read_removals(struct run *r, struct removal_list *l, postern_error *err)
{
    int rc;

    while ((rc = sqlite3_step(r->stmt)) == SQLITE_ROW) {
        if (l->count == l->cap && !grow_removals(l))
            return POSTERN_FAIL(err, NOMEM, "%zu removals", l->count);
        if (!copy_column(r->stmt, 0, l->items[l->count].client, CLIENT_NAME_MAX))
            return POSTERN_FAIL(err, SYSTEM, "store: a removal's row is damaged");
        l->items[l->count++].removed_s = sqlite3_column_int64(r->stmt, 1);
    }
    return rc == SQLITE_DONE ? POSTERN_OK : fail_sqlite(r->store, rc, "listing removals", err);
}

postern_err client_store_removals(struct client_store *s, struct client_removal **ret,
                                  size_t *ret_count, postern_error *err)
{
    AUTO_RUN r = run_start(s, REMOVALS);
    struct removal_list l = { 0 };
    postern_err e = read_removals(&r, &l, err);

    if (e != POSTERN_OK) {
        free(l.items);
        return e;
    }
    *ret = l.items;
    *ret_count = l.count;
    return POSTERN_OK;
}

postern_err client_store_forget_removals(struct client_store *s, int64_t before_s,
                                         postern_error *err)
{
    AUTO_RUN r = run_start(s, FORGET);

    if (sqlite3_bind_int64(r.stmt, 1, before_s) != SQLITE_OK)
        return fail_sqlite(s, sqlite3_errcode(s->db), "forgetting removals", err);
    return run_done(&r, "forgetting removals", err);
}
