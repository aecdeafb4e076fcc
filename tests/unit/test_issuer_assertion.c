/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/client_assertion.c: private_key_jwt (RFC 7523 §3, rfc7523bis), through routes_answer(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_keys.h"
#include "issuer/client_assertion.h"
#include "issuer_fixture.h"

#define NAME "agent-7"
#define HEADER "{\"alg\":\"ES256\",\"typ\":\"client-authentication+jwt\",\"kid\":\"k1\"}"
#define CLAIMS(iss, sub, aud, times, jti)                                                                              \
    "{\"iss\":" iss ",\"sub\":" sub ",\"aud\":" aud "," times ",\"jti\":" jti "}"
#define ISS "\"" NAME "\""
#define AUD "\"" FIXTURE_ISSUER "\""
#define TIMES "\"exp\":1700000060,\"iat\":1700000000"
#define GOOD(jti) CLAIMS(ISS, ISS, AUD, TIMES, jti)

struct world {
    struct fixture *f;
    test_key *key;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char *jwks;
    struct clients_refusal refusal = { 0 };
    postern_secret *secret = NULL;

    if (w == NULL || fixture_set_up((void **)&w->f) != 0)
        return -1;
    w->key = test_key_new("P-256");
    jwks = test_key_jwks(w->key, "k1", "ES256");
    if (clients_add(&w->f->is, &(struct client_wish){ .name = NAME, .scopes = "mail.read", .resources = FIXTURE_IMAP,
                                                      .jwks = jwks, .auth = CLIENT_AUTH_BY_KEY },
                    &secret, &refusal, NULL) != CLIENTS_DONE)
        return -1;
    free(jwks);
    *state = w;
    return secret == NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *f = w->f;

    test_key_free(w->key);
    free(w);
    return fixture_tear_down(&f);
}

static void ask_form(struct world *w, const char *more, const char *assertion)
{
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(32768);

    postern_buf_add_str(&body, "grant_type=client_credentials&client_assertion_type="
                               "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=");
    postern_buf_add_str(&body, assertion);
    postern_buf_add_str(&body, more);
    assert_false(body.failed);
    w->f->mono_ms += 60000; /* failures are rated: that is another test's matter */
    fixture_ask(w->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded",
                                             .body = postern_buf_bytes(&body) });
}

/* Sign with `key` and ask. */
static void ask_signed(struct world *w, const test_key *key, const char *alg, const char *header, const char *claims)
{
    char *assertion = test_sign(key, alg, header, claims);

    ask_form(w, "", assertion);
    free(assertion);
}

static void assert_accepted(struct world *w, const char *header, const char *claims)
{
    ask_signed(w, w->key, "ES256", header, claims);
    if (w->f->answer.status != 200)
        fail_msg("refused: %s %s: %.*s", header, claims, (int)w->f->answer.body.len, (char *)w->f->answer.body.ptr);
}

static void assert_refused(struct world *w, const char *header, const char *claims)
{
    ask_signed(w, w->key, "ES256", header, claims);
    if (w->f->answer.status != 401)
        fail_msg("accepted: %s %s", header, claims);
    assert_error(w->f, 401, "invalid_client");
}

static void a_good_assertion_is_a_proof_and_counts_once(void **state)
{
    struct world *w = *state;

    assert_accepted(w, HEADER, GOOD("\"1\""));
    assert_text(w->f, "token_type", "Bearer");
    assert_refused(w, HEADER, GOOD("\"1\"")); /* replayed */
    assert_accepted(w, HEADER, GOOD("\"2\""));
    assert_accepted(w, "{\"alg\":\"ES256\"}", GOOD("\"3\"")); /* neither typ nor kid are required */
    assert_accepted(w, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", GOOD("\"4\""));
    assert_accepted(w, HEADER, CLAIMS(ISS, ISS, "[" AUD "]", TIMES, "\"5\""));
    assert_accepted(w, HEADER, CLAIMS(ISS, ISS, AUD, "\"exp\":1700000060", "\"6\"")); /* iat is optional */
}

static void a_jti_stays_used_when_the_store_is_opened_again(void **state)
{
    struct world *w = *state;

    assert_accepted(w, HEADER, GOOD("\"1\""));
    store_close(w->f->is.store);
    assert_int_equal(store_open(w->f->dir, &w->f->is.store, NULL), POSTERN_OK);
    assert_refused(w, HEADER, GOOD("\"1\""));
    /* the hourly purge keeps it as long as the assertion could count */
    w->f->now_s += CLIENT_ASSERTION_SKEW_S + 59;
    assert_int_equal(issuer_forget_what_is_over(&w->f->is, NULL), POSTERN_OK);
    assert_refused(w, HEADER, GOOD("\"1\""));
    assert_accepted(w, HEADER, GOOD("\"2\"")); /* another one is still in time */
}

static void the_audience_is_the_issuer_alone(void **state)
{
    static const char *const bad[] = {
        "\"" FIXTURE_ISSUER "/oauth/token\"", "\"" FIXTURE_ISSUER "/\"", "\"\"", "\"http://other.example\"",
        "[" AUD ",\"http://other.example\"]", "[\"http://other.example\"," AUD "]", "[" AUD "," AUD "]", "[]", "null",
        "[[" AUD "]]", "{}", "1",
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *claims = test_printf("{\"iss\":" ISS ",\"sub\":" ISS ",\"aud\":%s," TIMES ",\"jti\":\"a%zu\"}", bad[i], i);

        assert_refused(w, HEADER, claims);
        free(claims);
    }
    assert_refused(w, HEADER, "{\"iss\":" ISS ",\"sub\":" ISS "," TIMES ",\"jti\":\"x\"}");
}

static void issuer_and_subject_are_the_client(void **state)
{
    struct world *w = *state;
    char *assertion;

    assert_refused(w, HEADER, CLAIMS("\"agent-8\"", ISS, AUD, TIMES, "\"1\""));
    assert_refused(w, HEADER, CLAIMS(ISS, "\"agent-8\"", AUD, TIMES, "\"2\""));
    assert_refused(w, HEADER, CLAIMS("\"agent-8\"", "\"agent-8\"", AUD, TIMES, "\"3\""));
    assert_refused(w, HEADER, CLAIMS("\"Agent-7\"", "\"Agent-7\"", AUD, TIMES, "\"4\""));
    assert_refused(w, HEADER, CLAIMS("1", ISS, AUD, TIMES, "\"5\""));
    assert_refused(w, HEADER, "{\"iss\":" ISS ",\"aud\":" AUD "," TIMES ",\"jti\":\"6\"}");
    assert_refused(w, HEADER, "{\"sub\":" ISS ",\"aud\":" AUD "," TIMES ",\"jti\":\"7\"}");
    /* client_id, where it is sent, says the same */
    assertion = test_sign(w->key, "ES256", HEADER, GOOD("\"8\""));
    ask_form(w, "&client_id=agent-8", assertion);
    assert_error(w->f, 401, "invalid_client");
    ask_form(w, "&client_id=" NAME, assertion);
    assert_status(w->f, 200);
    free(assertion);
}

static void times_are_short_and_never_ahead(void **state)
{
    static const struct {
        const char *times;
        bool want;
    } cases[] = {
        { "\"exp\":1700000300", true },
        { "\"exp\":1700000360", true }, /* five minutes, by a clock that is a minute ahead */
        { "\"exp\":1700000361", false },
        { "\"exp\":1800000000", false },
        { "\"exp\":1699999941", true }, /* ended, by a clock that is less than a minute behind */
        { "\"exp\":1699999940", false },
        { "\"exp\":1", false },
        { "\"exp\":\"1700000060\"", false },
        { "\"exp\":null", false },
        { "\"exp\":1e400", false },
        { "\"exp\":-1700000060", false },
        { "\"exp\":1700000060,\"iat\":1700000060", true },
        { "\"exp\":1700000060,\"iat\":1700000061", false },
        { "\"exp\":1700000060,\"iat\":\"x\"", false },
        { "\"exp\":1700000060,\"nbf\":1700000060", true },
        { "\"exp\":1700000060,\"nbf\":1700000061", false },
        { "\"iat\":1700000000", false },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *claims = test_printf("{\"iss\":" ISS ",\"sub\":" ISS ",\"aud\":" AUD ",%s,\"jti\":\"t%zu\"}", cases[i].times, i);

        if (cases[i].want)
            assert_accepted(w, HEADER, claims);
        else
            assert_refused(w, HEADER, claims);
        free(claims);
    }
}

static void a_jti_is_required_and_bounded(void **state)
{
    struct world *w = *state;
    char jti[CLIENT_ASSERTION_JTI_MAX + 2], *claims;

    assert_refused(w, HEADER, "{\"iss\":" ISS ",\"sub\":" ISS ",\"aud\":" AUD "," TIMES "}");
    assert_refused(w, HEADER, GOOD("\"\""));
    assert_refused(w, HEADER, GOOD("1"));
    assert_refused(w, HEADER, GOOD("\"a\\u0000b\""));
    memset(jti, 'j', sizeof jti);
    jti[CLIENT_ASSERTION_JTI_MAX + 1] = '\0';
    claims = test_printf("{\"iss\":" ISS ",\"sub\":" ISS ",\"aud\":" AUD "," TIMES ",\"jti\":\"%s\"}", jti);
    assert_refused(w, HEADER, claims);
    free(claims);
    jti[CLIENT_ASSERTION_JTI_MAX] = '\0';
    claims = test_printf("{\"iss\":" ISS ",\"sub\":" ISS ",\"aud\":" AUD "," TIMES ",\"jti\":\"%s\"}", jti);
    assert_accepted(w, HEADER, claims);
    free(claims);
}

static void no_other_explicit_type_is_taken(void **state)
{
    static const char *const bad[] = { "at+jwt", "application/at+jwt", "dpop+jwt", "oauth-id-jag+jwt", "jwt-bearer",
                                       "client-authentication", "JWT2" };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *header = test_printf("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"%s\"}", bad[i]);

        assert_refused(w, header, GOOD("\"y\""));
        free(header);
    }
}

static void only_the_registered_key_counts(void **state)
{
    struct world *w = *state;
    test_key *other = test_key_new("P-256");
    char *jwk = test_key_jwk(other, NULL);
    char *header = test_printf("{\"alg\":\"ES256\",\"kid\":\"k1\",\"jwk\":%s}", jwk);
    char *assertion = test_sign(w->key, "ES256", HEADER, GOOD("\"1\""));

    ask_signed(w, other, "ES256", HEADER, GOOD("\"1\""));
    assert_error(w->f, 401, "invalid_client");
    ask_signed(w, other, "ES256", header, GOOD("\"1\"")); /* brings its own key */
    assert_error(w->f, 401, "invalid_client");
    ask_signed(w, other, "ES256", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jku\":\"https://evil.example/\"}", GOOD("\"1\""));
    assert_error(w->f, 401, "invalid_client");
    ask_signed(w, w->key, "none", "{\"alg\":\"none\"}", GOOD("\"1\""));
    assert_error(w->f, 401, "invalid_client");
    ask_signed(w, w->key, "HS256:secret", "{\"alg\":\"HS256\",\"kid\":\"k1\"}", GOOD("\"1\""));
    assert_error(w->f, 401, "invalid_client");
    ask_signed(w, w->key, "ES256", "{\"alg\":\"ES256\",\"kid\":\"k2\"}", GOOD("\"1\""));
    assert_error(w->f, 401, "invalid_client");
    assertion[strlen(assertion) - 2] ^= 1;
    ask_form(w, "", assertion);
    assert_error(w->f, 401, "invalid_client");
    assert_accepted(w, HEADER, GOOD("\"1\"")); /* none of those took the jti */
    test_key_free(other);
    free(jwk);
    free(header);
    free(assertion);
}

static void an_access_token_of_ours_is_no_assertion(void **state)
{
    struct world *w = *state;
    POSTERN_AUTO(secret) token = NULL;
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096);

    assert_int_equal(postern_mint_token(w->f->key, "at+jwt", POSTERN_BYTES_LIT(GOOD("\"1\"")), &token, NULL), POSTERN_OK);
    postern_buf_add(&text, postern_secret_bytes(token));
    ask_form(w, "", postern_buf_cstr(&text));
    assert_error(w->f, 401, "invalid_client");
}

/* What a stranger learns: nothing. */
static void an_unknown_client_gets_the_answer_of_a_wrong_signature(void **state)
{
    struct world *w = *state;
    test_key *other = test_key_new("P-256");
    POSTERN_AUTO_BUF first = POSTERN_BUF_INIT(4096);

    ask_signed(w, other, "ES256", HEADER, GOOD("\"1\""));
    postern_buf_add(&first, postern_buf_bytes(&w->f->answer.body));
    ask_signed(w, other, "ES256", HEADER, CLAIMS("\"nobody-7\"", "\"nobody-7\"", AUD, TIMES, "\"1\""));
    assert_string_equal(postern_buf_cstr(&first), postern_buf_cstr(&w->f->answer.body));
    assert_status(w->f, 401);
    ask_form(w, "", "x.y");
    assert_string_equal(postern_buf_cstr(&first), postern_buf_cstr(&w->f->answer.body));
    test_key_free(other);
}

static void the_registered_method_is_the_required_one(void **state)
{
    struct world *w = *state;
    postern_secret *secret = fixture_add_client(w->f, "by-secret", "", FIXTURE_IMAP);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(1024);

    /* by its key alone: zeros, which stand for "no secret" in its row, are no secret */
    postern_buf_add_str(&body, "grant_type=client_credentials&client_id=" NAME "&client_secret=x");
    fixture_ask(w->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded", .body = postern_buf_bytes(&body) });
    assert_error(w->f, 401, "invalid_client");
    /* by its secret alone, whoever signs */
    ask_signed(w, w->key, "ES256", HEADER, CLAIMS("\"by-secret\"", "\"by-secret\"", AUD, TIMES, "\"1\""));
    assert_error(w->f, 401, "invalid_client");
    postern_secret_free(secret);
}

static void two_ways_at_once_are_refused(void **state)
{
    struct world *w = *state;
    char *assertion = test_sign(w->key, "ES256", HEADER, GOOD("\"1\""));
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(4096);

    ask_form(w, "&client_id=" NAME "&client_secret=x", assertion);
    assert_error(w->f, 400, "invalid_request");
    ask_form(w, "&client_assertion=x", assertion);
    assert_error(w->f, 400, "invalid_request");
    postern_buf_add_str(&body, "grant_type=client_credentials&client_assertion=");
    postern_buf_add_str(&body, assertion);
    fixture_ask(w->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded", .body = postern_buf_bytes(&body) });
    assert_error(w->f, 401, "invalid_client"); /* without its type */
    postern_buf_add_str(&body, "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Asaml2-bearer");
    fixture_ask(w->f, (struct http_request){ .content_type = "application/x-www-form-urlencoded", .body = postern_buf_bytes(&body) });
    assert_error(w->f, 401, "invalid_client");
    free(assertion);
}

/* Each one is a row on disk, and a write that everybody waits for. */
static void a_client_fills_no_store_with_assertions(void **state)
{
    struct world *w = *state;
    bool is_first = false;

    for (int i = 0; i < 500; i++) {
        char claims[512];

        (void)snprintf(claims, sizeof claims, GOOD("\"flood-%d\""), i);
        w->f->mono_ms -= 60000; /* what ask_form() adds: all at one moment */
        ask_signed(w, w->key, "ES256", HEADER, claims);
    }
    assert_error(w->f, 429, "too_many_requests");
    assert_true(w->f->answer.retry_after_s > 0);
    assert_int_equal(store_once(w->f->is.store, NAME, "flood-499", 1700009999, &is_first, NULL), POSTERN_OK);
    assert_true(is_first); /* what was held up left nothing, and may come again */
    assert_accepted(w, HEADER, GOOD("\"after-the-flood\""));
}

static void a_removed_clients_assertion_is_nobodys(void **state)
{
    struct world *w = *state;
    struct clients_refusal refusal = { 0 };
    int64_t removed_s;

    assert_int_equal(clients_remove(&w->f->is, NAME, &removed_s, &refusal, NULL), CLIENTS_DONE);
    assert_refused(w, HEADER, GOOD("\"1\""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_good_assertion_is_a_proof_and_counts_once),
        TEST(a_jti_stays_used_when_the_store_is_opened_again),
        TEST(the_audience_is_the_issuer_alone),
        TEST(issuer_and_subject_are_the_client),
        TEST(times_are_short_and_never_ahead),
        TEST(a_jti_is_required_and_bounded),
        TEST(no_other_explicit_type_is_taken),
        TEST(only_the_registered_key_counts),
        TEST(an_access_token_of_ours_is_no_assertion),
        TEST(an_unknown_client_gets_the_answer_of_a_wrong_signature),
        TEST(the_registered_method_is_the_required_one),
        TEST(two_ways_at_once_are_refused),
        TEST(a_removed_clients_assertion_is_nobodys),
        TEST(a_client_fills_no_store_with_assertions),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
