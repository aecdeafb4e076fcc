/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_answer.h.  RFC 6749 §5; every text that is shown was judged printable and capped first.
 */
#include <stdio.h>

#include <postern/oauthbearer.h>

#include "oauth/token_answer.h"

#define DESCRIPTION_MAX 200 /* bytes of an error_description that are shown */

/* ---- refusals ---- */

/* True when `text` holds the secret: a server that echoes it must not bring it into our messages.
 */
static bool holds_secret(postern_bytes text, postern_bytes secret)
{
    for (size_t i = 0; i + secret.len <= text.len; i++)
        if (postern_bytes_equal_ct((postern_bytes){ text.ptr + i, secret.len }, secret))
            return true;
    return false;
}

/* For people: capped; "" when absent, of another type, or not fit to be shown. */
static void read_description(const postern_json *j, postern_bytes secret,
                             char room[DESCRIPTION_MAX + 1])
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    uint32_t node = postern_json_member(j, 0, "error_description");
    postern_bytes text;

    room[0] = '\0';
    if (!postern_json_string(j, node, &scratch, &text) || holds_secret(text, secret))
        return;
    if (text.len > DESCRIPTION_MAX)
        text.len = DESCRIPTION_MAX;
    for (size_t i = 0; i < text.len; i++)
        room[i] = (char)(text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?');
    room[text.len] = '\0';
}

postern_err postern_token_answer_refuse(const struct postern_http_response *r, postern_bytes secret,
                                        char ret_error[POSTERN_OAUTH_ERROR_MAX], postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    char error[POSTERN_OAUTH_ERROR_MAX], description[DESCRIPTION_MAX + 1];

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(postern_answer_text(&j, "error", error, sizeof error, err));
    if (error[0] == '\0' || holds_secret(postern_bytes_str(error), secret))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "token endpoint: status %d without an error word",
                            r->status);
    read_description(&j, secret, description);
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
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "access_token holds what no bearer header may carry (RFC 6750 section 2.1)");
    return postern_secret_new(text, ret, err);
}

postern_err postern_token_answer_read(const struct postern_http_response *r,
                                      const char *asked_scope, postern_token_info *ret_info,
                                      postern_secret **ret_token, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_token_info info = { 0 };

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(check_type(&j, err));
    POSTERN_TRY(read_expiry(&j, &info.expires_in_s, err));
    POSTERN_TRY(read_scope(&j, asked_scope, &info, err));
    POSTERN_TRY(check_scope(info.scope, postern_bytes_str(asked_scope), err));
    POSTERN_TRY(read_token(&j, ret_token, err));
    *ret_info = info;
    return POSTERN_OK;
}
