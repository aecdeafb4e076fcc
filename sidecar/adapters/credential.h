/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was inside the base64 of a login: one block, made when the login is complete, wiped and
 * freed with the adapter's state, so that a connection that has not logged in costs none of it.
 */
#ifndef POSTERN_ADAPTERS_CREDENTIAL_H
#define POSTERN_ADAPTERS_CREDENTIAL_H

#include <postern/oauthbearer.h>

#include "adapter.h"

struct credential {
    char    authzid[POSTERN_AUTHZID_MAX];
    size_t  len;  /* of what was decoded */
    size_t  room; /* bytes there are */
    uint8_t bytes[];
};

/*
 * Decode canonical base64 (RFC 4648 §4).
 *
 *   ret   the caller frees it with credential_free(); untouched unless POSTERN_OK
 *   POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err credential_decode(postern_bytes base64, struct credential **ret,
                                               postern_error *err);
/* An RFC 7628 message into token, authzid, host and port.  POSTERN_OK · POSTERN_ERR_LIMIT ·
 * POSTERN_ERR_MESSAGE_MALFORMED · POSTERN_ERR_NO_TOKEN */
POSTERN_MUST_USE postern_err credential_read_sasl(struct credential *c, struct adapter_login *ret,
                                                  postern_error *err);
/*
 * user-id ":" token (RFC 7617 §2) into authzid and token.  A password without the form of a
 * compact JWS is refused without a further look: it is somebody's.
 *   POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err credential_read_basic(struct credential *c, struct adapter_login *ret,
                                                   postern_error *err);
/*
 * A token in the place of a password, where a protocol has both as they are: a compact JWS, or an
 * opaque token of the embedded issuer.  Anything else is somebody's password.
 *   POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err credential_check_password(postern_bytes password, postern_error *err);
/* A user name into an authzid.  POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED */
POSTERN_MUST_USE postern_err credential_take_user(postern_bytes user,
                                                  char ret[POSTERN_AUTHZID_MAX],
                                                  postern_error *err);
/* Wipe and free; NULL is fine. */
void credential_free(struct credential *c);

/* A token as RFC 6750 §2.1 spells it, of 1..POSTERN_TOKEN_MAX bytes; LIMIT, MESSAGE_MALFORMED. */
POSTERN_MUST_USE postern_err credential_check_token(postern_bytes token, postern_error *err);

#endif
