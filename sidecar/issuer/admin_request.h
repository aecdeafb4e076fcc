/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the administration protocol, read strictly (postern-issuer(7)).  Pure; names and
 * resources are judged by clients.c. */
#ifndef POSTERN_ISSUER_ADMIN_REQUEST_H
#define POSTERN_ISSUER_ADMIN_REQUEST_H

#include "passwords.h"
#include "store_clients.h"

/* Bytes: a name, the lists and the key set of a client at their limits as JSON, and room. */
#define ADMIN_REQUEST_MAX 32768

typedef enum admin_verb {
    ADMIN_VERB_NONE = 0,
    ADMIN_CLIENT_ADD,
    ADMIN_CLIENT_LIST,
    ADMIN_CLIENT_REMOVE,
    ADMIN_CLIENT_SHOW,
    ADMIN_CLIENT_ROTATE_SECRET,
    ADMIN_CLIENT_INVITE,
    ADMIN_KEYS_LIST,
    ADMIN_KEYS_ROTATE,
    ADMIN_USER_ADD,
    ADMIN_USER_LIST,
    ADMIN_USER_REMOVE
} admin_verb;

struct admin_request {
    admin_verb verb;
    /* One byte more than a name, so that a long one is refused as such. */
    char name[CLIENT_NAME_MAX + 1];
    char after[CLIENT_NAME_MAX];
    char scopes[CLIENT_SCOPES_MAX]; /* words */
    char resources[CLIENT_RESOURCES_MAX];
    char redirects[CLIENT_REDIRECTS_MAX];
    char title[CLIENT_TITLE_MAX];
    char jwks[CLIENT_JWKS_MAX]; /* JSON; "": none */
    bool is_public, may_impersonate, may_introspect;
    int64_t uses, for_s; /* of an invitation; 0: not said */
    char password[PASSWORD_MAX + 2]; /* secret: the caller wipes it */
};

/*
 * A member that no verb knows, or that this verb does not take, is refused: a typing mistake
 * must not widen what a client may do.
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (detail: for the administrator) · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err admin_request_parse(postern_bytes line, struct admin_request *ret,
                                                 postern_error *err);

#endif
