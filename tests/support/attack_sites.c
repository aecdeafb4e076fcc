/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configurations that attacks are made on, and the good token of each: see attack_table.h.  The
 * claim sets of products are those of tests/unit/test_provider.c, shortened.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

struct pair {
    const char *name, *json;
};

#define PAIRS_MAX 20

static const struct pair plain[] = {
    { "iss", "\"" TEST_ISSUER "\"" },
    { "aud", "\"" TEST_AUDIENCE "\"" },
    { "exp", "1800000300" },
    { "iat", "1800000000" },
    { "sub", "\"alice@example.org\"" },
    { "client_id", "\"agent-7\"" },
    { "jti", "\"t-1\"" },
    { "scope", "\"mail.read mail.write\"" },
    { NULL, NULL },
};

#define OID "\"7a1a2a3a-1111-2222-3333-444455556666\""
#define APP "\"15cb020f-3984-482a-864d-1d92265e8268\""

/* Of the certificate that tests show: 32 times 7. */
#define ATTACK_CNF "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"}"

/* What a site has besides: issuer file, service file, claims (json NULL: left out), header. */
static const struct site {
    const char *name, *issuer, *service;
    struct pair claims[12];
    const char *header;
} sites[ATTACK_SITES] = {
    [SITE_PLAIN] = { .name = "plain" },
    [SITE_ES256] = { .name = "algorithms: ES256", .issuer = "algorithms: ES256\n" },
    [SITE_JWT] = { .name = "token_types: at+jwt JWT", .issuer = "token_types: at+jwt JWT\n" },
    [SITE_FEW_KEYS] = { .name = "keys without kid",
                        .header = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}" },
    [SITE_EXACT] = { .name = "clock_skew: 0s", .issuer = "clock_skew: 0s\n" },
    [SITE_LAX] = { .name = "required_claims: iat", .issuer = "required_claims: iat\n" },
    [SITE_AZP] = { .name = "agent_claim: azp",
                   .issuer = "agent_claim: azp client_id\n",
                   .claims = { { "azp", "\"agent-7\"" } } },
    [SITE_KEYCLOAK] = { .name = "keycloak, a person",
                        .issuer = "provider: keycloak\n",
                        .claims = { { "client_id", NULL },
                                    { "typ", "\"Bearer\"" },
                                    { "azp", "\"agent-7\"" },
                                    { "sid", "\"9a6e\"" },
                                    { "sub", "\"0b7ae1de-7d2c-4f4b-a7b1-5fba30edd1d2\"" },
                                    { "preferred_username", "\"alice\"" } } },
    [SITE_KEYCLOAK_CLIENT] = { .name = "keycloak, a client",
                               .issuer = "provider: keycloak\n",
                               .claims = { { "typ", "\"Bearer\"" },
                                           { "azp", "\"agent-7\"" },
                                           { "sub", "\"d952cf23-bf92-4c8f-a3ff-4972b4f2bc5b\"" },
                                           { "preferred_username",
                                             "\"service-account-agent-7\"" } } },
    [SITE_ENTRA] = { .name = "entra, a person",
                     .issuer = "provider: entra\n",
                     .claims = { { "client_id", NULL },
                                 { "jti", NULL },
                                 { "scope", NULL },
                                 { "azp", APP },
                                 { "oid", OID },
                                 { "tid", "\"72f988bf-86f1-41af-91ab-2d7cd011db47\"" },
                                 { "sub", "\"AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ\"" },
                                 { "scp", "\"mail.read User.Read\"" } },
                     .header = "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}" },
    [SITE_ENTRA_APP] = { .name = "entra, an application",
                         .issuer = "provider: entra\n",
                         .claims = { { "client_id", NULL },
                                     { "jti", NULL },
                                     { "scope", NULL },
                                     { "azp", APP },
                                     { "oid", OID },
                                     { "tid", "\"72f988bf-86f1-41af-91ab-2d7cd011db47\"" },
                                     { "sub", OID },
                                     { "roles", "[\"mail.read\",\"mail.write\"]" } },
                         .header = "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}" },
    [SITE_OKTA] = { .name = "okta, a person",
                    .issuer = "provider: okta\n",
                    .claims = { { "client_id", NULL },
                                { "scope", NULL },
                                { "cid", "\"0oabskvc6442nkvQO0h7\"" },
                                { "uid", "\"00uoxpswWkx0IAjfE0h7\"" },
                                { "scp", "[\"mail.read\",\"profile\"]" } },
                    .header = "{\"kid\":\"a\",\"alg\":\"ES256\"}" },
    [SITE_ANY_SCOPE] = { .name = "scope_form: any",
                         .issuer = "scope_claim: scp scope\nscope_form: any\n",
                         .claims = { { "scope", NULL },
                                     { "scp", "[\"mail.read\",\"mail.write\"]" } } },
    [SITE_TAKEN_BACK] = { .name = "revoked and blocked" },
    [SITE_EMAIL] = { .name = "username_claim: email",
                     .issuer = "username_claim: email\n",
                     .claims = { { "email", "\"alice@example.org\"" },
                                 { "email_verified", "true" } } },
    [SITE_TEMPLATE] = { .name = "username_claim: ${tenant}--${sub}",
                        .issuer = "username_claim: ${tenant}--${sub}\n",
                        .claims = { { "tenant", "\"north\"" }, { "sub", "\"alice\"" } } },
    [SITE_MAP] = { .name = "username_map_file",
                   .service = "issuers: sso\nusername_map_file: maps/people\n",
                   .claims = { { "sub", "\"alice@example.org\"" } } },
    [SITE_TWO] = { .name = "two issuers",
                   .issuer = "algorithms: ES256\nusername_claim: ${sub}@corp\n",
                   .service = "issuers: sso partner\n",
                   .claims = { { "sub", "\"alice\"" } } },
    [SITE_CERT] = { .name = "a certificate was shown", .claims = { { "cnf", ATTACK_CNF } } },
    [SITE_CLIENTS] = { .name = "allowed_clients: agent-7",
                       .service = "issuers: sso\nallowed_clients: agent-7\n",
                       .claims = { { "azp", "\"agent-7\"" } } },
    [SITE_AGE] = { .name = "max_token_age: 10m, max_token_lifetime: 20m",
                   .issuer = "max_token_age: 10m\nmax_token_lifetime: 20m\n" },
    [SITE_PERSON] = { .name = "required_acr: mfa, max_auth_age: 10m",
                      .service = "issuers: sso\nrequired_acr: mfa hwk\nmax_auth_age: 10m\n",
                      .claims = { { "acr", "\"mfa\"" }, { "auth_time", "1799999900" } } },
    [SITE_ANY_OF] = { .name = "required_scopes_any: mail.write mail.admin",
                      .service = "issuers: sso\nrequired_scopes_any: mail.write mail.admin\n" },
    [SITE_AGENT] = { .name = "login_as: agent", .service = "issuers: sso\nlogin_as: agent\n" },
    [SITE_BOTH] = { .name = "login_as: both",
                    .service = "issuers: sso\nlogin_as: both\n",
                    .claims = { { "act", "{\"sub\":\"agent-9\"}" } } },
};

const char *attack_site_name(enum attack_site site)
{
    return sites[site].name;
}

/* ---- the good token ---- */

static void put_pair(struct pair *list, size_t *count, const char *name, const char *json)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i].name, name) == 0) {
            list[i].json = json;
            return;
        }
    if (*count == PAIRS_MAX)
        abort();
    list[(*count)++] = (struct pair){ name, json };
}

char *attack_claims(enum attack_site site, const char *name, const char *json)
{
    struct pair list[PAIRS_MAX];
    size_t count = 0;
    char *text = test_printf("{");

    for (const struct pair *p = plain; p->name != NULL; p++)
        put_pair(list, &count, p->name, p->json);
    for (const struct pair *p = sites[site].claims; p->name != NULL; p++)
        put_pair(list, &count, p->name, p->json);
    if (name != NULL)
        put_pair(list, &count, name, json);
    for (size_t i = 0; i < count; i++) {
        char *shorter = text;

        if (list[i].json == NULL)
            continue;
        text = test_printf("%s%s\"%s\":%s", shorter, shorter[1] == '\0' ? "" : ",", list[i].name,
                           list[i].json);
        free(shorter);
    }
    name = text;
    text = test_printf("%s}", name);
    free((char *)name);
    return text;
}

const char *attack_header(enum attack_site site)
{
    return sites[site].header != NULL ? sites[site].header
                                      : "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}";
}

char *attack_good(const struct attack_world *w, enum attack_site site)
{
    char *claims = attack_claims(site, NULL, NULL);
    char *token = test_sign(w->keys[KEY_EC], "ES256", attack_header(site), claims);

    free(claims);
    return token;
}

/* ---- the world ---- */

static void demand(postern_err e, const postern_error *err)
{
    if (e == POSTERN_OK)
        return;
    fprintf(stderr, "attack_sites: %s: %s\n", postern_err_reason(e), err->detail);
    abort();
}

void attack_world_make(struct attack_world *w)
{
    static const char *const kinds[ATTACK_KEYS] = {
        [KEY_EC] = "P-256",
        [KEY_P384] = "P-384",
        [KEY_P521] = "P-521",
        [KEY_ED] = "Ed25519",
        [KEY_RSA] = NULL,
        [KEY_RSA_1024] = "RSA-1024",
        [KEY_K1] = "secp256k1",
        [KEY_STRANGER] = "P-256",
        [KEY_STRANGER_P384] = "P-384",
        [KEY_STRANGER_P521] = "P-521",
        [KEY_STRANGER_ED] = "Ed25519",
    };

    memset(w, 0, sizeof *w);
    test_login_make(&w->login);
    for (size_t i = 0; i < ATTACK_KEYS; i++)
        w->keys[i] = kinds[i] == NULL ? test_key_rsa() : test_key_new(kinds[i]);
    w->site = -1;
}

void attack_world_remove(struct attack_world *w)
{
    for (size_t i = 0; i < ATTACK_KEYS; i++)
        if (i != KEY_RSA)
            test_key_free(w->keys[i]);
    test_login_remove(&w->login);
}

static void revoke(struct attack_world *w, postern_revocation_kind kind, const char *name)
{
    demand(postern_context_revoke(w->login.context, TEST_ISSUER, kind, name, TEST_NOW_S,
                                  &w->login.err),
           &w->login.err);
}

static void take_back(struct attack_world *w)
{
    static const postern_block blocks[] = {
        { .agent = "agent-blocked", .reason = "it deleted mail" },
        { .agent = "agent-blocked-until", .until_s = TEST_NOW_S + 1 },
    };

    revoke(w, POSTERN_REVOCATION_CLIENT, "agent-gone");
    revoke(w, POSTERN_REVOCATION_JTI, "t-gone");
    revoke(w, POSTERN_REVOCATION_GRANT, "g-gone");
    demand(postern_context_set_blocks(w->login.context, blocks, sizeof blocks / sizeof blocks[0],
                                      &w->login.err),
           &w->login.err);
}

void attack_world_enter(struct attack_world *w, enum attack_site site)
{
    const struct site *s = &sites[site];
    char *keys = attack_key_set(w, site);
    char *issuer = test_printf("issuer: " TEST_ISSUER "\njwks_file: keys.json\n%s",
                               s->issuer == NULL ? "" : s->issuer);
    char *service = test_printf("audience: " TEST_AUDIENCE "\nhelper_peers: 0\n"
                                "username_strip_domain: example.org\n"
                                "required_scopes: mail.read\n%s",
                                s->service == NULL ? "issuers: sso\n" : s->service);
    char *partner = test_printf("issuer: " ATTACK_PARTNER "\njwks_file: partner.json\n"
                                "algorithms: ES384\ntoken_types: JWT\n"
                                "username_claim: ${sub}@partner\n");
    char *partner_keys = test_key_jwks(w->keys[KEY_STRANGER_P384], "p", NULL);

    test_folder_put(&w->login.folder, "keys.json", keys);
    test_folder_put(&w->login.folder, "issuers/sso.conf", issuer);
    test_folder_put(&w->login.folder, "services/imap.conf", service);
    test_folder_put(&w->login.folder, "maps/people", "alice@example.org alice\n/^svc-(.*)$ \\1\n");
    test_folder_put(&w->login.folder, "issuers/partner.conf", partner);
    test_folder_put(&w->login.folder, "partner.json", partner_keys);
    free(keys);
    free(issuer);
    free(service);
    free(partner);
    free(partner_keys);
    test_login_reload(&w->login);
    if (site == SITE_TAKEN_BACK)
        take_back(w);
    w->site = (int)site;
}
