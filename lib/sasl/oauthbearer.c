/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's messages of OAUTHBEARER (RFC 7628 §3.1) and XOAUTH2, read and written.  Bytes in,
 * bytes out: nothing here knows whether a token is good.  Called by the SASL plugin, `postern
 * parse` and the doors.
 */
#include "sasl/message.h"

static const struct {
    postern_mech mech;
    const char *name;
} mechs[] = {
    { POSTERN_MECH_OAUTHBEARER, "OAUTHBEARER" },
    { POSTERN_MECH_XOAUTH2, "XOAUTH2" },
};
#define MECH_COUNT (sizeof mechs / sizeof mechs[0])

const char *postern_mech_name(postern_mech m)
{
    for (size_t i = 0; i < MECH_COUNT; i++)
        if (mechs[i].mech == m)
            return mechs[i].name;
    return "";
}

postern_mech postern_mech_from_name(const char *name)
{
    for (size_t i = 0; i < MECH_COUNT && name != NULL; i++)
        if (strcmp(mechs[i].name, name) == 0)
            return mechs[i].mech;
    return POSTERN_MECH_NONE;
}

/* RFC 7628 §3.1: client-resp = gs2-header kvsep *kvpair kvsep */
static postern_err parse_oauthbearer(postern_reader *r, postern_sasl_message *ret,
                                     postern_error *err)
{
    sasl_pairs pairs;

    POSTERN_TRY(postern_gs2_read(r, ret, err));
    if (!postern_reader_take_byte(r, SASL_KVSEP))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no separator after the GS2 header");
    POSTERN_TRY(postern_sasl_pairs_read(POSTERN_MECH_OAUTHBEARER, r, &pairs, err));
    return postern_sasl_pairs_apply(&pairs, ret, err);
}

/* "user=" NAME ^A "auth=Bearer " TOKEN ^A ^A; no header, no escapes, the name is required. */
static postern_err parse_xoauth2(postern_reader *r, postern_sasl_message *ret, postern_error *err)
{
    sasl_pairs pairs;

    POSTERN_TRY(postern_sasl_pairs_read(POSTERN_MECH_XOAUTH2, r, &pairs, err));
    if (!pairs.has_user)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no user in the message");
    POSTERN_TRY(postern_sasl_identity_check(pairs.user, err));
    ret->has_authzid = true;
    memcpy(ret->authzid, pairs.user.ptr,
           pairs.user.len); /* shorter than the zeroed field: just checked */
    return postern_sasl_pairs_apply(&pairs, ret, err);
}

postern_err postern_sasl_message_parse(postern_mech m, postern_bytes raw, postern_sasl_message *ret,
                                       postern_error *err)
{
    postern_sasl_message parsed = { 0 };
    postern_reader r = { raw };

    if (raw.len > POSTERN_SASL_MESSAGE_MAX)
        return POSTERN_FAIL(err, LIMIT, "message is longer than %d bytes",
                            POSTERN_SASL_MESSAGE_MAX);
    if (raw.len == 0)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "message is empty");
    switch (m) {
    case POSTERN_MECH_OAUTHBEARER:
        POSTERN_TRY(parse_oauthbearer(&r, &parsed, err));
        break;
    case POSTERN_MECH_XOAUTH2:
        POSTERN_TRY(parse_xoauth2(&r, &parsed, err));
        break;
    case POSTERN_MECH_NONE:
    default:
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "no mechanism chosen");
    }
    *ret = parsed;
    return POSTERN_OK;
}

postern_err postern_sasl_step2_parse(postern_mech m, postern_bytes raw, postern_error *err)
{
    (void)m; /* either form from either mechanism: deployed clients mix them up */
    if (raw.len == 0 || (raw.len == 1 && raw.ptr[0] == SASL_KVSEP))
        return POSTERN_OK;
    return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                        "answer to the error is neither empty nor one separator");
}

static postern_bytes strip_trailing_dot(postern_bytes name)
{
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

static bool is_same_name(postern_bytes a, const char *b)
{
    postern_bytes left = strip_trailing_dot(a), right = strip_trailing_dot(postern_bytes_str(b));

    if (left.len != right.len)
        return false;
    for (size_t i = 0; i < left.len; i++) {
        uint8_t x = left.ptr[i], y = right.ptr[i];

        if (x != y && !((x ^ y) == 0x20 && ((x | 0x20) >= 'a' && (x | 0x20) <= 'z')))
            return false;
    }
    return true;
}

postern_err postern_sasl_message_check_server(const postern_sasl_message *m,
                                              const char *const *names, const char *port,
                                              postern_error *err)
{
    char room[300];

    if (port != NULL && port[0] != '\0' && m->port[0] != '\0' && strcmp(port, m->port) != 0)
        return POSTERN_FAIL(err, MESSAGE_SERVER, "message is for port %s", m->port);
    if (names == NULL || names[0] == NULL || m->host[0] == '\0')
        return POSTERN_OK;
    for (; *names != NULL; names++)
        if (is_same_name(postern_bytes_str(m->host), *names))
            return POSTERN_OK;
    return POSTERN_FAIL(err, MESSAGE_SERVER, "message is for host %s",
                        postern_error_quote(m->host, strlen(m->host), room, sizeof room));
}

static postern_err check_build(postern_mech m, const char *authzid, const char *host,
                               const char *port, postern_bytes token, postern_error *err)
{
    if (postern_mech_name(m)[0] == '\0')
        return POSTERN_FAIL(err, USAGE, "no mechanism chosen");
    if (authzid[0] != '\0' &&
        postern_sasl_identity_check(postern_bytes_str(authzid), err) != POSTERN_OK)
        return POSTERN_FAIL(err, USAGE,
                            "authzid is too long, not UTF-8 or holds a control character");
    if (authzid[0] == '\0' && m == POSTERN_MECH_XOAUTH2)
        return POSTERN_FAIL(err, USAGE, "XOAUTH2 needs a user name");
    if (host[0] != '\0' && !postern_sasl_host_is_valid(postern_bytes_str(host)))
        return POSTERN_FAIL(err, USAGE, "host name is too long or holds a blank");
    if (port[0] != '\0' && !postern_sasl_port_is_valid(postern_bytes_str(port)))
        return POSTERN_FAIL(err, USAGE, "port is not a number of 1..65535");
    if (token.len > POSTERN_TOKEN_MAX || !postern_token_is_token68(token))
        return POSTERN_FAIL(err, USAGE,
                            "token is empty, too long or holds a byte outside RFC 6750 section 2.1");
    return POSTERN_OK;
}

/* NAME "=" value kvsep, left out when the value is empty. */
static void add_pair(postern_buf *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    postern_buf_add_str(out, name);
    postern_buf_add_byte(out, '=');
    postern_buf_add_str(out, value);
    postern_buf_add_byte(out, SASL_KVSEP);
}

postern_err postern_sasl_message_build(postern_mech m, const char *authzid, const char *host,
                                       const char *port, postern_bytes token, postern_buf *out,
                                       postern_error *err)
{
    authzid = authzid == NULL ? "" : authzid;
    host = host == NULL ? "" : host;
    port = port == NULL ? "" : port;
    POSTERN_TRY(check_build(m, authzid, host, port, token, err));
    if (m == POSTERN_MECH_XOAUTH2)
        add_pair(out, "user", authzid);
    else {
        postern_gs2_write(authzid, out);
        postern_buf_add_byte(out, SASL_KVSEP);
        add_pair(out, "host", host);
        add_pair(out, "port", port);
    }
    postern_buf_add_str(out, "auth=Bearer ");
    postern_buf_add(out, token);
    postern_buf_add_str(out, "\x01\x01");
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "client message");
    return POSTERN_OK;
}
