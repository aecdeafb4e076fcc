/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's own key and the assertions that it signs (RFC 7523 §2.2).  One algorithm per kind of
 * key: ES256 for P-256, RS256 for RSA, EdDSA for Ed25519.  The issuer's key and tokens are
 * lib/mint's.
 */
#ifndef POSTERN_LIB_SIGNER_H
#define POSTERN_LIB_SIGNER_H

#include "jose/jws.h"

#define POSTERN_SIGNER_PEM_MAX 16384 /* bytes: RSA of 8192 bits has 6400; comments may stand before */

typedef struct postern_signer postern_signer; /* wiped on free */

/* POSTERN_OK · CONFIG_FILE (no private key of those kinds in PEM without passphrase, RSA of fewer
 * than 2048 bits) · NOMEM */
POSTERN_MUST_USE postern_err postern_signer_from_pem(postern_bytes pem, postern_signer **ret,
                                                     postern_error *err);
/* `claims` (a JSON object) as a compact JWS with {"alg":…,"typ":typ}, appended.  No `kid`: the
 * server looks among the client's own keys.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_signer_sign(const postern_signer *s, const char *typ,
                                                 postern_bytes claims, postern_buf *out,
                                                 postern_error *err);
void postern_signer_free(postern_signer *s); /* NULL is fine */
static inline void postern_auto_signer(postern_signer **s) { postern_signer_free(*s); }

#endif
