/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The database's life: WAL, synchronous=FULL (each commit is on disk before the answer).  At a
 * reload two issuers have it open for a moment; SQLite's locks keep them in turn.  See store.h,
 * store_inner.h.
 */
#include "store_inner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

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
    /* People, what they authorized, and revocations of more than clients.  3900: what was kept of a
     * removal so far, ISSUER_REMOVAL_KEEP_S. */
    ("ALTER TABLE client ADD COLUMN auth INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE client ADD COLUMN title TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE client ADD COLUMN redirects TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE client ADD COLUMN jwks TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE client ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE client ADD COLUMN used_s INTEGER NOT NULL DEFAULT 0;"
     "CREATE TABLE revocation (kind INTEGER NOT NULL, name TEXT NOT NULL,"
     "  before_s INTEGER NOT NULL, until_s INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"
     "INSERT INTO revocation SELECT 1, lower(client), removed_s, removed_s + 3900 FROM removal;"
     "DROP TABLE removal;"
     "CREATE TABLE once (owner TEXT NOT NULL, id TEXT NOT NULL, until_s INTEGER NOT NULL,"
     "  PRIMARY KEY (owner, id)) WITHOUT ROWID;"
     "CREATE TABLE user (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,"
     "  salt BLOB NOT NULL CHECK (length(salt) = 16),"
     "  password BLOB NOT NULL CHECK (length(password) = 32),"
     "  scrypt_log_n INTEGER NOT NULL, scrypt_r INTEGER NOT NULL, scrypt_p INTEGER NOT NULL,"
     "  created_s INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE session (id_sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(id_sha256) = 32),"
     "  user TEXT NOT NULL COLLATE NOCASE REFERENCES user ON DELETE CASCADE,"
     "  authenticated_s INTEGER NOT NULL, seen_s INTEGER NOT NULL, ends_s INTEGER NOT NULL)"
     "  WITHOUT ROWID;"
     "CREATE INDEX session_user ON session (user);"
     "CREATE TABLE grants (id TEXT NOT NULL PRIMARY KEY,"
     "  user TEXT NOT NULL COLLATE NOCASE, client TEXT NOT NULL COLLATE NOCASE,"
     "  scopes TEXT NOT NULL, resources TEXT NOT NULL, purpose TEXT NOT NULL, details TEXT NOT NULL,"
     "  created_s INTEGER NOT NULL, auth_time_s INTEGER NOT NULL, ends_s INTEGER NOT NULL,"
     "  ended_s INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE INDEX grants_user ON grants (user); CREATE INDEX grants_client ON grants (client);"
     "CREATE TABLE code (sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),"
     "  grant_id TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,"
     "  redirect TEXT NOT NULL, challenge TEXT NOT NULL, expires_s INTEGER NOT NULL,"
     "  used_s INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE INDEX code_grant ON code (grant_id);"
     "CREATE TABLE refresh (sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),"
     "  grant_id TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,"
     "  created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,"
     "  used_s INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE INDEX refresh_grant ON refresh (grant_id);"
     "CREATE TABLE invitation (sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),"
     "  created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, uses_left INTEGER NOT NULL)"
     "  WITHOUT ROWID;"),
    /* Public halves of signing keys, with their times (key_ring.c). */
    ("CREATE TABLE signing_key (kid TEXT NOT NULL PRIMARY KEY, jwk TEXT NOT NULL,"
     "  made_s INTEGER NOT NULL, published_s INTEGER NOT NULL DEFAULT 0,"
     "  started_s INTEGER NOT NULL DEFAULT 0, retired_s INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"),
    /* Opaque access tokens (store_opaque.c). */
    ("CREATE TABLE opaque (sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),"
     "  client TEXT NOT NULL COLLATE NOCASE REFERENCES client ON DELETE CASCADE,"
     "  jti TEXT NOT NULL, claims TEXT NOT NULL, exp_s INTEGER NOT NULL,"
     "  self_registered INTEGER NOT NULL);"
     "CREATE INDEX opaque_client ON opaque (client); CREATE UNIQUE INDEX opaque_jti ON opaque (jti);"
     "CREATE INDEX opaque_exp ON opaque (exp_s);"
     "CREATE INDEX opaque_self ON opaque (self_registered) WHERE self_registered = 1;"),
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof *migrations))

static const char *const query_text[STORE_QUERIES] = {
#define STORE_QUERY(name, text) [QUERY_##name] = (text),
#include "store_queries.def"
#undef STORE_QUERY
};

postern_err store_fail(const struct store *s, int rc, const char *doing,
                               postern_error *err)
{
    if (rc == SQLITE_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "store: %s", doing);
    return POSTERN_FAIL(err, SYSTEM, "store: %s: %s", doing,
                        s->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(s->db));
}

struct run run_start(struct store *s, enum store_query q)
{
    return (struct run){ s, s->queries[q] };
}

void run_end(struct run *r)
{
    (void)sqlite3_reset(r->stmt); /* repeats the error of the last step, which was handled */
    (void)sqlite3_clear_bindings(r->stmt);
}

int run_bind_text(struct run *r, int i, const char *text)
{
    return sqlite3_bind_text(r->stmt, i, text, -1, SQLITE_STATIC);
}

int run_bind_blob(struct run *r, int i, const void *bytes, size_t len)
{
    return sqlite3_bind_blob64(r->stmt, i, bytes, len, SQLITE_STATIC);
}

postern_err run_done(struct run *r, const char *doing, postern_error *err)
{
    int rc = sqlite3_step(r->stmt);

    return rc == SQLITE_DONE ? POSTERN_OK : store_fail(r->store, rc, doing, err);
}

postern_err run_row(struct run *r, const char *doing, bool *ret_found, postern_error *err)
{
    int rc = sqlite3_step(r->stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_fail(r->store, rc, doing, err);
    *ret_found = rc == SQLITE_ROW;
    return POSTERN_OK;
}

postern_err run_simple(struct store *s, enum store_query q, postern_error *err)
{
    AUTO_RUN r = run_start(s, q);

    return run_done(&r, query_text[q], err);
}

bool run_column_text(const struct run *r, int column, char *room, size_t room_size)
{
    const void *text = sqlite3_column_text(r->stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(r->stmt, column);

    if (text == NULL || len >= room_size)
        return false;
    memcpy(room, text, len);
    room[len] = '\0';
    return true;
}

bool run_column_blob(const struct run *r, int column, void *room, size_t want_len)
{
    const void *bytes = sqlite3_column_blob(r->stmt, column);

    if (bytes == NULL || (size_t)sqlite3_column_bytes(r->stmt, column) != want_len)
        return false;
    memcpy(room, bytes, want_len);
    return true;
}

postern_err store_transact(struct store *s, store_work work, void *arg, postern_error *err)
{
    postern_err e;

    POSTERN_TRY(run_simple(s, QUERY_BEGIN, err));
    e = work(s, arg, err);
    if (e == POSTERN_OK)
        e = run_simple(s, QUERY_COMMIT, err);
    if (e != POSTERN_OK && run_simple(s, QUERY_ROLLBACK, NULL) != POSTERN_OK)
        log_problem("store: rolling back failed"); /* the failure to report is the first one */
    return e;
}

/* ---- opening ---- */

static postern_err execute(struct store *s, const char *sql, postern_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? POSTERN_OK : store_fail(s, rc, "preparing the database", err);
}

static postern_err read_version(struct store *s, int *ret_version, postern_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt); /* repeats rc */
    return rc == SQLITE_ROW ? POSTERN_OK : store_fail(s, rc, "reading the schema version", err);
}

static postern_err apply_migration(struct store *s, int from, postern_error *err)
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

static postern_err migrate(struct store *s, postern_error *err)
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

static postern_err prepare(struct store *s, postern_error *err)
{
    for (size_t i = 0; i < STORE_QUERIES; i++) {
        int rc = sqlite3_prepare_v3(s->db, query_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->queries[i], NULL);

        if (rc != SQLITE_OK)
            return store_fail(s, rc, query_text[i], err);
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

static postern_err open_at(struct store *s, const char *path, postern_error *err)
{
    int rc;

    POSTERN_TRY(make_private(path, err));
    rc = sqlite3_open_v2(path, &s->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "opening " FILE_NAME, err);
    (void)sqlite3_busy_timeout(s->db, BUSY_WAIT_MS); /* fails only for a NULL db */
    POSTERN_TRY(
        execute(s,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA trusted_schema = OFF;",
                err));
    POSTERN_TRY(migrate(s, err));
    return prepare(s, err);
}

postern_err store_open(const char *dir, struct store **ret, postern_error *err)
{
    struct store *s = calloc(1, sizeof *s);
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
        store_close(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < STORE_QUERIES; i++)
        (void)sqlite3_finalize(s->queries[i]); /* repeats an error that was handled */
    (void)sqlite3_close(s->db);                /* all statements are finalized: cannot be busy */
    free(s);
}
