/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request side of postern-helper(7), server's reader.  A member it does not know is refused,
 * not skipped: a plugin of another release must not believe that a condition it sent was looked at.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <postern/oauthbearer.h>

#include "handles.h"
#include "request.h"

#define SCOPE_MAX 255 /* bytes of one extra scope */
#define WORD_MAX  16  /* bytes of op, carrier and tls */
#define PORT_MAX  5   /* digits */

enum member {
    V,
    OP,
    NONCE,
    SERVICE,
    TOKEN,
    AUTHZID,
    CARRIER,
    TLS,
    PEER,
    HOST,
    PORT,
    SCOPES,
    CLIENT_CERT,
    LAST,
    VERIFY_COUNT,
    DESCRIBE_COUNT = TOKEN
};
static const struct postern_frame_member table[VERIFY_COUNT] = {
    [V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [NONCE] = { "nonce", POSTERN_JSON_STRING, true, 0 },
    [SERVICE] = { "service", POSTERN_JSON_STRING, true, 0 },
    /* describe ends here */
    [TOKEN] = { "token", POSTERN_JSON_STRING, true, 0 },
    [AUTHZID] = { "authzid", POSTERN_JSON_STRING, false, 0 },
    [CARRIER] = { "carrier", POSTERN_JSON_STRING, true, 0 },
    [TLS] = { "tls", POSTERN_JSON_STRING, true, 0 },
    [PEER] = { "peer", POSTERN_JSON_STRING, false, 0 },
    [HOST] = { "host", POSTERN_JSON_STRING, false, 0 },
    [PORT] = { "port", POSTERN_JSON_STRING, false, 0 },
    [SCOPES] = { "scopes", POSTERN_JSON_ARRAY, false, REQUEST_SCOPES_MAX },
    [CLIENT_CERT] = { "client_cert_sha256", POSTERN_JSON_STRING, false, 0 },
    [LAST] = { "last", POSTERN_JSON_FALSE, false, 0 },
};

enum { HANDLE_TOKEN = DESCRIBE_COUNT, HANDLE_USES, HANDLE_COUNT };
static const struct postern_frame_member handle_table[HANDLE_COUNT] = {
    [V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [NONCE] = { "nonce", POSTERN_JSON_STRING, true, 0 },
    [SERVICE] = { "service", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_TOKEN] = { "token", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_USES] = { "uses", POSTERN_JSON_NUMBER, false, 0 },
};

static const char *const carrier_words[] = {
    [POSTERN_CARRIER_SASL] = "sasl",
    [POSTERN_CARRIER_PASSWORD] = "password",
    [POSTERN_CARRIER_RAW] = "raw",
};
static const char *const tls_words[] = {
    [POSTERN_TLS_UNKNOWN] = "unknown",
    [POSTERN_TLS_NONE] = "none",
    [POSTERN_TLS_LOCAL] = "local",
    [POSTERN_TLS_ON] = "on",
};
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

const char *helper_carrier_word(postern_carrier carrier)
{
    return (size_t)carrier < COUNT_OF(carrier_words) ? carrier_words[carrier] : NULL;
}

const char *helper_tls_word(postern_tls tls)
{
    return (size_t)tls < COUNT_OF(tls_words) ? tls_words[tls] : NULL;
}

static postern_err read_text(struct helper_request *r, uint32_t node, size_t max, const char **ret,
                             postern_error *err)
{
    postern_bytes text;

    POSTERN_TRY(postern_frame_text(&r->frame, node, max, &text, err));
    *ret = (const char *)text.ptr;
    return POSTERN_OK;
}

/* Position of the node's word in `words`. */
static postern_err read_word(struct helper_request *r, uint32_t node, const char *const *words,
                             size_t count, const char *name, size_t *ret, postern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != NULL && postern_json_string_is(&r->frame.json, node, words[i])) {
            *ret = i;
            return POSTERN_OK;
        }
    }
    return POSTERN_FAIL(err, HELPER_PROTOCOL,
                        "member %s has a value that this version does not know", name);
}

static postern_err read_nonce(struct helper_request *r, uint32_t node, postern_error *err)
{
    uint8_t bytes[POSTERN_BASE64URL_DECODED_MAX(POSTERN_NONCE_TEXT_LEN)];
    postern_bytes text;
    size_t len;

    POSTERN_TRY(postern_frame_text(&r->frame, node, POSTERN_NONCE_TEXT_LEN, &text, err));
    if (text.len != POSTERN_NONCE_TEXT_LEN ||
        postern_base64url_decode(text, bytes, &len, NULL) != POSTERN_OK || len != POSTERN_NONCE_LEN)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "nonce is not %d bytes in base64url",
                            POSTERN_NONCE_LEN);
    r->nonce = (const char *)text.ptr;
    return POSTERN_OK;
}

static postern_err read_scopes(struct helper_request *r, uint32_t array, postern_error *err)
{
    const postern_json *j = &r->frame.json;
    size_t count = 0;

    if (array == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    for (uint32_t n = postern_json_first(j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n))
        POSTERN_TRY(read_text(r, n, SCOPE_MAX, &r->scopes[count++], err));
    r->rq.extra_scopes = r->scopes;
    return POSTERN_OK;
}

static postern_err read_client_cert(struct helper_request *r, uint32_t node, postern_error *err)
{
    uint8_t room[POSTERN_BASE64URL_DECODED_MAX(REQUEST_CERT_TEXT_LEN)];
    postern_bytes text;
    size_t len;

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    POSTERN_TRY(postern_frame_text(&r->frame, node, REQUEST_CERT_TEXT_LEN, &text, err));
    if (text.len != REQUEST_CERT_TEXT_LEN ||
        postern_base64url_decode(text, room, &len, NULL) != POSTERN_OK ||
        len != sizeof r->client_cert)
        return POSTERN_FAIL(err, HELPER_PROTOCOL,
                            "client_cert_sha256 is not %zu bytes in base64url",
                            sizeof r->client_cert);
    memcpy(r->client_cert, room, sizeof r->client_cert);
    r->rq.client_cert_sha256 = (postern_bytes){ r->client_cert, sizeof r->client_cert };
    return POSTERN_OK;
}

static postern_err read_verify(struct helper_request *r, const uint32_t *nodes, postern_error *err)
{
    postern_request *rq = &r->rq;
    size_t carrier = 0, tls = 0;

    POSTERN_TRY(postern_frame_text(&r->frame, nodes[TOKEN], POSTERN_TOKEN_MAX, &rq->token, err));
    POSTERN_TRY(read_text(r, nodes[AUTHZID], POSTERN_AUTHZID_MAX - 1, &rq->authzid, err));
    POSTERN_TRY(read_text(r, nodes[PEER], REQUEST_PEER_MAX, &rq->peer, err));
    POSTERN_TRY(read_text(r, nodes[HOST], POSTERN_HOST_MAX - 1, &rq->message_host, err));
    POSTERN_TRY(read_text(r, nodes[PORT], PORT_MAX, &rq->message_port, err));
    POSTERN_TRY(read_word(r, nodes[CARRIER], carrier_words, COUNT_OF(carrier_words), "carrier",
                          &carrier, err));
    POSTERN_TRY(read_word(r, nodes[TLS], tls_words, COUNT_OF(tls_words), "tls", &tls, err));
    rq->carrier = (postern_carrier)carrier;
    rq->tls = (postern_tls)tls;
    r->is_last = nodes[LAST] != POSTERN_JSON_ABSENT &&
                 postern_json_type_of(&r->frame.json, nodes[LAST]) == POSTERN_JSON_TRUE;
    POSTERN_TRY(read_client_cert(r, nodes[CLIENT_CERT], err));
    return read_scopes(r, nodes[SCOPES], err);
}

/* The token is asked about as if it came as a password over this host: what would not be taken from there
 * when the handle comes back has no use for one. */
static postern_err read_handle(struct helper_request *r, const uint32_t *nodes, postern_error *err)
{
    POSTERN_TRY(postern_frame_text(&r->frame, nodes[HANDLE_TOKEN], POSTERN_TOKEN_MAX, &r->rq.token,
                                   err));
    r->rq.carrier = POSTERN_CARRIER_PASSWORD;
    r->rq.tls = POSTERN_TLS_LOCAL;
    r->uses = 1;
    if (nodes[HANDLE_USES] == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    if (!postern_json_integer(&r->frame.json, nodes[HANDLE_USES], &r->uses) || r->uses < 1 ||
        r->uses > HANDLE_USES_MAX)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "uses is not 1 to %d", HANDLE_USES_MAX);
    return POSTERN_OK;
}

postern_err helper_request_read(postern_bytes frame, struct helper_request *ret, postern_error *err)
{
    static const struct {
        const struct postern_frame_member *table;
        size_t count;
    } forms[] = { { table, VERIFY_COUNT }, { table, DESCRIBE_COUNT }, { handle_table, HANDLE_COUNT } };
    static const char *const ops[] = { "verify", "describe", "handle" };
    uint32_t nodes[VERIFY_COUNT], op_node;
    size_t op = 0;

    POSTERN_TRY(postern_frame_open(&ret->frame, frame, err));
    POSTERN_TRY(postern_frame_check_version(&ret->frame, err));
    op_node = postern_json_member(&ret->frame.json, 0, "op");
    if (op_node == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "member op is missing");
    POSTERN_TRY(read_word(ret, op_node, ops, COUNT_OF(ops), "op", &op, err));
    ret->is_describe = op == 1;
    ret->is_handle = op == 2;
    POSTERN_TRY(postern_frame_members(&ret->frame, 0, forms[op].table, forms[op].count, nodes, err));
    POSTERN_TRY(read_nonce(ret, nodes[NONCE], err));
    ret->rq.size = sizeof ret->rq;
    POSTERN_TRY(read_text(ret, nodes[SERVICE], REQUEST_SERVICE_MAX, &ret->rq.service, err));
    if (ret->is_handle)
        return read_handle(ret, nodes, err);
    return ret->is_describe ? POSTERN_OK : read_verify(ret, nodes, err);
}

/* ---- saslauthd's protocol ---- */

static bool is_plain(postern_bytes text)
{
    return postern_bytes_is_utf8(text) && !postern_bytes_has_control(text);
}

/* Copies to *at with a NUL behind, and moves *at past it. */
static const char *put_text(uint8_t **at, postern_bytes text)
{
    char *copy = (char *)*at;

    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

/* login, or login@realm */
static const char *put_identity(uint8_t **at, const struct saslauthd_request *from)
{
    const char *identity = put_text(at, from->login);

    if (from->realm.len != 0) {
        (*at)[-1] = '@';
        (void)put_text(at, from->realm);
    }
    return identity;
}

static postern_err make_block(const struct saslauthd_request *from, struct helper_request *ret,
                              postern_error *err)
{
    uint8_t *at;

    ret->block_len = from->login.len + from->realm.len + from->service.len + from->peer.len +
                     from->password.len + 5; /* a NUL behind each; login's may be the '@' */
    ret->block = at = malloc(ret->block_len);
    if (at == NULL)
        return POSTERN_FAIL(err, NOMEM, "a request of %zu bytes", ret->block_len);
    ret->rq.service = put_text(&at, from->service);
    ret->rq.authzid = put_identity(&at, from);
    if (from->peer.len != 0 && is_plain(from->peer)) /* audit only: not worth a refusal */
        ret->rq.peer = put_text(&at, from->peer);
    ret->rq.token = (postern_bytes){ (const uint8_t *)put_text(&at, from->password),
                                     from->password.len };
    return POSTERN_OK;
}

postern_err helper_request_from_saslauthd(const struct saslauthd_request *from,
                                          struct helper_request *ret, postern_error *err)
{
    ret->is_saslauthd = true;
    if (from->service.len == 0 || !is_plain(from->service))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "the service is no name");
    if (from->login.len == 0 || !is_plain(from->login) || !is_plain(from->realm))
        return POSTERN_FAIL(err, AUTHZID, "the login is empty or no name");
    POSTERN_TRY(make_block(from, ret, err));
    ret->rq.size = sizeof ret->rq;
    ret->rq.carrier = POSTERN_CARRIER_PASSWORD;
    ret->rq.tls = POSTERN_TLS_UNKNOWN; /* libsasl does not tell */
    return POSTERN_OK;
}

void helper_request_free(struct helper_request *r)
{
    postern_frame_free(&r->frame);
    if (r->block != NULL)
        postern_wipe(r->block, r->block_len);
    free(r->block);
    *r = (struct helper_request){ 0 };
}
