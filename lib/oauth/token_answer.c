/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_answer.h.  RFC 6749 §5; every text that is shown was judged printable and capped first.
 */
#include <stdio.h>
#include <stdlib.h>

#include <postern/exchange.h>
#include <postern/oauthbearer.h>

#include "oauth/token_answer.h"

#define ID_TOKEN_MAX 16384 /* bytes: as an access token */

/* ---- refusals ---- */

static bool holds(postern_bytes text, postern_bytes secret)
{
    if (secret.len == 0)
        return false;
    for (size_t i = 0; i + secret.len <= text.len; i++)
        if (postern_bytes_equal_ct((postern_bytes){ text.ptr + i, secret.len }, secret))
            return true;
    return false;
}

/* True when `text` holds one of them: a server that echoes it must not bring it into our messages.
 */
static bool holds_secret(postern_bytes text, const postern_bytes *secrets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds(text, secrets[i]))
            return true;
    return false;
}

void postern_description_show(postern_bytes text, char room[POSTERN_DESCRIPTION_MAX + 1])
{
    size_t len = text.len < POSTERN_DESCRIPTION_MAX ? text.len : POSTERN_DESCRIPTION_MAX;

    for (size_t i = 0; i < len; i++)
        room[i] = (char)(text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?');
    room[len] = '\0';
}

/* For people: capped; "" when absent, of another type, or not fit to be shown. */
static void read_description(const postern_json *j, const postern_bytes *secrets, size_t count,
                             char room[POSTERN_DESCRIPTION_MAX + 1])
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    uint32_t node = postern_json_member(j, 0, "error_description");
    postern_bytes text;

    room[0] = '\0';
    if (postern_json_string(j, node, &scratch, &text) && !holds_secret(text, secrets, count))
        postern_description_show(text, room);
}

postern_err postern_token_answer_refuse(const struct postern_http_response *r,
                                        const postern_bytes *secrets, size_t count,
                                        char ret_error[POSTERN_OAUTH_ERROR_MAX], postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    char error[POSTERN_OAUTH_ERROR_MAX], description[POSTERN_DESCRIPTION_MAX + 1];

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(postern_answer_text(&j, "error", error, sizeof error, err));
    if (error[0] == '\0' || holds_secret(postern_bytes_str(error), secrets, count))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "token endpoint: status %d without an error word",
                            r->status);
    read_description(&j, secrets, count, description);
    memcpy(ret_error, error, sizeof error);
    return POSTERN_FAIL(err, TOKEN_REFUSED, "%s%s%s", error, description[0] == '\0' ? "" : ": ",
                        description);
}

/* ---- tokens ---- */

static postern_err check_type(const postern_json *j, postern_error *err)
{
    char type[32];
    postern_reader r;

    POSTERN_TRY(postern_answer_text(j, "token_type", type, sizeof type, err));
    r = (postern_reader){ postern_bytes_str(type) };
    if (!postern_reader_take_lit_nocase(&r, "Bearer") ||
        !postern_reader_is_done(&r)) /* §5.1: case-insensitive */
        return POSTERN_FAIL(err, ISSUER_ANSWER, "token_type is not Bearer");
    return POSTERN_OK;
}

/* RFC 8693 §2.2.1: REQUIRED in the answer to an exchange. */
static postern_err check_issued_type(const postern_json *j, postern_error *err)
{
    char type[128];

    POSTERN_TRY(postern_answer_text(j, "issued_token_type", type, sizeof type, err));
    if (strcmp(type, POSTERN_TOKEN_TYPE_ACCESS) != 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "issued_token_type is not that of an access token");
    return POSTERN_OK;
}

static postern_err read_expiry(const postern_json *j, int64_t *ret_s, postern_error *err)
{
    uint32_t node = postern_json_member(j, 0, "expires_in");
    int64_t expires_in_s = -1;

    if (node != POSTERN_JSON_ABSENT &&
        (!postern_json_integer(j, node, &expires_in_s) || expires_in_s < 0))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "expires_in is not a number of seconds");
    *ret_s = expires_in_s;
    return POSTERN_OK;
}

/* The next blank-separated word; empty at the end. */
static postern_bytes take_word(postern_bytes *list)
{
    postern_bytes word;

    while (list->len != 0 && list->ptr[0] == ' ')
        *list = (postern_bytes){ list->ptr + 1, list->len - 1 };
    word = (postern_bytes){ list->ptr, list->len == 0 ? 0 : postern_bytes_find(*list, ' ') };
    if (word.len != 0)
        *list = (postern_bytes){ list->ptr + word.len, list->len - word.len };
    return word;
}

static bool has_word(postern_bytes list, postern_bytes want)
{
    for (postern_bytes word = take_word(&list); word.len != 0; word = take_word(&list))
        if (postern_bytes_equal(word, want))
            return true;
    return false;
}

/* §5.1: absent means "as asked". */
static postern_err read_scope(const postern_json *j, const char *asked, postern_token_info *info,
                              postern_error *err)
{
    if (postern_json_member(j, 0, "scope") != POSTERN_JSON_ABSENT)
        return postern_answer_text(j, "scope", info->scope, sizeof info->scope, err);
    if (asked != NULL &&
        snprintf(info->scope, sizeof info->scope, "%s", asked) >= (int)sizeof info->scope)
        return POSTERN_FAIL(err, USAGE, "scope is too long");
    return POSTERN_OK;
}

/* Fewer than asked would only fail later, at a door that cannot say why. */
static postern_err check_scope(const char *granted, postern_bytes asked, postern_error *err)
{
    char room[260];

    for (postern_bytes word = take_word(&asked); word.len != 0; word = take_word(&asked))
        if (!has_word(postern_bytes_str(granted), word))
            return POSTERN_FAIL(err, INSUFFICIENT_SCOPE,
                                "the authorization server did not grant the scope %s",
                                postern_error_quote(word.ptr, word.len, room, sizeof room));
    return POSTERN_OK;
}

static postern_err read_token(const postern_json *j, postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    uint32_t node = postern_json_member(j, 0, "access_token");
    postern_bytes text;

    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer holds no access_token");
    if (!postern_json_string(j, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "access_token");
    if (text.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "access_token of %zu bytes, at most %d", text.len,
                            POSTERN_TOKEN_MAX);
    if (!postern_token_is_token68(text))
        return POSTERN_FAIL(
            err, ISSUER_ANSWER,
            "access_token holds what no bearer header may carry (RFC 6750 section 2.1)");
    return postern_secret_new(text, ret, err);
}

/* RFC 6749 appendix A.17: VSCHAR.  An empty one counts as none. */
static postern_err read_refresh_token(const postern_json *j, postern_secret **ret,
                                      postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    uint32_t node = postern_json_member(j, 0, "refresh_token");
    postern_bytes text;

    if (node == POSTERN_JSON_ABSENT || postern_json_string_is(j, node, ""))
        return POSTERN_OK;
    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer's \"refresh_token\" is not a string");
    if (!postern_json_string(j, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "refresh_token");
    if (text.len > POSTERN_TOKEN_MAX || !postern_bytes_is_printable(text))
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "answer's \"refresh_token\" is too long or not printable");
    return postern_secret_new(text, ret, err);
}

/* ---- whose ---- */

/* True when `claims` of an ID token are of this issuer for this client (OpenID Connect Core
 * §3.1.3.7: it came from the token endpoint itself, over the connection that proved the server). */
static bool is_for_us(const postern_json *claims, const struct postern_token_asked *asked)
{
    return postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), asked->issuer) &&
           (postern_json_string_is(claims, postern_json_member(claims, 0, "aud"),
                                   asked->client_id) ||
            postern_answer_lists(claims, "aud", asked->client_id));
}

static void take_subject(const postern_json *j, postern_token_info *info)
{
    if (postern_answer_text(j, "sub", info->subject, sizeof info->subject, NULL) != POSTERN_OK)
        info->subject[0] = '\0'; /* only shown: what cannot be is left out */
}

/* The middle part of "a.b.c", decoded; false when it is none. */
static bool decode_payload(postern_bytes jws, postern_buf *out)
{
    postern_reader r = { jws };
    postern_bytes header, payload;
    size_t len;
    uint8_t *room;
    bool is_decoded;

    if (!postern_reader_take_until(&r, '.', &header) ||
        !postern_reader_take_until(&r, '.', &payload) || payload.len > ID_TOKEN_MAX)
        return false;
    if ((room = malloc(POSTERN_BASE64URL_DECODED_MAX(payload.len))) == NULL)
        return false;
    is_decoded = postern_base64url_decode(payload, room, &len, NULL) == POSTERN_OK;
    if (is_decoded)
        postern_buf_add(out, (postern_bytes){ room, len });
    free(room);
    return is_decoded && !out->failed;
}

static void read_id_token(const postern_json *j, const struct postern_token_asked *asked,
                          postern_token_info *info)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    POSTERN_AUTO_BUF payload = POSTERN_BUF_INIT(ID_TOKEN_MAX);
    POSTERN_AUTO_JSON claims = { 0 };
    postern_bytes text;

    if (postern_json_string(j, postern_json_member(j, 0, "id_token"), &scratch, &text) &&
        decode_payload(text, &payload) &&
        postern_json_scan(&claims, postern_buf_bytes(&payload), NULL) == POSTERN_OK &&
        is_for_us(&claims, asked))
        take_subject(&claims, info);
}

/* ---- all of it ---- */

static postern_err read_info(const postern_json *j, const struct postern_token_asked *asked,
                             postern_token_info *info, postern_error *err)
{
    POSTERN_TRY(check_type(j, err));
    if (asked->is_exchange)
        POSTERN_TRY(check_issued_type(j, err));
    POSTERN_TRY(read_expiry(j, &info->expires_in_s, err));
    POSTERN_TRY(read_scope(j, asked->scope, info, err));
    if (!asked->may_be_narrowed)
        POSTERN_TRY(check_scope(info->scope, postern_bytes_str(asked->scope), err));
    take_subject(j, info);
    if (info->subject[0] == '\0' && asked->issuer != NULL && asked->client_id != NULL)
        read_id_token(j, asked, info);
    return POSTERN_OK;
}

postern_err postern_token_answer_read(const struct postern_http_response *r,
                                      const struct postern_token_asked *asked,
                                      struct postern_token_answer *ret, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO(secret) token = NULL;
    POSTERN_AUTO(secret) refresh_token = NULL;
    postern_token_info info = { 0 };

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(read_info(&j, asked, &info, err));
    POSTERN_TRY(read_token(&j, &token, err));
    if (asked->wants_refresh)
        POSTERN_TRY(read_refresh_token(&j, &refresh_token, err));
    *ret =
        (struct postern_token_answer){ info, POSTERN_STEAL(token), POSTERN_STEAL(refresh_token) };
    return POSTERN_OK;
}
