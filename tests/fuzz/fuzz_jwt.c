/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens from strangers against a fixed set (the public example keys of RFC 7515 A.2, A.3 and RFC
 * 8037 A.4): what parses has the shape, and what verifies stops doing so when a bit is changed.
 * Whose token it is, of two issuers, is asked before the proof: that changes no verdict, and what was
 * proved has the iss that chose.
 */
#include <stdlib.h>

#include <postern/oauthbearer.h>

#include "jose/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char keys[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV"
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";

static postern_jwks *set;
static postern_jwt *jwt;

static const char *const issuers[] = { "joe", "https://as.example" };

/* postern_jwt_verify() with the choice before it. */
static postern_err judge_chosen(postern_bytes token)
{
    const postern_json *claims = NULL;
    size_t chosen = 0;
    postern_err e, choice;

    POSTERN_TRY(postern_jwt_parse(jwt, token, NULL));
    choice = postern_jwt_choose_issuer(jwt, issuers, 2, &chosen, NULL);
    e = postern_jwt_verify(jwt, set, &claims, NULL);
    if (e == POSTERN_OK &&
        (choice == POSTERN_OK) !=
            (postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), issuers[0]) ||
             postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), issuers[1])))
        abort();
    if (e == POSTERN_OK && choice == POSTERN_OK &&
        !postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), issuers[chosen]))
        abort();
    return e;
}

static postern_err judge(postern_bytes token)
{
    const postern_json *claims = NULL;

    POSTERN_TRY(postern_jwt_parse(jwt, token, NULL));
    if (!postern_jwt_is_shaped(token) || postern_jwt_alg(jwt) == POSTERN_ALG_NONE)
        abort();
    if (postern_jwt_typ(jwt).len == 0 && postern_jwt_typ_is(jwt, "at+jwt"))
        abort();
    POSTERN_TRY(postern_jwt_verify(jwt, set, &claims, NULL));
    return postern_json_type_of(claims, 0) == POSTERN_JSON_OBJECT ? POSTERN_OK
                                                                  : POSTERN_ERR_INTERNAL;
}

static void check_tampered(postern_bytes token)
{
    uint8_t *copy = malloc(token.len);

    if (copy == NULL)
        abort();
    memcpy(copy, token.ptr, token.len);
    for (size_t at = 0; at < token.len; at += 1 + token.len / 16) {
        copy[at] ^= 1;
        if (judge((postern_bytes){ copy, token.len }) == POSTERN_OK)
            abort();
        copy[at] ^= 1;
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes token = { data, size };
    postern_err e;

    if (set == NULL && (postern_jwks_parse(postern_bytes_str(keys), &set, NULL) != POSTERN_OK ||
                        postern_jwt_new(&jwt, NULL) != POSTERN_OK))
        abort();
    e = judge(token);
    /* What may be sent on in place of a password has a token's shape, and no more. */
    if (postern_token_is_compact_jws(token) && !postern_jwt_is_shaped(token))
        abort();
    if (e == POSTERN_ERR_INTERNAL || judge_chosen(token) != e)
        abort();
    if (e == POSTERN_OK)
        check_tampered(token);
    return 0;
}
