/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One compact JWS, from its shape to the proof (doc/design/token-flow.md); the claims themselves
 * are lib/oauth/claims.c's.  Keys come from the caller, never from the token.  RFC 7515 §5.2, RFC
 * 7519 §7.2, RFC 8725 §3.
 *
 * All three parts are decoded when the token is parsed: that is the check of its alphabet, in one
 * pass.  JSON is another matter: only the header is read before the proof, and where several
 * issuers count, the payload's `iss`, to know whose keys to ask.
 */
#include "jose/jwt.h"

#include <postern/request.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "jose/header.h"

#define PART_MAX POSTERN_BASE64URL_DECODED_MAX(POSTERN_TOKEN_MAX)

struct postern_jwt {
    struct postern_jose_header header;
    postern_bytes input; /* what is signed: "header.payload", in the caller's memory */
    size_t payload_len, sig_len;
    bool is_proved;      /* by a key, and so may be read */
    postern_json claims; /* storage, kept between tokens */
    bool is_scanned;     /* claims are this token's payload, proved or not */
    uint8_t payload[PART_MAX];
    uint8_t sig[PART_MAX];
};

postern_err postern_jwt_new(postern_jwt **ret, postern_error *err)
{
    postern_jwt *jwt = calloc(1, sizeof *jwt);

    if (jwt == NULL)
        return POSTERN_FAIL(err, NOMEM, "workspace of %zu bytes", sizeof *jwt);
    postern_jose_header_init(&jwt->header);
    *ret = jwt;
    return POSTERN_OK;
}

void postern_jwt_free(postern_jwt *jwt)
{
    if (jwt == NULL)
        return;
    postern_jose_header_clear(&jwt->header);
    postern_json_free(&jwt->claims);
    postern_wipe(jwt, sizeof *jwt);
    free(jwt);
}

/* ---- before the proof ---- */

struct parts {
    postern_bytes header, payload, sig;
};

/* False: not two dots, or an empty header or payload. */
static bool split(postern_bytes token, struct parts *ret)
{
    postern_reader r = { token };

    if (!postern_reader_take_until(&r, '.', &ret->header) ||
        !postern_reader_take_until(&r, '.', &ret->payload))
        return false;
    ret->sig = r.rest;
    return ret->header.len != 0 && ret->payload.len != 0 &&
           postern_bytes_find(ret->sig, '.') == ret->sig.len;
}

static bool is_base64url(uint8_t c)
{
    return postern_ascii_is_alnum(c) || c == '-' || c == '_';
}

bool postern_jwt_is_shaped(postern_bytes token)
{
    struct parts parts;

    for (size_t i = 0; i < token.len; i++)
        if (!is_base64url(token.ptr[i]) && token.ptr[i] != '.')
            return false;
    return split(token, &parts);
}

/* The decoded lengths are set first, at their bound, so that postern_jwt_forget() also wipes a part
 * that turns out malformed. */
static postern_err decode_parts(postern_jwt *jwt, const struct parts *parts, postern_error *err)
{
    if (parts->sig.len == 0)
        return POSTERN_FAIL(err, MALFORMED, "no signature");
    jwt->payload_len = POSTERN_BASE64URL_DECODED_MAX(parts->payload.len);
    jwt->sig_len = POSTERN_BASE64URL_DECODED_MAX(parts->sig.len);
    POSTERN_TRY(postern_base64url_decode(parts->payload, jwt->payload, &jwt->payload_len, err));
    return postern_base64url_decode(parts->sig, jwt->sig, &jwt->sig_len, err);
}

void postern_jwt_forget(postern_jwt *jwt)
{
    postern_wipe(jwt->payload, jwt->payload_len);
    postern_wipe(jwt->sig, jwt->sig_len);
    jwt->input = POSTERN_BYTES_NONE;
    jwt->payload_len = jwt->sig_len = 0;
    jwt->is_scanned = jwt->is_proved = false;
}

postern_err postern_jwt_parse(postern_jwt *jwt, postern_bytes token, postern_error *err)
{
    struct parts parts;

    postern_jwt_forget(jwt);
    if (token.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, LIMIT, "token of %zu bytes, at most %d", token.len,
                            POSTERN_TOKEN_MAX);
    if (!split(token, &parts))
        return POSTERN_FAIL(err, MALFORMED, "not three parts with a header and a payload");
    POSTERN_TRY(postern_jose_header_parse(&jwt->header, parts.header, err));
    POSTERN_TRY(decode_parts(jwt, &parts, err));
    jwt->input = (postern_bytes){ token.ptr, parts.header.len + 1 + parts.payload.len };
    return POSTERN_OK;
}

static bool is_parsed(const postern_jwt *jwt)
{
    return jwt->input.len != 0;
}

postern_alg postern_jwt_alg(const postern_jwt *jwt)
{
    return is_parsed(jwt) ? jwt->header.alg : POSTERN_ALG_NONE;
}

bool postern_jwt_kid(const postern_jwt *jwt, postern_bytes *ret)
{
    bool has_kid = is_parsed(jwt) && jwt->header.has_kid;

    *ret = (postern_bytes){ jwt->header.kid, has_kid ? jwt->header.kid_len : 0 };
    return has_kid;
}

postern_bytes postern_jwt_typ(const postern_jwt *jwt)
{
    return (postern_bytes){ jwt->header.typ, is_parsed(jwt) ? jwt->header.typ_len : 0 };
}

bool postern_jwt_typ_is(const postern_jwt *jwt, const char *want)
{
    postern_reader r = { postern_jwt_typ(jwt) };

    (void)postern_reader_take_lit_nocase(
        &r, "application/"); /* RFC 7515 §4.1.9: optional where no other '/' is */
    return postern_reader_take_lit_nocase(&r, want) && postern_reader_is_done(&r);
}

/* ---- the payload ---- */

/* The strict scan is linear in the token's length, and bounded in depth and values: a stranger's
 * payload costs what an agent's does. */
static postern_err scan_payload(postern_jwt *jwt, postern_error *err)
{
    if (jwt->is_scanned)
        return POSTERN_OK;
    POSTERN_TRY(
        postern_json_scan(&jwt->claims, (postern_bytes){ jwt->payload, jwt->payload_len }, err));
    if (postern_json_type_of(&jwt->claims, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "the payload is not a JSON object");
    jwt->is_scanned = true;
    return POSTERN_OK;
}

postern_err postern_jwt_choose_issuer(postern_jwt *jwt, const char *const *issuers, size_t count,
                                      size_t *ret_index, postern_error *err)
{
    char quoted[300];
    postern_bytes raw;
    uint32_t iss;

    if (!is_parsed(jwt))
        return POSTERN_FAIL(err, USAGE, "no token was parsed");
    POSTERN_TRY(scan_payload(jwt, err));
    iss = postern_json_member(&jwt->claims, 0, "iss");
    if (postern_json_type_of(&jwt->claims, iss) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, ISS, "iss is missing or not a string");
    for (size_t i = 0; i < count; i++)
        if (postern_json_string_is(&jwt->claims, iss, issuers[i])) {
            *ret_index = i;
            return POSTERN_OK;
        }
    raw = postern_json_raw(&jwt->claims, iss);
    return POSTERN_FAIL(err, ISS, "iss is none of %zu: %s", count,
                        postern_error_quote(raw.ptr, raw.len, quoted, sizeof quoted));
}

/* ---- the proof ---- */

postern_err postern_jwt_prove(postern_jwt *jwt, const postern_jwks *keys, postern_error *err)
{
    bool has_kid;
    postern_bytes kid;

    if (!is_parsed(jwt))
        return POSTERN_FAIL(err, USAGE, "no token was parsed");
    has_kid = postern_jwt_kid(jwt, &kid);
    jwt->is_proved = false;
    POSTERN_TRY(postern_jwks_verify(keys, jwt->header.alg, has_kid, kid, jwt->input,
                                    (postern_bytes){ jwt->sig, jwt->sig_len }, err));
    jwt->is_proved = true;
    return POSTERN_OK;
}

postern_err postern_jwt_read(postern_jwt *jwt, const postern_json **ret_claims, postern_error *err)
{
    if (!jwt->is_proved)
        return POSTERN_FAIL(err, USAGE, "no token was proved");
    POSTERN_TRY(scan_payload(jwt, err));
    *ret_claims = &jwt->claims;
    return POSTERN_OK;
}

postern_err postern_jwt_verify(postern_jwt *jwt, const postern_jwks *keys,
                               const postern_json **ret_claims, postern_error *err)
{
    POSTERN_TRY(postern_jwt_prove(jwt, keys, err));
    return postern_jwt_read(jwt, ret_claims, err);
}
