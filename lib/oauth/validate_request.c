/* SPDX-License-Identifier: BSD-2-Clause */
/* A request of validate.c's, copied into one block of memory that is wiped with it. */
#include "validate_request.h"

#include <stdlib.h>
#include <string.h>

/* Bytes copied of each text: longer than any identity or host name that could match. */
#define TEXT_MAX 4096

static size_t get_text_len(const char *text)
{
    return text == NULL ? 0 : strnlen(text, TEXT_MAX);
}

static size_t get_scopes_len(const char *const *scopes)
{
    size_t len = 0;

    for (size_t i = 0; scopes != NULL && scopes[i] != NULL; i++)
        len += strlen(scopes[i]) + 1;
    return len;
}

/* Copies to *at and moves it past them. */
static postern_bytes put_bytes(uint8_t **at, postern_bytes bytes)
{
    postern_bytes copy = { *at, bytes.len };

    if (bytes.len != 0)
        memcpy(*at, bytes.ptr, bytes.len);
    *at += bytes.len;
    return copy;
}

/* Copies to *at, with a NUL behind, and moves *at past it. */
static const char *put_text(uint8_t **at, const char *text)
{
    char *copy = (char *)*at;
    size_t len = get_text_len(text);

    if (len != 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static postern_bytes put_scopes(uint8_t **at, const char *const *scopes)
{
    postern_bytes list = { *at, get_scopes_len(scopes) };

    for (size_t i = 0; scopes != NULL && scopes[i] != NULL; i++) {
        size_t len = strlen(scopes[i]);

        memcpy(*at, scopes[i], len);
        (*at)[len] = ' ';
        *at += len + 1;
    }
    return list;
}

postern_err postern_request_copy_make(const postern_request *rq, struct request_copy *ret,
                                      postern_error *err)
{
    size_t token_len = rq->token.len <= POSTERN_TOKEN_MAX ? rq->token.len : 0;
    uint8_t *at;

    ret->block_len = token_len + get_text_len(rq->authzid) + get_text_len(rq->message_host) +
                     get_text_len(rq->message_port) + get_text_len(rq->peer) + 4 +
                     get_scopes_len(rq->extra_scopes) + rq->client_cert_sha256.len;
    at = ret->block = malloc(ret->block_len);
    if (at == NULL)
        return POSTERN_FAIL(err, NOMEM, "request of %zu bytes", ret->block_len);
    ret->is_too_long = rq->token.len > POSTERN_TOKEN_MAX;
    ret->token = put_bytes(&at, (postern_bytes){ rq->token.ptr, token_len });
    ret->authzid = put_text(&at, rq->authzid);
    ret->message_host = put_text(&at, rq->message_host);
    ret->message_port = put_text(&at, rq->message_port);
    ret->peer = put_text(&at, rq->peer);
    ret->extra_scopes = put_scopes(&at, rq->extra_scopes);
    ret->client_cert_sha256 = put_bytes(&at, rq->client_cert_sha256);
    ret->tls = rq->tls;
    ret->carrier = rq->carrier;
    return POSTERN_OK;
}

void postern_request_copy_drop(struct request_copy *copy)
{
    if (copy->block != NULL)
        postern_wipe(copy->block, copy->block_len);
    free(copy->block);
    copy->block = NULL;
}
