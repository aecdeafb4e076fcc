/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's first message as either mechanism: what is accepted lies inside the input, is clean, and can be built again. */
#include <stdlib.h>
#include <strings.h>

#include <postern/oauthbearer.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

/* A host of ours, in any case and with its trailing dot, or none; any other is refused. */
static void check_server(const postern_sasl_message *msg)
{
    static const char *const names[] = { "imap.example.org", "Mail.Example.ORG.", NULL };
    bool is_ours = msg->host[0] == '\0' || strncasecmp(msg->host, "imap.example.org", 16) == 0 ||
                   strncasecmp(msg->host, "mail.example.org", 16) == 0;
    bool is_port = msg->port[0] == '\0' || strcmp(msg->port, "143") == 0;
    postern_err e = postern_sasl_message_check_server(msg, names, "143", NULL);

    require(e == POSTERN_OK ? is_ours && is_port : e == POSTERN_ERR_MESSAGE_SERVER);
}

static void check_accepted(postern_mech m, postern_bytes raw, const postern_sasl_message *msg)
{
    POSTERN_AUTO_BUF built = POSTERN_BUF_INIT(4 * POSTERN_SASL_MESSAGE_MAX);
    postern_sasl_message again;

    require(strlen(msg->authzid) < POSTERN_AUTHZID_MAX && strlen(msg->host) < POSTERN_HOST_MAX && strlen(msg->port) < 6);
    require(postern_bytes_is_utf8(postern_bytes_str(msg->authzid)));
    require(msg->has_authzid == (msg->authzid[0] != '\0'));
    require(postern_mech_from_name(postern_mech_name(m)) == m);
    check_server(msg);
    if (msg->is_discovery) {
        require(msg->token.len == 0);
        return;
    }
    require(msg->token.ptr >= raw.ptr && msg->token.ptr + msg->token.len <= raw.ptr + raw.len);
    require(postern_token_is_token68(msg->token) && msg->token.len <= POSTERN_TOKEN_MAX);
    require(postern_sasl_message_build(m, msg->authzid, msg->host, msg->port, msg->token, &built, NULL) == POSTERN_OK);
    require(postern_sasl_message_parse(m, postern_buf_bytes(&built), &again, NULL) == POSTERN_OK);
    require(postern_bytes_equal(again.token, msg->token) && strcmp(again.authzid, msg->authzid) == 0);
}

/* By its form a password may be one of them, and never both; each could stand in a message. */
static void check_password(postern_bytes raw)
{
    bool is_jws = postern_token_is_compact_jws(raw), is_handle = postern_token_is_handle(raw);

    require(!is_jws || !is_handle);
    require((!is_jws && !is_handle) || postern_token_is_token68(raw));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const postern_mech mechs[] = { POSTERN_MECH_OAUTHBEARER, POSTERN_MECH_XOAUTH2 };
    postern_bytes raw = { data, size };

    check_password(raw);
    for (size_t i = 0; i < 2; i++) {
        postern_sasl_message msg;
        postern_error err;
        postern_err e = postern_sasl_message_parse(mechs[i], raw, &msg, &err);

        if (e == POSTERN_OK)
            check_accepted(mechs[i], raw, &msg);
        else
            require(e == POSTERN_ERR_LIMIT || e == POSTERN_ERR_MESSAGE_MALFORMED);
        require((postern_sasl_step2_parse(mechs[i], raw, NULL) == POSTERN_OK) == (size == 0 || (size == 1 && data[0] == 1)));
    }
    return 0;
}
