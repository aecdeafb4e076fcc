/* SPDX-License-Identifier: BSD-2-Clause */
/* client_secret_basic and client_secret_post; see client_auth.h.  RFC 6749 §2.3.1, RFC 7617 §2,
 * OAuth 2.1 §2.4.1. */
#include "client_auth.h"

#include "client_assertion.h"

/* base64 of name ":" secret, each byte perhaps percent-encoded. */
#define BASIC_MAX POSTERN_BASE64_ENCODED_MAX(2 * 3 * CLIENT_CREDENTIAL_MAX + 1)

static bool decode_component(postern_bytes in, postern_buf *out)
{
    return postern_form_decode(in, out, NULL) == POSTERN_OK && !out->failed &&
           (out->len == 0 || memchr(out->ptr, '\0', out->len) == NULL);
}

static bool split_credentials(postern_bytes both, struct client_auth *ret)
{
    postern_reader r = { both };
    postern_bytes name;

    return postern_reader_take_until(&r, ':', &name) && decode_component(name, &ret->name) &&
           decode_component(r.rest, &ret->secret) && ret->name.len != 0;
}

static client_auth_result find_basic(const char *authorization, struct client_auth *ret)
{
    postern_reader r = { postern_bytes_str(authorization) };
    uint8_t plain[POSTERN_BASE64URL_DECODED_MAX(BASIC_MAX)];
    size_t plain_len = 0;
    bool is_good = false;

    if (!postern_reader_take_lit_nocase(&r, "Basic "))
        return CLIENT_AUTH_MALFORMED;
    while (postern_reader_take_byte(&r, ' '))
        continue; /* RFC 9110 §11.4: 1*SP */
    if (r.rest.len == 0 || r.rest.len > BASIC_MAX)
        return CLIENT_AUTH_MALFORMED;
    if (postern_base64_decode(r.rest, plain, &plain_len, NULL) == POSTERN_OK)
        is_good = split_credentials((postern_bytes){ plain, plain_len }, ret);
    postern_wipe(plain, sizeof plain);
    return is_good ? CLIENT_AUTH_FOUND : CLIENT_AUTH_MALFORMED;
}

static client_auth_result find_post(const char *client_id, const char *secret,
                                    struct client_auth *ret)
{
    if (client_id == NULL && secret == NULL)
        return CLIENT_AUTH_NONE;
    if (client_id == NULL)
        return CLIENT_AUTH_METHOD;
    if (strlen(client_id) > CLIENT_CREDENTIAL_MAX ||
        (secret != NULL && strlen(secret) > CLIENT_CREDENTIAL_MAX))
        return CLIENT_AUTH_MALFORMED;
    postern_buf_add_str(&ret->name, client_id);
    if (secret != NULL)
        postern_buf_add_str(&ret->secret, secret);
    if (ret->name.failed || ret->secret.failed)
        return CLIENT_AUTH_UNSET;
    return secret == NULL ? CLIENT_AUTH_NAMED : CLIENT_AUTH_FOUND;
}

/* RFC 7521 §4.2: both parameters; client_id may say the same again. */
static client_auth_result find_assertion(const postern_form *form, const char *client_id,
                                         struct client_auth *ret)
{
    const char *type = postern_form_value(form, "client_assertion_type");
    const char *assertion = postern_form_value(form, "client_assertion");

    if (type == NULL || assertion == NULL)
        return CLIENT_AUTH_MALFORMED;
    if (strcmp(type, CLIENT_ASSERTION_TYPE) != 0)
        return CLIENT_AUTH_METHOD;
    if (client_id != NULL)
        postern_buf_add_str(&ret->name, client_id);
    ret->assertion = postern_bytes_str(assertion);
    return ret->name.failed ? CLIENT_AUTH_UNSET : CLIENT_AUTH_ASSERTION;
}

client_auth_result client_auth_find(const char *authorization, const postern_form *form,
                                    struct client_auth *ret)
{
    const char *client_id = postern_form_value(form, "client_id");
    const char *secret = postern_form_value(form, "client_secret");
    bool has_assertion = postern_form_value(form, "client_assertion") != NULL ||
                         postern_form_value(form, "client_assertion_type") != NULL;
    client_auth_result found;

    if ((authorization != NULL) + (secret != NULL) + has_assertion > 1)
        return CLIENT_AUTH_TWO;
    if (has_assertion)
        return find_assertion(form, client_id, ret);
    if (authorization == NULL)
        return find_post(client_id, secret, ret);
    found = find_basic(authorization, ret);
    if (found == CLIENT_AUTH_FOUND && client_id != NULL &&
        !postern_bytes_equal_str(postern_buf_bytes(&ret->name), client_id))
        return CLIENT_AUTH_TWO;
    return found;
}
