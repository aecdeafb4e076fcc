/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a line of pg_hba.conf asks beside the service file: scopes that this login needs, and from
 * which issuer the token must be.  The server has read the line; nothing here is a client's.
 */
#include "validator.h"

#define WELL_KNOWN "/.well-known/"

postern_err validator_scopes_read(const char *hba_scope, struct validator_scopes *ret,
                                  postern_error *err)
{
    size_t count = 0, len = hba_scope == NULL ? 0 : strlen(hba_scope);
    char *at = ret->room;

    if (len >= sizeof ret->room)
        return POSTERN_FAIL(err, CONFIG_VALUE, "scope= of pg_hba.conf has more than %zu bytes",
                            sizeof ret->room - 1);
    if (len != 0)
        memcpy(ret->room, hba_scope, len);
    ret->room[len] = '\0';
    for (;;) {
        at += strspn(at, " ");
        if (*at == '\0')
            break;
        if (count == VALIDATOR_SCOPES_MAX)
            return POSTERN_FAIL(err, CONFIG_VALUE, "scope= of pg_hba.conf has more than %d scopes",
                                VALIDATOR_SCOPES_MAX);
        ret->list[count++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    ret->list[count] = NULL;
    return POSTERN_OK;
}

/* The bytes of `address` before and behind the part that makes it one of a document. */
static bool cut_well_known(const char *address, postern_bytes *ret_before,
                           postern_bytes *ret_behind)
{
    static const char *const documents[] = { "oauth-authorization-server", "openid-configuration" };
    const char *mark = strstr(address, WELL_KNOWN), *name;

    if (mark == NULL)
        return false;
    name = mark + strlen(WELL_KNOWN);
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        size_t len = strlen(documents[i]);

        if (strncmp(name, documents[i], len) != 0 || (name[len] != '\0' && name[len] != '/'))
            continue;
        *ret_before = (postern_bytes){ (const uint8_t *)address, (size_t)(mark - address) };
        *ret_behind = postern_bytes_str(name + len);
        return true;
    }
    return false;
}

/* Compared byte by byte (RFC 8414 §3.3): what the issuer calls itself, not what it may mean. */
bool validator_is_issuer(const char *hba_issuer, const char *iss)
{
    postern_bytes before, behind, rest;
    postern_reader r = { postern_bytes_str(iss) };

    if (hba_issuer == NULL || iss == NULL || iss[0] == '\0')
        return false;
    if (!cut_well_known(hba_issuer, &before, &behind))
        return strcmp(hba_issuer, iss) == 0;
    return postern_reader_take_len(&r, before.len, &rest) && postern_bytes_equal(rest, before) &&
           postern_bytes_equal(r.rest, behind);
}
