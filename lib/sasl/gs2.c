/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The GS2 header in front of an OAUTHBEARER message (RFC 5801 §4): no channel binding and an
 * optional authorization identity.  Channel binding ("p=") and the non-standard flag ("F") are
 * refused: no OAUTHBEARER-PLUS exists.
 */
#include "sasl/message.h"

/*
 * One saslname byte or escape at the front of `name` into *ret: "=2C" and "=3D" alone may follow
 * '='.
 */
static bool take_saslname_byte(postern_reader *name, uint8_t *ret)
{
    if (postern_reader_take_lit(name, "=2C"))
        *ret = ',';
    else if (postern_reader_take_lit(name, "=3D"))
        *ret = '=';
    else if (name->rest.ptr[0] == '=')
        return false;
    else {
        postern_bytes one;

        if (!postern_reader_take_len(name, 1, &one))
            return false;
        *ret = one.ptr[0];
    }
    return true;
}

static postern_err decode_saslname(postern_bytes escaped, char *out, size_t out_size,
                                   postern_error *err)
{
    postern_reader name = { escaped };
    size_t len = 0;

    while (!postern_reader_is_done(&name)) {
        uint8_t c;

        if (!take_saslname_byte(&name, &c))
            return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                                "'=' in the authzid is not followed by 2C or 3D");
        if (len + 1 >= out_size)
            return POSTERN_FAIL(err, LIMIT, "authzid is longer than %zu bytes", out_size - 1);
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return postern_sasl_identity_check((postern_bytes){ (const uint8_t *)out, len }, err);
}

static postern_err read_binding_flag(postern_reader *r, postern_error *err)
{
    postern_bytes flag;

    if (!postern_reader_take_until(r, ',', &flag))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no GS2 header");
    if (postern_bytes_equal_str(flag, "n") || postern_bytes_equal_str(flag, "y"))
        return POSTERN_OK;
    if (flag.len > 1 && flag.ptr[0] == 'p' && flag.ptr[1] == '=')
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "GS2 header asks for channel binding");
    return POSTERN_FAIL(err, MESSAGE_MALFORMED, "GS2 header begins with neither \"n,\" nor \"y,\"");
}

postern_err postern_gs2_read(postern_reader *r, postern_sasl_message *ret, postern_error *err)
{
    postern_bytes name;

    POSTERN_TRY(read_binding_flag(r, err));
    if (!postern_reader_take_until(r, ',', &name))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "GS2 header has no second comma");
    if (name.len == 0)
        return POSTERN_OK;
    postern_reader authzid = { name };
    /*
     * RFC 7628 §4.4 prints "n,user=…,": that violates the grammar, and reading it as "no authzid"
     * would drop a wish.
     */
    if (!postern_reader_take_lit(&authzid, "a="))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "GS2 header holds something else than a=authzid");
    if (postern_reader_is_done(&authzid))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "authzid is empty");
    ret->has_authzid = true;
    return decode_saslname(authzid.rest, ret->authzid, sizeof ret->authzid, err);
}

void postern_gs2_write(const char *authzid, postern_buf *out)
{
    postern_buf_add_str(out, authzid[0] == '\0' ? "n," : "n,a=");
    for (const char *c = authzid; *c != '\0'; c++) {
        if (*c == ',')
            postern_buf_add_str(out, "=2C");
        else if (*c == '=')
            postern_buf_add_str(out, "=3D");
        else
            postern_buf_add_byte(out, (uint8_t)*c);
    }
    postern_buf_add_byte(out, ',');
}
