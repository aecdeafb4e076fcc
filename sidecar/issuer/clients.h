/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the issuer: who may be one, with what, and whether a secret is theirs.  Rules live
 * here, rows in the store.  Called by admin.c (add, remove) and by token_endpoint.c
 * (authenticate).
 */
#ifndef POSTERN_ISSUER_CLIENTS_H
#define POSTERN_ISSUER_CLIENTS_H

#include "issuer.h"
#include "store_clients.h"

/* 256 bits of randomness: SHA-256 without salt is enough to store it. */
#define CLIENT_SECRET_BYTES 32

typedef enum clients_outcome {
    CLIENTS_FAILED = 0, /* store, memory: `err` says */
    CLIENTS_REFUSED,    /* `refusal` says */
    CLIENTS_DONE
} clients_outcome;

struct clients_refusal {
    /* Static word: "bad_name" "bad_scope" "bad_resource" "bad_redirect_uri" "bad_title"
     * "bad_keys" "bad_flags" "exists" "no_such_client" "no_secret" "full". */
    const char *error;
    char        message[768]; /* what is wrong and what to do; printable */
};

/* Fill in the refusal; always CLIENTS_REFUSED. */
clients_outcome clients_refuse(struct clients_refusal *r, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A new secret, base64url, and what is kept of it.  POSTERN_OK · POSTERN_ERR_NOMEM ·
 * POSTERN_ERR_SYSTEM (no randomness) */
POSTERN_MUST_USE postern_err clients_make_secret(uint8_t ret_sha256[CLIENT_SECRET_HASH],
                                                 postern_secret **ret, postern_error *err);
/* False: libcrypto has no memory. */
bool clients_hash_secret(postern_bytes secret, uint8_t ret[CLIENT_SECRET_HASH]);

/* What somebody asks to be registered; nothing here is judged yet.  NULL is "". */
struct client_wish {
    const char *name;      /* [a-z0-9._-]{1,64}, not a name of an administrator's or of ours */
    const char *scopes;    /* words of RFC 6749 §3.3; "" is allowed */
    const char *resources; /* words, each a configured audience; at least one */
    const char *redirects; /* words, redirect_uri.h; a public client needs one */
    const char *title;     /* for people: UTF-8 without controls and bidi marks */
    const char *jwks;      /* a key set; wanted with CLIENT_AUTH_BY_KEY and only then */
    client_auth_method auth;
    unsigned flags;        /* CLIENT_… */
};

/*
 * Judge a wish and make the row of it, with a new secret where it has one.
 *
 *   ret_secret  base64url, shown this once; NULL unless CLIENT_AUTH_BY_SECRET; caller frees
 */
clients_outcome clients_prepare(const struct issuer *is, const struct client_wish *wish,
                                struct client_record *ret, postern_secret **ret_secret,
                                struct clients_refusal *refusal, postern_error *err);
/* The same, and register it. */
clients_outcome clients_add(struct issuer *is, const struct client_wish *wish,
                            postern_secret **ret_secret, struct clients_refusal *refusal,
                            postern_error *err);
/* What the store said to a new row. */
clients_outcome clients_added(store_add added, const char *name, struct clients_refusal *refusal,
                              postern_error *err);
/* A new secret; the old one counts no more.  Tokens go on living. */
clients_outcome clients_rotate_secret(struct issuer *is, const char *name,
                                      postern_secret **ret_secret,
                                      struct clients_refusal *refusal, postern_error *err);
/* Unregister; tokens issued at *ret_removed_s or before are void from now on. */
clients_outcome clients_remove(struct issuer *is, const char *name, int64_t *ret_removed_s,
                               struct clients_refusal *refusal, postern_error *err);
/*
 * Does `secret` belong to client `name`?  Unknown names take the same path as known ones.
 *   POSTERN_OK with *ret_known (and *ret) · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err clients_authenticate(struct issuer *is, const char *name,
                                                  postern_bytes secret, bool *ret_known,
                                                  struct client_record *ret, postern_error *err);
/*
 * Is a token of this client from `iat_s` still good: is the client registered, and was it not
 * removed since?
 *   POSTERN_OK with *ret_is_live · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err clients_check_live(struct issuer *is, const char *name, int64_t iat_s,
                                                bool *ret_is_live, postern_error *err);
/* Forget revocations that no token can outlive any more, codes, refresh tokens, grants. */
POSTERN_MUST_USE postern_err issuer_forget_what_is_over(struct issuer *is, postern_error *err);

#endif
