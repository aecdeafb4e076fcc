/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/routes.c, metadata.c, settings.c: who is addressed, what is where, and that the documents agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "issuer/openapi.h"
#include "issuer/routes.h"
#include "issuer_fixture.h"

static void an_issuer_is_cut_into_the_urls_that_it_serves(void **state)
{
    static const struct { const char *issuer, *base, *origin, *host, *path, *whoami_metadata; } cases[] = {
        { "http://127.0.0.1:8414", "http://127.0.0.1:8414", "http://127.0.0.1:8414", "127.0.0.1:8414", "",
          "http://127.0.0.1:8414/.well-known/oauth-protected-resource/oauth/whoami" },
        { "https://a.example/", "https://a.example", "https://a.example", "a.example", "",
          "https://a.example/.well-known/oauth-protected-resource/oauth/whoami" },
        { "https://a.example/t/1", "https://a.example/t/1", "https://a.example", "a.example", "/t/1",
          "https://a.example/.well-known/oauth-protected-resource/t/1/oauth/whoami" },
    };
    struct issuer_settings s;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(issuer_settings_init(&s, cases[i].issuer, 300, NULL), POSTERN_OK);
        assert_string_equal(s.issuer, cases[i].issuer);
        assert_string_equal(s.base, cases[i].base);
        assert_string_equal(s.origin, cases[i].origin);
        assert_string_equal(s.host, cases[i].host);
        assert_string_equal(s.path, cases[i].path);
        assert_string_equal(s.whoami_metadata, cases[i].whoami_metadata);
    }
}

static void an_issuer_that_is_no_plain_url_is_refused(void **state)
{
    static const char *const bad[] = { "", "http://", "ftp://a", "https:/a", "https://a?x", "https://a#x", "https:///x",
                                       "https://u@a", "https://a b", "HTTPS://a", "https://a\n", "https://a\\b" };
    struct issuer_settings s;
    char longest[POSTERN_URL_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (issuer_settings_init(&s, bad[i], 300, NULL) != POSTERN_ERR_CONFIG_VALUE)
            fail_msg("accepted: %s", bad[i]);
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "https://", 8);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(issuer_settings_init(&s, longest, 300, NULL), POSTERN_ERR_CONFIG_VALUE);
    longest[POSTERN_URL_MAX - 20] = '\0';
    assert_int_equal(issuer_settings_init(&s, longest, 300, NULL), POSTERN_ERR_CONFIG_VALUE);
}

static void assert_server_document(struct fixture *f, const char *path, const char *issuer, const char *base)
{
    POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(1024);

    fixture_get(f, path);
    assert_status(f, 200);
    assert_text(f, "issuer", issuer);
    postern_buf_addf(&url, "%s/oauth/token", base);
    assert_text(f, "token_endpoint", postern_buf_cstr(&url));
    postern_buf_reset(&url);
    postern_buf_addf(&url, "%s/oauth/jwks", base);
    assert_text(f, "jwks_uri", postern_buf_cstr(&url));
}

static void both_discovery_documents_have_every_required_member(void **state)
{
    static const char *const paths[] = { "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        assert_server_document(f, paths[i], FIXTURE_ISSUER, FIXTURE_ISSUER);
        assert_list(f, "grant_types_supported", "authorization_code refresh_token client_credentials "
                                                "urn:ietf:params:oauth:grant-type:token-exchange");
        assert_list(f, "response_types_supported", "code");
        assert_list(f, "token_endpoint_auth_methods_supported", "client_secret_basic client_secret_post private_key_jwt none");
        assert_list(f, "introspection_endpoint_auth_methods_supported", "client_secret_basic client_secret_post private_key_jwt");
        assert_list(f, "revocation_endpoint_auth_methods_supported", "client_secret_basic client_secret_post private_key_jwt none");
        assert_text(f, "introspection_endpoint", FIXTURE_ISSUER "/oauth/introspect");
        assert_text(f, "revocation_endpoint", FIXTURE_ISSUER "/oauth/revoke");
        assert_list(f, "code_challenge_methods_supported", "S256");
        assert_list(f, "scopes_supported", "mail.read ldap.read");
        assert_list(f, "subject_types_supported", "public");
        assert_list(f, "id_token_signing_alg_values_supported", "RS256");
        assert_list(f, "protected_resources", FIXTURE_IMAP " " FIXTURE_LDAP " " FIXTURE_ISSUER "/oauth/whoami");
        assert_absent(f, "registration_endpoint");
        assert_text(f, "authorization_endpoint", FIXTURE_ISSUER "/oauth/authorize");
        assert_string_equal(f->answer.content_type, "application/json");
    }
}

static void an_issuer_with_a_path_is_found_in_every_place(void **state)
{
    static const char *const paths[] = {
        "/.well-known/oauth-authorization-server/t", "/.well-known/openid-configuration/t",
        "/t/.well-known/openid-configuration",
    };
    struct fixture *f = *state;

    fixture_set_issuer(f, FIXTURE_ISSUER "/t");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_server_document(f, paths[i], FIXTURE_ISSUER "/t", FIXTURE_ISSUER "/t");
    fixture_get(f, "/t/oauth/jwks");
    assert_status(f, 200);
    fixture_get(f, "/oauth/jwks");
    assert_error(f, 404, "not_found");
    fixture_get(f, "/.well-known/oauth-protected-resource/imap");
    assert_status(f, 200);
    fixture_get(f, "/t/.well-known/oauth-protected-resource/imap");
    assert_status(f, 200);
    fixture_get(f, "/.well-known/oauth-protected-resource/t/oauth/whoami");
    assert_text(f, "resource", FIXTURE_ISSUER "/t/oauth/whoami");
}

static void each_service_has_a_resource_document(void **state)
{
    struct fixture *f = *state;

    fixture_get(f, "/.well-known/oauth-protected-resource/imap");
    assert_status(f, 200);
    assert_text(f, "resource", FIXTURE_IMAP);
    assert_list(f, "authorization_servers", FIXTURE_ISSUER);
    assert_list(f, "scopes_supported", "mail.read");
    assert_list(f, "bearer_methods_supported", "");
    fixture_get(f, "/.well-known/oauth-protected-resource/ldap");
    assert_text(f, "resource", FIXTURE_LDAP);
    fixture_get(f, "/.well-known/oauth-protected-resource/opaque"); /* its audience is no URI: no such document */
    assert_error(f, 404, "not_found");
    fixture_get(f, "/.well-known/oauth-protected-resource/none");
    assert_error(f, 404, "not_found");
    fixture_get(f, "/.well-known/oauth-protected-resource/");
    assert_error(f, 404, "not_found");
}

static int type_of(const struct fixture *f, const char *name)
{
    return (int)postern_json_type_of(&f->json, postern_json_member(&f->json, 0, name));
}

static void a_door_is_described_as_a_service_is(void **state)
{
    struct fixture *f = *state;

    fixture_get(f, "/.well-known/oauth-protected-resource/cache");
    assert_error(f, 404, "not_found");
    fixture_load_door(f);
    fixture_get(f, "/.well-known/oauth-protected-resource/cache");
    assert_status(f, 200);
    assert_text(f, "resource", FIXTURE_CACHE);
    assert_list(f, "authorization_servers", FIXTURE_ISSUER);
    assert_list(f, "scopes_supported", "cache.use cache.read cache.write cache.admin");
    assert_int_equal(type_of(f, "tls_client_certificate_bound_access_tokens"), POSTERN_JSON_TRUE);
    fixture_get(f, "/.well-known/oauth-protected-resource/imap");
    assert_text(f, "resource", FIXTURE_IMAP);
    assert_int_equal(type_of(f, "tls_client_certificate_bound_access_tokens"), POSTERN_JSON_FALSE);
    fixture_get(f, "/.well-known/oauth-protected-resource/Cache");
    assert_error(f, 404, "not_found");
    fixture_get(f, "/.well-known/oauth-authorization-server");
    assert_list(f, "protected_resources", FIXTURE_IMAP " " FIXTURE_CACHE " " FIXTURE_ISSUER "/oauth/whoami");
    assert_list(f, "scopes_supported", "mail.read cache.use cache.read cache.write cache.admin");
}

static void whoami_has_a_resource_document_at_both_places(void **state)
{
    static const char *const paths[] = { "/.well-known/oauth-protected-resource",
                                         "/.well-known/oauth-protected-resource/oauth/whoami" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        fixture_get(f, paths[i]);
        assert_status(f, 200);
        assert_text(f, "resource", FIXTURE_ISSUER "/oauth/whoami");
        assert_list(f, "authorization_servers", FIXTURE_ISSUER);
        assert_list(f, "bearer_methods_supported", "header");
    }
}

static void the_key_set_has_public_members_only(void **state)
{
    struct fixture *f = *state;
    uint32_t key;

    fixture_get(f, "/oauth/jwks");
    assert_status(f, 200);
    assert_string_equal(f->answer.content_type, "application/jwk-set+json");
    key = postern_json_first(&f->json, postern_json_member(&f->json, 0, "keys"));
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, key, "kty"), "EC"));
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, key, "use"), "sig"));
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, key, "alg"), "ES256"));
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, key, "kid"), postern_signing_key_kid(f->key)));
    assert_int_equal(postern_json_member(&f->json, key, "d"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_next(&f->json, key), POSTERN_JSON_ABSENT);
}

static void a_path_that_is_not_ours_is_404_in_json(void **state)
{
    static const char *const paths[] = { "", "/", "/oauth", "/oauth/token/", "/OAUTH/token", "/oauth/%74oken", "//oauth/jwks",
                                         "/.well-known/oauth-authorization-server/x", "/.well-known/", "*" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        fixture_get(f, paths[i]);
        assert_error(f, 404, "not_found");
    }
}

static void another_method_is_405_with_allow(void **state)
{
    static const char *const methods[] = { "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        fixture_ask(f, (struct http_request){ .method = methods[i], .path = "/oauth/token" });
        assert_error(f, 405, "method_not_allowed");
        assert_string_equal(f->answer.allow, "POST");
        fixture_ask(f, (struct http_request){ .method = methods[i], .path = "/.well-known/oauth-protected-resource/imap" });
        assert_error(f, 405, "method_not_allowed");
        assert_string_equal(f->answer.allow, "GET, HEAD");
    }
    fixture_get(f, "/oauth/token");
    assert_error(f, 405, "method_not_allowed");
    fixture_ask(f, (struct http_request){ .method = "PUT", .path = "/oauth/login" });
    assert_error(f, 405, "method_not_allowed");
    assert_string_equal(f->answer.allow, "GET, HEAD, POST");
    fixture_get(f, "/oauth/logout");
    assert_error(f, 405, "method_not_allowed");
    fixture_ask(f, (struct http_request){ .method = "HEAD", .path = "/oauth/jwks" });
    assert_status(f, 200);
}

static void only_our_own_host_is_answered(void **state)
{
    static const char *const good[] = { "127.0.0.1:8414", "127.0.0.1", "127.0.0.1:9999", "[::1]:8414", "[::1]" };
    static const char *const bad[] = { "evil.example", "evil.example:8414", "127.0.0.1.evil.example", "127.0.0.1:8414x",
                                       "127.0.0.1:", "localhost:8414", "", "[::1", "[::1]x", "::1", "0.0.0.0:8414" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/jwks", .host = good[i] });
        assert_status(f, 200);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/jwks", .host = bad[i] });
        assert_error(f, 421, "misdirected_request");
    }
    fixture_set_issuer(f, "https://auth.example");
    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/jwks", .host = "AUTH.example:443" });
    assert_status(f, 200);
    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/jwks", .host = "auth.example:80" });
    assert_error(f, 421, "misdirected_request");
}

static void a_request_that_two_readers_could_read_differently_is_400(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/jwks", .has_repeated_header = true });
    assert_error(f, 400, "invalid_request");
}

static void a_stranger_is_slowed_down_and_others_are_not(void **state)
{
    struct fixture *f = *state;
    int answered = 0;

    do {
        fixture_get(f, answered % 2 == 0 ? "/nothing" : "/oauth/whoami");
    } while (f->answer.status != 429 && ++answered < 2000);
    assert_int_equal(answered, 400);
    assert_error(f, 429, "too_many_requests");
    assert_int_equal(f->answer.retry_after_s, 1);
    assert_string_equal(f->answer.challenge, "");
    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/nothing", .source = "127.0.0.2" });
    assert_error(f, 404, "not_found");
    fixture_ask(f, (struct http_request){ .path = "/oauth/token" });
    assert_error(f, 415, "invalid_request"); /* the token endpoint rates by client: a flood does not close it */
}

/* Every user of the machine comes from one address, and every token begins with the metadata. */
static void a_flood_keeps_nobody_from_the_documents(void **state)
{
    static const char *const documents[] = {
        "/oauth/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
    };
    struct fixture *f = *state;

    for (int i = 0; i < 2000; i++)
        fixture_get(f, i % 2 == 0 ? "/nothing" : documents[0]);
    fixture_get(f, "/nothing");
    assert_error(f, 429, "too_many_requests");
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        fixture_get(f, documents[i]);
        assert_status(f, 200);
    }
}

static void whoami_without_credentials_names_no_error_in_the_challenge(void **state)
{
    struct fixture *f = *state;

    fixture_get(f, "/oauth/whoami");
    assert_error(f, 401, "missing_token");
    assert_non_null(strstr(f->answer.challenge, "Bearer realm=\"postern\""));
    assert_non_null(strstr(f->answer.challenge, "resource_metadata=\"" FIXTURE_ISSUER
                                                "/.well-known/oauth-protected-resource/oauth/whoami\""));
    assert_null(strstr(f->answer.challenge, "error"));
    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = "Basic abc" });
    assert_error(f, 401, "missing_token");
    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = "Bearer " });
    assert_error(f, 401, "missing_token");
}

static void whoami_is_undecided_while_the_key_set_is_not_written(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = "Bearer a.b.c" });
    assert_error(f, 503, "temporarily_unavailable");
}

/* What is neither here nor there would be a lie, or an endpoint that nobody finds. */
static void openapi_describes_every_route_but_the_pages_for_people(void **state)
{
    static const char *const pages[] = { "/oauth/login", "/oauth/logout", "/oauth/account", "/oauth/password", "/oauth/style.css", "/account" };
    struct fixture *f = *state;
    uint32_t paths;
    const char *path;
    size_t described = 0, listed = 0;

    f->settings.registration = REGISTRATION_OPEN;
    fixture_get(f, "/openapi.json");
    assert_status(f, 200);
    assert_text(f, "openapi", "3.1.0");
    paths = postern_json_member(&f->json, 0, "paths");
    for (size_t i = 0; (path = routes_path(i)) != NULL; i++) {
        bool is_page = false;

        for (size_t k = 0; k < sizeof pages / sizeof *pages; k++)
            is_page = is_page || strcmp(path, pages[k]) == 0;
        if (openapi_describes(path) == is_page)
            fail_msg("%s is %s", path, is_page ? "a page and described" : "not described");
        described += !is_page;
        if (!is_page)
            assert_int_not_equal(postern_json_member(&f->json, paths, path), POSTERN_JSON_ABSENT);
    }
    for (uint32_t n = postern_json_first(&f->json, paths); n != POSTERN_JSON_ABSENT; n = postern_json_next(&f->json, n))
        listed++;
    assert_int_equal(listed, described);
    f->settings.registration = REGISTRATION_OFF;
    fixture_get(f, "/openapi.json");
    paths = postern_json_member(&f->json, 0, "paths");
    assert_int_equal(postern_json_member(&f->json, paths, "/oauth/register"), POSTERN_JSON_ABSENT);
    assert_false(routes_has("/oauth/nothing"));
}

static void openapi_names_the_ways_to_a_token(void **state)
{
    struct fixture *f = *state;
    uint32_t node;

    fixture_set_issuer(f, "https://as.example.org/tenant");
    fixture_ask(f, (struct http_request){ .method = "GET", .host = "as.example.org", .path = "/tenant/openapi.json" });
    assert_status(f, 200);
    node = postern_json_member(&f->json, 0, "components");
    node = postern_json_member(&f->json, node, "securitySchemes");
    node = postern_json_member(&f->json, node, "oauth2");
    node = postern_json_member(&f->json, node, "flows");
    node = postern_json_member(&f->json, node, "clientCredentials");
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, node, "tokenUrl"),
                                       "https://as.example.org/tenant/oauth/token"));
    node = postern_json_member(&f->json, node, "scopes");
    assert_int_not_equal(postern_json_member(&f->json, node, "mail.read"), POSTERN_JSON_ABSENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issuer_is_cut_into_the_urls_that_it_serves),
        cmocka_unit_test(an_issuer_that_is_no_plain_url_is_refused),
        TEST(both_discovery_documents_have_every_required_member),
        TEST(an_issuer_with_a_path_is_found_in_every_place),
        TEST(each_service_has_a_resource_document),
        TEST(a_door_is_described_as_a_service_is),
        TEST(whoami_has_a_resource_document_at_both_places),
        TEST(the_key_set_has_public_members_only),
        TEST(a_path_that_is_not_ours_is_404_in_json),
        TEST(another_method_is_405_with_allow),
        TEST(only_our_own_host_is_answered),
        TEST(a_request_that_two_readers_could_read_differently_is_400),
        TEST(a_stranger_is_slowed_down_and_others_are_not),
        TEST(a_flood_keeps_nobody_from_the_documents),
        TEST(whoami_without_credentials_names_no_error_in_the_challenge),
        TEST(whoami_is_undecided_while_the_key_set_is_not_written),
        TEST(openapi_describes_every_route_but_the_pages_for_people),
        TEST(openapi_names_the_ways_to_a_token),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
