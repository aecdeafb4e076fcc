/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An authorization server's documents, hostile: metadata, tokens, refusals.  What is believed is of
 * the configured issuer, goes to https, is a bearer token, and no message holds the secret.
 */
#include <stdio.h>
#include <stdlib.h>

#include <postern/oauthbearer.h>

#include "oauth/metadata.h"
#include "oauth/token_answer.h"

#define SECRET "s3cr3t"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_endpoint(const struct postern_endpoint *e, bool is_needed)
{
    struct postern_url u;

    if (!is_needed) {
        if (e->url[0] != '\0')
            abort();
        return;
    }
    if (postern_url_split(postern_bytes_str(e->url), &u, NULL) != POSTERN_OK || !u.is_https)
        abort();
    if (e->is_host_configured != (strcmp(u.host, "h") == 0))
        abort();
}

static void read_metadata(const struct postern_http_response *r, unsigned needs)
{
    struct postern_issuer issuer;
    struct postern_metadata m;

    if (postern_issuer_read("https://h/r", &issuer, NULL) != POSTERN_OK)
        abort();
    if (postern_metadata_read(r, &issuer, needs, &m, NULL) != POSTERN_OK)
        return;
    check_endpoint(&m.token, needs & POSTERN_NEED_TOKEN);
    check_endpoint(&m.authorization, needs & POSTERN_NEED_AUTHORIZATION);
    check_endpoint(&m.revocation, needs & POSTERN_NEED_REVOCATION);
}

static void read_token(const struct postern_http_response *r, bool is_exchange)
{
    const struct postern_token_asked asked = { .scope = "a b",
                                               .is_exchange = is_exchange,
                                               .wants_refresh = !is_exchange,
                                               .may_be_narrowed = !is_exchange,
                                               .issuer = "https://h/r",
                                               .client_id = "c" };
    struct postern_token_answer answer = { 0 };
    postern_bytes text;

    if (postern_token_answer_read(r, &asked, &answer, NULL) != POSTERN_OK) {
        if (answer.token != NULL || answer.refresh_token != NULL)
            abort();
        return;
    }
    text = postern_secret_bytes(answer.token);
    if (!postern_token_is_token68(text) || text.len > POSTERN_TOKEN_MAX ||
        answer.info.expires_in_s < -1)
        abort();
    if (!postern_bytes_is_printable(postern_bytes_str(answer.info.subject)))
        abort();
    if (is_exchange && answer.refresh_token != NULL)
        abort();
    postern_secret_free(answer.token);
    postern_secret_free(answer.refresh_token);
}

static void read_refusal(const struct postern_http_response *r)
{
    char word[POSTERN_OAUTH_ERROR_MAX] = "";
    postern_error err = { 0 };
    const postern_bytes secrets[] = { POSTERN_BYTES_NONE, POSTERN_BYTES_LIT(SECRET) };
    postern_err e = postern_token_answer_refuse(r, secrets, 2, word, &err);

    if (e == POSTERN_OK || (e == POSTERN_ERR_TOKEN_REFUSED) != (word[0] != '\0'))
        abort();
    if (strstr(err.detail, SECRET) != NULL || strstr(word, SECRET) != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct postern_http_response r = { .status = 200,
                                       .content_type = "application/json",
                                       .body = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX) };

    postern_buf_add(&r.body, (postern_bytes){ data, size });
    if (!r.body.failed) {
        for (unsigned needs = 0; needs < 8; needs++)
            read_metadata(&r, needs);
        read_token(&r, false);
        read_token(&r, true);
        read_refusal(&r);
    }
    postern_buf_free(&r.body);
    return 0;
}
