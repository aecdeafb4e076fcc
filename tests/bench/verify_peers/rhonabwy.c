/* SPDX-License-Identifier: BSD-2-Clause */
/* librhonabwy, on GnuTLS and nettle: checks all but the scope by itself. */
#include "peer.h"

#include <rhonabwy.h>
#include <stdlib.h>

#include "jansson_claims.h"

struct state {
    struct peer_setup want;
    jwk_t *key;
    jwa_alg alg;
};

static void end(void *state)
{
    struct state *s = state;

    r_jwk_free(s->key);
    free(s);
    r_global_close();
}

static void *begin(const struct peer_setup *setup)
{
    struct state *s = calloc(1, sizeof *s);

    if (s == NULL || r_global_init() != RHN_OK) {
        free(s);
        return NULL;
    }
    s->want = *setup;
    s->alg = r_str_to_jwa_alg(setup->alg);
    if (r_jwk_init(&s->key) == RHN_OK &&
        r_jwk_import_from_json_str(s->key, setup->jwk) == RHN_OK && s->alg != R_JWA_ALG_UNKNOWN)
        return s;
    end(s);
    return NULL;
}

static bool check_jwt(const struct state *s, jwt_t *jwt, const char *token, size_t len)
{
    return r_jwt_parsen(jwt, token, len, 0) == RHN_OK && r_jwt_get_sign_alg(jwt) == s->alg &&
           r_jwt_verify_signature(jwt, s->key, 0) == RHN_OK &&
           r_jwt_validate_claims(jwt, R_JWT_CLAIM_TYP, s->want.typ, R_JWT_CLAIM_ISS,
                                 s->want.issuer, R_JWT_CLAIM_AUD, s->want.audience,
                                 R_JWT_CLAIM_EXP, R_JWT_CLAIM_NOW, R_JWT_CLAIM_NOP) == RHN_OK &&
           has_word(r_jwt_get_claim_str_value(jwt, "scope"), s->want.scope);
}

static bool check(void *state, const char *token, size_t len)
{
    jwt_t *jwt = NULL;
    bool ok = r_jwt_init(&jwt) == RHN_OK && check_jwt(state, jwt, token, len);

    r_jwt_free(jwt);
    return ok;
}

const struct verify_peer verify_peer = { "at+jwt", begin, check, end };
