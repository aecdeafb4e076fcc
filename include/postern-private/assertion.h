/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client signed with a key that it registered (RFC 7523 §3): key and signature, no claim.
 * Not installed; sidecar/issuer only.  Keys come from the caller, never from the assertion; the
 * algorithms are lib/jose's, all asymmetric.
 */
#ifndef POSTERN_PRIVATE_ASSERTION_H
#define POSTERN_PRIVATE_ASSERTION_H

#include <postern/bytes.h>

#include "json.h"

/*
 * May a client register this key set?  Every member must be a public key that can verify.
 *   POSTERN_OK · MALFORMED · LIMIT · WEAK_KEY (no key, or one that cannot be used) · NOMEM ·
 *   INTERNAL
 */
POSTERN_MUST_USE postern_err postern_client_keys_check(postern_bytes jwks, postern_error *err);

typedef struct postern_assertion postern_assertion; /* proved; wiped on free */
/*
 * Verify `jws` with the keys of `jwks`; neither need stay alive.
 *   POSTERN_OK · any error of class TOKEN (bad signature, unknown kid …) · MALFORMED · LIMIT ·
 *   NOMEM · INTERNAL
 */
POSTERN_MUST_USE postern_err postern_assertion_verify(postern_bytes jws, postern_bytes jwks,
                                                      postern_assertion **ret, postern_error *err);
/* An object; owned by the assertion. */
const postern_json *postern_assertion_claims(const postern_assertion *a);
bool postern_assertion_has_typ(const postern_assertion *a);
/* RFC 7515 §4.1.9: case ignored, "application/" optional. */
bool postern_assertion_typ_is(const postern_assertion *a, const char *want);
void postern_assertion_free(postern_assertion *a); /* NULL is fine */
static inline void postern_auto_assertion(postern_assertion **a)
{
    postern_assertion_free(*a);
}

#endif
