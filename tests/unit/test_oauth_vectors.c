/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The claim sets that RFC 9068 and RFC 8693 print, through the whole of a login.  Neither publishes
 * the keys of its examples, so they are signed anew, under the headers and at the times of the
 * RFCs.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "../support/test_login.h"

static test_login t;
static test_key *rsa;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    rsa = test_key_rsa();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    return 0;
}

static void configure(const char *issuer, const char *service)
{
    test_folder_put(&t.folder, "issuers/sso.conf", issuer);
    test_folder_put(&t.folder, "services/imap.conf", service);
    test_login_reload(&t);
}

/* ret_grant may be NULL. */
static void assert_login(const char *source, char *take_token, postern_err want,
                         postern_grant **ret_grant)
{
    postern_request rq = test_login_request(take_token);
    postern_err e = test_login_run(&t, &rq, ret_grant);

    if (e != want)
        fail_msg("%s: wanted %s, got %s (%s)", source, postern_err_reason(want),
                 postern_err_reason(e), t.err.detail);
    free(take_token);
}

/* ---- RFC 9068 ---- */

#define RFC_9068_CLAIMS                                                                            \
    "{\"iss\":\"https://authorization-server.example.com/\",\"sub\":\"5ba552d67\","                \
    "\"aud\":\"https://rs.example.com/\",\"exp\":1639528912,\"iat\":1618354090,"                   \
    "\"jti\":\"dbe39bf3a3ba4238a513f51d6e1691c4\",\"client_id\":\"s6BhdRkqt3\","                   \
    "\"scope\":\"openid profile reademail\"}"

static char *sign_9068(const char *typ)
{
    char *header = test_printf("{\"typ\":\"%s\",\"alg\":\"RS256\",\"kid\":\"RjEwOwOA\"}", typ),
         *token = test_sign(rsa, "RS256", header, RFC_9068_CLAIMS);

    free(header);
    return token;
}

static void configure_9068(const char *audience)
{
    char *service =
        test_printf("audience: %s\nhelper_peers: 0\nrequired_scopes: reademail\n", audience);

    test_login_put_key(&t, rsa, "RjEwOwOA");
    configure("issuer: https://authorization-server.example.com/\njwks_file: keys.json\n", service);
    free(service);
}

static void the_access_token_of_rfc_9068_section_3_is_accepted_in_its_time(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    configure_9068("https://rs.example.com/");
    t.now_s = 1618354090;
    assert_login("RFC 9068 3", sign_9068("at+JWT"), POSTERN_OK, &g);
    assert_string_equal(postern_grant_subject(g), "5ba552d67");
    assert_string_equal(postern_grant_client_id(g), "s6BhdRkqt3");
    assert_true(postern_grant_has_scope(g, "openid"));
    assert_false(postern_grant_has_scope(g, "email"));
    t.now_s = 1618354090 - 61;
    assert_login("before it was issued", sign_9068("at+JWT"), POSTERN_ERR_NOT_YET_VALID, NULL);
    t.now_s = 1639528912 + 59;
    assert_login("in the last second of the skew", sign_9068("at+JWT"), POSTERN_OK, NULL);
    t.now_s = 1639528912 + 60;
    assert_login("behind it", sign_9068("at+JWT"), POSTERN_ERR_EXPIRED, NULL);
}

static void the_access_token_of_rfc_9068_section_3_counts_nowhere_else(void **state)
{
    (void)state;
    configure_9068("https://rs.example.com/");
    t.now_s = 1618354090;
    assert_login("another type", sign_9068("JWT"), POSTERN_ERR_TYP, NULL);
    configure_9068("https://rs.example.com");
    assert_login("another audience", sign_9068("at+JWT"), POSTERN_ERR_AUD, NULL);
}

/* ---- RFC 8693 ---- */

/* The examples have no iat, jti nor client_id, and no typ. */
static void configure_8693(const char *issuer, const char *audience)
{
    char *issuer_file = test_printf("issuer: %s\njwks_file: keys.json\nrequired_claims: sub\n"
                                    "token_types: at+jwt untyped\n",
                                    issuer),
         *service = test_printf("audience: %s\nhelper_peers: 0\n"
                                "username_strip_domain: example.com example.net\n",
                                audience);

    test_login_put_key(&t, t.key, "72");
    configure(issuer_file, service);
    free(issuer_file);
    free(service);
}

static char *sign_8693(const char *claims)
{
    return test_sign(t.key, "ES256", "{\"alg\":\"ES256\",\"kid\":\"72\"}", claims);
}

#define CONSUMER                                                                                   \
    "{\"aud\":\"https://consumer.example.com\",\"iss\":\"https://issuer.example.com\","            \
    "\"exp\":1443904177,\"nbf\":1443904077,\"sub\":\"user@example.com\","

static void the_actor_of_rfc_8693_section_4_1_acts(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    configure_8693("https://issuer.example.com", "https://consumer.example.com");
    t.now_s = 1443904100;
    assert_login("RFC 8693 4.1, figure 5",
                 sign_8693(CONSUMER "\"act\":{\"sub\":\"admin@example.com\"}}"), POSTERN_OK, &g);
    assert_string_equal(postern_grant_subject(g), "user@example.com");
    assert_string_equal(postern_grant_actor(g), "admin@example.com");
    assert_string_equal(postern_grant_user(g), "user");
    assert_null(postern_grant_act(g, 1));
}

static void of_the_chain_of_rfc_8693_section_4_1_the_outermost_acts(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    configure_8693("https://issuer.example.com", "https://service26.example.com");
    t.now_s = 1443904050;
    assert_login("RFC 8693 4.1, figure 6",
                 sign_8693("{\"aud\":\"https://service26.example.com\","
                           "\"iss\":\"https://issuer.example.com\",\"exp\":1443904100,"
                           "\"nbf\":1443904000,\"sub\":\"user@example.com\",\"act\":{\"sub\":"
                           "\"https://service16.example.com\",\"act\":{\"sub\":"
                           "\"https://service77.example.com\"}}}"),
                 POSTERN_OK, &g);
    assert_string_equal(postern_grant_actor(g), "https://service16.example.com");
    assert_string_equal(postern_grant_act(g, 1), "https://service77.example.com");
    assert_null(postern_grant_act(g, 2));
}

/* RFC 8693 §4.4: what may_act allows is the issuer's business when the token is exchanged. */
static void who_may_act_does_not_act(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    configure_8693("https://issuer.example.com", "https://consumer.example.com");
    t.now_s = 1443904100;
    assert_login("RFC 8693 4.4", sign_8693(CONSUMER "\"may_act\":{\"sub\":\"admin@example.com\"}}"),
                 POSTERN_OK, &g);
    assert_string_equal(postern_grant_subject(g), "user@example.com");
    assert_null(postern_grant_act(g, 0));
}

#define COOPERATION                                                                                \
    "{\"aud\":\"urn:example:cooperation-context\",\"iss\":\"https://as.example.com\","             \
    "\"exp\":1441913610,"

static void the_exchanged_tokens_of_rfc_8693_appendix_a_say_who_acts(void **state)
{
    POSTERN_AUTO(grant) impersonated = NULL;
    POSTERN_AUTO(grant) delegated = NULL;

    (void)state;
    configure_8693("https://as.example.com", "urn:example:cooperation-context");
    t.now_s = 1441910000;
    assert_login("RFC 8693 A.1.3",
                 sign_8693(COOPERATION "\"sub\":\"bdc@example.net\","
                                       "\"scope\":\"orders profile history\"}"),
                 POSTERN_OK, &impersonated);
    assert_null(postern_grant_act(impersonated, 0));
    assert_string_equal(postern_grant_user(impersonated), "bdc");
    assert_true(postern_grant_has_scope(impersonated, "history"));
    assert_login("RFC 8693 A.2.5",
                 sign_8693(COOPERATION "\"scope\":\"status feed\",\"sub\":\"user@example.net\","
                                       "\"act\":{\"sub\":\"admin@example.net\"}}"),
                 POSTERN_OK, &delegated);
    assert_string_equal(postern_grant_subject(delegated), "user@example.net");
    assert_string_equal(postern_grant_actor(delegated), "admin@example.net");
}

/* Those of A.1.1 and A.2.1 are for the authorization server: at a service they are worth nothing.
 */
static void the_subject_tokens_of_rfc_8693_appendix_a_are_not_for_services(void **state)
{
    (void)state;
    configure_8693("https://as.example.com", "urn:example:cooperation-context");
    t.now_s = 1441909500;
    assert_login("RFC 8693 A.1.1",
                 sign_8693("{\"aud\":\"https://as.example.com\","
                           "\"iss\":\"https://original-issuer.example.net\",\"exp\":1441910600,"
                           "\"nbf\":1441909000,\"sub\":\"bdc@example.net\","
                           "\"scope\":\"orders profile history\"}"),
                 POSTERN_ERR_ISS, NULL);
    configure_8693("https://original-issuer.example.net", "urn:example:cooperation-context");
    assert_login("RFC 8693 A.2.1",
                 sign_8693("{\"aud\":\"https://as.example.com\","
                           "\"iss\":\"https://original-issuer.example.net\",\"exp\":1441910060,"
                           "\"scope\":\"status feed\",\"sub\":\"user@example.net\","
                           "\"may_act\":{\"sub\":\"admin@example.net\"}}"),
                 POSTERN_ERR_AUD, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_access_token_of_rfc_9068_section_3_is_accepted_in_its_time),
        CASE(the_access_token_of_rfc_9068_section_3_counts_nowhere_else),
        CASE(the_actor_of_rfc_8693_section_4_1_acts),
        CASE(of_the_chain_of_rfc_8693_section_4_1_the_outermost_acts),
        CASE(who_may_act_does_not_act),
        CASE(the_exchanged_tokens_of_rfc_8693_appendix_a_say_who_acts),
        CASE(the_subject_tokens_of_rfc_8693_appendix_a_are_not_for_services),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
