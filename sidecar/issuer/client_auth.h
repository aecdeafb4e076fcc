/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Client authentication as it travels in a token request: client_secret_basic or
 * client_secret_post, exactly one (RFC 6749 §2.3).  Pure: finds name and secret, judges neither.
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
    CLIENT_AUTH_METHOD,    /* client_assertion, or a secret without its client_id */
    CLIENT_AUTH_TWO        /* two methods at once, or two different client_ids */
} client_auth_result;

struct client_auth {
    postern_buf name;   /* POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX), no NUL inside */
    postern_buf secret;
};
#define CLIENT_AUTH_INIT                                                                           \
    ((struct client_auth){ POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX),                                \
                           POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX) })
static inline void client_auth_free(struct client_auth *c)
{
    postern_buf_free(&c->name);
    postern_buf_free(&c->secret);
}
#define AUTO_CLIENT_AUTH __attribute__((cleanup(client_auth_free))) struct client_auth

client_auth_result client_auth_find(const char *authorization, const postern_form *form,
                                    struct client_auth *ret);

#endif
