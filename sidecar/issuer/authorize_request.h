/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An authorization request, read strictly from its query (OAuth 2.1 §4.1.1, RFC 7636, RFC 8707,
 * RFC 9396): from somebody's link, so everything in it is a stranger's.  Until client and redirect
 * URI are known to belong together nothing is sent anywhere.
 */
#ifndef POSTERN_ISSUER_AUTHORIZE_REQUEST_H
#define POSTERN_ISSUER_AUTHORIZE_REQUEST_H

#include <postern-private/form.h>

#include "issuer.h"
#include "store_grants.h"

#define AUTHORIZE_QUERY_MAX 16384 /* bytes: details of 4 KiB, percent-encoded, and the rest */
#define AUTHORIZE_STATE_MAX 2049  /* bytes with NUL: some clients put a signed object there */

typedef enum authorize_outcome {
    AUTHORIZE_FAILED = 0, /* store, memory: `err` says */
    AUTHORIZE_BAD,        /* a page says `why`; nobody is redirected */
    AUTHORIZE_REFUSED,    /* the redirect URI is told `error` and `why` */
    AUTHORIZE_GOOD
} authorize_outcome;

struct authorize_request {
    struct client_record client;
    char redirect[GRANT_REDIRECT_MAX]; /* registered, as it was asked */
    char state[AUTHORIZE_STATE_MAX];   /* "": none */
    char scopes[CLIENT_SCOPES_MAX];
    char resources[CLIENT_RESOURCES_MAX];
    char challenge[GRANT_CHALLENGE_MAX];
    char purpose[GRANT_PURPOSE_MAX];
    char details[GRANT_DETAILS_MAX];
    bool is_silent;    /* prompt=none */
    bool wants_login;  /* prompt=login: the password, even with a session */
    const char *error; /* static: of a refusal */
    const char *why;   /* static sentence, error_description characters */
};

/* `query` as it was received; NULL: none. */
authorize_outcome authorize_request_read(struct issuer *is, const char *query,
                                         struct authorize_request *ret, postern_error *err);
/* Everything but looking up the client: ret->client is set when there is one (pure; fuzzed). */
authorize_outcome authorize_request_judge(const struct issuer_settings *s, const postern_form *form,
                                          struct authorize_request *ret, postern_error *err);

#endif
