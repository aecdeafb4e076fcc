/* SPDX-License-Identifier: BSD-2-Clause */
/* A plugin's request frame, read strictly (postern-helper(7)).  Pure: bytes in, request out; asks
 * and decides nothing. */
#ifndef POSTERN_SIDECAR_HELPER_REQUEST_H
#define POSTERN_SIDECAR_HELPER_REQUEST_H

#include <postern/request.h>
#include <postern-private/frame.h>

#include "saslauthd.h"

#define REQUEST_SERVICE_MAX 255 /* bytes of a service name: a file name (NAME_MAX) */
#define REQUEST_PEER_MAX    255 /* bytes of a client's address, in a host's own words */
#define REQUEST_SCOPES_MAX  16  /* extra scopes: pg_hba lines and the like, not a catalogue */

#define REQUEST_CERT_TEXT_LEN 43 /* bytes of a SHA-256 in base64url */

struct helper_request {
    bool is_describe;
    bool is_handle; /* mint a handle for the token */
    int64_t uses;   /* of that handle; as it was asked for */
    bool is_last;   /* no other comes on this connection */
    bool is_saslauthd; /* came that way: no nonce, and an answer of another form */
    const char *nonce;  /* 22 characters of base64url */
    postern_request rq; /* service always; the rest for verify */
    const char *scopes[REQUEST_SCOPES_MAX + 1];
    uint8_t client_cert[32]; /* of rq.client_cert_sha256 */
    postern_frame frame; /* owns every text above, the token too */
    uint8_t *block;      /* of saslauthd's: the same */
    size_t block_len;
};

/*
 * Read one frame into a zeroed request.
 *
 *   frame   borrowed while ret is in use
 *   ret     freed by helper_request_free() in every case
 *   POSTERN_OK · POSTERN_ERR_HELPER_PROTOCOL (the sentence may go back to the peer: it holds
 * nothing of the frame) · NOMEM
 */
POSTERN_MUST_USE postern_err helper_request_read(postern_bytes frame, struct helper_request *ret,
                                                 postern_error *err);
/*
 * A request of saslauthd's protocol (borrowed for the call) as one of ours.  The wanted identity is
 * login, or login@realm, as the host had it before libsasl took it apart.
 *
 *   ret   zeroed before; freed by helper_request_free() in every case
 *   POSTERN_OK · POSTERN_ERR_AUTHZID (no login, or one that nobody can have) · HELPER_PROTOCOL (the
 *   service is none) · NOMEM
 */
POSTERN_MUST_USE postern_err helper_request_from_saslauthd(const struct saslauthd_request *from,
                                                           struct helper_request *ret,
                                                           postern_error *err);
void helper_request_free(struct helper_request *r); /* wipes */

/* The words of the protocol, for the audit log. */
const char *helper_carrier_word(postern_carrier carrier);
const char *helper_tls_word(postern_tls tls);

#endif
