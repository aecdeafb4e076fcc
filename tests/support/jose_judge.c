/* SPDX-License-Identifier: BSD-2-Clause */
/* See jose_judge.h. */
#include "config.h"

#include "jose_judge.h"

#include <stdlib.h>

#include "jose/header.h"
#include "jose/jwt.h"

postern_err judge_token(const char *jwks, const char *token)
{
    POSTERN_AUTO(jwks) set = NULL;
    POSTERN_AUTO(jwt) jwt = NULL;
    const postern_json *claims;

    POSTERN_TRY(postern_jwks_parse(postern_bytes_str(jwks), &set, NULL));
    POSTERN_TRY(postern_jwt_new(&jwt, NULL));
    POSTERN_TRY(postern_jwt_parse(jwt, postern_bytes_str(token), NULL));
    return postern_jwt_verify(jwt, set, &claims, NULL);
}

static postern_err verify_parts(const postern_jwks *set, struct postern_jose_header *h,
                                postern_bytes token)
{
    postern_reader r = { token };
    postern_bytes header, payload, input;
    uint8_t sig[POSTERN_BASE64URL_DECODED_MAX(16384)], junk[POSTERN_BASE64URL_DECODED_MAX(16384)];
    size_t sig_len, junk_len;

    if (token.len > 16384 || !postern_reader_take_until(&r, '.', &header) ||
        !postern_reader_take_until(&r, '.', &payload))
        return POSTERN_ERR_MALFORMED;
    POSTERN_TRY(postern_jose_header_parse(h, header, NULL));
    POSTERN_TRY(postern_base64url_decode(payload, junk, &junk_len, NULL));
    POSTERN_TRY(postern_base64url_decode(r.rest, sig, &sig_len, NULL));
    input = (postern_bytes){ token.ptr, header.len + 1 + payload.len };
    return postern_jwks_verify(set, h->alg, h->has_kid, (postern_bytes){ h->kid, h->kid_len },
                               input, (postern_bytes){ sig, sig_len }, NULL);
}

postern_err judge_signature(const char *jwks, postern_bytes token)
{
    POSTERN_AUTO(jwks) set = NULL;
    struct postern_jose_header *h;
    postern_err e;

    POSTERN_TRY(postern_jwks_parse(postern_bytes_str(jwks), &set, NULL));
    if ((h = calloc(1, sizeof *h)) == NULL)
        return POSTERN_ERR_NOMEM;
    postern_jose_header_init(h);
    e = verify_parts(set, h, token);
    postern_jose_header_clear(h);
    free(h);
    return e;
}
