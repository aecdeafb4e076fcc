/* SPDX-License-Identifier: BSD-2-Clause */
/* Reason code to setting (sidecar/setting.h), as one table; a door's rows come
 * first, and the keys of the rest of the service rows stand in doors too.  A reason without a row
 * is decided by the token alone. */
#include "config.h"

#include <string.h>

#include "setting.h"

static const struct {
    postern_err code;
    postern_section_kind kind;
    const char *key;
} rows[] = {
    { POSTERN_ERR_TLS_REQUIRED, POSTERN_SECTION_DOOR, "listen" },
    { POSTERN_ERR_POLICY, POSTERN_SECTION_DOOR, "policy" },
    { POSTERN_ERR_BACKEND, POSTERN_SECTION_DOOR, "backend" },
    { POSTERN_ERR_RENEWAL, POSTERN_SECTION_DOOR, "session_max" },
    { POSTERN_ERR_BUSY, POSTERN_SECTION_DOOR, "max_connections" },
    { POSTERN_ERR_AGENT_BUSY, POSTERN_SECTION_DOOR, "max_connections_per_agent" },
    { POSTERN_ERR_CNF, POSTERN_SECTION_DOOR, "tls_client_certificate" },
    { POSTERN_ERR_POLICY, POSTERN_SECTION_SERVICE, "policy" },
    { POSTERN_ERR_PEER_NOT_ALLOWED, POSTERN_SECTION_SERVICE, "helper_peers" },
    { POSTERN_ERR_ISS, POSTERN_SECTION_SERVICE, "issuers" },
    { POSTERN_ERR_AUD, POSTERN_SECTION_SERVICE, "audience" },
    { POSTERN_ERR_INSUFFICIENT_SCOPE, POSTERN_SECTION_SERVICE, "required_scopes" },
    { POSTERN_ERR_INSUFFICIENT_SCOPE, POSTERN_SECTION_SERVICE, "required_scopes_any" },
    { POSTERN_ERR_CLIENT_NOT_ALLOWED, POSTERN_SECTION_SERVICE, "allowed_clients" },
    { POSTERN_ERR_ACR, POSTERN_SECTION_SERVICE, "required_acr" },
    { POSTERN_ERR_AUTH_AGE, POSTERN_SECTION_SERVICE, "max_auth_age" },
    { POSTERN_ERR_TLS_REQUIRED, POSTERN_SECTION_SERVICE, "require_tls" },
    { POSTERN_ERR_BLOCKED, POSTERN_SECTION_DAEMON, "blocks_file" },
    { POSTERN_ERR_MESSAGE_SERVER, POSTERN_SECTION_SERVICE, "server_names" },
    { POSTERN_ERR_USER_DENIED, POSTERN_SECTION_SERVICE, "deny_users" },
    { POSTERN_ERR_USER_DENIED, POSTERN_SECTION_SERVICE, "allow_users" },
    { POSTERN_ERR_UNSAFE_IDENTITY, POSTERN_SECTION_SERVICE, "username_chars" },
    { POSTERN_ERR_NO_MAPPING, POSTERN_SECTION_ISSUER, "username_claim" },
    { POSTERN_ERR_EMAIL_UNVERIFIED, POSTERN_SECTION_ISSUER, "username_claim" },
    { POSTERN_ERR_AUTHZID, POSTERN_SECTION_ISSUER, "username_claim" },
    { POSTERN_ERR_ALG_NOT_ALLOWED, POSTERN_SECTION_ISSUER, "algorithms" },
    { POSTERN_ERR_TYP, POSTERN_SECTION_ISSUER, "token_types" },
    { POSTERN_ERR_CLAIM_MISSING, POSTERN_SECTION_ISSUER, "required_claims" },
    { POSTERN_ERR_ACTOR_UNCLEAR, POSTERN_SECTION_ISSUER, "provider" },
    { POSTERN_ERR_EXPIRED, POSTERN_SECTION_ISSUER, "clock_skew" },
    { POSTERN_ERR_NOT_YET_VALID, POSTERN_SECTION_ISSUER, "clock_skew" },
    { POSTERN_ERR_TOKEN_AGE, POSTERN_SECTION_ISSUER, "max_token_age" },
    { POSTERN_ERR_TOKEN_AGE, POSTERN_SECTION_ISSUER, "max_token_lifetime" },
    { POSTERN_ERR_INACTIVE, POSTERN_SECTION_ISSUER, "introspection" },
    { POSTERN_ERR_UNKNOWN_KID, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_BAD_SIGNATURE, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_WEAK_KEY, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_ALG_KEY_MISMATCH, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_KEY_NOT_FOR_SIG, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_KEYS_UNAVAILABLE, POSTERN_SECTION_ISSUER, "jwks_file" },
    { POSTERN_ERR_REVOCATIONS_UNKNOWN, POSTERN_SECTION_ISSUER, "issuer" },
    { POSTERN_ERR_REVOKED, POSTERN_SECTION_ISSUER, "issuer" },
    { POSTERN_ERR_BUSY, POSTERN_SECTION_DAEMON, "helper_max_connections" },
    { POSTERN_ERR_AUDIT, POSTERN_SECTION_DAEMON, "audit_file" },
};

static const postern_section *find_issuer(const postern_config *config, const char *issuer)
{
    const postern_section *s;

    if (issuer == NULL || issuer[0] == '\0')
        return NULL;
    for (size_t i = 0; (s = postern_config_section_at(config, POSTERN_SECTION_ISSUER, i)) != NULL;
         i++) {
        const char *identifier = postern_section_text(s, "issuer");
        if (identifier != NULL && strcmp(identifier, issuer) == 0)
            return s;
    }
    return NULL;
}

/* Where an issuer's keys come from: by `jwks_file` unless the file says something else. */
static const char *find_keys_setting(const postern_section *s, const char *key)
{
    if (s == NULL || strcmp(key, "jwks_file") != 0 || postern_section_text(s, key) != NULL)
        return key;
    return postern_section_text(s, "jwks_uri") != NULL ? "jwks_uri" : "issuer";
}

static const postern_section *find_section(const postern_config *config,
                                           const postern_section *service,
                                           postern_section_kind kind, const char *issuer)
{
    if (kind == POSTERN_SECTION_ISSUER)
        return find_issuer(config, issuer);
    if (kind == POSTERN_SECTION_DAEMON)
        return postern_config_section(config, POSTERN_SECTION_DAEMON, NULL);
    return service;
}

/* Of two settings of one file that refuse for one reason it is the first that somebody set: the
 * other one's default refuses nobody. */
struct deciding_setting find_deciding_setting(const postern_config *config,
                                              const postern_section *service, deciding_kind kind,
                                              const char *issuer, postern_err code)
{
    struct deciding_setting found = { NULL, NULL };
    postern_section_kind where = POSTERN_SECTION_NONE;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const postern_section *s;
        bool is_set;

        if (rows[i].code != code ||
            (rows[i].kind == POSTERN_SECTION_DOOR && kind != DECIDING_DOOR) ||
            (found.key != NULL && rows[i].kind != where))
            continue;
        where = rows[i].kind;
        s = find_section(config, service, rows[i].kind, issuer);
        is_set = s != NULL && postern_section_has(s, rows[i].key);
        if (found.key == NULL || is_set) {
            found.key = find_keys_setting(s, rows[i].key);
            found.origin = s == NULL ? NULL : postern_section_origin(s, found.key);
        }
        if (is_set)
            break;
    }
    return found;
}
