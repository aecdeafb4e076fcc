/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the store_*.c files share: statements that were prepared at open (store_queries.def), used
 * once and then reset with their bindings cleared, because those may hold a secret's hash.  Values
 * are bound, never spliced.
 */
#ifndef POSTERN_ISSUER_STORE_INNER_H
#define POSTERN_ISSUER_STORE_INNER_H

#include <sqlite3.h>

#include "store.h"

enum store_query {
#define STORE_QUERY(name, text) QUERY_##name,
#include "store_queries.def"
#undef STORE_QUERY
    STORE_QUERIES
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *queries[STORE_QUERIES];
};

POSTERN_MUST_USE postern_err store_fail(const struct store *s, int rc, const char *doing,
                                        postern_error *err);

struct run {
    struct store *store;
    sqlite3_stmt *stmt;
};
struct run run_start(struct store *s, enum store_query q);
void run_end(struct run *r);
#define AUTO_RUN __attribute__((cleanup(run_end))) struct run

/* Text and blobs must live until run_end().  SQLite's result code. */
int run_bind_text(struct run *r, int i, const char *text);
int run_bind_blob(struct run *r, int i, const void *bytes, size_t len);
/* The statement returns no row. */
POSTERN_MUST_USE postern_err run_done(struct run *r, const char *doing, postern_error *err);
/* *ret_found: there was a row, and the statement stands on it. */
POSTERN_MUST_USE postern_err run_row(struct run *r, const char *doing, bool *ret_found,
                                     postern_error *err);
/* A statement without parameters and rows. */
POSTERN_MUST_USE postern_err run_simple(struct store *s, enum store_query q, postern_error *err);
/* False: NULL, or it does not fit with its NUL. */
bool run_column_text(const struct run *r, int column, char *room, size_t room_size);
bool run_column_blob(const struct run *r, int column, void *room, size_t want_len);

/* BEGIN IMMEDIATE, work, COMMIT; ROLLBACK when work or commit fails. */
typedef postern_err (*store_work)(struct store *s, void *arg, postern_error *err);
POSTERN_MUST_USE postern_err store_transact(struct store *s, store_work work, void *arg,
                                            postern_error *err);

#endif
