/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Client metadata as RFC 7591 §2 has it, read strictly: what is understood must be right, what is
 * not understood is ignored (§2), and nothing that would have to be fetched is taken.  Pure.
 */
#ifndef POSTERN_ISSUER_REGISTER_REQUEST_H
#define POSTERN_ISSUER_REGISTER_REQUEST_H

#include "store_clients.h"

#define REGISTER_BODY_MAX 32768 /* bytes: every list of a client at its limit, and room */

/* Bits of register_request.grants, in the order of register_grants. */
#define REGISTER_GRANT_CODE 1U
#define REGISTER_GRANT_REFRESH 2U
#define REGISTER_GRANT_CLIENT 4U
#define REGISTER_GRANT_EXCHANGE 8U
#define REGISTER_GRANTS 4
extern const char *const register_grants[REGISTER_GRANTS];

struct register_request {
    const char *auth_word; /* static: token_endpoint_auth_method */
    client_auth_method auth;
    unsigned grants;
    bool has_scope, is_web, is_native; /* application_type, when it was said */
    char scopes[CLIENT_SCOPES_MAX];
    char redirects[CLIENT_REDIRECTS_MAX];
    char title[CLIENT_TITLE_MAX];
    char jwks[CLIENT_JWKS_MAX]; /* "": none */
};

/* RFC 7591 §3.2.2; texts are static. */
struct register_fault {
    const char *error, *description, *message;
};

typedef enum register_outcome {
    REGISTER_FAILED = 0, /* no memory */
    REGISTER_REFUSED,    /* the fault says why */
    REGISTER_READ
} register_outcome;

register_outcome register_request_read(postern_bytes body, struct register_request *ret,
                                       struct register_fault *ret_fault);

#endif
