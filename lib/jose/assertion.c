/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients' key sets and assertions for the embedded issuer; see postern-private/assertion.h.  Only
 * joins jwks.c and jwt.c: no rule of its own.
 */
#include <postern-private/assertion.h>

#include <stdlib.h>

#include "jose/jwt.h"

struct postern_assertion {
    postern_jwt *jwt;
    const postern_json *claims;
};

postern_err postern_client_keys_check(postern_bytes jwks, postern_error *err)
{
    POSTERN_AUTO(jwks) set = NULL;

    POSTERN_TRY(postern_jwks_parse(jwks, &set, err));
    if (postern_jwks_count(set) == 0 || postern_jwks_skipped(set) != 0)
        return POSTERN_FAIL(err, WEAK_KEY, "%zu keys can be used and %zu cannot",
                            postern_jwks_count(set), postern_jwks_skipped(set));
    return POSTERN_OK;
}

postern_err postern_assertion_verify(postern_bytes jws, postern_bytes jwks,
                                     postern_assertion **ret, postern_error *err)
{
    POSTERN_AUTO(assertion) a = calloc(1, sizeof *a);
    POSTERN_AUTO(jwks) set = NULL;

    if (a == NULL)
        return POSTERN_FAIL(err, NOMEM, "an assertion");
    POSTERN_TRY(postern_jwks_parse(jwks, &set, err));
    POSTERN_TRY(postern_jwt_new(&a->jwt, err));
    POSTERN_TRY(postern_jwt_parse(a->jwt, jws, err));
    POSTERN_TRY(postern_jwt_verify(a->jwt, set, &a->claims, err));
    *ret = POSTERN_STEAL(a);
    return POSTERN_OK;
}

const postern_json *postern_assertion_claims(const postern_assertion *a)
{
    return a->claims;
}

bool postern_assertion_has_typ(const postern_assertion *a)
{
    return postern_jwt_typ(a->jwt).len != 0;
}

bool postern_assertion_typ_is(const postern_assertion *a, const char *want)
{
    return postern_jwt_typ_is(a->jwt, want);
}

void postern_assertion_free(postern_assertion *a)
{
    if (a == NULL)
        return;
    postern_jwt_free(a->jwt);
    free(a);
}
