/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of clients: who may ask for tokens, how it proves itself, what it may ask for. */
#ifndef POSTERN_ISSUER_STORE_CLIENTS_H
#define POSTERN_ISSUER_STORE_CLIENTS_H

#include "store.h"

/* Bytes with NUL: also a local user name, useradd's limit is 32, LDAP's custom 64. */
#define CLIENT_NAME_MAX 65
#define CLIENT_SCOPES_MAX 1001   /* bytes with NUL, words: what postern_token_info keeps is 1024 */
#define CLIENT_RESOURCES_MAX 4097 /* bytes with NUL, words: some 60 services of one agent */
#define CLIENT_SECRET_HASH 32    /* SHA-256 */
/* One machine's agents; more belong to an organisation's own server. */
#define CLIENTS_MAX 100000

#define CLIENT_TITLE_MAX 129 /* bytes with NUL: a name for people on a page */
#define CLIENT_REDIRECTS_MAX 2049 /* bytes with NUL, words: some ten addresses */
#define CLIENT_JWKS_MAX 8193 /* bytes with NUL: a key set of a few public keys */

/* How a client proves itself (RFC 7591 §2, token_endpoint_auth_method); stored as a number. */
typedef enum client_auth_method {
    CLIENT_AUTH_BY_SECRET = 0, /* client_secret_basic or client_secret_post */
    CLIENT_AUTH_BY_KEY = 1,    /* private_key_jwt */
    CLIENT_AUTH_BY_NOTHING = 2 /* public: PKCE only; never client_credentials, never exchange */
} client_auth_method;

#define CLIENT_MAY_IMPERSONATE 1U  /* an exchange without an actor (RFC 8693 §1.1) */
#define CLIENT_SELF_REGISTERED 2U  /* RFC 7591: forgotten when it is never used */
#define CLIENT_MAY_INTROSPECT 4U   /* RFC 7662, beside the audiences it may ask tokens for */

struct client_record {
    char    name[CLIENT_NAME_MAX];
    client_auth_method auth;
    uint8_t secret_sha256[CLIENT_SECRET_HASH]; /* zeros unless CLIENT_AUTH_BY_SECRET */
    char    scopes[CLIENT_SCOPES_MAX];
    char    resources[CLIENT_RESOURCES_MAX];
    char    title[CLIENT_TITLE_MAX];            /* "": the name */
    char    redirects[CLIENT_REDIRECTS_MAX];    /* words, exact redirect URIs; "": no code flow */
    char    jwks[CLIENT_JWKS_MAX];              /* RFC 7517 set; "" unless CLIENT_AUTH_BY_KEY */
    unsigned flags;                             /* CLIENT_MAY_…, CLIENT_SELF_REGISTERED */
    int64_t created_s;
    int64_t used_s;                             /* last token of it; 0: never */
};

#define STORE_NEVER INT64_MIN /* no removal is remembered */

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM.  Names compare byte for byte,
 * but are unique ignoring case. */
POSTERN_MUST_USE postern_err store_client_find(struct store *s, const char *name,
                                               bool *ret_found, struct client_record *ret,
                                               postern_error *err);
/* The first `max` clients whose name follows `after`, in order of name. */
POSTERN_MUST_USE postern_err store_client_list(struct store *s, const char *after,
                                               struct client_record *ret, size_t max,
                                               size_t *ret_count, postern_error *err);
typedef enum store_add { STORE_ADD_UNSET = 0, STORE_ADDED, STORE_EXISTS, STORE_FULL } store_add;
POSTERN_MUST_USE postern_err store_client_add(struct store *s,
                                              const struct client_record *client, store_add *ret,
                                              postern_error *err);
/* Delete the client with its grants, and remember when until `until_s` (never earlier than a time
 * remembered before), in one transaction. */
POSTERN_MUST_USE postern_err store_client_remove(struct store *s, const char *name,
                                                 int64_t now_s, int64_t until_s,
                                                 bool *ret_found, int64_t *ret_removed_s,
                                                 postern_error *err);
/* When a client of that name was removed last; STORE_NEVER. */
POSTERN_MUST_USE postern_err store_client_removed_at(struct store *s, const char *name,
                                                     int64_t *ret_removed_s, postern_error *err);
/* *ret_found is false when there is no such client that authenticates by a secret. */
POSTERN_MUST_USE postern_err store_client_set_secret(struct store *s, const char *name,
                                                     const uint8_t sha256[CLIENT_SECRET_HASH],
                                                     bool *ret_found, postern_error *err);
/* It got a token just now: used_s becomes `now_s`. */
POSTERN_MUST_USE postern_err store_client_touch(struct store *s, const char *name, int64_t now_s,
                                                postern_error *err);
/*
 * Take an identifier that may be used once (the jti of an assertion, RFC 7523 §3): *ret_is_first
 * is false when `owner` brought it before.  Kept until `until_s`.
 */
POSTERN_MUST_USE postern_err store_once(struct store *s, const char *owner, const char *id,
                                        int64_t until_s, bool *ret_is_first, postern_error *err);

#endif
