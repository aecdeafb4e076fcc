/* SPDX-License-Identifier: BSD-2-Clause */
/* What a host asks about one token: the same struct for local validation (validate.h) and for
 * the helper (client.h). */
#ifndef POSTERN_REQUEST_H
#define POSTERN_REQUEST_H

#include <stdbool.h>

#include <postern/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes; Cyrus imapd carries ~16,340, Redis 16,384: what fits every carrier we know. */
#define POSTERN_TOKEN_MAX 16384
/* Bytes with NUL of `opaque_prefix:`: a mark in front of a token, not a token. */
#define POSTERN_OPAQUE_PREFIX_MAX 64

typedef enum postern_carrier {
    POSTERN_CARRIER_UNKNOWN = 0,
    POSTERN_CARRIER_SASL,
    POSTERN_CARRIER_PASSWORD,
    POSTERN_CARRIER_RAW
} postern_carrier;
typedef enum postern_tls {
    POSTERN_TLS_UNKNOWN = 0, /* the host never says */
    POSTERN_TLS_NONE,        /* in clear over a network */
    POSTERN_TLS_LOCAL,       /* loopback address or unix socket */
    POSTERN_TLS_ON
} postern_tls;

/* Everything is copied by the _start() function that takes it. */
typedef struct postern_request {
    size_t             size;         /* sizeof(postern_request): room to grow */
    /* Names services/NAME.conf or one of its service_names; required. */
    const char        *service;
    /* 1..POSTERN_TOKEN_MAX bytes; longer is a verdict, not misuse. */
    postern_bytes      token;
    const char        *authzid;      /* wanted identity, NULL or "": the token's own */
    postern_carrier    carrier;
    postern_tls        tls;
    const char        *peer;         /* client's address or NULL; audit only */
    const char        *message_host; /* `host=` of RFC 7628 §3.1, NULL when absent */
    const char        *message_port; /* `port=`, likewise */
    const char *const *extra_scopes; /* NULL-terminated, or NULL; added to the service's */
    /* SHA-256 of the DER of the certificate that the client proved it holds the key of, on the
     * connection that brought the token (RFC 8705 §3); empty: none.  32 bytes otherwise. */
    postern_bytes      client_cert_sha256;
    /* Of a local validation whose issuer is asked about tokens: its word counts for no longer than so
     * many milliseconds, whatever introspection_cache: says.  0: as the issuer file says. */
    unsigned           introspected_within_ms;
    /* Likewise: a live session is looked at again, by the token that it began with.  Not counted
     * against the share of its source, and behind logins where the issuer is busy. */
    bool               is_look_again;
    /* Of a local validation: written while the op lives (<postern/trail.h>).  NULL: nobody asks. */
    struct postern_trail *trail;
} postern_request;

#ifdef __cplusplus
}
#endif
#endif
