/* SPDX-License-Identifier: BSD-2-Clause */
/* See verify_clients.h. */
#include <string.h>

#include "secret_file.h"
#include "token.h"
#include "verify_clients.h"

static postern_err give_client(postern_context *ctx, const postern_section *client,
                               postern_error *err)
{
    POSTERN_AUTO(secret) credential = NULL;
    postern_agent a = {
        .issuer = postern_section_text(client, "issuer"),
        .client_id = postern_section_text(client, "client_id"),
        .auth = strcmp(postern_section_text(client, "client_auth"), "secret") == 0
                    ? POSTERN_CLIENT_AUTH_SECRET
                    : POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT,
        .tls_ca_file = postern_section_text(client, "tls_ca_file"),
        .allow_loopback_http = postern_section_flag(client, "allow_loopback_http"),
    };

    POSTERN_TRY(
        token_loopback_user(postern_section_text(client, "loopback_user"), &a.loopback_uid, err));
    POSTERN_TRY(
        secret_file_read(postern_section_text(client, "client_credential_file"), &credential, err));
    a.credential = postern_secret_bytes(credential);
    return postern_context_set_issuer_client(ctx, a.issuer, &a, err);
}

/* Of an issuer file; who may not read the credential of another service's issuer needs it not. */
static bool is_trusted(const postern_section *service, const postern_section *issuer)
{
    const char *name;

    if (postern_section_count(service, "issuers") == 0)
        return true;
    for (size_t i = 0; (name = postern_section_item(service, "issuers", i)) != NULL; i++)
        if (strcmp(name, postern_section_name(issuer)) == 0)
            return true;
    return false;
}

postern_err verify_give_clients(postern_context *ctx, const char *service, postern_error *err)
{
    const postern_config *c = postern_context_config(ctx);
    const postern_section *s = postern_config_service_for(c, service), *issuer;

    if (s == NULL)
        s = postern_config_section(c, POSTERN_SECTION_DOOR, service);
    for (size_t i = 0;
         s != NULL && (issuer = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL;
         i++) {
        const char *name = postern_section_text(issuer, "client");

        if (name != NULL && is_trusted(s, issuer))
            POSTERN_TRY(
                give_client(ctx, postern_config_section(c, POSTERN_SECTION_CLIENT, name), err));
    }
    return POSTERN_OK;
}
