/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * private_key_jwt; see client_assertion.h.  Order: whom it names, the keys of that client (or, when
 * there is none, a set of ours that it cannot have signed with), signature, type, claims, and last
 * its jti, which counts once.  RFC 7523 §3, RFC 8725 §3.11 and §3.12, rfc7523bis §4.
 */
#include "client_assertion.h"

#include <postern-private/assertion.h>
#include <postern/request.h>

/* Each is a row on disk, before any endpoint counts what it is for. */
static const struct rate_rule assertion_rule = { "assertion", 400, 10 };

#define PAYLOAD_MAX 4096 /* bytes, decoded: seven claims; more is no assertion of a client's */

/* ---- before the proof ---- */

static bool split_payload(postern_bytes assertion, postern_bytes *ret)
{
    postern_reader r = { assertion };
    postern_bytes header;

    return assertion.len <= POSTERN_TOKEN_MAX && postern_reader_take_until(&r, '.', &header) &&
           postern_reader_take_until(&r, '.', ret) &&
           ret->len <= POSTERN_BASE64_ENCODED_MAX(PAYLOAD_MAX);
}

/* Unescaped text of a string that is there; no other reason for failure than memory: scratch takes
 * the longest assertion. */
static postern_err read_string(const postern_json *j, uint32_t node, postern_buf *scratch,
                               postern_bytes *ret, postern_error *err)
{
    *ret = POSTERN_BYTES_NONE;
    if (postern_json_type_of(j, node) == POSTERN_JSON_STRING &&
        !postern_json_string(j, node, scratch, ret))
        return POSTERN_FAIL(err, NOMEM, "an assertion");
    return POSTERN_OK;
}

static postern_err read_sub(postern_bytes payload, char ret_name[CLIENT_NAME_MAX],
                            postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes text;
    postern_err e = postern_json_scan(&j, payload, err);

    if (e != POSTERN_OK)
        return e == POSTERN_ERR_NOMEM ? e : POSTERN_OK; /* it names nobody */
    POSTERN_TRY(read_string(&j, postern_json_member(&j, 0, "sub"), &scratch, &text, err));
    if (text.len < CLIENT_NAME_MAX && text.len != 0) {
        memcpy(ret_name, text.ptr, text.len);
        ret_name[text.len] = '\0';
    }
    return POSTERN_OK;
}

postern_err client_assertion_peek(postern_bytes assertion, char ret_name[CLIENT_NAME_MAX],
                                  postern_error *err)
{
    uint8_t plain[POSTERN_BASE64URL_DECODED_MAX(POSTERN_BASE64_ENCODED_MAX(PAYLOAD_MAX))];
    postern_bytes payload;
    size_t len = 0;

    ret_name[0] = '\0';
    if (!split_payload(assertion, &payload) ||
        postern_base64url_decode(payload, plain, &len, NULL) != POSTERN_OK)
        return POSTERN_OK;
    return read_sub((postern_bytes){ plain, len }, ret_name, err);
}

/* ---- claims ---- */

static bool is_text(const postern_json *j, const char *name, const char *want)
{
    return postern_json_string_is(j, postern_json_member(j, 0, name), want);
}

/* Our issuer identifier and nothing beside it: an assertion for two servers could be replayed at
 * the other one. */
static bool is_for_us(const postern_json *j, const char *issuer)
{
    uint32_t aud = postern_json_member(j, 0, "aud");

    if (postern_json_type_of(j, aud) != POSTERN_JSON_ARRAY)
        return postern_json_string_is(j, aud, issuer);
    aud = postern_json_first(j, aud);
    return postern_json_string_is(j, aud, issuer) &&
           postern_json_next(j, aud) == POSTERN_JSON_ABSENT;
}

/* Absent, or a date that is not ahead of us. */
static bool is_past(const postern_json *j, const char *name, int64_t now_s)
{
    uint32_t node = postern_json_member(j, 0, name);
    int64_t when_s;

    return node == POSTERN_JSON_ABSENT ||
           (postern_json_date(j, node, &when_s) && when_s <= now_s + CLIENT_ASSERTION_SKEW_S);
}

static bool is_in_time(const postern_json *j, int64_t now_s, int64_t *ret_exp_s)
{
    return postern_json_date(j, postern_json_member(j, 0, "exp"), ret_exp_s) &&
           now_s < *ret_exp_s + CLIENT_ASSERTION_SKEW_S &&
           *ret_exp_s <= now_s + CLIENT_ASSERTION_LIFE_S + CLIENT_ASSERTION_SKEW_S &&
           is_past(j, "iat", now_s) && is_past(j, "nbf", now_s);
}

static postern_err copy_jti(const postern_json *j, postern_buf *jti, bool *ret_is_good,
                            postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    postern_bytes text;

    POSTERN_TRY(read_string(j, postern_json_member(j, 0, "jti"), &scratch, &text, err));
    *ret_is_good = text.len != 0 && text.len <= CLIENT_ASSERTION_JTI_MAX;
    if (*ret_is_good)
        postern_buf_add(jti, text);
    return jti->failed ? POSTERN_FAIL(err, NOMEM, "an assertion's jti") : POSTERN_OK;
}

postern_err client_assertion_judge(const postern_json *claims, const char *issuer, const char *name,
                                   int64_t now_s, postern_buf *jti, int64_t *ret_exp_s,
                                   bool *ret_is_good, postern_error *err)
{
    *ret_is_good = false;
    if (!is_text(claims, "iss", name) || !is_text(claims, "sub", name) ||
        !is_for_us(claims, issuer) || !is_in_time(claims, now_s, ret_exp_s))
        return POSTERN_OK;
    return copy_jti(claims, jti, ret_is_good, err);
}

/* ---- the whole ---- */

/* No explicit type but its own (RFC 8725 §3.11): an access token is none. */
static bool is_typed(const postern_assertion *a)
{
    return !postern_assertion_has_typ(a) ||
           postern_assertion_typ_is(a, "client-authentication+jwt") ||
           postern_assertion_typ_is(a, "JWT");
}

/* The client's set, or one that costs the same and proves nothing. */
static postern_err find_keys(struct issuer *is, const char *name, postern_buf *jwks,
                             bool *ret_is_found, struct client_record *ret, postern_error *err)
{
    POSTERN_TRY(store_client_find(is->store, name, ret_is_found, ret, err));
    *ret_is_found = *ret_is_found && ret->auth == CLIENT_AUTH_BY_KEY;
    if (*ret_is_found) {
        postern_buf_add_str(jwks, ret->jwks);
    } else {
        postern_buf_add_str(jwks, "{\"keys\":[");
        POSTERN_TRY(postern_signing_key_public_jwk(is->key, jwks, err));
        postern_buf_add_str(jwks, "]}");
    }
    return jwks->failed ? POSTERN_FAIL(err, NOMEM, "a client's keys") : POSTERN_OK;
}

static postern_err verify(postern_bytes assertion, postern_bytes jwks, postern_assertion **ret,
                          postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = postern_assertion_verify(assertion, jwks, ret, &why);

    if (e == POSTERN_OK || postern_err_outcome(e) == POSTERN_REJECTED)
        return POSTERN_OK; /* *ret says which */
    if (err != NULL)
        *err = why;
    return e;
}

static postern_err take_once(struct issuer *is, const char *name, const postern_assertion *a,
                             bool *ret_is_first, int *ret_wait_s, postern_error *err)
{
    POSTERN_AUTO_BUF jti = POSTERN_BUF_INIT(CLIENT_ASSERTION_JTI_MAX + 1);
    bool is_good = false;
    int64_t exp_s = 0;
    const char *id;

    *ret_is_first = false;
    POSTERN_TRY(client_assertion_judge(postern_assertion_claims(a), is->settings->issuer, name,
                                       issuer_now_s(is), &jti, &exp_s, &is_good, err));
    if (!is_good)
        return POSTERN_OK;
    id = postern_buf_cstr(&jti);
    if (id == NULL)
        return POSTERN_FAIL(err, NOMEM, "an assertion's jti");
    *ret_wait_s = rate_take(is->rates, &assertion_rule, name, "", issuer_mono_ms(is));
    if (*ret_wait_s != 0)
        return POSTERN_OK;
    return store_once(is->store, name, id, exp_s + CLIENT_ASSERTION_SKEW_S, ret_is_first, err);
}

postern_err client_assertion_check(struct issuer *is, const char *client_id,
                                   postern_bytes assertion, char ret_name[CLIENT_NAME_MAX],
                                   bool *ret_proved, int *ret_wait_s, struct client_record *ret,
                                   postern_error *err)
{
    POSTERN_AUTO_BUF jwks = POSTERN_BUF_INIT(CLIENT_JWKS_MAX + KEY_JWK_MAX);
    POSTERN_AUTO(assertion) a = NULL;
    bool is_named, is_found = false;

    *ret_proved = false;
    *ret_wait_s = 0;
    POSTERN_TRY(client_assertion_peek(assertion, ret_name, err));
    is_named = ret_name[0] != '\0' && (client_id == NULL || strcmp(client_id, ret_name) == 0);
    POSTERN_TRY(find_keys(is, ret_name, &jwks, &is_found, ret, err));
    POSTERN_TRY(verify(assertion, postern_buf_bytes(&jwks), &a, err));
    if (a == NULL || !is_named || !is_found || !is_typed(a))
        return POSTERN_OK;
    return take_once(is, ret_name, a, ret_proved, ret_wait_s, err);
}
