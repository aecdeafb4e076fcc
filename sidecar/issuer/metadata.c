/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata documents, written from the settings on every request; see metadata.h.  RFC 8414, RFC 9728. */
#include "metadata.h"

#include <stdio.h>

#include "client_assertion.h"
#include "log.h"
#include "token_endpoint.h"
#include "words.h"

/* Of those who can keep a secret or a key. */
#define CLIENT_METHODS "client_secret_basic client_secret_post private_key_jwt"
#define PUBLIC_CACHE "public, max-age=300" /* as long as a token lives by default */

void metadata_put_url(postern_json_writer *w, const char *name, const char *base, const char *path)
{
    POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(2 * POSTERN_URL_MAX);

    postern_buf_add_str(&url, base);
    postern_buf_add_str(&url, path);
    if (url.failed)
        w->out->failed = true; /* the document would not be complete */
    postern_json_put_string(w, name, postern_buf_bytes(&url));
}

void metadata_finish(struct answer *a)
{
    if (a->body.failed) {
        answer_internal(a);
        return;
    }
    a->status = 200;
    a->cache_control = PUBLIC_CACHE;
}

void metadata_list_scopes(const struct issuer_settings *s, char ret[METADATA_SCOPES_MAX])
{
    ret[0] = '\0';
    for (size_t i = 0; i < s->service_count; i++) {
        const char *cursor = s->services[i].scopes;
        postern_bytes word;

        while (words_next(&cursor, &word))
            if (!words_has(ret, word))
                (void)words_append(ret, METADATA_SCOPES_MAX, word); /* a hint: need not be complete */
    }
}

static void put_all_scopes(postern_json_writer *w, const struct issuer_settings *s)
{
    char all[METADATA_SCOPES_MAX];

    metadata_list_scopes(s, all);
    words_write(w, "scopes_supported", all);
}

static void put_all_resources(postern_json_writer *w, const struct issuer_settings *s)
{
    postern_json_open_array(w, "protected_resources"); /* RFC 9728 §4 */
    for (size_t i = 0; i < s->service_count; i++) {
        postern_bytes resource = issuer_service_resource(&s->services[i]);

        if (resource.len != 0)
            postern_json_put_string(w, NULL, resource);
    }
    postern_json_put_str(w, NULL, s->whoami);
    postern_json_close_array(w);
}

/* The ways to prove oneself at an endpoint, and what a key may sign with there. */
static void put_methods(postern_json_writer *w, const char *endpoint, const char *methods)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s_auth_methods_supported", endpoint); /* ours: fits */
    words_write(w, name, methods);
    (void)snprintf(name, sizeof name, "%s_auth_signing_alg_values_supported", endpoint);
    words_write(w, name, CLIENT_ASSERTION_ALGORITHMS);
}

void metadata_server(const struct issuer_settings *s, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "issuer", s->issuer);
    metadata_put_url(&w, "authorization_endpoint", s->base, "/oauth/authorize");
    metadata_put_url(&w, "token_endpoint", s->base, "/oauth/token");
    metadata_put_url(&w, "jwks_uri", s->base, "/oauth/jwks");
    if (s->registration != REGISTRATION_OFF)
        metadata_put_url(&w, "registration_endpoint", s->base, "/oauth/register");
    put_all_scopes(&w, s);
    words_write(&w, "response_types_supported", "code");
    words_write(&w, "response_modes_supported", "query");
    words_write(&w, "grant_types_supported", TOKEN_GRANTS);
    put_methods(&w, "token_endpoint", CLIENT_METHODS " none");
    metadata_put_url(&w, "introspection_endpoint", s->base, "/oauth/introspect");
    put_methods(&w, "introspection_endpoint", CLIENT_METHODS);
    metadata_put_url(&w, "revocation_endpoint", s->base, "/oauth/revoke");
    put_methods(&w, "revocation_endpoint", CLIENT_METHODS " none");
    /* MCP clients refuse a server without it. */
    words_write(&w, "code_challenge_methods_supported", "S256");
    postern_json_put_flag(&w, "authorization_response_iss_parameter_supported", true);
    /* OpenID Discovery §3: REQUIRED, though no ID tokens are issued. */
    words_write(&w, "subject_types_supported", "public");
    words_write(&w, "id_token_signing_alg_values_supported", "RS256");
    put_all_resources(&w, s);
    postern_json_close_object(&w);
    metadata_finish(a);
}

struct resource {
    const char *issuers; /* words: whose tokens it takes */
    postern_bytes resource;
    const char *scopes, *bearer_methods, *name;
    bool takes_bound_tokens; /* RFC 8705 */
};

static void write_resource(const struct resource *r, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_string(&w, "resource", r->resource);
    words_write(&w, "authorization_servers", r->issuers);
    words_write(&w, "scopes_supported", r->scopes);
    words_write(&w, "bearer_methods_supported", r->bearer_methods);
    postern_json_put_str(&w, "resource_name", r->name);
    postern_json_put_flag(&w, "tls_client_certificate_bound_access_tokens", r->takes_bound_tokens);
    postern_json_put_flag(&w, "dpop_bound_access_tokens_required", false);
    postern_json_close_object(&w);
    metadata_finish(a);
}

void metadata_service(const struct issuer_settings *s, const struct issuer_service *service,
                      struct answer *a)
{
    /* No HTTP method carries a token to a mail or directory server: an empty array says so (RFC
     * 9728 §2). */
    const struct resource r = {
        .issuers = service->issuers != NULL ? service->issuers : s->issuer,
        .resource = issuer_service_resource(service),
        .scopes = service->scopes,
        .bearer_methods = "",
        .name = service->name,
        .takes_bound_tokens = service->asks_certificate,
    };

    write_resource(&r, a);
}

void metadata_whoami(const struct issuer_settings *s, struct answer *a)
{
    const struct resource r = {
        .issuers = s->issuer,
        .resource = postern_bytes_str(s->whoami),
        .scopes = "",
        .bearer_methods = "header",
        .name = "whoami",
    };

    write_resource(&r, a);
}

postern_err metadata_write_keys(const struct issuer *is, postern_buf *out, postern_error *err)
{
    if (is->keys != NULL) {
        postern_buf_add(out, key_ring_public(is->keys));
    } else {
        postern_buf_add_str(out, "{\"keys\":[");
        POSTERN_TRY(postern_signing_key_public_jwk(is->key, out, err));
        postern_buf_add_str(out, "]}");
    }
    return out->failed ? POSTERN_FAIL(err, NOMEM, "key set") : POSTERN_OK;
}

/* A reader's copy must be gone before a key signs that is not in it. */
static const char *find_keys_cache(const struct issuer_settings *s)
{
    if (s->key_announcement_s >= ISSUER_KEYS_CACHE_S)
        return PUBLIC_CACHE;
    return s->key_announcement_s >= 60 ? "public, max-age=60" : "public, max-age=1";
}

void metadata_keys(const struct issuer *is, struct answer *a)
{
    postern_error err = { 0 };

    if (metadata_write_keys(is, &a->body, &err) != POSTERN_OK) {
        log_error("key set", &err);
        answer_internal(a);
        return;
    }
    metadata_finish(a);
    a->cache_control = find_keys_cache(is->settings);
    a->content_type = "application/jwk-set+json"; /* RFC 7517 §8.5.2 */
}
