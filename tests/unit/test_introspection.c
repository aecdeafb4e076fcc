/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/introspect*.c through validate.c: what an issuer may answer, what is asked, and what is
 * remembered.  RFC 7662. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/test_login.h"
#include "oauth/context_inner.h"
#include "oauth/source_buckets.h"

#define METADATA_URL "https://sso.example.org/.well-known/oauth-authorization-server/realms/agents"
#define ENDPOINT     "https://sso.example.org/introspect"
#define METADATA                                                                                   \
    "{\"issuer\":\"" TEST_ISSUER "\",\"introspection_endpoint\":\"" ENDPOINT                       \
    "\",\"introspection_endpoint_auth_methods_supported\":[\"client_secret_basic\"]}"
#define OPAQUE "opq_8xLOxBtZp8"

static test_login t;
static struct fake_transport fake;
static struct fake_answer script[FAKE_RECORDS];
static char *answers[FAKE_RECORDS];
static postern_request rq;

static struct fake_answer say(int status, const char *body)
{
    return (struct fake_answer){ .status = status, .body = postern_bytes_str(body) };
}

/* An active answer with a good token's claims, one of them changed. */
static char *make_answer(const char *name, const char *json)
{
    char *claims = test_login_claims(name, json);
    char *answer = test_printf("{\"active\":true,\"token_type\":\"Bearer\",%s", claims + 1);

    free(claims);
    return answer;
}

static void put_issuer(const char *mode, const char *more)
{
    char *text = test_printf("issuer: " TEST_ISSUER "\njwks_file: %s\nclient: posternd\n"
                             "introspection: %s\n%s",
                             test_folder_at(&t.folder, "keys.json"), mode, more);

    test_folder_put(&t.folder, "issuers/sso.conf", text);
    free(text);
}

static void put_service(const char *more)
{
    char *text = test_printf("audience: " TEST_AUDIENCE "\nhelper_peers: 0\n"
                             "username_strip_domain: example.org\nrequired_scopes: mail.read\n%s",
                             more);

    test_folder_put(&t.folder, "services/imap.conf", text);
    free(text);
}

static postern_agent make_client(void)
{
    return (postern_agent){ .issuer = TEST_ISSUER,
                            .client_id = "postern d",
                            .credential = POSTERN_BYTES_LIT("a:b%c+d") };
}

static void reload(void)
{
    postern_agent client = make_client();

    test_login_reload(&t);
    postern_context_set_transport(t.context, &fake.transport);
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_OK);
}

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_folder_put(&t.folder, "clients/posternd.conf",
                    "issuer: " TEST_ISSUER "\nclient_id: posternd\nclient_credential_file: secret\n");
    put_issuer("opaque", "");
    fake_transport_init(&fake, script, 0);
    script[fake.answer_count++] = say(200, METADATA);
    script[0].url = METADATA_URL;
    reload();
    rq = test_login_request(OPAQUE);
    rq.carrier = POSTERN_CARRIER_SASL;
    rq.peer = "192.0.2.7";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    assert_int_equal(fake.open, 0);
    for (size_t i = 0; i < FAKE_RECORDS; i++)
        free(POSTERN_STEAL(answers[i]));
    return 0;
}

/* The next exchange of the script. */
static void expect(struct fake_answer a)
{
    script[fake.answer_count++] = a;
}

static void expect_active(const char *name, const char *json)
{
    char **place = &answers[fake.answer_count];

    *place = make_answer(name, json);
    expect(say(200, *place));
}

static void assert_login(const char *why, postern_err want)
{
    postern_err got = test_login_run(&t, &rq, NULL);

    if (got != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want),
                 postern_err_reason(got), t.err.detail);
}

/* A fresh context that has no metadata yet, and one answer to the one question. */
static void assert_answer(const char *why, struct fake_answer a, postern_err want)
{
    fake_transport_init(&fake, script, 1);
    reload();
    expect(a);
    assert_login(why, want);
    assert_int_equal(fake.started, 2);
}

/* ---- an opaque token ---- */

static void an_opaque_token_that_is_active_is_proved(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active(NULL, NULL);
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_string_equal(postern_grant_user(g), "alice");
    assert_string_equal(postern_grant_client_id(g), "agent-7");
    assert_string_equal(postern_grant_issuer(g), TEST_ISSUER);
    assert_string_equal(postern_grant_scope(g), "mail.read mail.write");
    assert_int_equal(postern_grant_exp_s(g), 1800000300);
    assert_int_equal(postern_grant_introspected_s(g), TEST_NOW_S);
    assert_true(postern_grant_is_answer(g));
    assert_int_equal(postern_grant_origin(g), POSTERN_ORIGIN_LOCAL_PROOF);
}

/* IN-01, CL-03: in the body, and form-encoded before Basic. */
static void the_question_has_the_token_in_its_body_and_our_secret_in_its_header(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    assert_int_equal(fake.started, 2);
    assert_string_equal(fake.records[1].method, "POST");
    assert_string_equal(fake.records[1].url, ENDPOINT);
    assert_string_equal(fake.records[1].body, "token=" OPAQUE "&token_type_hint=access_token");
    /* postern+d:a%3Ab%25c%2Bd */
    assert_string_equal(fake.records[1].authorization, "Basic cG9zdGVybitkOmElM0FiJTI1YyUyQmQ=");
    assert_true(fake.records[1].is_host_configured);
    assert_true(fake.records[1].deadline_ms <= POSTERN_INTROSPECTION_MS);
    assert_string_equal(fake.records[0].authorization, "");
}

static void a_secret_goes_into_the_body_where_the_server_takes_it_nowhere_else(void **state)
{
    (void)state;
    script[0].body = POSTERN_BYTES_LIT(
        "{\"issuer\":\"" TEST_ISSUER "\",\"introspection_endpoint\":\"" ENDPOINT
        "\",\"introspection_endpoint_auth_methods_supported\":[\"client_secret_post\"]}");
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    assert_string_equal(fake.records[1].authorization, "");
    assert_non_null(strstr(fake.records[1].body, "&client_id=postern+d&client_secret=a%3Ab%25c%2Bd"));
}

/* IN-02 */
static void only_the_word_true_makes_a_token_active(void **state)
{
    static const struct {
        const char *body;
        postern_err want;
    } cases[] = {
        { "{\"active\":false}", POSTERN_ERR_INACTIVE },
        { "{\"active\":false,\"sub\":\"alice\",\"aud\":\"" TEST_AUDIENCE "\"}", POSTERN_ERR_INACTIVE },
        { "{\"active\":\"true\"}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":1}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":null}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":[true]}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"Active\":true}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\\u0000\":true}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":false,\"active\":true}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":true,\"active\":true}", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":TRUE}", POSTERN_ERR_ISSUER_ANSWER },
        { "{}", POSTERN_ERR_ISSUER_ANSWER },
        { "[true]", POSTERN_ERR_ISSUER_ANSWER },
        { "true", POSTERN_ERR_ISSUER_ANSWER },
        { "", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":true", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":true}x", POSTERN_ERR_ISSUER_ANSWER },
        { "{\"active\":true}", POSTERN_ERR_AUD },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_answer(cases[i].body, say(200, cases[i].body), cases[i].want);
}

static void whatever_else_the_server_says_is_undecided(void **state)
{
    static const struct {
        struct fake_answer answer;
        postern_err want;
    } cases[] = {
        { { .status = 200, .content_type = "application/token-introspection+jwt" }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .content_type = "text/html" }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .content_type = "" }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 201 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 204 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 400 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 401 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 403 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 404 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 429 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .status = 500 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .status = 503, .retry_after_s = 7 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .step_err = POSTERN_ERR_TIMEOUT }, POSTERN_ERR_TIMEOUT },
        { { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .step_err = POSTERN_ERR_ISSUER_UNTRUSTED }, POSTERN_ERR_ISSUER_UNTRUSTED },
        { { .start_err = POSTERN_ERR_NOMEM }, POSTERN_ERR_NOMEM },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_answer a = cases[i].answer;

        if (a.body.ptr == NULL)
            a.body = POSTERN_BYTES_LIT("{\"active\":true}");
        assert_answer(postern_err_reason(cases[i].want), a, cases[i].want);
        assert_int_equal(postern_err_outcome(t.failure.code), POSTERN_UNDECIDED);
    }
}

static void an_answer_of_more_than_a_token_could_say_is_none(void **state)
{
    char *big = malloc(POSTERN_INTROSPECTION_MAX + 2);
    static const char head[] = "{\"active\":true,\"x\":\"";

    (void)state;
    assert_non_null(big);
    memset(big, 'x', POSTERN_INTROSPECTION_MAX + 1);
    memcpy(big, head, sizeof head - 1);
    memcpy(big + POSTERN_INTROSPECTION_MAX - 1, "\"}", 3);
    assert_answer("a byte too long", say(200, big), POSTERN_ERR_ISSUER_ANSWER);
    memcpy(big + POSTERN_INTROSPECTION_MAX - 2, "\"}", 3);
    assert_answer("as long as can be", say(200, big), POSTERN_ERR_AUD);
    free(big);
}

static void credentials_that_the_server_refuses_are_the_operators_to_look_at(void **state)
{
    (void)state;
    expect(say(401, "{\"error\":\"invalid_client\"}"));
    assert_login("401", POSTERN_ERR_ISSUER_ANSWER);
    assert_non_null(strstr(t.err.detail, "clients/"));
    assert_non_null(strstr(t.err.detail, "postern d"));
    assert_null(strstr(t.err.detail, "a:b"));
    assert_login("it is not asked again at once", POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_int_equal(fake.started, 2);
}

/* Some say that with 400 (RFC 6749 §5.2 has 401 only for Basic). */
static void credentials_that_the_server_refuses_with_400_are_the_same(void **state)
{
    (void)state;
    expect(say(400, "{\"error\":\"invalid_client\"}"));
    assert_login("400", POSTERN_ERR_ISSUER_ANSWER);
    assert_non_null(strstr(t.err.detail, "clients/"));
    assert_login("it is not asked again at once", POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_int_equal(fake.started, 2);
}

static void a_server_that_will_not_say_anything_of_a_token_is_quoted(void **state)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        { "{\"error\":\"unsupported_token_type\"}", "status 400, unsupported_token_type" },
        { "{\"error\":\"invalid_request\",\"active\":true}", "status 400, invalid_request" },
        { "{\"error\":\"" OPAQUE "\"}", "unexpected status 400" },
        { "{\"error\":[\"invalid_client\"]}", "unexpected status 400" },
        { "{\"active\":true}", "unexpected status 400" },
        { "{\"error\":\"invalid_client\"", "unexpected status 400" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_answer(cases[i].body, say(400, cases[i].body), POSTERN_ERR_ISSUER_ANSWER);
        if (strstr(t.err.detail, cases[i].want) == NULL)
            fail_msg("%s: %s", cases[i].body, t.err.detail);
        assert_null(strstr(t.err.detail, OPAQUE));
    }
}


/* ---- its metadata ---- */

#define METADATA_OF_BOTH                                                                           \
    "{\"issuer\":\"" TEST_ISSUER "\",\"introspection_endpoint\":\"" ENDPOINT                       \
    "\",\"jwks_uri\":\"https://sso.example.org/jwks\"}"

/* An issuer whose keys are found by its metadata too. */
static void reload_without_key_file(void)
{
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\nclient: posternd\nintrospection: opaque\n");
    reload();
}

static void keys_and_questions_are_found_by_one_document(void **state)
{
    char *set = test_key_jwks(t.key, "a", NULL);

    (void)state;
    reload_without_key_file();
    script[0].body = POSTERN_BYTES_LIT(METADATA_OF_BOTH);
    expect_active(NULL, NULL);
    expect(say(200, set));
    assert_login("opaque", POSTERN_OK);
    assert_string_equal(t.events, "metadata.loaded ");
    assert_int_equal(fake.started, 2);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_string_equal(fake.records[2].url, "https://sso.example.org/jwks");
    assert_int_equal(fake.started, 3);
    free(set);
}

/* One pause for both: a signed token does not ask for what an opaque one was refused. */
static void an_issuer_without_usable_metadata_is_asked_once_by_keys_and_questions(void **state)
{
    static const char *const bodies[] = {
        METADATA, /* no jwks_uri */
        "{\"issuer\":\"" TEST_ISSUER "\",\"jwks_uri\":\"https://sso.example.org/jwks\"}",
        "{\"issuer\":\"" TEST_ISSUER "\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        reload_without_key_file();
        fake_transport_init(&fake, script, 0);
        expect(say(200, bodies[i]));
        assert_login(bodies[i], POSTERN_ERR_ISSUER_ANSWER);
        assert_login("again", POSTERN_ERR_ISSUER_ANSWER);
        assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_ERR_KEYS_UNAVAILABLE);
        assert_int_equal(fake.started, 1);
    }
}

static void keys_from_a_file_need_no_metadata(void **state)
{
    (void)state;
    script[0] = (struct fake_answer){ .step_err = POSTERN_ERR_ISSUER_UNREACHABLE };
    assert_login("opaque", POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(fake.started, 1);
}

/* ---- its claims are judged like signed ones ---- */

static void each_claim_of_an_answer_is_judged_as_in_a_signed_token(void **state)
{
    static const struct {
        const char *name, *json;
        postern_err want;
    } cases[] = {
        { "iss", NULL, POSTERN_OK },
        { "iss", "\"" TEST_ISSUER "/\"", POSTERN_ERR_ISS },
        { "iss", "7", POSTERN_ERR_ISS },
        { "iss", "null", POSTERN_ERR_ISS },
        { "aud", NULL, POSTERN_ERR_AUD },
        { "aud", "\"https://mail.example.org/smtp\"", POSTERN_ERR_AUD },
        { "aud", "[]", POSTERN_ERR_AUD },
        { "aud", "[\"x\",\"" TEST_AUDIENCE "\"]", POSTERN_OK },
        { "exp", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "exp", "1799999940", POSTERN_ERR_EXPIRED },
        { "exp", "\"1800000300\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "exp", "1799999941", POSTERN_OK },
        { "nbf", "1800000061", POSTERN_ERR_NOT_YET_VALID },
        { "nbf", "1800000060", POSTERN_OK },
        { "iat", "1800000061", POSTERN_ERR_NOT_YET_VALID },
        { "iat", NULL, POSTERN_OK },
        { "jti", NULL, POSTERN_OK },
        { "jti", "7", POSTERN_ERR_MALFORMED_CLAIM },
        { "sub", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "sub", "\"a\\u0000\"", POSTERN_ERR_ISSUER_ANSWER },
        { "sub", "\"root\"", POSTERN_ERR_USER_DENIED },
        { "client_id", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "client_id", "[\"agent-7\"]", POSTERN_ERR_MALFORMED_CLAIM },
        { "scope", "\"mail.write\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "scope", NULL, POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "cnf", "{\"jkt\":\"x\"}", POSTERN_ERR_CNF },
        { "act", "{\"sub\":\"agent-9\"}", POSTERN_OK },
        { "act", "\"agent-9\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "at_hash", "\"x\"", POSTERN_ERR_TYP },
        { "typ", "\"Bearer\"", POSTERN_OK },
        { "typ", "\"Refresh\"", POSTERN_ERR_TYP },
        { "typ", "\"ID\"", POSTERN_ERR_TYP },
        { "typ", "7", POSTERN_ERR_TYP },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = make_answer(cases[i].name, cases[i].json);

        assert_answer(answer, say(200, answer), cases[i].want);
        free(answer);
    }
}

/* RFC 7662 §4: a refresh token is active as well. */
static void a_token_of_another_type_does_not_pass_as_an_access_token(void **state)
{
    static const struct {
        const char *json;
        postern_err want;
    } cases[] = {
        { "\"bearer\"", POSTERN_OK },
        { "\"access_token\"", POSTERN_OK },
        { "\"urn:ietf:params:oauth:token-type:access_token\"", POSTERN_OK },
        { "\"refresh_token\"", POSTERN_ERR_TYP },
        { "\"urn:ietf:params:oauth:token-type:refresh_token\"", POSTERN_ERR_TYP },
        { "\"id_token\"", POSTERN_ERR_TYP },
        { "\"Bearer \"", POSTERN_ERR_TYP },
        { "\"\"", POSTERN_ERR_TYP },
        { "null", POSTERN_ERR_TYP },
        { "\"N_A\"", POSTERN_ERR_TYP },
        { "\"DPoP\"", POSTERN_ERR_CNF },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *claims = test_login_claims(NULL, NULL);
        char *answer = test_printf("{\"active\":true,\"token_type\":%s,%s", cases[i].json, claims + 1);

        assert_answer(cases[i].json, say(200, answer), cases[i].want);
        free(answer);
        free(claims);
    }
}

static void which_claims_an_answer_must_hold_is_the_issuer_files_to_say(void **state)
{
    (void)state;
    put_issuer("opaque", "introspection_claims: client_id\nusername_claim: client_id\n");
    reload();
    expect_active("sub", NULL);
    assert_login("an agent's own token without sub", POSTERN_OK);
    rq.token = POSTERN_BYTES_LIT("another");
    expect_active("client_id", NULL);
    assert_login("without client_id", POSTERN_ERR_CLAIM_MISSING);
    put_issuer("opaque", "introspection_claims: sub client_id jti\n");
    fake_transport_init(&fake, script, 1);
    reload();
    free(answers[1]);
    expect_active("jti", NULL);
    assert_login("without jti", POSTERN_ERR_CLAIM_MISSING);
}

/* ---- which tokens are asked about ---- */

static void assert_not_asked(const char *token, postern_carrier carrier, postern_err want)
{
    rq.token = postern_bytes_str(token);
    rq.carrier = carrier;
    assert_login(token, want);
    assert_int_equal(fake.started, 0);
}

/* Another signature. */
static void alter(char *token)
{
    char *c = strrchr(token, '.') + 5;

    *c = *c == 'A' ? 'B' : 'A';
}

/* Never "try JWT, then introspect on a bad signature". */
static void what_looks_like_a_jws_or_jwe_is_never_asked_about_as_opaque(void **state)
{
    char *token = test_login_token(&t, NULL, NULL);

    (void)state;
    assert_not_asked(token, POSTERN_CARRIER_SASL, POSTERN_OK);
    alter(token);
    assert_not_asked(token, POSTERN_CARRIER_SASL, POSTERN_ERR_BAD_SIGNATURE);
    token[strlen(token) - 3] = '{';
    assert_not_asked(token, POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked("e30.e30.e30", POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked("e30.e30.", POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked("a.b.c.d.e", POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked("with a blank", POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked("\xc3\xa4", POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    free(token);
}

static void without_introspection_an_opaque_token_is_malformed(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf", "issuer: " TEST_ISSUER "\njwks_file: keys.json\n");
    test_login_reload(&t);
    postern_context_set_transport(t.context, &fake.transport);
    assert_not_asked(OPAQUE, POSTERN_CARRIER_SASL, POSTERN_ERR_MALFORMED);
    assert_not_asked(OPAQUE, POSTERN_CARRIER_RAW, POSTERN_ERR_MALFORMED);
}

static void a_humans_password_goes_to_no_issuer(void **state)
{
    (void)state;
    assert_not_asked("correct-horse-battery", POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    assert_not_asked(OPAQUE, POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    assert_not_asked(OPAQUE, POSTERN_CARRIER_UNKNOWN, POSTERN_ERR_MALFORMED);
    /* the form of an embedded issuer's, which is not trusted here: perhaps another service's live token */
    assert_not_asked("pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    put_service("opaque_prefix: opq_\n");
    reload();
    assert_not_asked("correct-horse-battery", POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    assert_not_asked("OPQ_8xLOxBtZp8", POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    assert_not_asked("opq_", POSTERN_CARRIER_PASSWORD, POSTERN_ERR_MALFORMED);
    assert_not_asked("xopq_8xLOxBtZp8", POSTERN_CARRIER_UNKNOWN, POSTERN_ERR_MALFORMED);
    rq.token = POSTERN_BYTES_LIT(OPAQUE);
    rq.carrier = POSTERN_CARRIER_PASSWORD;
    expect_active(NULL, NULL);
    assert_login("with the prefix", POSTERN_OK);
}

/* ---- remembered ---- */

static void an_answer_is_remembered_for_half_a_minute_and_judged_each_time(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    t.mono_ms += 29999;
    assert_login("remembered", POSTERN_OK);
    t.now_s += 360;
    assert_login("remembered, but exp is over", POSTERN_ERR_EXPIRED);
    t.now_s -= 360;
    rq.extra_scopes = (const char *const[]){ "mail.delete", NULL };
    assert_login("remembered, but of less scope", POSTERN_ERR_INSUFFICIENT_SCOPE);
    rq.extra_scopes = NULL;
    assert_int_equal(fake.started, 2);
    t.mono_ms += 1;
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
    assert_int_equal(fake.started, 3);
}

static void an_answer_outlives_its_exp_by_no_second(void **state)
{
    (void)state;
    expect_active("exp", "1800000010");
    assert_login("asked", POSTERN_OK);
    t.mono_ms += 9999;
    assert_login("remembered", POSTERN_OK);
    assert_int_equal(fake.started, 2);
    t.mono_ms += 1;
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
}

static void with_introspection_cache_0s_nothing_active_is_remembered(void **state)
{
    (void)state;
    put_issuer("opaque", "introspection_cache: 0s\n");
    reload();
    expect_active(NULL, NULL);
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    assert_login("asked again", POSTERN_OK);
    assert_int_equal(fake.started, 3);
}

static void not_active_is_remembered_for_five_seconds_an_error_not_at_all(void **state)
{
    (void)state;
    expect(say(200, "{\"active\":false}"));
    assert_login("asked", POSTERN_ERR_INACTIVE);
    t.mono_ms += 4999;
    assert_login("remembered", POSTERN_ERR_INACTIVE);
    assert_int_equal(fake.started, 2);
    t.mono_ms += 1;
    expect(say(200, "{"));
    assert_login("asked again", POSTERN_ERR_ISSUER_ANSWER);
    expect_active(NULL, NULL);
    assert_login("and at once again", POSTERN_OK);
    rq.token = POSTERN_BYTES_LIT("another");
    expect(say(200, "{\"active\":false}"));
    assert_login("of another token", POSTERN_ERR_INACTIVE);
    rq.token = POSTERN_BYTES_LIT(OPAQUE);
    assert_login("which this one is not", POSTERN_OK);
}

/* What was taken back is so, whatever the issuer said before. */
static void a_revocation_is_asked_of_a_remembered_answer_too(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "t-1",
                                            TEST_NOW_S, &t.err),
                     POSTERN_OK);
    assert_login("revoked", POSTERN_ERR_REVOKED);
}

static void an_answer_from_before_a_word_is_not_remembered(void **state)
{
    POSTERN_AUTO(op) op = NULL;

    (void)state;
    expect_active(NULL, NULL);
    script[1].again = 1;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_OK);
    while (fake.started < 2)
        assert_int_equal(postern_op_step(op, &t.err), POSTERN_AGAIN);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "other",
                                            TEST_NOW_S, &t.err),
                     POSTERN_OK);
    assert_int_equal(postern_op_run(op, &t.err), POSTERN_OK);
    assert_int_equal(postern_cache_counts(postern_context_answers(t.context)).refused, 1);
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
}

/* For live sessions that are looked at again. */
static void who_wants_a_fresh_word_gets_none_that_is_older(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    t.mono_ms += 10000;
    t.now_s += 10;
    rq.introspected_within_ms = 11000;
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_int_equal(postern_grant_introspected_s(g), TEST_NOW_S);
    assert_int_equal(fake.started, 2);
    rq.introspected_within_ms = 10000;
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
}

/* "Not active" is remembered for a moment, "active" for longer: the later word counts. */
static void an_answer_from_before_not_active_counts_no_more(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    t.mono_ms += 10000;
    rq.introspected_within_ms = 10000;
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
    rq.introspected_within_ms = 0;
    t.mono_ms += 4999;
    assert_login("remembered", POSTERN_ERR_INACTIVE);
    t.mono_ms += 1;
    expect(say(200, "{\"active\":false}"));
    assert_login("forgotten, and asked a third time", POSTERN_ERR_INACTIVE);
    assert_int_equal(fake.started, 4);
}

/* Another service had the first answer; the second one takes it back there too. */
static void not_active_is_so_at_every_service(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "services/smtp.conf",
                    "audience: " TEST_AUDIENCE "\nshared_audience: yes\nhelper_peers: 0\n"
                    "username_strip_domain: example.org\n");
    put_service("shared_audience: yes\n");
    reload();
    expect_active(NULL, NULL);
    assert_login("asked", POSTERN_OK);
    rq.service = "smtp";
    expect(say(200, "{\"active\":false}"));
    assert_login("asked at the other", POSTERN_ERR_INACTIVE);
    rq.service = "imap";
    expect(say(200, "{\"active\":false}"));
    assert_login("asked again", POSTERN_ERR_INACTIVE);
    assert_int_equal(fake.started, 4);
}

/* The answer names no issuer, and would do for whichever one is asked whether it is its own. */
static void an_issuer_that_is_trusted_no_more_takes_its_opaque_tokens_along(void **state)
{
    static const char partner[] = "https://partner.example";
    POSTERN_AUTO(grant) g = NULL;
    postern_failure failure;
    char *text = test_printf("issuer: %s\njwks_file: %s\n", partner,
                             test_folder_at(&t.folder, "keys.json"));

    (void)state;
    test_folder_put(&t.folder, "issuers/partner.conf", text);
    put_service("issuers: sso\n");
    reload();
    expect_active("iss", NULL);
    if (test_login_run(&t, &rq, &g) != POSTERN_OK)
        fail_msg("%s", t.err.detail);
    assert_string_equal(postern_grant_issuer(g), TEST_ISSUER);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
    put_service("issuers: partner\n");
    reload();
    assert_int_equal(postern_context_judge_again(t.context, g, &failure, &t.err), POSTERN_ERR_ISS);
    assert_string_equal(failure.issuer, partner);
    put_service("issuers: sso\n");
    reload();
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
    free(text);
}

static void who_is_asked_no_more_vouches_for_no_live_session(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active(NULL, NULL);
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    put_issuer("always", "");
    reload();
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: keys.json\n");
    test_login_reload(&t);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err),
                     POSTERN_ERR_MALFORMED);
}

static void a_grant_from_an_answer_is_judged_again_by_the_rules_for_answers(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active("iss", NULL);
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "t-1",
                                            TEST_NOW_S, &t.err),
                     POSTERN_OK);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_ERR_REVOKED);
}

/* ---- always ---- */

static char *signed_token;

static int set_up_always(void **state)
{
    (void)set_up(state);
    put_issuer("always", "");
    reload();
    signed_token = test_login_token(&t, NULL, NULL);
    rq.token = postern_bytes_str(signed_token);
    return 0;
}

static int tear_down_always(void **state)
{
    free(signed_token);
    return tear_down(state);
}

static void a_signed_token_is_asked_about_only_when_everything_else_is_good(void **state)
{
    static const struct {
        const char *name, *json;
        postern_err want;
    } cases[] = {
        { "aud", "\"other\"", POSTERN_ERR_AUD },
        { "exp", "1799999940", POSTERN_ERR_EXPIRED },
        { "scope", "\"mail.write\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = test_login_token(&t, cases[i].name, cases[i].json);

        assert_not_asked(token, POSTERN_CARRIER_SASL, cases[i].want);
        free(token);
    }
    alter(signed_token);
    assert_not_asked(signed_token, POSTERN_CARRIER_SASL, POSTERN_ERR_BAD_SIGNATURE);
}

static void of_a_signed_token_both_its_claims_and_the_issuers_word_count(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active("scope", "\"other mail.read\"");
    assert_int_equal(test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_string_equal(postern_grant_scope(g), "mail.read");
    assert_int_equal(postern_grant_introspected_s(g), TEST_NOW_S);
    assert_false(postern_grant_is_answer(g));
    assert_string_equal(postern_grant_jti(g), "t-1");
    assert_login("remembered", POSTERN_OK);
    assert_int_equal(fake.started, 2);
}

static postern_trail_state get_state(const postern_trail *trail, enum trail_step step)
{
    postern_trail_step s;

    assert_int_equal(postern_trail_at(trail, step, &s), 1);
    return s.state;
}

/* What was found good before stays on the trail, and a word that says no is where it ended. */
static void the_trail_of_a_signed_token_tells_the_issuers_word_last(void **state)
{
    postern_trail *trail = NULL;

    (void)state;
    assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
    rq.trail = trail;
    expect_active(NULL, NULL);
    assert_login("good", POSTERN_OK);
    assert_int_equal(get_state(trail, TRAIL_INTROSPECTION), POSTERN_TRAIL_SKIPPED);
    assert_int_equal(get_state(trail, TRAIL_AUDIENCE), POSTERN_TRAIL_PASSED);
    assert_int_equal(get_state(trail, TRAIL_USER), POSTERN_TRAIL_PASSED);
    assert_int_equal(get_state(trail, TRAIL_ACTIVE), POSTERN_TRAIL_PASSED);
    t.mono_ms += 60000;
    expect(say(200, "{\"active\":false}"));
    assert_login("inactive", POSTERN_ERR_INACTIVE);
    assert_int_equal(get_state(trail, TRAIL_USER), POSTERN_TRAIL_PASSED);
    assert_int_equal(get_state(trail, TRAIL_ACTIVE), POSTERN_TRAIL_STOPPED);
    t.mono_ms += 60000;
    expect_active("sub", "\"bob\"");
    assert_login("of another token", POSTERN_ERR_ISSUER_ANSWER);
    assert_int_equal(get_state(trail, TRAIL_ACTIVE), POSTERN_TRAIL_STOPPED);
    postern_trail_free(trail);
}

static void an_opaque_tokens_trail_tells_the_issuers_word_first(void **state)
{
    postern_trail *trail = NULL;

    (void)state;
    assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
    rq.trail = trail;
    expect_active(NULL, NULL);
    assert_login("good", POSTERN_OK);
    assert_int_equal(get_state(trail, TRAIL_INTROSPECTION), POSTERN_TRAIL_PASSED);
    assert_int_equal(get_state(trail, TRAIL_SIGNATURE), POSTERN_TRAIL_SKIPPED);
    assert_int_equal(get_state(trail, TRAIL_USER), POSTERN_TRAIL_PASSED);
    assert_int_equal(get_state(trail, TRAIL_ACTIVE), POSTERN_TRAIL_NOT_REACHED);
    postern_trail_free(trail);
}

/* The token does not say that it is bound, and the issuer does: so a renewal has to be bound too. */
static void an_answer_binds_a_signed_token_to_a_certificate(void **state)
{
    static const char cnf[] = "{\"x5t#S256\":\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\"}";
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    expect_active("cnf", cnf);
    assert_login("none was shown", POSTERN_ERR_CNF);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("CBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    expect_active("cnf", cnf);
    assert_login("another was shown", POSTERN_ERR_CNF);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    expect_active("cnf", cnf);
    if (test_login_run(&t, &rq, &g) != POSTERN_OK)
        fail_msg("%s", t.err.detail);
    assert_true(postern_bytes_equal(postern_grant_bound_cert(g), rq.client_cert_sha256));
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
}

static void an_answer_that_contradicts_the_signed_token_is_none(void **state)
{
    static const struct {
        const char *name, *json;
        postern_err want;
    } cases[] = {
        { "sub", "\"bob\"", POSTERN_ERR_ISSUER_ANSWER },
        { "client_id", "\"agent-8\"", POSTERN_ERR_ISSUER_ANSWER },
        { "jti", "\"t-2\"", POSTERN_ERR_ISSUER_ANSWER },
        { "jti", NULL, POSTERN_OK },
        { "sub", NULL, POSTERN_OK },
        { "exp", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "aud", NULL, POSTERN_ERR_AUD },
        { "exp", "1800000301", POSTERN_ERR_ISSUER_ANSWER },
        { "exp", "1800000299", POSTERN_OK },
        { "act", "{\"sub\":\"agent-9\"}", POSTERN_ERR_ISSUER_ANSWER },
        { "iss", "\"https://evil.example\"", POSTERN_ERR_ISS },
        { "aud", "\"other\"", POSTERN_ERR_AUD },
        { "scope", "\"mail.write\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "typ", "\"Refresh\"", POSTERN_ERR_TYP },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = make_answer(cases[i].name, cases[i].json);

        assert_answer(answer, say(200, answer), cases[i].want);
        free(answer);
    }
    assert_answer("revoked at the issuer", say(200, "{\"active\":false}"), POSTERN_ERR_INACTIVE);
    assert_answer("the issuer is down", (struct fake_answer){ .step_err = POSTERN_ERR_ISSUER_UNREACHABLE },
                  POSTERN_ERR_ISSUER_UNREACHABLE);
}

/* The wait is time in which a token may be taken back. */
static void a_signed_token_revoked_while_the_issuer_was_asked_is_refused(void **state)
{
    POSTERN_AUTO(op) op = NULL;

    (void)state;
    expect_active(NULL, NULL);
    script[1].again = 1;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_OK);
    while (fake.started < 2)
        assert_int_equal(postern_op_step(op, &t.err), POSTERN_AGAIN);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "t-1",
                                            TEST_NOW_S, &t.err),
                     POSTERN_OK);
    assert_int_equal(postern_op_run(op, &t.err), POSTERN_ERR_REVOKED);
}

/* ---- one question, and not too many ---- */

static void two_who_wait_for_one_token_share_one_question(void **state)
{
    POSTERN_AUTO(op) a = NULL;
    POSTERN_AUTO(op) b = NULL;

    (void)state;
    expect_active(NULL, NULL);
    script[1].again = 3;
    assert_int_equal(postern_validate_start(t.context, &rq, &a, &t.err), POSTERN_OK);
    assert_int_equal(postern_validate_start(t.context, &rq, &b, &t.err), POSTERN_OK);
    while (fake.started < 2)
        assert_int_equal(postern_op_step(a, &t.err), POSTERN_AGAIN);
    assert_int_equal(postern_op_step(b, &t.err), POSTERN_AGAIN);
    assert_true(postern_op_fd(b) >= 0);
    postern_op_free(POSTERN_STEAL(a)); /* whoever began it may go */
    assert_int_equal(postern_op_run(b, &t.err), POSTERN_OK);
    assert_int_equal(fake.started, 2);
}

static void an_issuer_that_asks_for_a_pause_gets_it(void **state)
{
    (void)state;
    expect((struct fake_answer){ .status = 429, .retry_after_s = 17 });
    assert_login("429", POSTERN_ERR_ISSUER_UNREACHABLE);
    rq.token = POSTERN_BYTES_LIT("another");
    t.mono_ms += 16999;
    assert_login("in the pause", POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_int_equal(fake.started, 2);
    t.mono_ms += 1;
    expect_active(NULL, NULL);
    assert_login("after it", POSTERN_OK);
}

/* Else one strange token would keep everybody out. */
static void an_answer_that_cannot_be_used_makes_no_pause(void **state)
{
    (void)state;
    expect(say(400, "{\"error\":\"invalid_request\"}"));
    assert_login("400", POSTERN_ERR_ISSUER_ANSWER);
    rq.token = POSTERN_BYTES_LIT("another");
    expect_active(NULL, NULL);
    assert_login("another token", POSTERN_OK);
}

static void a_token_that_makes_the_issuer_stumble_makes_no_pause_for_others(void **state)
{
    (void)state;
    expect((struct fake_answer){ .status = 500 });
    assert_login("500", POSTERN_ERR_ISSUER_UNREACHABLE);
    rq.token = POSTERN_BYTES_LIT("another");
    expect_active(NULL, NULL);
    assert_login("another token", POSTERN_OK);
}

/* "../../etc/passwd" is a token by its form, and a firewall's reason for 403. */
static void a_token_that_is_forbidden_makes_no_pause_for_others(void **state)
{
    (void)state;
    rq.token = POSTERN_BYTES_LIT("../../../etc/passwd");
    expect(say(403, "Request blocked."));
    assert_login("403", POSTERN_ERR_ISSUER_ANSWER);
    assert_non_null(strstr(t.err.detail, "clients/"));
    rq.token = POSTERN_BYTES_LIT("another");
    expect_active(NULL, NULL);
    assert_login("another token", POSTERN_OK);
}

/* A transport on which metadata comes and nothing else ever does. */
struct postern_http_exchange {
    bool is_metadata;
    struct postern_http_response response;
};

static size_t silent_started, silent_open;

static postern_err start_silent(const struct postern_http_transport *transport,
                                const struct postern_http_request *request,
                                struct postern_http_exchange **ret, postern_error *err)
{
    struct postern_http_exchange *x = calloc(1, sizeof *x);

    (void)transport;
    (void)err;
    assert_non_null(x);
    x->is_metadata = strcmp(request->method, "GET") == 0;
    x->response = (struct postern_http_response){ .status = 200,
                                                  .content_type = "application/json",
                                                  .retry_after_s = -1,
                                                  .max_age_s = -1,
                                                  .body = POSTERN_BUF_INIT(4096) };
    postern_buf_add_str(&x->response.body, METADATA);
    silent_started += !x->is_metadata;
    silent_open++;
    *ret = x;
    return POSTERN_OK;
}

static postern_err step_silent(struct postern_http_exchange *x, postern_error *err)
{
    (void)err;
    return x->is_metadata ? POSTERN_OK : POSTERN_AGAIN;
}

static int silent_fd(const struct postern_http_exchange *x)
{
    (void)x;
    return -1;
}

static int silent_wait_ms(const struct postern_http_exchange *x)
{
    (void)x;
    return 10;
}

static const struct postern_http_response *silent_response(const struct postern_http_exchange *x)
{
    return &x->response;
}

static bool silent_was_sent(const struct postern_http_exchange *x)
{
    (void)x;
    return true;
}

static void free_silent(struct postern_http_exchange *x)
{
    if (x == NULL)
        return;
    silent_open--;
    postern_buf_free(&x->response.body);
    free(x);
}

static const postern_http_transport silent = {
    .name = "silent",
    .start = start_silent,
    .step = step_silent,
    .fd = silent_fd,
    .wait_ms = silent_wait_ms,
    .response = silent_response,
    .was_sent = silent_was_sent,
    .free = free_silent,
};

/* A login with the nth token from that address; AGAIN or a refusal. */
static postern_err flood(size_t n, const char *peer, postern_op **ret)
{
    char token[32];

    assert_true(snprintf(token, sizeof token, "guess%zu", n) > 0);
    rq.token = postern_bytes_str(token);
    rq.peer = peer;
    assert_int_equal(postern_validate_start(t.context, &rq, ret, &t.err), POSTERN_OK);
    return postern_op_step(*ret, &t.err);
}

static void a_flood_of_made_up_tokens_makes_no_more_questions_than_the_caps_allow(void **state)
{
    postern_op *ops[300] = { NULL };
    postern_op *more = NULL;
    char peer[32];
    size_t waiting = 0;

    (void)state;
    silent_started = silent_open = 0;
    postern_context_set_transport(t.context, &silent);
    for (size_t i = 0; i < 300; i++) {
        postern_err e;

        assert_true(snprintf(peer, sizeof peer, "192.0.2.%zu", i % 250) > 0);
        e = flood(i, peer, &ops[i]);
        waiting += e == POSTERN_AGAIN;
        if (e != POSTERN_AGAIN)
            assert_int_equal(e, POSTERN_ERR_BUSY);
    }
    assert_int_equal(waiting, POSTERN_INTROSPECTIONS_MAX);
    assert_int_equal(silent_started, POSTERN_INTROSPECTIONS_MAX);
    for (size_t i = 0; i < 300; i++)
        postern_op_free(ops[i]);
    t.mono_ms += POSTERN_FETCH_ABANDONED_MS + 1;
    assert_int_equal(flood(1000, "198.51.100.1", &more), POSTERN_AGAIN); /* those who left make room */
    postern_op_free(more);
    test_login_reload(&t);
    assert_int_equal(silent_open, 0);
}

/* From one address, as if a host had all of them: they have half of the places, whoever came first. */
static void looks_at_live_sessions_leave_room_for_logins(void **state)
{
    static postern_op *ops[2 * POSTERN_INTROSPECTIONS_MAX];
    size_t looks = 0, logins = 0;
    char peer[32];

    (void)state;
    silent_started = silent_open = 0;
    postern_context_set_transport(t.context, &silent);
    rq.is_look_again = true;
    for (size_t i = 0; i < POSTERN_INTROSPECTIONS_MAX; i++)
        looks += flood(i, "192.0.2.1", &ops[i]) == POSTERN_AGAIN;
    assert_int_equal(looks, POSTERN_INTROSPECTIONS_AGAIN_MAX);
    rq.is_look_again = false;
    for (size_t i = POSTERN_INTROSPECTIONS_MAX; i < 2 * POSTERN_INTROSPECTIONS_MAX; i++) {
        assert_true(snprintf(peer, sizeof peer, "192.0.2.%zu", i) > 0);
        logins += flood(i, peer, &ops[i]) == POSTERN_AGAIN;
    }
    assert_int_equal(logins, POSTERN_INTROSPECTIONS_MAX - POSTERN_INTROSPECTIONS_AGAIN_MAX);
    for (size_t i = 0; i < 2 * POSTERN_INTROSPECTIONS_MAX; i++)
        postern_op_free(ops[i]);
    test_login_reload(&t);
    assert_int_equal(silent_open, 0);
}

static void looks_at_live_sessions_are_not_counted_as_their_sources(void **state)
{
    postern_op *op = NULL;
    size_t asked = 0;

    (void)state;
    silent_started = 0;
    postern_context_set_transport(t.context, &silent);
    rq.is_look_again = true;
    for (size_t i = 0; i < 3 * POSTERN_SOURCE_BURST; i++) {
        asked += flood(i, "192.0.2.1", &op) == POSTERN_AGAIN;
        postern_op_free(POSTERN_STEAL(op));
        t.mono_ms += i % 24 == 23 ? POSTERN_FETCH_ABANDONED_MS + 1 : 0;
    }
    assert_int_equal(asked, 3 * POSTERN_SOURCE_BURST);
    rq.is_look_again = false;
    test_login_reload(&t);
}

static void one_source_empties_its_own_bucket_and_nobody_elses(void **state)
{
    postern_op *op = NULL;
    size_t asked = 0;

    (void)state;
    silent_started = 0;
    postern_context_set_transport(t.context, &silent);
    for (size_t i = 0; i < 3 * POSTERN_SOURCE_BURST; i++) {
        char peer[32];

        assert_true(snprintf(peer, sizeof peer, "[2001:db8::%zx]:%zu", i, 1000 + i) > 0);
        asked += flood(i, peer, &op) == POSTERN_AGAIN;
        postern_op_free(POSTERN_STEAL(op));
        t.mono_ms += i % 48 == 47 ? POSTERN_FETCH_ABANDONED_MS + 1 : 0;
    }
    assert_true(asked >= POSTERN_SOURCE_BURST && asked < 3 * POSTERN_SOURCE_BURST);
    postern_op_free(POSTERN_STEAL(op));
}

/* ---- start, and without memory ---- */

static void assert_start_error(const char *file, const char *text, const char *says)
{
    postern_config *config = NULL;
    postern_err e;

    test_folder_put(&t.folder, file, text);
    e = postern_config_load(t.folder.path, &config, &t.err);
    postern_config_free(config);
    assert_int_not_equal(e, POSTERN_OK);
    if (strstr(t.err.detail, says) == NULL)
        fail_msg("%s: wanted \"%s\" in \"%s\"", text, says, t.err.detail);
}

static void introspection_without_credentials_of_that_issuer_is_a_start_error(void **state)
{
    (void)state;
    assert_start_error("issuers/sso.conf",
                       "issuer: " TEST_ISSUER "\njwks_file: keys.json\nintrospection: opaque\n",
                       "client");
    assert_start_error("issuers/sso.conf",
                       "issuer: " TEST_ISSUER "\njwks_file: keys.json\nclient: posternd\n",
                       "introspection");
    put_issuer("sometimes", "");
    assert_start_error("x", "", "introspection");
    put_issuer("opaque", "introspection_cache: 301s\n");
    assert_start_error("x", "", "introspection_cache");
    put_issuer("opaque", "");
    assert_start_error("clients/posternd.conf",
                       "issuer: https://other.example\nclient_id: posternd\n"
                       "client_credential_file: secret\n",
                       "another issuer");
    assert_start_error("clients/posternd.conf",
                       "issuer: " TEST_ISSUER "\nclient_id: posternd\nclient_auth: none\n",
                       "proves nothing");
}

static void an_opaque_prefix_is_no_short_word(void **state)
{
    (void)state;
    put_service("opaque_prefix: opq\n");
    assert_start_error("x", "", "opaque_prefix");
    put_service("opaque_prefix: opq_012345678901234567890123456789012345678901234567890123456789\n"); /* 64 bytes */
    assert_start_error("x", "", "opaque_prefix");
    put_service("opaque_prefix: eyJh.\n");
    assert_start_error("x", "", "opaque_prefix");
}

static void a_context_takes_one_client_of_that_issuer(void **state)
{
    postern_agent client = make_client();

    (void)state;
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_ERR_USAGE);
    test_login_reload(&t);
    postern_context_set_transport(t.context, &fake.transport);
    assert_login("no client was set", POSTERN_ERR_CONFIG_MISSING);
    assert_int_equal(fake.started, 0);
    assert_int_equal(postern_context_set_issuer_client(t.context, "https://x.example", &client, &t.err),
                     POSTERN_ERR_USAGE);
    client.issuer = "https://x.example";
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_ERR_USAGE);
    client = make_client();
    client.auth = POSTERN_CLIENT_AUTH_NONE;
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_ERR_USAGE);
    client = make_client();
    client.client_id = "";
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_ERR_USAGE);
}

static postern_err log_in_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(context) ctx = NULL;
    POSTERN_AUTO(op) op = NULL;
    postern_agent client = make_client();
    postern_config *config = NULL;

    (void)arg;
    fake.started = 0;
    POSTERN_TRY(postern_config_load(t.folder.path, &config, err));
    POSTERN_TRY(postern_context_new(config, &t.clock, &ctx, err));
    postern_context_set_transport(ctx, &fake.transport);
    POSTERN_TRY(postern_context_set_issuer_client(ctx, TEST_ISSUER, &client, err));
    POSTERN_TRY(postern_validate_start(ctx, &rq, &op, err));
    return postern_op_run(op, err);
}

/* An answer that finds no memory to be remembered in is an answer all the same. */
static void sweep(void)
{
    unsigned n = 0, refused = 0;
    bool was_refused;

    do {
        postern_error err = { 0 };
        postern_err e;

        alloc_fail_arm(++n);
        e = log_in_once(NULL, &err);
        was_refused = alloc_fail_disarm();
        if (e != POSTERN_OK && (e != POSTERN_ERR_NOMEM || err.code != e))
            fail_msg("allocation %u: %s (%s)", n, postern_err_reason(e), err.detail);
        refused += e == POSTERN_ERR_NOMEM;
    } while (was_refused);
    assert_true(refused > 20);
}

static void an_opaque_login_survives_every_failing_allocation(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_int_equal(log_in_once(NULL, &t.err), POSTERN_OK);
    sweep();
}

static void a_signed_login_survives_every_failing_allocation(void **state)
{
    (void)state;
    expect_active(NULL, NULL);
    assert_int_equal(log_in_once(NULL, &t.err), POSTERN_OK);
    sweep();
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ALWAYS(name) cmocka_unit_test_setup_teardown(name, set_up_always, tear_down_always)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_opaque_token_that_is_active_is_proved),
        TEST(the_question_has_the_token_in_its_body_and_our_secret_in_its_header),
        TEST(a_secret_goes_into_the_body_where_the_server_takes_it_nowhere_else),
        TEST(only_the_word_true_makes_a_token_active),
        TEST(whatever_else_the_server_says_is_undecided),
        TEST(an_answer_of_more_than_a_token_could_say_is_none),
        TEST(credentials_that_the_server_refuses_are_the_operators_to_look_at),
        TEST(keys_and_questions_are_found_by_one_document),
        TEST(an_issuer_without_usable_metadata_is_asked_once_by_keys_and_questions),
        TEST(keys_from_a_file_need_no_metadata),
        TEST(credentials_that_the_server_refuses_with_400_are_the_same),
        TEST(a_server_that_will_not_say_anything_of_a_token_is_quoted),
        TEST(each_claim_of_an_answer_is_judged_as_in_a_signed_token),
        TEST(a_token_of_another_type_does_not_pass_as_an_access_token),
        TEST(which_claims_an_answer_must_hold_is_the_issuer_files_to_say),
        TEST(what_looks_like_a_jws_or_jwe_is_never_asked_about_as_opaque),
        TEST(without_introspection_an_opaque_token_is_malformed),
        TEST(a_humans_password_goes_to_no_issuer),
        TEST(an_answer_is_remembered_for_half_a_minute_and_judged_each_time),
        TEST(an_answer_outlives_its_exp_by_no_second),
        TEST(with_introspection_cache_0s_nothing_active_is_remembered),
        TEST(not_active_is_remembered_for_five_seconds_an_error_not_at_all),
        TEST(a_revocation_is_asked_of_a_remembered_answer_too),
        TEST(an_answer_from_before_a_word_is_not_remembered),
        TEST(who_wants_a_fresh_word_gets_none_that_is_older),
        TEST(an_answer_from_before_not_active_counts_no_more),
        TEST(not_active_is_so_at_every_service),
        TEST(an_issuer_that_is_trusted_no_more_takes_its_opaque_tokens_along),
        TEST(who_is_asked_no_more_vouches_for_no_live_session),
        TEST(a_grant_from_an_answer_is_judged_again_by_the_rules_for_answers),
        ALWAYS(a_signed_token_is_asked_about_only_when_everything_else_is_good),
        ALWAYS(of_a_signed_token_both_its_claims_and_the_issuers_word_count),
        ALWAYS(the_trail_of_a_signed_token_tells_the_issuers_word_last),
        TEST(an_opaque_tokens_trail_tells_the_issuers_word_first),
        ALWAYS(an_answer_binds_a_signed_token_to_a_certificate),
        ALWAYS(an_answer_that_contradicts_the_signed_token_is_none),
        ALWAYS(a_signed_token_revoked_while_the_issuer_was_asked_is_refused),
        TEST(two_who_wait_for_one_token_share_one_question),
        TEST(an_issuer_that_asks_for_a_pause_gets_it),
        TEST(an_answer_that_cannot_be_used_makes_no_pause),
        TEST(a_token_that_is_forbidden_makes_no_pause_for_others),
        TEST(a_token_that_makes_the_issuer_stumble_makes_no_pause_for_others),
        TEST(a_flood_of_made_up_tokens_makes_no_more_questions_than_the_caps_allow),
        TEST(looks_at_live_sessions_leave_room_for_logins),
        TEST(looks_at_live_sessions_are_not_counted_as_their_sources),
        TEST(one_source_empties_its_own_bucket_and_nobody_elses),
        TEST(introspection_without_credentials_of_that_issuer_is_a_start_error),
        TEST(an_opaque_prefix_is_no_short_word),
        TEST(a_context_takes_one_client_of_that_issuer),
        TEST(an_opaque_login_survives_every_failing_allocation),
        ALWAYS(a_signed_login_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
