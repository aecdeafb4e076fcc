/* SPDX-License-Identifier: BSD-2-Clause */
/* The first line is an Authorization header, the rest a form: whatever is found is a name and a secret without NUL, within bounds. */
#include <stdlib.h>

#include "issuer/client_auth.h"

#define HEADER_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_found(const struct client_auth *c)
{
    if (c->name.failed || c->secret.failed || c->name.len == 0 || c->name.len > CLIENT_CREDENTIAL_MAX ||
        c->secret.len > CLIENT_CREDENTIAL_MAX || memchr(c->name.ptr, '\0', c->name.len) != NULL)
        abort();
    if (c->secret.len != 0 && memchr(c->secret.ptr, '\0', c->secret.len) != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes all = { data, size };
    size_t header_len = postern_bytes_find(all, '\n');
    AUTO_CLIENT_AUTH found = CLIENT_AUTH_INIT;
    POSTERN_AUTO(form) form = NULL;
    char header[HEADER_MAX];

    if (header_len >= sizeof header || postern_bytes_find((postern_bytes){ data, header_len }, '\0') != header_len)
        return 0; /* evhttp hands out text */
    if (header_len != 0)
        memcpy(header, data, header_len);
    header[header_len] = '\0';
    header_len += header_len < size;
    if (postern_form_parse((postern_bytes){ data + header_len, size - header_len }, &form, NULL) != POSTERN_OK)
        return 0;
    if (client_auth_find(header[0] == '\0' ? NULL : header, form, &found) == CLIENT_AUTH_FOUND)
        check_found(&found);
    return 0;
}
