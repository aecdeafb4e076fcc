/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/metadata.c: where an issuer's document is looked for, and what in it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "oauth/metadata.h"

static struct postern_issuer issuer_of(const char *text)
{
    struct postern_issuer issuer = { 0 };

    assert_int_equal(postern_issuer_read(text, &issuer, NULL), POSTERN_OK);
    return issuer;
}

static void places_follow_rfc_8414_then_openid_connect(void **state)
{
    static const struct {
        const char *issuer, *places[4];
    } cases[] = {
        { "https://h",
          { "https://h/.well-known/oauth-authorization-server",
            "https://h/.well-known/openid-configuration" } },
        { "https://h/",
          { "https://h/.well-known/oauth-authorization-server",
            "https://h/.well-known/openid-configuration" } },
        { "https://h:8443/realms/a",
          { "https://h:8443/.well-known/oauth-authorization-server/realms/a",
            "https://h:8443/.well-known/openid-configuration/realms/a",
            "https://h:8443/realms/a/.well-known/openid-configuration" } },
        { "https://h/t/",
          { "https://h/.well-known/oauth-authorization-server/t",
            "https://h/.well-known/openid-configuration/t",
            "https://h/t/.well-known/openid-configuration" } },
        { "http://[::1]:8414",
          { "http://[::1]:8414/.well-known/oauth-authorization-server",
            "http://[::1]:8414/.well-known/openid-configuration" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_issuer issuer = issuer_of(cases[i].issuer);

        for (size_t n = 0; n < 4; n++) {
            POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
            bool is_there = postern_metadata_place(&issuer, n, &url);

            assert_int_equal(is_there, cases[i].places[n] != NULL);
            if (is_there)
                assert_string_equal(postern_buf_cstr(&url), cases[i].places[n]);
        }
    }
}

static void an_issuer_is_a_url_without_query_and_fragment(void **state)
{
    static const char *const bad[] = { "",
                                       "sso.example.org",
                                       "https://h/?tenant=1",
                                       "https://h/?",
                                       "https://h/#x",
                                       "https://u@h/",
                                       "ftp://h/" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct postern_issuer issuer;

        if (postern_issuer_read(bad[i], &issuer, NULL) != POSTERN_ERR_USAGE)
            fail_msg("taken: %s", bad[i]);
    }
}

static postern_err read_needed(const char *issuer_text, const char *content_type,
                               postern_bytes json, unsigned needs, struct postern_metadata *m)
{
    struct postern_http_response r = { .status = 200, .body = POSTERN_BUF_INIT(65536) };
    struct postern_issuer issuer = issuer_of(issuer_text);
    struct postern_metadata room;
    postern_err e;

    (void)snprintf(r.content_type, sizeof r.content_type, "%s", content_type);
    postern_buf_add(&r.body, json);
    e = postern_metadata_read(&r, &issuer, needs, m != NULL ? m : &room, NULL);
    postern_buf_free(&r.body);
    return e;
}

/* Judge `json` for `issuer`; m may be NULL. */
static postern_err read_document(const char *issuer_text, const char *content_type,
                                 postern_bytes json, struct postern_metadata *m)
{
    return read_needed(issuer_text, content_type, json, POSTERN_NEED_TOKEN, m);
}

static void the_token_endpoint_is_taken_from_the_issuers_own_document(void **state)
{
    static const struct {
        const char *issuer, *json, *endpoint;
        bool is_configured;
    } cases[] = {
        { "https://h/r", "{\"issuer\":\"https://h/r\",\"token_endpoint\":\"https://h/token\"}",
          "https://h/token", true },
        { "https://h",
          "{\"x\":[{}],\"token_endpoint\":\"https://t.h/a?b=c\",\"issuer\":\"https://h\"}",
          "https://t.h/a?b=c", false },
        { "https://h",
          "{\"issuer\":\"https:\\/\\/h\",\"token_endpoint\":\"https:\\/\\/h:8443\\/t\"}",
          "https://h:8443/t", true },
        { "http://127.0.0.1:8414",
          "{\"issuer\":\"http://127.0.0.1:8414\",\"token_endpoint\":\"http://127.0.0.1:8414/oauth/"
          "token\"}",
          "http://127.0.0.1:8414/oauth/token", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_metadata m = { 0 };

        assert_int_equal(read_document(cases[i].issuer, "application/json",
                                       postern_bytes_str(cases[i].json), &m),
                         POSTERN_OK);
        assert_string_equal(m.token.url, cases[i].endpoint);
        assert_int_equal(m.token.is_host_configured, cases[i].is_configured);
    }
}

#define LIT(s) POSTERN_BYTES_LIT(s)
#define GOOD   LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/t\"}")

static void another_issuers_document_is_untrusted(void **state)
{
    static const char *const said[] = {
        "{\"issuer\":\"https://h/\",\"token_endpoint\":\"https://h/t\"}",
        "{\"issuer\":\"https://H\",\"token_endpoint\":\"https://h/t\"}",
        "{\"issuer\":\"https://h:443\",\"token_endpoint\":\"https://h/t\"}",
        "{\"issuer\":\"https://evil\",\"token_endpoint\":\"https://h/t\"}",
        "{\"issuer\":\"\",\"token_endpoint\":\"https://h/t\"}",
        "{\"token_endpoint\":\"https://h/t\"}",
        "{}",
    };

    (void)state;
    assert_int_equal(read_document("https://h", "application/json", GOOD, NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (read_document("https://h", "application/json", postern_bytes_str(said[i]), NULL) !=
            POSTERN_ERR_ISSUER_UNTRUSTED)
            fail_msg("%s", said[i]);
}

static void a_document_that_cannot_be_used_is_an_answer_not_a_verdict(void **state)
{
    static const struct {
        const char *why, *type;
        postern_bytes json;
    } cases[] = {
        { "HTML", "text/html", LIT("<html>") },
        { "JSON that says it is HTML", "text/html", GOOD },
        { "no type", "", GOOD },
        { "empty", "application/json", LIT("") },
        { "array", "application/json", LIT("[]") },
        { "trailing text", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/t\"}x") },
        { "issuer twice", "application/json",
          LIT("{\"issuer\":\"https://h\",\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/"
              "t\"}") },
        { "issuer twice, once escaped", "application/json",
          LIT("{\"issuer\":\"https://evil\",\"\\u0069ssuer\":\"https://h\",\"token_endpoint\":"
              "\"https://h/t\"}") },
        { "NUL in the issuer", "application/json",
          LIT("{\"issuer\":\"https://h\\u0000\",\"token_endpoint\":\"https://h/t\"}") },
        { "issuer is a number", "application/json",
          LIT("{\"issuer\":1,\"token_endpoint\":\"https://h/t\"}") },
        { "no endpoint", "application/json", LIT("{\"issuer\":\"https://h\"}") },
        { "endpoint is null", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":null}") },
        { "endpoint by http", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"http://h/t\"}") },
        { "endpoint by http on loopback", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"http://127.0.0.1/t\"}") },
        { "endpoint with user", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h@evil/t\"}") },
        { "endpoint with fragment", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/t#x\"}") },
        { "endpoint not ASCII", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://\xc3\xa9/t\"}") },
        { "endpoint is relative", "application/json",
          LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"/t\"}") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (read_document("https://h", cases[i].type, cases[i].json, NULL) !=
            POSTERN_ERR_ISSUER_ANSWER)
            fail_msg("%s", cases[i].why);
}

static void a_loopback_issuer_keeps_its_endpoint_at_its_own_origin(void **state)
{
    static const char *const elsewhere[] = {
        "http://127.0.0.1:8415/t",  "http://127.0.0.2:8414/t", "http://localhost:8414/t",
        "https://127.0.0.1:8414/t", "http://evil.example/t",   "https://evil.example/t",
    };

    (void)state;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        char json[256];

        (void)snprintf(json, sizeof json,
                       "{\"issuer\":\"http://127.0.0.1:8414\",\"token_endpoint\":\"%s\"}",
                       elsewhere[i]);
        if (read_document("http://127.0.0.1:8414", "application/json", postern_bytes_str(json),
                          NULL) != POSTERN_ERR_ISSUER_ANSWER)
            fail_msg("%s", elsewhere[i]);
    }
}

static postern_err read_more(const char *members, unsigned needs, struct postern_metadata *m)
{
    char json[1024];

    (void)snprintf(json, sizeof json,
                   "{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/t\"%s}", members);
    return read_needed("https://h", "application/json", postern_bytes_str(json), needs, m);
}

static void keys_and_introspection_are_judged_like_any_endpoint(void **state)
{
    static const struct {
        const char *name;
        unsigned need;
    } cases[] = { { "jwks_uri", POSTERN_NEED_JWKS },
                  { "introspection_endpoint", POSTERN_NEED_INTROSPECTION } };
    static const char *const bad[] = { "http://h/x", "https://u@h/x", "/x", "", "file:///x" };
    struct postern_metadata m = { 0 };
    char members[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_more("", cases[i].need, NULL), POSTERN_ERR_ISSUER_ANSWER);
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            (void)snprintf(members, sizeof members, ",\"%s\":\"%s\"", cases[i].name, bad[k]);
            assert_int_equal(read_more(members, cases[i].need, NULL), POSTERN_ERR_ISSUER_ANSWER);
            assert_int_equal(read_more(members, POSTERN_NEED_TOKEN, NULL), POSTERN_OK);
        }
    }
    assert_int_equal(read_more(",\"jwks_uri\":\"https://h/j\",\"introspection_endpoint\":"
                               "\"https://i/i\",\"introspection_endpoint_auth_methods_supported\":["
                               "\"client_secret_post\"]",
                               POSTERN_NEED_JWKS | POSTERN_NEED_INTROSPECTION, &m),
                     POSTERN_OK);
    assert_string_equal(m.jwks.url, "https://h/j");
    assert_true(m.jwks.is_host_configured);
    assert_string_equal(m.introspection.url, "https://i/i");
    assert_false(m.introspection.is_host_configured);
    assert_int_equal(m.introspection_auth, POSTERN_TAKES_POST);
    assert_int_equal(m.token_auth, POSTERN_TAKES_BASIC);
}

#define LOGIN  (POSTERN_NEED_AUTHORIZATION | POSTERN_NEED_TOKEN)
#define PAGE   ",\"authorization_endpoint\":\"https://h/a\""
#define S256   ",\"code_challenge_methods_supported\":[\"plain\",\"S256\"]"

static void a_login_needs_a_page_and_s256(void **state)
{
    static const char *const bad[] = {
        "",
        PAGE,
        S256,
        PAGE ",\"code_challenge_methods_supported\":[\"plain\"]",
        PAGE ",\"code_challenge_methods_supported\":\"S256\"",
        PAGE ",\"code_challenge_methods_supported\":[\"s256\",1,null]",
        ",\"authorization_endpoint\":\"http://h/a\"" S256,
        ",\"authorization_endpoint\":\"javascript:x\"" S256,
        ",\"authorization_endpoint\":7" S256,
    };
    struct postern_metadata m = { 0 };

    (void)state;
    assert_int_equal(read_more(PAGE S256, LOGIN, &m), POSTERN_OK);
    assert_string_equal(m.authorization.url, "https://h/a");
    assert_string_equal(m.revocation.url, "");
    assert_false(m.says_iss);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_more(bad[i], LOGIN, NULL) != POSTERN_ERR_ISSUER_ANSWER)
            fail_msg("%s", bad[i]);
}

static void what_is_not_needed_is_not_judged(void **state)
{
    struct postern_metadata m = { 0 };

    (void)state;
    assert_int_equal(read_more(",\"authorization_endpoint\":\"http://evil/\","
                               "\"revocation_endpoint\":7",
                               POSTERN_NEED_TOKEN, &m),
                     POSTERN_OK);
    assert_string_equal(m.authorization.url, "");
    assert_string_equal(m.revocation.url, "");
    assert_int_equal(read_more("", POSTERN_NEED_REVOCATION, NULL), POSTERN_ERR_ISSUER_ANSWER);
    assert_int_equal(read_more(",\"revocation_endpoint\":\"http://h/r\"",
                               POSTERN_NEED_REVOCATION, NULL),
                     POSTERN_ERR_ISSUER_ANSWER);
}

static void the_flag_of_rfc_9207_counts_only_as_true(void **state)
{
    static const char *const no[] = { "false", "\"true\"", "1", "null" };
    struct postern_metadata m = { 0 };
    char members[512];

    (void)state;
    assert_int_equal(
        read_more(PAGE S256 ",\"authorization_response_iss_parameter_supported\":true", LOGIN, &m),
        POSTERN_OK);
    assert_true(m.says_iss);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        (void)snprintf(members, sizeof members,
                       PAGE S256 ",\"authorization_response_iss_parameter_supported\":%s", no[i]);
        assert_int_equal(read_more(members, LOGIN, &m), POSTERN_OK);
        assert_false(m.says_iss);
    }
}

static void the_ways_to_send_a_secret_are_those_that_are_listed(void **state)
{
    static const struct {
        const char *list;
        unsigned want;
    } cases[] = {
        { "", POSTERN_TAKES_BASIC },
        { ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]",
          POSTERN_TAKES_POST },
        { ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\","
          "\"client_secret_basic\"]",
          POSTERN_TAKES_POST | POSTERN_TAKES_BASIC },
        { ",\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]", 0 },
        { ",\"token_endpoint_auth_methods_supported\":\"client_secret_post\"", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_metadata m = { 0 };

        assert_int_equal(read_more(cases[i].list, POSTERN_NEED_TOKEN, &m), POSTERN_OK);
        assert_int_equal(m.token_auth, cases[i].want);
        assert_int_equal(m.revocation_auth, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_follow_rfc_8414_then_openid_connect),
        cmocka_unit_test(an_issuer_is_a_url_without_query_and_fragment),
        cmocka_unit_test(the_token_endpoint_is_taken_from_the_issuers_own_document),
        cmocka_unit_test(another_issuers_document_is_untrusted),
        cmocka_unit_test(a_document_that_cannot_be_used_is_an_answer_not_a_verdict),
        cmocka_unit_test(a_loopback_issuer_keeps_its_endpoint_at_its_own_origin),
        cmocka_unit_test(keys_and_introspection_are_judged_like_any_endpoint),
        cmocka_unit_test(a_login_needs_a_page_and_s256),
        cmocka_unit_test(what_is_not_needed_is_not_judged),
        cmocka_unit_test(the_flag_of_rfc_9207_counts_only_as_true),
        cmocka_unit_test(the_ways_to_send_a_secret_are_those_that_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
