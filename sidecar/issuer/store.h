/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the issuer remembers: clients, and when removed ones were removed.  One writer: the
 * issuer child (two for the moment of a reload); a call that returned POSTERN_OK survives kill
 * -9 and power loss.  Knows no grammar: clients.c checks what goes in.  store_sqlite.c is the
 * implementation.
 */
#ifndef POSTERN_ISSUER_STORE_H
#define POSTERN_ISSUER_STORE_H

#include <postern/bytes.h>

/* Bytes with NUL: also a local user name, useradd's limit is 32, LDAP's custom 64. */
#define CLIENT_NAME_MAX 65
#define CLIENT_SCOPES_MAX 1001   /* bytes with NUL, words: what postern_token_info keeps is 1024 */
#define CLIENT_RESOURCES_MAX 4097 /* bytes with NUL, words: some 60 services of one agent */
#define CLIENT_SECRET_HASH 32    /* SHA-256 */
/* One machine's agents; more belong to an organisation's own server. */
#define CLIENTS_MAX 100000

struct client_record {
    char    name[CLIENT_NAME_MAX];
    uint8_t secret_sha256[CLIENT_SECRET_HASH];
    char    scopes[CLIENT_SCOPES_MAX];
    char    resources[CLIENT_RESOURCES_MAX];
    int64_t created_s;
};

struct client_store;

#define STORE_NEVER INT64_MIN /* no removal is remembered */

/*
 * Open (make, migrate) the database in `dir`, which must belong to us.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (not ours, newer schema) · POSTERN_ERR_SYSTEM (no
 *   database) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err client_store_open(const char *dir, struct client_store **ret,
                                               postern_error *err);
void client_store_close(struct client_store *s); /* NULL is fine */

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM.  Names compare byte for byte,
 * but are unique ignoring case. */
POSTERN_MUST_USE postern_err client_store_find(struct client_store *s, const char *name,
                                               bool *ret_found, struct client_record *ret,
                                               postern_error *err);
/* The first `max` clients whose name follows `after`, in order of name. */
POSTERN_MUST_USE postern_err client_store_list(struct client_store *s, const char *after,
                                               struct client_record *ret, size_t max,
                                               size_t *ret_count, postern_error *err);
typedef enum store_add { STORE_ADD_UNSET = 0, STORE_ADDED, STORE_EXISTS, STORE_FULL } store_add;
POSTERN_MUST_USE postern_err client_store_add(struct client_store *s,
                                              const struct client_record *client, store_add *ret,
                                              postern_error *err);
/* Delete the client and remember when (never earlier than a time remembered before), in one
 * transaction. */
POSTERN_MUST_USE postern_err client_store_remove(struct client_store *s, const char *name,
                                                 int64_t now_s, bool *ret_found,
                                                 int64_t *ret_removed_s, postern_error *err);

/* When a client of that name was removed last; STORE_NEVER. */
POSTERN_MUST_USE postern_err client_store_removed_at(struct client_store *s, const char *name,
                                                     int64_t *ret_removed_s, postern_error *err);
struct client_removal {
    char    client[CLIENT_NAME_MAX];
    int64_t removed_s;
};
/* All remembered removals; the caller free()s *ret (NULL when there are none). */
POSTERN_MUST_USE postern_err client_store_removals(struct client_store *s,
                                                   struct client_removal **ret, size_t *ret_count,
                                                   postern_error *err);
/* Forget removals before that time. */
POSTERN_MUST_USE postern_err client_store_forget_removals(struct client_store *s, int64_t before_s,
                                                          postern_error *err);

#endif
