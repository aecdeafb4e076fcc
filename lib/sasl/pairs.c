/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key=value pairs and the fields in them, for OAUTHBEARER (RFC 7628 §3.1) and XOAUTH2.  Liberal
 * where deployed clients differ (order, case of "Bearer", unknown keys), strict on terminators,
 * duplicates and bytes.  Finds tokens, judges none.
 */
#include "base/ascii.h"
#include "sasl/message.h"

static bool is_key(postern_bytes key)
{
    for (size_t i = 0; i < key.len; i++)
        if (!postern_ascii_is_alpha(key.ptr[i]))
            return false;
    return key.len != 0;
}

/* RFC 7628 §3.1: value = *(VCHAR / SP / HTAB / CR / LF) */
static bool is_value(postern_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];

        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c > 0x7E)
            return false;
    }
    return true;
}

#define TEN(c) [c] = 1, [c + 1] = 1, [c + 2] = 1, [c + 3] = 1, [c + 4] = 1, [c + 5] = 1, [c + 6] = 1, \
               [c + 7] = 1, [c + 8] = 1, [c + 9] = 1
#define ALPHABET(c) TEN(c), TEN(c + 10), [c + 20] = 1, [c + 21] = 1, [c + 22] = 1, [c + 23] = 1, \
                    [c + 24] = 1, [c + 25] = 1

/* A whole token is looked at for each login. */
static const uint8_t token68[256] = {
    TEN('0'), ALPHABET('A'), ALPHABET('a'), ['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1, ['+'] = 1, ['/'] = 1,
};

bool postern_token_is_token68(postern_bytes token)
{
    size_t i = 0;

    while (i < token.len && token68[token.ptr[i]])
        i++;
    if (i == 0)
        return false; /* at least one byte before the padding */
    while (i < token.len && token.ptr[i] == '=')
        i++;
    return i == token.len;
}

static bool is_base64url(uint8_t c)
{
    return postern_ascii_is_alnum(c) || c == '-' || c == '_';
}

bool postern_token_is_compact_jws(postern_bytes token)
{
    postern_reader r = { token };
    postern_bytes header, payload;

    for (size_t i = 0; i < token.len; i++)
        if (!is_base64url(token.ptr[i]) && token.ptr[i] != '.')
            return false;
    return postern_reader_take_lit(&r, "eyJ") && postern_reader_take_until(&r, '.', &header) &&
           postern_reader_take_until(&r, '.', &payload) && payload.len != 0 && r.rest.len != 0 &&
           postern_bytes_find(r.rest, '.') == r.rest.len;
}

static bool is_all_base64url(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_base64url(text.ptr[i]))
            return false;
    return true;
}

bool postern_token_is_handle(postern_bytes text)
{
    postern_reader r = { text };

    return text.len == POSTERN_HANDLE_LEN && postern_reader_take_lit(&r, POSTERN_HANDLE_PREFIX) &&
           is_all_base64url(r.rest);
}

bool postern_token_is_opaque(postern_bytes token)
{
    postern_reader r = { token };

    return token.len == POSTERN_OPAQUE_TOKEN_LEN &&
           postern_reader_take_lit(&r, POSTERN_OPAQUE_TOKEN_PREFIX) && is_all_base64url(r.rest);
}

bool postern_sasl_host_is_valid(postern_bytes host)
{
    return host.len > 0 && host.len < POSTERN_HOST_MAX && postern_bytes_is_printable(host) &&
           postern_bytes_find(host, ' ') == host.len;
}

bool postern_sasl_port_is_valid(postern_bytes port)
{
    uint32_t number = 0;

    if (port.len < 1 || port.len > 5 || port.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (!postern_ascii_is_digit(port.ptr[i]))
            return false;
        number = number * 10 + (port.ptr[i] - '0');
    }
    return number <= 65535;
}

postern_err postern_sasl_identity_check(postern_bytes id, postern_error *err)
{
    if (id.len == 0)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "identity is empty");
    if (id.len >= POSTERN_AUTHZID_MAX)
        return POSTERN_FAIL(err, LIMIT, "identity is longer than %d bytes",
                            POSTERN_AUTHZID_MAX - 1);
    if (!postern_bytes_is_utf8(id))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "identity is not UTF-8");
    if (postern_bytes_has_control(id))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "identity holds a control character");
    return POSTERN_OK;
}

/* The field that `key` names: where its value goes, NULL for a key to ignore. */
static postern_bytes *find_field(postern_mech m, postern_bytes key, sasl_pairs *p, bool **ret_seen)
{
    struct {
        const char *name;
        postern_bytes *value;
        bool *seen;
    } fields[] = {
        { "auth", &p->auth, &p->has_auth },
        { "host", &p->host, &p->has_host },
        { "port", &p->port, &p->has_port },
        { m == POSTERN_MECH_XOAUTH2 ? "user" : NULL, &p->user, &p->has_user },
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].name != NULL && postern_bytes_equal_str(key, fields[i].name)) {
            *ret_seen = fields[i].seen;
            return fields[i].value;
        }
    return NULL;
}

static postern_err take_pair(postern_mech m, postern_bytes pair, sasl_pairs *ret,
                             postern_error *err)
{
    postern_reader r = { pair };
    postern_bytes key, *value;
    bool *seen = NULL;

    if (!postern_reader_take_until(&r, '=', &key) || !is_key(key))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "pair is not letters, '=' and a value");
    value = find_field(m, key, ret, &seen);
    if (value != &ret->user && !is_value(r.rest)) /* a user is UTF-8 and has its own check */
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "value holds a byte outside the grammar");
    if (value == NULL)
        return POSTERN_OK;
    if (*seen)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "auth, host, port or user stands twice");
    *seen = true;
    *value = r.rest;
    return POSTERN_OK;
}

postern_err postern_sasl_pairs_read(postern_mech m, postern_reader *r, sasl_pairs *ret,
                                    postern_error *err)
{
    postern_bytes pair;

    *ret = (sasl_pairs){ 0 };
    for (size_t count = 0; postern_reader_take_until(r, SASL_KVSEP, &pair); count++) {
        if (pair.len == 0 && postern_reader_is_done(r))
            return POSTERN_OK;
        if (pair.len == 0)
            return POSTERN_FAIL(err, MESSAGE_MALFORMED, "bytes after the end of the message");
        if (count == POSTERN_SASL_PAIRS_MAX)
            return POSTERN_FAIL(err, LIMIT, "more than %d pairs", POSTERN_SASL_PAIRS_MAX);
        POSTERN_TRY(take_pair(m, pair, ret, err));
    }
    return POSTERN_FAIL(err, MESSAGE_MALFORMED, "message does not end with two separators");
}

/* credentials = "Bearer" 1*SP token68 (RFC 6750 §2.1; the scheme's case is ignored, RFC 9110 §11.1)
 */
static postern_err apply_auth(postern_bytes auth, postern_sasl_message *ret, postern_error *err)
{
    postern_reader r = { auth };

    if (auth.len == 0) {
        ret->is_discovery = true; /* RFC 7628 §4.3 */
        return POSTERN_OK;
    }
    if (!postern_reader_take_lit_nocase(&r, "Bearer") || !postern_reader_take_byte(&r, ' '))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "auth is not \"Bearer\", a blank and a token");
    while (postern_reader_take_byte(&r, ' '))
        ;
    if (!postern_token_is_token68(r.rest))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "token is empty or holds a byte outside RFC 6750 section 2.1");
    if (r.rest.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, LIMIT, "token is longer than %d bytes", POSTERN_TOKEN_MAX);
    ret->token = r.rest;
    return POSTERN_OK;
}

postern_err postern_sasl_pairs_apply(const sasl_pairs *p, postern_sasl_message *ret,
                                     postern_error *err)
{
    if (!p->has_auth)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no auth in the message");
    POSTERN_TRY(apply_auth(p->auth, ret, err));
    if (p->has_host && p->host.len != 0) { /* an empty host names none, like an absent one */
        if (!postern_sasl_host_is_valid(p->host))
            return POSTERN_FAIL(err, MESSAGE_MALFORMED, "host is too long or holds a blank");
        memcpy(ret->host, p->host.ptr, p->host.len); /* zeroed by the caller: NUL stands behind */
    }
    if (p->has_port) {
        if (!postern_sasl_port_is_valid(p->port))
            return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                                "port is not a number of 1..65535 without leading zero");
        memcpy(ret->port, p->port.ptr, p->port.len);
    }
    return POSTERN_OK;
}
