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

static void read_metadata(const struct postern_http_response *r)
{
    struct postern_issuer issuer;
    struct postern_metadata m;
    struct postern_url u;

    if (postern_issuer_read("https://h/r", &issuer, NULL) != POSTERN_OK)
        abort();
    if (postern_metadata_read(r, &issuer, &m, NULL) != POSTERN_OK)
        return;
    if (postern_url_split(postern_bytes_str(m.token_endpoint), &u, NULL) != POSTERN_OK ||
        !u.is_https)
        abort();
    if (m.is_endpoint_host_configured != (strcmp(u.host, "h") == 0))
        abort();
}

static void read_token(const struct postern_http_response *r)
{
    POSTERN_AUTO(secret) token = NULL;
    postern_token_info info;
    postern_bytes text;

    if (postern_token_answer_read(r, "a b", &info, &token, NULL) != POSTERN_OK)
        return;
    text = postern_secret_bytes(token);
    if (!postern_token_is_token68(text) || text.len > POSTERN_TOKEN_MAX || info.expires_in_s < -1)
        abort();
}

static void read_refusal(const struct postern_http_response *r)
{
    char word[POSTERN_OAUTH_ERROR_MAX] = "";
    postern_error err = { 0 };
    postern_err e = postern_token_answer_refuse(r, POSTERN_BYTES_LIT(SECRET), word, &err);

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
        read_metadata(&r);
        read_token(&r);
        read_refusal(&r);
    }
    postern_buf_free(&r.body);
    return 0;
}
