/* SPDX-License-Identifier: BSD-2-Clause */
/* A server's error challenge at the client: what is kept is printable and fits its field. */
#include <stdlib.h>

#include <postern/oauthbearer.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(const char *field, size_t field_size)
{
    if (strnlen(field, field_size) == field_size || !postern_bytes_is_printable(postern_bytes_str(field)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_sasl_error parsed;
    postern_error err;

    if (postern_sasl_error_parse((postern_bytes){ data, size }, &parsed, &err) != POSTERN_OK)
        return 0;
    if (parsed.status[0] == '\0')
        abort();
    check_field(parsed.status, sizeof parsed.status);
    check_field(parsed.scope, sizeof parsed.scope);
    check_field(parsed.openid_configuration, sizeof parsed.openid_configuration);
    check_field(parsed.ref, sizeof parsed.ref);
    return 0;
}
