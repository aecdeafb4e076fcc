/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Client authentication as it travels in a request: client_secret_basic, client_secret_post or
 * private_key_jwt, exactly one (RFC 6749 §2.3).  Pure: finds name and proof, judges neither.
 */
#ifndef POSTERN_ISSUER_CLIENT_AUTH_H
#define POSTERN_ISSUER_CLIENT_AUTH_H

#include <postern-private/form.h>

#include "answer.h"

/* A decoded client_id or secret: ours have 64 and 43 bytes; more is a guess. */
#define CLIENT_CREDENTIAL_MAX 512

typedef enum client_auth_result {
    CLIENT_AUTH_UNSET = 0, /* out of memory */
    CLIENT_AUTH_FOUND,
    CLIENT_AUTH_NAMED,     /* a client_id alone: enough for a public client (OAuth 2.1 §3.2.2) */
    CLIENT_AUTH_NONE,      /* no credentials at all */
    /* An Authorization header that is not Basic, not base64, without colon … */
    CLIENT_AUTH_MALFORMED,
    CLIENT_AUTH_ASSERTION, /* client_assertion of the right type: `assertion`; a name perhaps */
    CLIENT_AUTH_METHOD,    /* an assertion of another type, or a secret without its client_id */
    CLIENT_AUTH_TWO        /* two methods at once, or two different client_ids */
} client_auth_result;

struct client_auth {
    postern_buf name;   /* POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX), no NUL inside */
    postern_buf secret;
    postern_bytes assertion; /* a view into the form; secret until it is used */
};
#define CLIENT_AUTH_INIT                                                                           \
    ((struct client_auth){ POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX),                                \
                           POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX), POSTERN_BYTES_NONE })
static inline void client_auth_free(struct client_auth *c)
{
    postern_buf_free(&c->name);
    postern_buf_free(&c->secret);
}
#define AUTO_CLIENT_AUTH __attribute__((cleanup(client_auth_free))) struct client_auth

client_auth_result client_auth_find(const char *authorization, const postern_form *form,
                                    struct client_auth *ret);

#endif
