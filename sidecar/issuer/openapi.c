/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The OpenAPI document; see openapi.h.  Operations and schemas are JSON as it goes out; URLs, grants
 * and scopes come from the settings and from the headers of the endpoints.  Called by routes.c.
 */
#include "openapi.h"

#include "metadata.h"
#include "routes.h"
#include "token_endpoint.h"
#include "words.h"

#define JSON_OF(schema)                                                                            \
    "\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/" schema "\"}}}"
#define FORM_OF(schema)                                                                            \
    "\"requestBody\":{\"required\":true,\"content\":{\"application/x-www-form-urlencoded\":{"      \
    "\"schema\":{\"$ref\":\"#/components/schemas/" schema "\"}}}}"
#define ERROR(status) "\"" status "\":{\"$ref\":\"#/components/responses/Error\"}"
#define SLOW_DOWN     "\"429\":{\"$ref\":\"#/components/responses/TooManyRequests\"}"
#define DOCUMENT(id, summary)                                                                      \
    "{\"operationId\":\"" id "\",\"summary\":\"" summary "\",\"security\":[],\"responses\":{"      \
    "\"200\":{\"description\":\"The document\",\"content\":{\"application/json\":{\"schema\":{"    \
    "\"type\":\"object\"}}}}}}"
/* A client's proof beside a form: Basic, or parameters of the form. */
#define CLIENT_PROOF "\"security\":[{\"clientBasic\":[]},{}]"

static const struct operation {
    const char *path;
    const char *method;   /* lower case, as OpenAPI has it */
    bool is_registration; /* there when registration: is not off */
    const char *json;
} operations[] = {
    { "/oauth/token", "post", false,
      "{\"operationId\":\"token\",\"summary\":\"Get an access token\","
      "\"description\":\"RFC 6749 section 3.2. A client authenticates by HTTP Basic, by client_id and "
      "client_secret in the form, or by client_assertion (private_key_jwt). No cookie, no browser, no "
      "person is needed for client_credentials, token exchange and refresh_token.\"," CLIENT_PROOF ","
      FORM_OF("TokenRequest") ",\"responses\":{\"200\":{\"description\":\"A token; keep it until it "
      "expires\"," JSON_OF("TokenAnswer") "}," ERROR("400") "," ERROR("401") "," ERROR("415") "," SLOW_DOWN "}}" },
    { "/oauth/introspect", "post", false,
      "{\"operationId\":\"introspect\",\"summary\":\"Ask whether a token counts (RFC 7662)\"," CLIENT_PROOF ","
      FORM_OF("OneToken") ",\"responses\":{\"200\":{\"description\":\"active is false for every token "
      "that does not count, or is not the caller's business\"," JSON_OF("Introspection") "}," ERROR("400") ","
      ERROR("401") "," SLOW_DOWN "}}" },
    { "/oauth/revoke", "post", false,
      "{\"operationId\":\"revoke\",\"summary\":\"End a token (RFC 7009)\"," CLIENT_PROOF ","
      FORM_OF("OneToken") ",\"responses\":{\"200\":{\"description\":\"The token does not count any more, or "
      "never did\"}," ERROR("400") "," ERROR("401") "," SLOW_DOWN "}}" },
    { "/oauth/register", "post", true,
      "{\"operationId\":\"register\",\"summary\":\"Register a client (RFC 7591)\","
      "\"description\":\"Where the administrator wants it so, with an initial access token as bearer.\","
      "\"security\":[{\"bearer\":[]},{}],\"requestBody\":{\"required\":true," JSON_OF("ClientMetadata") "},"
      "\"responses\":{\"201\":{\"description\":\"The client as it is registered\"," JSON_OF("Client") "},"
      ERROR("400") "," ERROR("401") "," ERROR("415") "," SLOW_DOWN "," ERROR("503") "}}" },
    { "/oauth/whoami", "get", false,
      "{\"operationId\":\"whoami\",\"summary\":\"Whom a token stands for\",\"security\":[{\"bearer\":[]},"
      "{\"oauth2\":[]}],\"responses\":{\"200\":{\"description\":\"The token's claims\"," JSON_OF("Whoami") "},"
      ERROR("401") "," SLOW_DOWN "," ERROR("503") "}}" },
    { "/oauth/jwks", "get", false,
      "{\"operationId\":\"jwks\",\"summary\":\"Public keys of tokens (RFC 7517)\",\"security\":[],"
      "\"responses\":{\"200\":{\"description\":\"The key set\",\"content\":{\"application/jwk-set+json\":{"
      "\"schema\":{\"$ref\":\"#/components/schemas/KeySet\"}}}}}}" },
    { "/oauth/authorize", "get", false,
      "{\"operationId\":\"authorize\",\"summary\":\"Ask a person, in a browser (authorization code and PKCE)\","
      "\"security\":[],\"parameters\":["
      "{\"name\":\"response_type\",\"in\":\"query\",\"required\":true,\"schema\":{\"const\":\"code\"}},"
      "{\"name\":\"client_id\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
      "{\"name\":\"redirect_uri\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
      "{\"name\":\"code_challenge\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
      "{\"name\":\"code_challenge_method\",\"in\":\"query\",\"required\":true,\"schema\":{\"const\":\"S256\"}},"
      "{\"name\":\"scope\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
      "{\"name\":\"resource\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
      "{\"name\":\"state\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}],"
      "\"responses\":{\"200\":{\"description\":\"A page for the person\",\"content\":{\"text/html\":{"
      "\"schema\":{\"type\":\"string\"}}}},\"303\":{\"description\":\"To the login page, or back to the "
      "client with code and iss, or error and iss\"},\"400\":{\"description\":\"Client or redirect_uri is "
      "wrong: a page, never a redirect\"}}}" },
    { "/.well-known/oauth-authorization-server", "get", false,
      DOCUMENT("serverMetadata", "Authorization server metadata (RFC 8414)") },
    { "/.well-known/openid-configuration", "get", false,
      DOCUMENT("openidConfiguration", "The same under the name of OpenID Discovery") },
    { "/.well-known/oauth-protected-resource", "get", false,
      DOCUMENT("resourceMetadata", "Metadata of whoami (RFC 9728); services have one each behind it") },
    { "/openapi.json", "get", false, DOCUMENT("openapi", "This document") },
};

#define STRING "{\"type\":\"string\"}"
#define TEXTS  "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
#define NUMBER "{\"type\":\"integer\"}"

static const char schemas[] =
    "\"Error\":{\"type\":\"object\",\"description\":\"Every error: what is wrong for programs, for people, "
    "and what to do next\",\"required\":[\"error\",\"error_description\",\"message\"],\"properties\":{"
    "\"error\":" STRING ",\"error_description\":" STRING ",\"message\":" STRING "}},"
    "\"TokenAnswer\":{\"type\":\"object\",\"required\":[\"access_token\",\"token_type\",\"expires_in\"],"
    "\"properties\":{\"access_token\":" STRING ",\"token_type\":{\"const\":\"Bearer\"},\"expires_in\":" NUMBER
    ",\"scope\":" STRING ",\"refresh_token\":" STRING ",\"issued_token_type\":" STRING "}},"
    "\"OneToken\":{\"type\":\"object\",\"required\":[\"token\"],\"properties\":{\"token\":" STRING
    ",\"token_type_hint\":" STRING ",\"client_id\":" STRING ",\"client_secret\":" STRING
    ",\"client_assertion\":" STRING ",\"client_assertion_type\":" STRING "}},"
    "\"Introspection\":{\"type\":\"object\",\"required\":[\"active\"],\"properties\":{\"active\":{"
    "\"type\":\"boolean\"},\"iss\":" STRING ",\"sub\":" STRING ",\"aud\":{\"type\":[\"string\",\"array\"]},"
    "\"client_id\":" STRING ",\"scope\":" STRING ",\"exp\":" NUMBER ",\"iat\":" NUMBER ",\"jti\":" STRING
    ",\"token_type\":" STRING ",\"act\":{\"type\":\"object\"}}},"
    "\"Whoami\":{\"type\":\"object\",\"properties\":{\"iss\":" STRING ",\"sub\":" STRING ",\"client_id\":" STRING
    ",\"aud\":{\"type\":[\"string\",\"array\"]},\"scope\":" STRING ",\"jti\":" STRING ",\"iat\":" NUMBER
    ",\"exp\":" NUMBER "}},"
    "\"KeySet\":{\"type\":\"object\",\"required\":[\"keys\"],\"properties\":{\"keys\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\"}}}},"
    "\"ClientMetadata\":{\"type\":\"object\",\"properties\":{\"redirect_uris\":" TEXTS
    ",\"token_endpoint_auth_method\":{\"enum\":[\"client_secret_basic\",\"client_secret_post\","
    "\"private_key_jwt\",\"none\"]},\"grant_types\":" TEXTS ",\"response_types\":" TEXTS ",\"client_name\":" STRING
    ",\"scope\":" STRING ",\"application_type\":{\"enum\":[\"web\",\"native\"]},\"jwks\":{"
    "\"$ref\":\"#/components/schemas/KeySet\"}}},"
    "\"Client\":{\"allOf\":[{\"$ref\":\"#/components/schemas/ClientMetadata\"},{\"type\":\"object\",\"required\":["
    "\"client_id\",\"client_id_issued_at\"],\"properties\":{\"client_id\":" STRING ",\"client_id_issued_at\":" NUMBER
    ",\"client_secret\":" STRING ",\"client_secret_expires_at\":" NUMBER ",\"resources\":" TEXTS "}}]}";

static const char responses[] =
    "\"Error\":{\"description\":\"Refused; message says what to do next\"," JSON_OF("Error") "},"
    "\"TooManyRequests\":{\"description\":\"Too often; try again after Retry-After seconds\",\"headers\":{"
    "\"Retry-After\":{\"schema\":{\"type\":\"integer\"}}}," JSON_OF("Error") "}";

/* ---- writing ---- */

static const struct operation *find_operation(const char *path)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(path, operations[i].path) == 0)
            return &operations[i];
    return NULL;
}

bool openapi_describes(const char *path)
{
    return find_operation(path) != NULL;
}

static void put_paths(postern_json_writer *w, const struct issuer_settings *s)
{
    const char *path;

    postern_json_open_object(w, "paths");
    for (size_t i = 0; (path = routes_path(i)) != NULL; i++) {
        const struct operation *op = find_operation(path);

        if (op == NULL || (op->is_registration && s->registration == REGISTRATION_OFF))
            continue;
        postern_json_open_object(w, path);
        postern_json_put_raw(w, op->method, postern_bytes_str(op->json));
        postern_json_close_object(w);
    }
    postern_json_close_object(w);
}

/* Scopes of all services, each with the resources that want it. */
static void put_scopes(postern_json_writer *w, const struct issuer_settings *s)
{
    char all[METADATA_SCOPES_MAX];
    const char *cursor = all;
    postern_bytes word;

    metadata_list_scopes(s, all);
    postern_json_open_object(w, "scopes");
    while (words_next(&cursor, &word)) {
        char name[CLIENT_SCOPES_MAX] = "";

        if (words_append(name, sizeof name, word)) /* one word: fits unless no client may have it */
            postern_json_put_str(w, name, "required by a service or door");
    }
    postern_json_close_object(w);
}

static void put_flow(postern_json_writer *w, const struct issuer_settings *s, const char *name,
                     bool has_person)
{
    postern_json_open_object(w, name);
    if (has_person)
        metadata_put_url(w, "authorizationUrl", s->base, "/oauth/authorize");
    metadata_put_url(w, "tokenUrl", s->base, "/oauth/token");
    if (has_person)
        metadata_put_url(w, "refreshUrl", s->base, "/oauth/token");
    put_scopes(w, s);
    postern_json_close_object(w);
}

static void put_security(postern_json_writer *w, const struct issuer_settings *s)
{
    static const char basic[] = "{\"type\":\"http\",\"scheme\":\"basic\",\"description\":"
                                "\"client_id and client_secret\"}";
    static const char bearer[] = "{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}";

    postern_json_open_object(w, "securitySchemes");
    postern_json_open_object(w, "oauth2");
    postern_json_put_str(w, "type", "oauth2");
    postern_json_open_object(w, "flows");
    put_flow(w, s, "clientCredentials", false);
    if (routes_has("/oauth/authorize"))
        put_flow(w, s, "authorizationCode", true);
    postern_json_close_object(w);
    postern_json_close_object(w);
    postern_json_put_raw(w, "bearer", postern_bytes_str(bearer));
    postern_json_put_raw(w, "clientBasic", postern_bytes_str(basic));
    postern_json_close_object(w);
}

/* One schema for all grants: which of its members a grant takes is in its own RFC. */
static void put_token_request(postern_json_writer *w)
{
    static const char *const texts[] = {
        "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope",
        "code", "redirect_uri", "code_verifier", "refresh_token", "subject_token",
        "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "audience",
        "purpose",
    };

    postern_json_open_object(w, "TokenRequest");
    postern_json_put_str(w, "type", "object");
    words_write(w, "required", "grant_type");
    postern_json_open_object(w, "properties");
    postern_json_open_object(w, "grant_type");
    words_write(w, "enum", TOKEN_GRANTS);
    postern_json_close_object(w);
    postern_json_put_raw(w, "resource",
                         POSTERN_BYTES_LIT("{\"type\":\"string\",\"format\":\"uri\",\"description\":"
                                           "\"the service that the token is for (RFC 8707)\"}"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        postern_json_put_raw(w, texts[i], POSTERN_BYTES_LIT(STRING));
    postern_json_close_object(w);
    postern_json_close_object(w);
}

/* Members that are text already, into the object that is open. */
static void put_members(postern_json_writer *w, const char *members)
{
    if (w->needs_comma)
        postern_buf_add_byte(w->out, ',');
    postern_buf_add_str(w->out, members);
    w->needs_comma = true;
}

static void put_components(postern_json_writer *w, const struct issuer_settings *s)
{
    postern_json_open_object(w, "components");
    put_security(w, s);
    postern_json_open_object(w, "schemas");
    put_token_request(w);
    put_members(w, schemas);
    postern_json_close_object(w);
    postern_json_open_object(w, "responses");
    put_members(w, responses);
    postern_json_close_object(w);
    postern_json_close_object(w);
}

void openapi_document(const struct issuer *is, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "openapi", "3.1.0");
    postern_json_put_raw(&w, "info",
                         POSTERN_BYTES_LIT("{\"title\":\"Postern authorization server\",\"version\":\"1\","
                                           "\"description\":\"OAuth 2.1 for agents: short-lived tokens for one "
                                           "service each\"}"));
    postern_json_open_array(&w, "servers");
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "url", is->settings->base);
    postern_json_close_object(&w);
    postern_json_close_array(&w);
    put_paths(&w, is->settings);
    put_components(&w, is->settings);
    postern_json_close_object(&w);
    metadata_finish(a);
}
