/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authorization server metadata (RFC 8414, and the two places where OpenID Connect puts it): where
 * to look, and what may be believed. Pure; called by token_call.c and discovery.c.
 */
#ifndef POSTERN_LIB_METADATA_H
#define POSTERN_LIB_METADATA_H

#include "oauth/answer.h"

struct postern_issuer {
    const char *text; /* exact identifier; borrowed, and url's views point into it */
    struct postern_url url;
};

struct postern_endpoint {
    char url[POSTERN_HTTP_URL_MAX];
    bool is_host_configured; /* it is on the issuer's own host */
};

/* What a request needs of a document; what it does not need is not judged. */
enum {
    POSTERN_NEED_TOKEN = 1,
    POSTERN_NEED_AUTHORIZATION = 2, /* and PKCE by S256 (OAuth 2.1 §7.5.1) */
    POSTERN_NEED_REVOCATION = 4,
    POSTERN_NEED_JWKS = 8,
    POSTERN_NEED_INTROSPECTION = 16,
};

/* Ways to send a client secret that a server lists. */
enum { POSTERN_TAKES_BASIC = 1, POSTERN_TAKES_POST = 2 };

struct postern_metadata {
    /* url "" where not needed */
    struct postern_endpoint token, authorization, revocation, introspection, jwks;
    /* POSTERN_TAKES_*; RFC 8414 §2: BASIC where the document lists none. */
    unsigned token_auth, revocation_auth, introspection_auth;
    bool says_iss; /* authorization_response_iss_parameter_supported (RFC 9207 §3) */
};

/* RFC 8414 §2: a URL without query and fragment.  `text` must stay alive.  POSTERN_OK · USAGE */
POSTERN_MUST_USE postern_err postern_issuer_read(const char *text, struct postern_issuer *ret,
                                                 postern_error *err);
/*
 * The nth place to look, appended: RFC 8414 §3.1 with the path inserted, OpenID Connect with the
 * path inserted (RFC 8414 §5), OpenID Connect Discovery §4 with the suffix appended.  False past
 * the last; an issuer without path has two places.
 */
bool postern_metadata_place(const struct postern_issuer *issuer, size_t n, postern_buf *ret_url);
/*
 * Judge a document: `issuer` must be the configured identifier byte for byte before anything else
 * is looked at (RFC 8414 §3.3); each endpoint that is needed must be https, or, for an issuer on
 * loopback http, of the same origin as the issuer.
 *   needs   POSTERN_NEED_*
 *   POSTERN_OK · ISSUER_UNTRUSTED (another issuer) · ISSUER_ANSWER · NOMEM
 */
POSTERN_MUST_USE postern_err postern_metadata_read(const struct postern_http_response *r,
                                                   const struct postern_issuer *issuer,
                                                   unsigned needs, struct postern_metadata *ret,
                                                   postern_error *err);

#endif
