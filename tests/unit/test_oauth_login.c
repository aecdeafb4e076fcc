/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/login.c against a fake transport and a browser that brings back what it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern-private/form.h>

#include "oauth/login.h"
#include "oauth/pkce.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/fake_transport.h"

#define LIT(s)   POSTERN_BYTES_LIT(s)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TOKENS                                                                                     \
    LIT("{\"access_token\":\"acc.ess\",\"token_type\":\"Bearer\",\"expires_in\":300,"              \
        "\"refresh_token\":\"r3fr3sh\",\"scope\":\"mail.read\",\"sub\":\"alice\"}")
#define METADATA(more)                                                                             \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\","            \
                    "\"authorization_endpoint\":\"https://h/authorize\","                          \
                    "\"code_challenge_methods_supported\":[\"S256\"]" more "}")                    \
    }
#define SAYS_ISS ",\"authorization_response_iss_parameter_supported\":true"
#define REDIRECT "http://127.0.0.1:4711/callback"

static int64_t stand(void *arg)
{
    (void)arg;
    return 1700000000;
}

static const postern_clock clock_ = { stand, stand, NULL };

static postern_login request(void)
{
    return (postern_login){
        .size = sizeof(postern_login),
        .agent = { .issuer = "https://h", .client_id = "agent-7", .credential = LIT("s3cr3t") },
        .redirect_uri = REDIRECT,
        .resource = "https://x/imap",
        .scope = "mail.read mail.write",
    };
}

static postern_err finish(postern_op *op, postern_error *err)
{
    postern_err e = POSTERN_AGAIN;

    for (int i = 0; i < 100 && e == POSTERN_AGAIN; i++)
        e = postern_op_step(op, err);
    return e;
}

/* A login whose address is ready. */
static postern_op *begin(struct fake_transport *f)
{
    postern_login rq = request();
    postern_op *op = NULL;

    assert_int_equal(postern_login_start_with(&f->transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_null(postern_login_url(op)); /* not yet */
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    return op;
}

/* The parameters of the login's address; freed by the caller. */
static postern_form *parameters(const postern_op *login)
{
    const char *url = postern_login_url(login), *query = strchr(url, '?');
    postern_form *f = NULL;

    assert_non_null(query);
    assert_int_equal(postern_form_parse(postern_bytes_str(query + 1), &f, NULL), POSTERN_OK);
    return f;
}

static char *state_of(const postern_op *login)
{
    postern_form *f = parameters(login);
    char *state = strdup(postern_form_value(f, "state"));

    postern_form_free(f);
    assert_non_null(state);
    return state;
}

/* ---- the address ---- */

static void the_address_holds_what_rfc_6749_and_7636_ask_for(void **state)
{
    static const struct fake_answer answers[] = { METADATA("") };
    struct fake_transport f;
    postern_form *p;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    op = begin(&f);
    assert_ptr_equal(strstr(postern_login_url(op), "https://h/authorize?"), postern_login_url(op));
    p = parameters(op);
    assert_string_equal(postern_form_value(p, "response_type"), "code");
    assert_string_equal(postern_form_value(p, "client_id"), "agent-7");
    assert_string_equal(postern_form_value(p, "redirect_uri"), REDIRECT);
    assert_string_equal(postern_form_value(p, "code_challenge_method"), "S256");
    assert_int_equal(strlen(postern_form_value(p, "code_challenge")), 43);
    assert_int_equal(strlen(postern_form_value(p, "state")), 43);
    assert_string_equal(postern_form_value(p, "resource"), "https://x/imap");
    assert_string_equal(postern_form_value(p, "scope"), "mail.read mail.write");
    assert_null(postern_form_value(p, "prompt"));
    assert_null(strstr(postern_login_url(op), "s3cr3t"));
    assert_string_equal(f.records[0].authorization, ""); /* nobody proved anything yet */
    postern_form_free(p);
    postern_op_free(op);
}

static void offline_access_is_asked_before_the_persons_eyes(void **state)
{
    static const struct {
        const char *scope;
        bool is_asked;
    } cases[] = { { "offline_access", true },
                  { "a offline_access b", true },
                  { "offline_accesses", false },
                  { "not.offline_access", false } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const struct fake_answer answers[] = { METADATA("") };
        postern_login rq = request();
        struct fake_transport f;
        postern_op *op;

        rq.scope = cases[i].scope;
        fake_transport_init(&f, answers, 1);
        assert_int_equal(postern_login_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, NULL), POSTERN_OK);
        assert_int_equal(strstr(postern_login_url(op), "prompt=consent") != NULL,
                         cases[i].is_asked);
        postern_op_free(op);
    }
}

static void an_endpoint_with_a_query_keeps_it(void **state)
{
    static const struct fake_answer answers[] = {
        { .status = 200,
          .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\","
                      "\"authorization_endpoint\":\"https://h/a?tenant=1\","
                      "\"code_challenge_methods_supported\":[\"S256\"]}") },
    };
    struct fake_transport f;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    op = begin(&f);
    assert_ptr_equal(strstr(postern_login_url(op), "https://h/a?tenant=1&response_type=code&"),
                     postern_login_url(op));
    postern_op_free(op);
}

static void a_server_without_s256_is_no_place_for_a_login(void **state)
{
    static const struct fake_answer answers[] = {
        { .status = 200,
          .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\","
                      "\"authorization_endpoint\":\"https://h/a\","
                      "\"code_challenge_methods_supported\":[\"plain\"]}") },
    };
    postern_login rq = request();
    struct fake_transport f;
    postern_error err = { 0 };
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    assert_int_equal(postern_login_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(finish(op, &err), POSTERN_ERR_ISSUER_ANSWER);
    assert_non_null(strstr(err.detail, "S256"));
    assert_null(postern_login_url(op));
    assert_false(postern_login_is_answer(op, LIT("state=")));
    postern_op_free(op);
}

/* ---- the answer ---- */

static void a_code_is_redeemed_with_the_verifier_of_its_challenge(void **state)
{
    static const struct fake_answer answers[] = {
        METADATA(SAYS_ISS),
        { .url = "https://h/token", .status = 200, .body = TOKENS },
    };
    char query[256], challenge[POSTERN_PKCE_TEXT + 1], *state_text;
    struct fake_transport f;
    postern_form *asked, *sent = NULL;
    postern_op *login, *op;
    postern_secret *refresh_token;

    (void)state;
    fake_transport_init(&f, answers, 2);
    login = begin(&f);
    state_text = state_of(login);
    asked = parameters(login);
    (void)snprintf(query, sizeof query, "code=c0de&state=%s&iss=https%%3A%%2F%%2Fh", state_text);
    assert_true(postern_login_is_answer(login, postern_bytes_str(query)));
    assert_int_equal(postern_login_redeem_start(login, postern_bytes_str(query), &op, NULL),
                     POSTERN_OK);
    postern_op_free(login); /* everything was copied */
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_int_equal(postern_form_parse(postern_bytes_str(f.records[1].body), &sent, NULL),
                     POSTERN_OK);
    assert_string_equal(postern_form_value(sent, "grant_type"), "authorization_code");
    assert_string_equal(postern_form_value(sent, "code"), "c0de");
    assert_string_equal(postern_form_value(sent, "redirect_uri"), REDIRECT);
    assert_string_equal(postern_form_value(sent, "resource"), "https://x/imap");
    assert_int_equal(
        postern_pkce_challenge(postern_form_value(sent, "code_verifier"), challenge, NULL),
        POSTERN_OK);
    assert_string_equal(challenge, postern_form_value(asked, "code_challenge"));
    assert_string_equal(f.records[1].authorization, "Basic YWdlbnQtNzpzM2NyM3Q=");
    refresh_token = postern_acquire_take_refresh_token(op);
    assert_true(postern_bytes_equal_str(postern_secret_bytes(refresh_token), "r3fr3sh"));
    /* The person granted fewer scopes than asked: that is an answer. */
    assert_string_equal(postern_acquire_info(op)->scope, "mail.read");
    assert_string_equal(postern_acquire_info(op)->subject, "alice");
    postern_secret_free(refresh_token);
    postern_form_free(asked);
    postern_form_free(sent);
    postern_op_free(op);
    free(state_text);
}

/* "%s" of a case's text is this login's state. */
static const struct {
    const char *why, *answer;
    bool says_iss;
    postern_err want;
    const char *oauth_error;
} answers_[] = {
    { "good", "code=c&state=%s", false, POSTERN_OK, NULL },
    { "good, with its issuer", "code=c&state=%s&iss=https://h", false, POSTERN_OK, NULL },
    { "mix-up: another issuer", "code=c&state=%s&iss=https://evil", false,
      POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "issuer with a slash more", "code=c&state=%s&iss=https://h/", true,
      POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "issuer in capitals", "code=c&state=%s&iss=https://H", true, POSTERN_ERR_ISSUER_UNTRUSTED,
      NULL },
    { "issuer promised and missing", "code=c&state=%s", true, POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "issuer twice", "code=c&state=%s&iss=https://h&iss=https://h", true,
      POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "an error of another issuer", "error=access_denied&state=%s&iss=https://evil", false,
      POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "no state", "code=c", false, POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "another state", "code=c&state=%sx", false, POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "state twice", "code=c&state=%s&state=evil", false, POSTERN_ERR_ISSUER_UNTRUSTED, NULL },
    { "denied", "error=access_denied&error_description=no%%20%%0Anever&state=%s", false,
      POSTERN_ERR_TOKEN_REFUSED, "access_denied" },
    { "code and error", "code=c&error=server_error&state=%s", false, POSTERN_ERR_TOKEN_REFUSED,
      "server_error" },
    { "code twice", "code=c&code=d&state=%s", false, POSTERN_ERR_ISSUER_ANSWER, NULL },
    { "neither", "state=%s", false, POSTERN_ERR_ISSUER_ANSWER, NULL },
    { "error not printable", "error=%%01&state=%s", false, POSTERN_ERR_ISSUER_ANSWER, NULL },
    { "bad encoding", "code=%%zz&state=%s", false, POSTERN_ERR_ISSUER_ANSWER, NULL },
};

static void judge_answer(size_t i)
{
    const struct fake_answer script[] = { METADATA(""), { .status = 200, .body = TOKENS } };
    const struct fake_answer script_iss[] = { METADATA(SAYS_ISS),
                                              { .status = 200, .body = TOKENS } };
    char query[512], *state_text;
    struct fake_transport f;
    postern_error err = { 0 };
    postern_op *login, *op;

    fake_transport_init(&f, answers_[i].says_iss ? script_iss : script, 2);
    login = begin(&f);
    state_text = state_of(login);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(query, sizeof query, answers_[i].answer, state_text);
#pragma GCC diagnostic pop
    assert_int_equal(postern_login_redeem_start(login, postern_bytes_str(query), &op, NULL),
                     POSTERN_OK);
    if (finish(op, &err) != answers_[i].want)
        fail_msg("%s: %s", answers_[i].why, err.detail);
    if (answers_[i].want != POSTERN_OK) /* neither code nor verifier nor secret left us */
        assert_int_equal(f.started, 1);
    if (answers_[i].oauth_error == NULL)
        assert_null(postern_acquire_oauth_error(op));
    else
        assert_string_equal(postern_acquire_oauth_error(op), answers_[i].oauth_error);
    postern_op_free(op);
    postern_op_free(login);
    free(state_text);
}

static void what_the_browser_brings_is_judged_before_a_code_is_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers_); i++)
        judge_answer(i);
}

static void a_login_is_good_for_one_redemption(void **state)
{
    static const struct fake_answer answers[] = { METADATA(""), { .status = 200, .body = TOKENS } };
    struct fake_transport f;
    postern_op *login, *op, *second = NULL;

    (void)state;
    fake_transport_init(&f, answers, 2);
    login = begin(&f);
    assert_int_equal(postern_login_redeem_start(login, LIT("code=c"), &op, NULL), POSTERN_OK);
    assert_int_equal(postern_login_redeem_start(login, LIT("code=c"), &second, NULL),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_login_redeem_start(op, LIT("code=c"), &second, NULL),
                     POSTERN_ERR_USAGE);
    assert_null(second);
    postern_op_free(op);
    postern_op_free(login);
}

static void an_echoed_code_or_verifier_is_not_shown(void **state)
{
    static const struct fake_answer answers[] = {
        METADATA(""),
        { .status = 400,
          .body = LIT("{\"error\":\"invalid_grant\",\"error_description\":\"code "
                      "c0de-1234 is used\"}") },
    };
    char query[256], *state_text;
    struct fake_transport f;
    postern_error err = { 0 };
    postern_op *login, *op;

    (void)state;
    fake_transport_init(&f, answers, 2);
    login = begin(&f);
    state_text = state_of(login);
    (void)snprintf(query, sizeof query, "code=c0de-1234&state=%s", state_text);
    assert_int_equal(postern_login_redeem_start(login, postern_bytes_str(query), &op, NULL),
                     POSTERN_OK);
    assert_int_equal(finish(op, &err), POSTERN_ERR_TOKEN_REFUSED);
    assert_string_equal(err.detail, "invalid_grant");
    postern_op_free(op);
    postern_op_free(login);
    free(state_text);
}

/* ---- the person's name ---- */

static void an_id_token_names_the_person_only_when_it_is_ours(void **state)
{
    static const struct {
        const char *payload; /* base64url of the claims in the comment */
        const char *want;
    } cases[] = {
        /* {"iss":"https://h","aud":"agent-7","sub":"alice"} */
        { "eyJpc3MiOiJodHRwczovL2giLCJhdWQiOiJhZ2VudC03Iiwic3ViIjoiYWxpY2UifQ", "alice" },
        /* {"iss":"https://h","aud":["x","agent-7"],"sub":"bob"} */
        { "eyJpc3MiOiJodHRwczovL2giLCJhdWQiOlsieCIsImFnZW50LTciXSwic3ViIjoiYm9iIn0", "bob" },
        /* {"iss":"https://evil","aud":"agent-7","sub":"mallory"} */
        { "eyJpc3MiOiJodHRwczovL2V2aWwiLCJhdWQiOiJhZ2VudC03Iiwic3ViIjoibWFsbG9yeSJ9", "" },
        /* {"iss":"https://h","aud":"other","sub":"mallory"} */
        { "eyJpc3MiOiJodHRwczovL2giLCJhdWQiOiJvdGhlciIsInN1YiI6Im1hbGxvcnkifQ", "" },
        { "!!", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char json[512], query[128], *state_text;
        struct fake_answer answers[] = { METADATA(""), { .status = 200 } };
        struct fake_transport f;
        postern_op *login, *op;

        (void)snprintf(json, sizeof json,
                       "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"e30.%s.c\"}",
                       cases[i].payload);
        answers[1].body = postern_bytes_str(json);
        fake_transport_init(&f, answers, 2);
        login = begin(&f);
        state_text = state_of(login);
        (void)snprintf(query, sizeof query, "code=c&state=%s", state_text);
        assert_int_equal(postern_login_redeem_start(login, postern_bytes_str(query), &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, NULL), POSTERN_OK);
        assert_string_equal(postern_acquire_info(op)->subject, cases[i].want);
        postern_op_free(op);
        postern_op_free(login);
        free(state_text);
    }
}

/* ---- misuse, memory ---- */

static void misuse_is_told_at_the_start(void **state)
{
    postern_login cases[] = { request(), request(), request(), request(), request() };
    struct fake_transport f;
    postern_op *op = NULL;

    (void)state;
    cases[0].size = 3;
    cases[1].redirect_uri = NULL;
    cases[2].redirect_uri = "";
    cases[3].login_hint = "a\nb";
    cases[4].scope = " ";
    fake_transport_init(&f, NULL, 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(postern_login_start_with(&f.transport, &clock_, &cases[i], &op, NULL),
                         POSTERN_ERR_USAGE);
    assert_null(op);
}

static postern_err log_in_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = { METADATA(""), { .status = 200, .body = TOKENS } };
    postern_login rq = request();
    struct fake_transport f;
    POSTERN_AUTO(op) login = NULL;
    POSTERN_AUTO(op) op = NULL;
    char query[128];
    const char *state_text;

    (void)arg;
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_login_start_with(&f.transport, &clock_, &rq, &login, err));
    POSTERN_TRY(finish(login, err));
    state_text = strstr(postern_login_url(login), "state=");
    (void)snprintf(query, sizeof query, "code=c&%.49s", state_text);
    POSTERN_TRY(postern_login_redeem_start(login, postern_bytes_str(query), &op, err));
    return finish(op, err);
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(log_in_once, NULL, POSTERN_OK) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_holds_what_rfc_6749_and_7636_ask_for),
        cmocka_unit_test(offline_access_is_asked_before_the_persons_eyes),
        cmocka_unit_test(an_endpoint_with_a_query_keeps_it),
        cmocka_unit_test(a_server_without_s256_is_no_place_for_a_login),
        cmocka_unit_test(a_code_is_redeemed_with_the_verifier_of_its_challenge),
        cmocka_unit_test(what_the_browser_brings_is_judged_before_a_code_is_used),
        cmocka_unit_test(a_login_is_good_for_one_redemption),
        cmocka_unit_test(an_echoed_code_or_verifier_is_not_shown),
        cmocka_unit_test(an_id_token_names_the_person_only_when_it_is_ours),
        cmocka_unit_test(misuse_is_told_at_the_start),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
