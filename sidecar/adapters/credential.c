/* SPDX-License-Identifier: BSD-2-Clause */
/* See credential.h.  RFC 7628 §3.1, RFC 7617 §2, RFC 7515 §7.1. */
#include "credential.h"

#include <stdlib.h>

#include "line.h"

#define JWS_PARTS 3

postern_err credential_check_token(postern_bytes token, postern_error *err)
{
    if (token.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, LIMIT, "the token is longer than %d bytes", POSTERN_TOKEN_MAX);
    if (!postern_token_is_token68(token))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the token is empty or holds a byte that no bearer token has");
    return POSTERN_OK;
}

postern_err credential_decode(postern_bytes base64, struct credential **ret, postern_error *err)
{
    size_t room = POSTERN_BASE64URL_DECODED_MAX(base64.len);
    struct credential *c;

    if (base64.len > ADAPTER_LOGIN_MAX)
        return POSTERN_FAIL(err, LIMIT, "the login is longer than %d bytes", ADAPTER_LOGIN_MAX);
    c = calloc(1, sizeof *c + room);
    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "login of %zu bytes", base64.len);
    c->room = room;
    if (postern_base64_decode(base64, c->bytes, &c->len, NULL) != POSTERN_OK) {
        credential_free(c);
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the login is not base64 in its canonical form");
    }
    *ret = c;
    return POSTERN_OK;
}

postern_err credential_read_sasl(struct credential *c, struct adapter_login *ret,
                                 postern_error *err)
{
    postern_sasl_message m;

    POSTERN_TRY(postern_sasl_message_parse(POSTERN_MECH_OAUTHBEARER,
                                           (postern_bytes){ c->bytes, c->len }, &m, err));
    if (m.is_discovery)
        return POSTERN_FAIL(err, NO_TOKEN, "the message holds no token");
    memcpy(c->authzid, m.authzid, sizeof c->authzid);
    ret->authzid = c->authzid;
    ret->token = m.token;
    memcpy(ret->host, m.host, sizeof ret->host);
    memcpy(ret->port, m.port, sizeof m.port);
    return POSTERN_OK;
}
_Static_assert(sizeof((struct adapter_login *)0)->host == POSTERN_HOST_MAX &&
                   sizeof((struct adapter_login *)0)->port >=
                       sizeof((postern_sasl_message *)0)->port,
               "host and port of a message fit");

/* Base64url of what begins with '{'. */
static bool is_object(postern_bytes part)
{
    return part.len >= 2 && part.ptr[0] == 'e' &&
           line_is_made_of((postern_bytes){ part.ptr + 1, 1 }, "wxyz0123456789-_");
}

/* Three parts of base64url between dots, the first two of them JSON objects (RFC 7515 §7.1, RFC
 * 7519 §7.2): a person's password has two dots easily, but not that. */
static bool has_form_of_jws(postern_bytes text)
{
    for (int part = 1; part <= JWS_PARTS; part++) {
        postern_bytes this = { text.ptr, postern_bytes_find(text, '.') };

        if (!line_is_made_of(this, LINE_BASE64URL))
            return false;
        if (part == JWS_PARTS)
            return this.len == text.len;
        if (this.len == text.len || !is_object(this))
            return false;
        text.ptr += this.len + 1;
        text.len -= this.len + 1;
    }
    return false;
}

postern_err credential_take_user(postern_bytes user, char ret[POSTERN_AUTHZID_MAX],
                                 postern_error *err)
{
    if (user.len >= POSTERN_AUTHZID_MAX)
        return POSTERN_FAIL(err, LIMIT, "the user name is longer than %d bytes",
                            POSTERN_AUTHZID_MAX - 1);
    if (!postern_bytes_is_utf8(user) || postern_bytes_has_control(user))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the user name is not UTF-8 or holds a control character");
    if (user.len != 0)
        memcpy(ret, user.ptr, user.len);
    ret[user.len] = '\0';
    return POSTERN_OK;
}

postern_err credential_check_password(postern_bytes password, postern_error *err)
{
    if (password.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, LIMIT, "the password is longer than %d bytes",
                            POSTERN_TOKEN_MAX);
    if (!has_form_of_jws(password) && !postern_token_is_opaque(password))
        return POSTERN_FAIL(err, MALFORMED, "the password is not a token");
    return POSTERN_OK;
}

postern_err credential_read_basic(struct credential *c, struct adapter_login *ret,
                                  postern_error *err)
{
    postern_reader r = { { c->bytes, c->len } };
    postern_bytes user;

    if (!postern_reader_take_until(&r, ':', &user))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no colon between user name and token");
    if (!has_form_of_jws(r.rest))
        return POSTERN_FAIL(err, MALFORMED, "the password is not a signed token");
    POSTERN_TRY(credential_check_token(r.rest, err));
    POSTERN_TRY(credential_take_user(user, c->authzid, err));
    ret->authzid = c->authzid;
    ret->token = r.rest;
    ret->carrier = POSTERN_CARRIER_PASSWORD;
    return POSTERN_OK;
}

void credential_free(struct credential *c)
{
    if (c == NULL)
        return;
    postern_wipe(c, sizeof *c + c->room);
    free(c);
}
