/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked about one token, kept for as long as validate.c works on it.  No check of it. */
#ifndef POSTERN_OAUTH_VALIDATE_REQUEST_H
#define POSTERN_OAUTH_VALIDATE_REQUEST_H

#include <postern/validate.h>

/* Zeroed before it is made. */
struct request_copy {
    uint8_t *block; /* everything that the others point to */
    size_t block_len;
    postern_bytes token;
    bool is_too_long; /* the token; it was not copied */
    const char *authzid, *message_host, *message_port, *peer;
    postern_carrier carrier;
    postern_bytes extra_scopes;       /* each with a blank behind it */
    postern_bytes client_cert_sha256; /* none, or POSTERN_BOUND_CERT_LEN bytes */
    postern_tls tls;
};

/*
 * Copies what a login is about.
 *
 *   rq    borrowed for the call; its sizes were checked
 *   ret   to be dropped whatever comes back
 *
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
postern_err postern_request_copy_make(const postern_request *rq, struct request_copy *ret,
                                      postern_error *err);

/* Wipes and frees; one that was never made is taken too. */
void postern_request_copy_drop(struct request_copy *copy);

#endif
