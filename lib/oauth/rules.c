/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of a service and of its issuer into struct service_rules; see the header.  Values were
 * judged when the configuration was loaded.
 */
#include "rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "provider.h"
#include "scope.h"
#include "url.h"

/* One compilation; issuer and trust are those of one of the issuers in turn. */
struct build {
    postern_arena *arena;
    const postern_config *config;
    const postern_section *service, *issuer;
    struct identity_rules identity; /* the service's part */
    struct service_rules *rules;
    struct trust *trust;
};

static const char *const *get_list(const postern_section *s, const char *key, size_t *ret_count)
{
    const struct config_value *v = postern_section_value(s, key);

    *ret_count = v->count;
    return v->items;
}

static postern_err parse_paths(const struct build *b, const char *key, const char *leave_out,
                               const struct claim_path **ret, size_t *ret_count, postern_error *err)
{
    const struct config_value *v = postern_section_value(b->issuer, key);
    struct claim_path *paths = postern_arena_alloc(b->arena, (v->count + 1) * sizeof *paths);
    size_t count = 0;

    if (paths == NULL)
        return POSTERN_FAIL(err, NOMEM, "rules");
    for (size_t i = 0; i < v->count; i++)
        if (leave_out == NULL || strcmp(v->items[i], leave_out) != 0)
            POSTERN_TRY(postern_claim_path_parse(b->arena, v->items[i], &paths[count++], err));
    *ret = paths;
    *ret_count = count;
    return POSTERN_OK;
}

/* act.sub is left out: claims.c reads the whole chain of actors, and the outermost counts first in
 * any case. */
static postern_err build_claims(struct build *b, postern_error *err)
{
    struct claim_rules *r = &b->trust->claims;

    r->issuer = postern_section_text(b->issuer, "issuer");
    r->skew_s = postern_section_number(b->issuer, "clock_skew");
    r->audiences = get_list(b->service, "audience", &r->audience_count);
    r->scopes = get_list(b->service, "required_scopes", &r->scope_count);
    r->any_scopes = get_list(b->service, "required_scopes_any", &r->any_scope_count);
    r->clients = get_list(b->service, "allowed_clients", &r->client_count);
    r->acrs = get_list(b->service, "required_acr", &r->acr_count);
    r->max_auth_age_s = postern_section_number(b->service, "max_auth_age");
    r->max_token_age_s = postern_section_number(b->issuer, "max_token_age");
    r->max_lifetime_s = postern_section_number(b->issuer, "max_token_lifetime");
    POSTERN_TRY(parse_paths(b, "required_claims", NULL, &r->required, &r->required_count, err));
    POSTERN_TRY(parse_paths(b, "scope_claim", NULL, &r->scope_claims, &r->scope_claim_count, err));
    r->takes_scope_array = strcmp(postern_section_text(b->issuer, "scope_form"), "any") == 0;
    r->provider = postern_provider(postern_section_text(b->issuer, "provider"));
    POSTERN_TRY(parse_paths(b, "agent_claim", "act.sub", &r->agents, &r->agent_count, err));
    return postern_claim_path_parse(b->arena, postern_section_text(b->issuer, "purpose_claim"),
                                    &r->purpose, err);
}

/* iss is in RFC 7662 what the server may leave out: the TLS of its answer names it as well. */
static postern_err build_answer_claims(struct build *b, postern_error *err)
{
    struct claim_rules *r = &b->trust->answer_claims;

    *r = b->trust->claims;
    r->may_lack_issuer = true;
    return parse_paths(b, "introspection_claims", NULL, &r->required, &r->required_count, err);
}

static void build_token_form(struct build *b)
{
    const struct config_value *algorithms = postern_section_value(b->issuer, "algorithms");

    for (size_t i = 0; i < algorithms->count; i++)
        b->trust->algorithms |= 1u
                                << postern_alg_from_name(postern_bytes_str(algorithms->items[i]));
    b->trust->algorithms &= POSTERN_ALG_SET_ALL;
    b->trust->token_types = get_list(b->issuer, "token_types", &b->trust->token_type_count);
    for (size_t i = 0; i < b->trust->token_type_count; i++)
        if (strcmp(b->trust->token_types[i], "untyped") == 0)
            b->trust->takes_untyped = true;
}

static enum login_as read_login_as(const postern_section *service)
{
    static const char *const words[] = {
        [LOGIN_AS_USER] = "user",
        [LOGIN_AS_AGENT] = "agent",
        [LOGIN_AS_BOTH] = "both",
    };
    const char *word;

    if (service->kind != POSTERN_SECTION_SERVICE) /* doors: that is backend_user's business */
        return LOGIN_AS_USER;
    word = postern_section_text(service, "login_as");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0)
            return (enum login_as)i;
    return LOGIN_AS_USER;
}

static postern_err find_map(const struct build *b, const struct username_map **ret,
                            postern_error *err)
{
    const char *path = postern_config_map_path(b->service, b->issuer);

    *ret = path == NULL ? NULL : postern_config_map(b->config, path);
    if (path != NULL && *ret == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: username_map_file was not read",
                            b->service->file);
    return POSTERN_OK;
}

static void build_identity(struct build *b)
{
    struct identity_rules *r = &b->identity;

    b->rules->maps_user = true;
    b->rules->login_as = read_login_as(b->service);
    r->strip_domains = get_list(b->service, "username_strip_domain", &r->strip_count);
    r->allow_users = get_list(b->service, "allow_users", &r->allow_count);
    r->deny_users = get_list(b->service, "deny_users", &r->deny_count);
    r->allow_system_users = postern_section_flag(b->service, "allow_system_users");
}

/* A mapped or composed name stands nowhere in the token. */
static postern_err build_username(struct build *b, postern_error *err)
{
    POSTERN_TRY(postern_username_parse(b->arena, postern_section_text(b->issuer, "username_claim"),
                                       &b->trust->username, err));
    b->trust->identity = b->identity;
    POSTERN_TRY(
        postern_config_username_chars(b->service, b->issuer, &b->trust->identity.chars, err));
    POSTERN_TRY(find_map(b, &b->trust->identity.map, err));
    b->trust->makes_names =
        b->trust->identity.map != NULL || !postern_username_is_plain(&b->trust->username);
    return POSTERN_OK;
}

static postern_err build_server_names(struct build *b, postern_error *err)
{
    const struct config_value *names = postern_section_value(b->service, "server_names");

    if (names->count == 0)
        return POSTERN_OK;
    b->rules->server_names =
        postern_arena_alloc(b->arena, (names->count + 1) * sizeof *b->rules->server_names);
    if (b->rules->server_names == NULL)
        return POSTERN_FAIL(err, NOMEM, "rules");
    memcpy(b->rules->server_names, names->items, names->count * sizeof *names->items);
    b->rules->server_port = postern_section_text(b->service, "server_port");
    return POSTERN_OK;
}

static void put_url(char *field, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A URL that does not fit is left out: cut off it would lead somewhere else. */
static void put_url(char *field, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(field, POSTERN_URL_MAX, fmt, args);
    va_end(args);
    if (n < 0 || n >= POSTERN_URL_MAX)
        field[0] = '\0';
}

/* False: it does not fit any more. */
static bool put_scope(char *scope, const char *word)
{
    size_t used = strlen(scope);
    int n = snprintf(scope + used, POSTERN_SCOPE_MAX - used, "%s%s", used == 0 ? "" : " ", word);

    if (n >= 0 && (size_t)n < POSTERN_SCOPE_MAX - used)
        return true;
    scope[used] = '\0';
    return false;
}

/* What a token may have to get in: all required scopes that fit, whole words only, and the first of
 * those of which one will do. */
static void put_scopes(struct build *b)
{
    const struct claim_rules *r = &b->trust->claims;
    char *scope = b->trust->challenge.scope;

    for (size_t i = 0; i < r->scope_count; i++)
        if (!put_scope(scope, r->scopes[i]))
            return;
    for (size_t i = 0; i < r->any_scope_count; i++)
        if (postern_scope_has(postern_bytes_str(scope), postern_bytes_str(r->any_scopes[i])))
            return; /* a required one is among them */
    if (r->any_scope_count != 0)
        (void)put_scope(scope, r->any_scopes[0]);
}

/* The embedded issuer serves the RFC 9728 documents of the services that trust it: their own hosts
 * speak no HTTP.  NULL: this one does not. */
static const struct trust *find_embedded(const struct build *b)
{
    const postern_section *server = postern_config_section(b->config, POSTERN_SECTION_SERVER, NULL);

    return server == NULL ? NULL :
                            postern_service_trust(b->rules, postern_section_text(server, "issuer"));
}

#define RESOURCE_METADATA "/.well-known/oauth-protected-resource"

/* RFC 9728 §3.1: the well-known part goes between host and path.  An audience need not be a URL:
 * then there is no such document. */
static void put_resource_metadata(char *field, const char *audience)
{
    static const char scheme[] = "https://";
    const char *path;
    size_t host_end;

    if (postern_url_fault(audience, URL_LOOPBACK_HTTP_REFUSED) != NULL)
        return;
    path = strchr(audience + sizeof scheme - 1, '/');
    host_end = path == NULL ? strlen(audience) : (size_t)(path - audience);
    put_url(field, "%.*s" RESOURCE_METADATA "%s", (int)host_end, audience,
            path == NULL || path[1] == '\0' ? "" : path);
}

/* The issuer's last slash is left out: OpenID Connect Discovery §4 wants exactly one between. */
static int get_base_len(const char *issuer)
{
    size_t len = strlen(issuer);

    return (int)(len != 0 && issuer[len - 1] == '/' ? len - 1
                                                    : len); /* at most POSTERN_CONFIG_URL_MAX */
}

static void build_challenge(struct build *b)
{
    const char *issuer = b->trust->claims.issuer;
    const struct trust *embedded = b->rules->embedded;
    postern_failure *f = &b->trust->challenge;

    put_scopes(b);
    put_url(f->issuer, "%s", issuer);
    put_url(f->openid_configuration, "%.*s/.well-known/openid-configuration", get_base_len(issuer),
            issuer);
    if (embedded != NULL)
        put_url(f->resource_metadata, "%.*s" RESOURCE_METADATA "/%s",
                get_base_len(embedded->claims.issuer), embedded->claims.issuer, b->service->name);
    else
        put_resource_metadata(f->resource_metadata, b->trust->claims.audiences[0]);
}

/* A door sees its connections itself: there is nothing to leave to a host. */
static bool needs_tls(const postern_section *service)
{
    return service->kind == POSTERN_SECTION_DOOR ||
           strcmp(postern_section_text(service, "require_tls"), "yes") == 0;
}

static struct issuer_rules *find_issuer(struct issuer_rules *all, const char *issuer)
{
    while (all != NULL && strcmp(all->issuer, issuer) != 0)
        all = all->next;
    return all;
}

static postern_err build_trust(struct build *b, struct issuer_rules *issuers, postern_error *err)
{
    b->trust->service = b->rules;
    b->trust->issuer = find_issuer(issuers, postern_section_text(b->issuer, "issuer"));
    b->trust->issuer_file = b->issuer->file;
    if (b->trust->issuer == NULL)
        return POSTERN_FAIL(err, INTERNAL, "%s: an issuer that the context has not",
                            b->issuer->file);
    b->trust->keys_source = b->trust->issuer->keys_source;
    POSTERN_TRY(build_claims(b, err));
    POSTERN_TRY(build_answer_claims(b, err));
    build_token_form(b);
    return b->rules->maps_user ? build_username(b, err) : POSTERN_OK;
}

static postern_err build_trusts(struct build *b, struct issuer_rules *issuers, postern_error *err)
{
    size_t count = postern_config_issuer_count(b->service);

    b->rules->trusts = postern_arena_alloc(b->arena, count * sizeof *b->rules->trusts);
    b->rules->issuers = postern_arena_alloc(b->arena, count * sizeof *b->rules->issuers);
    if (b->rules->trusts == NULL || b->rules->issuers == NULL)
        return POSTERN_FAIL(err, NOMEM, "rules");
    for (size_t i = 0; i < count; i++) {
        b->issuer = postern_config_issuer_of(b->config, b->service, i);
        b->trust = &b->rules->trusts[i];
        POSTERN_TRY(build_trust(b, issuers, err));
        b->rules->issuers[i] = b->trust->claims.issuer;
    }
    b->rules->trust_count = count;
    return POSTERN_OK;
}

postern_err postern_service_rules_new(postern_arena *arena, const postern_config *c,
                                      const postern_section *service, struct issuer_rules *issuers,
                                      struct service_rules **ret, postern_error *err)
{
    struct build b = { .arena = arena,
                       .config = c,
                       .service = service,
                       .rules = postern_arena_alloc(arena, sizeof *b.rules) };

    if (b.rules == NULL)
        return POSTERN_FAIL(err, NOMEM, "rules");
    b.rules->section = service;
    b.rules->service = c->is_token_check ? NULL : service->name;
    b.rules->needs_tls = needs_tls(service);
    if (service->kind == POSTERN_SECTION_SERVICE)
        b.rules->opaque_prefix = postern_section_text(service, "opaque_prefix");
    if (!c->is_token_check)
        build_identity(&b);
    POSTERN_TRY(build_trusts(&b, issuers, err));
    b.rules->embedded = find_embedded(&b);
    POSTERN_TRY(build_server_names(&b, err));
    for (b.trust = b.rules->trusts; b.trust != b.rules->trusts + b.rules->trust_count; b.trust++)
        build_challenge(&b);
    *ret = b.rules;
    return POSTERN_OK;
}

const struct trust *postern_service_trust(const struct service_rules *rules, const char *issuer)
{
    for (size_t i = 0; i < rules->trust_count; i++)
        if (strcmp(rules->trusts[i].claims.issuer, issuer) == 0)
            return &rules->trusts[i];
    return NULL;
}

const struct trust *postern_service_only_trust(const struct service_rules *rules,
                                               bool (*is_wanted)(const struct trust *trust))
{
    const struct trust *found = NULL;

    for (size_t i = 0; i < rules->trust_count; i++) {
        if (!is_wanted(&rules->trusts[i]))
            continue;
        if (found != NULL)
            return NULL;
        found = &rules->trusts[i];
    }
    return found;
}
