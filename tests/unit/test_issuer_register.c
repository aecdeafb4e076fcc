/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/register.c and its parts: RFC 7591 §2 and §3, through routes_answer(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_keys.h"
#include "issuer/registrations.h"
#include "issuer_fixture.h"

#define AGENT "\"grant_types\":[\"client_credentials\"]"

static int set_up(void **state)
{
    struct fixture *f;

    if (fixture_set_up(state) != 0)
        return -1;
    f = *state;
    f->settings.registration = REGISTRATION_OPEN;
    f->settings.registration_scopes = strdup("mail.read calendar.read");
    f->settings.registration_resources = strdup(FIXTURE_IMAP);
    f->settings.registration_max = 5;
    f->settings.registration_unused_s = 30 * 86400;
    return f->settings.registration_scopes == NULL || f->settings.registration_resources == NULL ? -1 : 0;
}

static void ask_as(struct fixture *f, const char *authorization, const char *body)
{
    f->mono_ms += 60000; /* how often one address may is another test's matter */
    fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json",
                                          .authorization = authorization, .body = postern_bytes_str(body) });
}

static void ask(struct fixture *f, const char *body)
{
    ask_as(f, NULL, body);
}

static void assert_refused(struct fixture *f, const char *body, const char *error)
{
    ask(f, body);
    if (f->answer.status != 400)
        fail_msg("status %d: %s", f->answer.status, body);
    assert_error(f, 400, error);
    assert_absent(f, "client_id");
}

static void find_registered(struct fixture *f, struct client_record *ret)
{
    postern_bytes id;
    char name[CLIENT_NAME_MAX];
    bool found = false;

    assert_true(postern_json_string(&f->json, postern_json_member(&f->json, 0, "client_id"), NULL, &id));
    assert_true(id.len < sizeof name);
    memcpy(name, id.ptr, id.len);
    name[id.len] = '\0';
    assert_int_equal(store_client_find(f->is.store, name, &found, ret, NULL), POSTERN_OK);
    assert_true(found);
}

static void an_agent_registers_itself_and_gets_a_token(void **state)
{
    struct fixture *f = *state;
    struct client_record c;
    postern_bytes secret;
    int64_t number = -1;
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(1024);

    ask(f, "{" AGENT ",\"client_name\":\"Mail \\u00e9\",\"client_id\":\"root\",\"client_secret\":\"mine\",\"logo_uri\":\"https://a/\"}");
    assert_status(f, 201);
    assert_string_equal(f->answer.cache_control, "no-store");
    find_registered(f, &c);
    assert_int_equal(strncmp(c.name, "c-", 2), 0); /* never chosen by itself */
    assert_int_equal(strlen(c.name), 34);
    assert_int_equal(c.flags, CLIENT_SELF_REGISTERED);
    assert_string_equal(c.scopes, "mail.read calendar.read");
    assert_string_equal(c.resources, FIXTURE_IMAP);
    assert_text(f, "client_name", "Mail \xc3\xa9");
    assert_text(f, "token_endpoint_auth_method", "client_secret_basic");
    assert_list(f, "grant_types", "client_credentials urn:ietf:params:oauth:grant-type:token-exchange");
    assert_list(f, "response_types", "");
    assert_text(f, "scope", "mail.read calendar.read");
    assert_absent(f, "logo_uri");
    assert_true(postern_json_integer(&f->json, postern_json_member(&f->json, 0, "client_id_issued_at"), &number));
    assert_int_equal(number, FIXTURE_NOW_S);
    assert_true(postern_json_integer(&f->json, postern_json_member(&f->json, 0, "client_secret_expires_at"), &number));
    assert_int_equal(number, 0);
    assert_true(postern_json_string(&f->json, postern_json_member(&f->json, 0, "client_secret"), NULL, &secret));
    assert_int_equal(secret.len, 43);
    postern_buf_addf(&body, "grant_type=client_credentials&client_id=%s&client_secret=%.*s", c.name, (int)secret.len, secret.ptr);
    fixture_ask(f, (struct http_request){ .content_type = "application/x-www-form-urlencoded", .body = postern_buf_bytes(&body) });
    assert_status(f, 200);
}

static void a_native_application_registers_without_a_secret(void **state)
{
    struct fixture *f = *state;
    struct client_record c;

    ask(f, "{\"redirect_uris\":[\"http://127.0.0.1/cb\"],\"token_endpoint_auth_method\":\"none\",\"application_type\":\"native\","
           "\"grant_types\":[\"authorization_code\",\"refresh_token\"],\"response_types\":[\"code\"]}");
    assert_status(f, 201);
    assert_absent(f, "client_secret");
    assert_absent(f, "client_secret_expires_at");
    assert_list(f, "redirect_uris", "http://127.0.0.1/cb");
    assert_list(f, "grant_types", "authorization_code refresh_token");
    find_registered(f, &c);
    assert_int_equal(c.auth, CLIENT_AUTH_BY_NOTHING);
    assert_refused(f, "{\"redirect_uris\":[\"http://127.0.0.1/cb\"],\"token_endpoint_auth_method\":\"none\"," AGENT "}",
                   "invalid_client_metadata");
}

static void a_key_is_registered_by_value_and_never_fetched(void **state)
{
    struct fixture *f = *state;
    test_key *key = test_key_new("Ed25519");
    char *jwks = test_key_jwks(key, "a", NULL);
    char *body = test_printf("{" AGENT ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":%s}", jwks);
    struct client_record c;

    ask(f, body);
    assert_status(f, 201);
    assert_absent(f, "client_secret");
    find_registered(f, &c);
    assert_int_equal(c.auth, CLIENT_AUTH_BY_KEY);
    assert_string_equal(c.jwks, jwks);
    assert_refused(f, "{" AGENT ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", "invalid_client_metadata");
    assert_refused(f, "{" AGENT ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks_uri\":\"https://a/\"}",
                   "invalid_client_metadata");
    assert_refused(f, "{" AGENT ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}}",
                   "invalid_client_metadata");
    free(body);
    body = test_printf("{" AGENT ",\"jwks\":%s}", jwks); /* a secret and a key */
    assert_refused(f, body, "invalid_client_metadata");
    free(body);
    free(jwks);
    test_key_free(key);
}

static void redirect_uris_that_could_lead_astray_are_refused(void **state)
{
    static const char *const bad[] = { "http://app.example.org/", "https://a/#x", "javascript:alert(1)", "https://*.example.org/",
                                       "https://u@a/", "myapp:/x", "", "https://a/ https://b/", "//a/", "http://localhost/" };
    struct fixture *f = *state;
    char body[512];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(body, sizeof body, "{\"redirect_uris\":[\"https://good.example/\",\"%s\"]}", bad[i]) > 0);
        assert_refused(f, body, "invalid_redirect_uri");
    }
    assert_refused(f, "{}", "invalid_redirect_uri"); /* authorization_code is the default */
    assert_refused(f, "{\"redirect_uris\":[]}", "invalid_redirect_uri");
    assert_refused(f, "{\"redirect_uris\":\"https://a/\"}", "invalid_redirect_uri");
    assert_refused(f, "{\"redirect_uris\":[\"http://127.0.0.1/\"],\"application_type\":\"web\"}", "invalid_redirect_uri");
}

static void metadata_that_is_not_understood_rightly_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "x", "[]", "{" AGENT "} x", "{" AGENT "," AGENT "}", "{" AGENT ",\"token_endpoint_auth_method\":\"tls_client_auth\"}",
        "{" AGENT ",\"token_endpoint_auth_method\":1}", "{\"grant_types\":[\"password\"]}", "{\"grant_types\":[\"implicit\"]}",
        "{\"grant_types\":\"client_credentials\"}", "{" AGENT ",\"response_types\":[\"token\"]}", "{" AGENT ",\"response_types\":\"code\"}",
        "{" AGENT ",\"client_name\":1}", "{" AGENT ",\"client_name\":\"a\\u202eb\"}", "{" AGENT ",\"client_name\":\"a\\u0000b\"}",
        "{" AGENT ",\"scope\":[\"mail.read\"]}", "{" AGENT ",\"scope\":\"admin\"}", "{" AGENT ",\"application_type\":\"service\"}",
        "{" AGENT ",\"jwks\":\"x\"}", "{" AGENT ",\"jwks_uri\":\"http://169.254.169.254/\"}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(f, bad[i], "invalid_client_metadata");
    fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "text/plain", .body = POSTERN_BYTES_LIT("{" AGENT "}") });
    assert_error(f, 415, "invalid_client_metadata");
}

static void scopes_are_narrowed_to_what_strangers_may_have(void **state)
{
    struct fixture *f = *state;

    ask(f, "{" AGENT ",\"scope\":\"mail.read admin mail.write\"}");
    assert_status(f, 201);
    assert_text(f, "scope", "mail.read");
    ask(f, "{" AGENT ",\"scope\":\"\"}");
    assert_status(f, 201);
    assert_text(f, "scope", "");
}

static void registration_that_is_off_is_not_there(void **state)
{
    struct fixture *f = *state;

    f->settings.registration = REGISTRATION_OFF;
    ask(f, "{" AGENT "}");
    assert_error(f, 404, "not_found");
    fixture_get(f, "/.well-known/oauth-authorization-server");
    assert_absent(f, "registration_endpoint");
    f->settings.registration = REGISTRATION_OPEN;
    fixture_get(f, "/.well-known/oauth-authorization-server");
    assert_text(f, "registration_endpoint", FIXTURE_ISSUER "/oauth/register");
    fixture_get(f, "/oauth/register");
    assert_error(f, 405, "method_not_allowed");
}

static char *invite(struct fixture *f, int64_t uses, int64_t for_s)
{
    struct clients_refusal refusal = { 0 };
    POSTERN_AUTO(secret) text = NULL;
    int64_t expires_s = 0;
    postern_bytes b;

    assert_int_equal(registrations_invite(&f->is, uses, for_s, &text, &expires_s, &refusal, NULL), CLIENTS_DONE);
    b = postern_secret_bytes(text);
    return test_printf("Bearer %.*s", (int)b.len, b.ptr);
}

static void a_token_is_taken_as_often_as_it_says(void **state)
{
    struct fixture *f = *state;
    char *twice, *brief;

    f->settings.registration = REGISTRATION_TOKEN;
    twice = invite(f, 2, 0);
    brief = invite(f, 0, 60);
    ask(f, "{" AGENT "}");
    assert_error(f, 401, "missing_token");
    assert_string_equal(f->answer.challenge, "Bearer realm=\"postern\"");
    ask_as(f, "Bearer wrong", "{" AGENT "}");
    assert_error(f, 401, "invalid_token");
    assert_non_null(strstr(f->answer.challenge, "invalid_token"));
    ask_as(f, "Basic YTpi", "{" AGENT "}");
    assert_error(f, 401, "missing_token");
    ask_as(f, "Bearer ", "{" AGENT "}");
    assert_error(f, 401, "missing_token");
    ask_as(f, twice, "{" AGENT "}");
    assert_status(f, 201);
    ask_as(f, twice, "{" AGENT ",\"scope\":\"admin\"}"); /* a bad request takes no use */
    assert_error(f, 400, "invalid_client_metadata");
    ask_as(f, twice, "{" AGENT "}");
    assert_status(f, 201);
    ask_as(f, twice, "{" AGENT "}");
    assert_error(f, 401, "invalid_token");
    f->now_s += 60;
    ask_as(f, brief, "{" AGENT "}");
    assert_error(f, 401, "invalid_token");
    free(twice);
    free(brief);
}

static void an_invitation_outlives_the_store_being_opened_again(void **state)
{
    struct fixture *f = *state;
    char *once;

    f->settings.registration = REGISTRATION_TOKEN;
    once = invite(f, 1, 0);
    store_close(f->is.store);
    assert_int_equal(store_open(f->dir, &f->is.store, NULL), POSTERN_OK);
    ask_as(f, once, "{" AGENT "}");
    assert_status(f, 201);
    store_close(f->is.store);
    assert_int_equal(store_open(f->dir, &f->is.store, NULL), POSTERN_OK);
    ask_as(f, once, "{" AGENT "}");
    assert_error(f, 401, "invalid_token");
    free(once);
}

static void a_full_quota_leaves_the_invitation_its_use(void **state)
{
    struct fixture *f = *state;
    char *once;

    for (int i = 0; i < 5; i++) {
        ask(f, "{" AGENT "}");
        assert_status(f, 201);
    }
    ask(f, "{" AGENT "}");
    assert_error(f, 503, "temporarily_unavailable");
    assert_true(f->answer.retry_after_s > 0);
    postern_secret_free(fixture_add_client(f, "agent-7", "", FIXTURE_IMAP)); /* administrators are not held up */
    f->settings.registration = REGISTRATION_TOKEN;
    once = invite(f, 1, 0);
    ask_as(f, once, "{" AGENT "}");
    assert_error(f, 503, "temporarily_unavailable");
    f->settings.registration_max = 6;
    ask_as(f, once, "{" AGENT "}");
    assert_status(f, 201);
    free(once);
}

static void one_address_registers_so_often_and_no_more(void **state)
{
    struct fixture *f = *state;
    int last = 0;

    f->settings.registration_max = 1000;
    for (int i = 0; i < 21; i++) {
        fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json",
                                              .body = POSTERN_BYTES_LIT("{" AGENT "}") });
        last = f->answer.status;
        if (i < 20)
            assert_int_equal(last, 201);
    }
    assert_error(f, 429, "too_many_requests");
    assert_true(f->answer.retry_after_s > 0);
    fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json", .source = "::2",
                                          .body = POSTERN_BYTES_LIT("{" AGENT "}") });
    assert_status(f, 201); /* nobody else is held up */
}

/* A page in somebody's browser can send a form or text to us, and JSON only if we said that it may. */
static void a_web_page_uses_up_nothing_of_what_an_address_may_register(void **state)
{
    static const char *const types[] = { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x" };
    struct fixture *f = *state;

    for (int i = 0; i < 60; i++) {
        fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = types[i % 3],
                                              .body = POSTERN_BYTES_LIT("{" AGENT "}") });
        assert_error(f, 415, "invalid_client_metadata");
    }
    fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json",
                                          .body = POSTERN_BYTES_LIT("{" AGENT "}") });
    assert_status(f, 201);
}

static void who_is_not_invited_holds_up_nobody_who_is(void **state)
{
    struct fixture *f = *state;
    char *once;

    f->settings.registration = REGISTRATION_TOKEN;
    once = invite(f, 1, 0);
    for (int i = 0; i < 60; i++) /* a neighbour at the same address */
        fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json",
                                              .authorization = i % 2 == 0 ? NULL : "Bearer wrong",
                                              .body = POSTERN_BYTES_LIT("{" AGENT "}") });
    assert_error(f, 429, "too_many_requests");
    fixture_ask(f, (struct http_request){ .path = "/oauth/register", .content_type = "application/json", .authorization = once,
                                          .body = POSTERN_BYTES_LIT("{" AGENT "}") });
    assert_status(f, 201);
    free(once);
}

static bool is_there(struct fixture *f, const char *name)
{
    struct client_record c;
    bool found = false;

    assert_int_equal(store_client_find(f->is.store, name, &found, &c, NULL), POSTERN_OK);
    return found;
}

static void clients_that_are_not_used_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct client_record never, used;

    postern_secret_free(fixture_add_client(f, "agent-7", "", FIXTURE_IMAP));
    ask(f, "{" AGENT "}");
    find_registered(f, &never);
    ask(f, "{" AGENT "}");
    find_registered(f, &used);
    assert_int_equal(store_client_touch(f->is.store, used.name, f->now_s, NULL), POSTERN_OK);
    f->now_s += 86400;
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_true(is_there(f, never.name) && is_there(f, used.name));
    f->now_s += 1;
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_false(is_there(f, never.name)); /* a day without any token */
    f->now_s += 29 * 86400 - 1;
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_true(is_there(f, used.name));
    f->now_s += 1;
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_false(is_there(f, used.name));
    assert_true(is_there(f, "agent-7")); /* an administrator's stays */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_agent_registers_itself_and_gets_a_token),
        TEST(a_native_application_registers_without_a_secret),
        TEST(a_key_is_registered_by_value_and_never_fetched),
        TEST(redirect_uris_that_could_lead_astray_are_refused),
        TEST(metadata_that_is_not_understood_rightly_is_refused),
        TEST(scopes_are_narrowed_to_what_strangers_may_have),
        TEST(registration_that_is_off_is_not_there),
        TEST(a_token_is_taken_as_often_as_it_says),
        TEST(an_invitation_outlives_the_store_being_opened_again),
        TEST(a_full_quota_leaves_the_invitation_its_use),
        TEST(one_address_registers_so_often_and_no_more),
        TEST(a_web_page_uses_up_nothing_of_what_an_address_may_register),
        TEST(who_is_not_invited_holds_up_nobody_who_is),
        TEST(clients_that_are_not_used_are_forgotten),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
