/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/client_credentials.c and token_answer.c against a fake transport that misbehaves on
 * command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <postern/request.h>

#include "oauth/client_credentials.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/fake_transport.h"

#define LIT(s)       POSTERN_BYTES_LIT(s)
#define COUNT(a)     (sizeof(a) / sizeof *(a))
#define METADATA     LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\"}")
#define METADATA_URL "https://h/.well-known/oauth-authorization-server"
#define GOOD_METADATA                                                                              \
    {                                                                                              \
        .url = METADATA_URL, .status = 200, .body = METADATA                                       \
    }
#define TOKEN_URL "https://h/token"

/* ---- a clock that stands until it is pushed ---- */

static int64_t fake_now_ms;

static int64_t fake_now_s(void *arg)
{
    (void)arg;
    return 1700000000;
}

static int64_t fake_mono_ms(void *arg)
{
    (void)arg;
    return fake_now_ms;
}

static const postern_clock fake_clock = { fake_now_s, fake_mono_ms, NULL };

/* ---- one acquisition ---- */

static postern_acquire request(void)
{
    return (postern_acquire){
        .size = sizeof(postern_acquire),
        .agent = { .issuer = "https://h",
                   .client_id = "agent 7",
                   .credential = LIT("s3cr3t+/:%"),
                   .loopback_uid = 997 },
        .resource = "https://mail.example.org/imap",
        .scope = "mail.read mail.write",
    };
}

static postern_op *start(struct fake_transport *f, const postern_acquire *rq)
{
    postern_op *op = NULL;
    postern_error err = { 0 };

    if (postern_acquire_start_with(&f->transport, &fake_clock, rq, &op, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return op;
}

static postern_err finish(postern_op *op, postern_error *err)
{
    postern_err e = POSTERN_AGAIN;

    for (int i = 0; i < 100 && e == POSTERN_AGAIN; i++) {
        assert_true(postern_op_wait_ms(op) >= 0);
        e = postern_op_step(op, err);
    }
    return e;
}

/* Run the script; assert the verdict, that no token came with a failure, and that nothing secret is
 * in the detail. */
static postern_err run(const struct fake_answer *answers, size_t count, const postern_acquire *rq,
                       postern_error *err)
{
    struct fake_transport f;
    postern_err e;
    postern_op *op;

    fake_now_ms = 0;
    fake_transport_init(&f, answers, count);
    op = start(&f, rq);
    e = finish(op, err);
    if (e != POSTERN_OK) {
        assert_null(postern_op_take_token(op));
        assert_null(postern_acquire_info(op));
        assert_null(strstr(err->detail, "s3cr3t"));
        assert_int_equal(postern_op_failure(op)->code, e);
        assert_string_equal(postern_op_failure(op)->issuer, "https://h");
    }
    postern_op_free(op);
    assert_int_equal(f.open, 0);
    return e;
}

static void a_token_is_asked_for_as_rfc_6749_and_8707_say(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .url = TOKEN_URL,
          .status = 200,
          .body = LIT("{\"access_token\":\"aaa.bbb.ccc\",\"token_type\":\"bEARER\",\"expires_in\":"
                      "300,\"scope\":\"mail.write mail.read more\"}") },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_secret *token;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, COUNT(answers));
    op = start(&f, &rq);
    memset(&rq, 0, sizeof rq); /* everything was copied */
    assert_null(postern_acquire_info(op));
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    token = postern_op_take_token(op);
    assert_true(postern_bytes_equal_str(postern_secret_bytes(token), "aaa.bbb.ccc"));
    assert_null(postern_op_take_token(op));
    assert_int_equal(postern_acquire_info(op)->expires_in_s, 300);
    assert_string_equal(postern_acquire_info(op)->scope, "mail.write mail.read more");
    assert_null(postern_acquire_oauth_error(op));

    assert_int_equal(f.started, 2);
    assert_string_equal(f.records[0].method, "GET");
    assert_string_equal(f.records[0].authorization, "");
    assert_string_equal(f.records[0].body, "");
    assert_string_equal(f.records[1].method, "POST");
    /* base64("agent+7:s3cr3t%2B%2F%3A%25") */
    assert_string_equal(f.records[1].authorization, "Basic YWdlbnQrNzpzM2NyM3QlMkIlMkYlM0ElMjU=");
    assert_string_equal(f.records[1].body,
                        "grant_type=client_credentials&resource=https%3A%2F%2Fmail.example.org%"
                        "2Fimap&scope=mail.read+mail.write");
    for (size_t i = 0; i < 2; i++) {
        assert_true(f.records[i].check_listener);
        assert_true(f.records[i].is_host_configured);
        assert_false(f.records[i].allow_loopback_http);
        assert_int_equal(f.records[i].listener_uid, 997);
        assert_int_equal(f.records[i].deadline_ms, POSTERN_OP_DEADLINE_MS);
    }
    postern_secret_free(token);
    postern_op_free(op);
}

static void what_is_not_asked_for_is_not_sent(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_op *op;

    (void)state;
    rq.resource = rq.scope = NULL;
    fake_transport_init(&f, answers, COUNT(answers));
    op = start(&f, &rq);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_string_equal(f.records[1].body, "grant_type=client_credentials");
    assert_int_equal(postern_acquire_info(op)->expires_in_s, -1);
    assert_string_equal(postern_acquire_info(op)->scope, "");
    postern_op_free(op);
}

static void a_scope_that_the_answer_leaves_out_is_the_one_asked_for(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, COUNT(answers));
    op = start(&f, &rq);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_string_equal(postern_acquire_info(op)->scope, "mail.read mail.write");
    postern_op_free(op);
}

static void metadata_is_looked_for_in_three_places_while_the_answer_is_404(void **state)
{
    static const struct fake_answer answers[] = {
        { .url = "https://h/.well-known/oauth-authorization-server/r", .status = 404 },
        { .url = "https://h/.well-known/openid-configuration/r", .status = 404, .again = 1 },
        { .url = "https://h/r/.well-known/openid-configuration",
          .status = 200,
          .body = LIT("{\"issuer\":\"https://h/r\",\"token_endpoint\":\"https://sts.h/t\"}") },
        { .url = "https://sts.h/t",
          .again = 2,
          .status = 200,
          .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_op *op;

    (void)state;
    rq.agent.issuer = "https://h/r";
    fake_transport_init(&f, answers, COUNT(answers));
    op = start(&f, &rq);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_int_equal(f.started, 4);
    assert_false(f.records[3].is_host_configured); /* only a document named sts.h */
    postern_op_free(op);
}

static void without_metadata_nothing_secret_is_sent(void **state)
{
    static const struct {
        const char *why;
        struct fake_answer first, second;
        postern_err want;
    } cases[] = {
        { "nowhere", { .status = 404 }, { .status = 404 }, POSTERN_ERR_ISSUER_ANSWER },
        { "401 stops the search", { .status = 401 }, GOOD_METADATA, POSTERN_ERR_ISSUER_ANSWER },
        { "500 stops the search",
          { .status = 500 },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_UNREACHABLE },
        { "201", { .status = 201, .body = METADATA }, GOOD_METADATA, POSTERN_ERR_ISSUER_ANSWER },
        { "redirect",
          { .step_err = POSTERN_ERR_ISSUER_ANSWER },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_ANSWER },
        { "refused connection",
          { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_UNREACHABLE },
        { "stolen port",
          { .step_err = POSTERN_ERR_ISSUER_UNTRUSTED },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { "URL refused",
          { .start_err = POSTERN_ERR_ISSUER_UNTRUSTED },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { "connect time-out",
          { .step_err = POSTERN_ERR_TIMEOUT },
          GOOD_METADATA,
          POSTERN_ERR_TIMEOUT },
        { "HTML",
          { .status = 200, .content_type = "text/html", .body = LIT("<html>") },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_ANSWER },
        { "another issuer",
          { .status = 200,
            .body = LIT("{\"issuer\":\"https://evil\",\"token_endpoint\":\"https://h/t\"}") },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { "endpoint by http",
          { .status = 200,
            .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"http://h/t\"}") },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_ANSWER },
        { "no endpoint",
          { .status = 200, .body = LIT("{\"issuer\":\"https://h\"}") },
          GOOD_METADATA,
          POSTERN_ERR_ISSUER_ANSWER },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[2] = { cases[i].first, cases[i].second };
        postern_acquire rq = request();
        struct fake_transport f;
        postern_error err = { 0 };
        postern_op *op;

        answers[1].url = NULL;
        fake_transport_init(&f, answers, 2);
        op = start(&f, &rq);
        if (finish(op, &err) != cases[i].want)
            fail_msg("%s: %s %s", cases[i].why, postern_err_reason(err.code), err.detail);
        for (size_t n = 0; n < f.started; n++) {
            assert_string_equal(f.records[n].authorization, "");
            assert_string_equal(f.records[n].method, "GET");
        }
        postern_op_free(op);
        assert_int_equal(f.open, 0);
    }
}

#define BEARER "\"token_type\":\"Bearer\""

static void an_answer_that_cannot_be_used_gives_no_token(void **state)
{
    static const struct {
        const char *why;
        struct fake_answer token;
        postern_err want;
    } cases[] = {
        { "HTML with 200",
          { .status = 200, .content_type = "text/html", .body = LIT("<html>Log in</html>") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "empty", { .status = 200 }, POSTERN_ERR_ISSUER_ANSWER },
        { "array", { .status = 200, .body = LIT("[\"t\"]") }, POSTERN_ERR_ISSUER_ANSWER },
        { "no token", { .status = 200, .body = LIT("{" BEARER "}") }, POSTERN_ERR_ISSUER_ANSWER },
        { "empty token",
          { .status = 200, .body = LIT("{\"access_token\":\"\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "token is a number",
          { .status = 200, .body = LIT("{\"access_token\":1," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "token with a blank",
          { .status = 200, .body = LIT("{\"access_token\":\"a b\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "token with a newline",
          { .status = 200, .body = LIT("{\"access_token\":\"a\\nb\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "token with NUL",
          { .status = 200, .body = LIT("{\"access_token\":\"a\\u0000b\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "raw NUL",
          { .status = 200, .body = LIT("{\"access_token\":\"a\0b\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "token twice",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\",\"access_token\":\"b\"," BEARER "}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "no type",
          { .status = 200, .body = LIT("{\"access_token\":\"a\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "DPoP token",
          { .status = 200, .body = LIT("{\"access_token\":\"a\",\"token_type\":\"DPoP\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "Bearer2",
          { .status = 200, .body = LIT("{\"access_token\":\"a\",\"token_type\":\"Bearer2\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "expires_in text",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\"," BEARER ",\"expires_in\":\"300\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "expires_in negative",
          { .status = 200, .body = LIT("{\"access_token\":\"a\"," BEARER ",\"expires_in\":-1}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "expires_in huge",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\"," BEARER ",\"expires_in\":1e400}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "scope is a list",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\"," BEARER ",\"scope\":[\"mail.read\"]}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "one scope fewer",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\"," BEARER ",\"scope\":\"mail.read\"}") },
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "scope by prefix",
          { .status = 200,
            .body =
                LIT("{\"access_token\":\"a\"," BEARER ",\"scope\":\"mail.read mail.writeX\"}") },
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "scope of other case",
          { .status = 200,
            .body = LIT("{\"access_token\":\"a\"," BEARER ",\"scope\":\"mail.read Mail.Write\"}") },
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "empty scope",
          { .status = 200, .body = LIT("{\"access_token\":\"a\"," BEARER ",\"scope\":\"\"}") },
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "too large", { .step_err = POSTERN_ERR_ISSUER_ANSWER }, POSTERN_ERR_ISSUER_ANSWER },
        { "cut off",
          { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE },
          POSTERN_ERR_ISSUER_UNREACHABLE },
        { "listener changed",
          { .step_err = POSTERN_ERR_ISSUER_UNTRUSTED },
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { "404",
          { .status = 404, .body = LIT("{\"error\":\"invalid_client\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "204", { .status = 204 }, POSTERN_ERR_ISSUER_ANSWER },
        { "429", { .status = 429, .body = LIT("{}") }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { "500",
          { .status = 500, .body = LIT("{\"access_token\":\"a\"," BEARER "}") },
          POSTERN_ERR_ISSUER_UNREACHABLE },
        { "503", { .status = 503 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { "400 HTML",
          { .status = 400,
            .content_type = "text/html",
            .body = LIT("{\"error\":\"invalid_client\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "400 without error", { .status = 400, .body = LIT("{}") }, POSTERN_ERR_ISSUER_ANSWER },
        { "400 error not printable",
          { .status = 400, .body = LIT("{\"error\":\"a\\u001bb\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "400 error is the secret",
          { .status = 400, .body = LIT("{\"error\":\"s3cr3t+/:%\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { "401 invalid_client",
          { .status = 401, .body = LIT("{\"error\":\"invalid_client\"}") },
          POSTERN_ERR_TOKEN_REFUSED },
        { "400 invalid_target",
          { .status = 400,
            .body =
                LIT("{\"error\":\"invalid_target\",\"error_description\":\"no such resource\"}") },
          POSTERN_ERR_TOKEN_REFUSED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[] = { GOOD_METADATA, cases[i].token };
        postern_acquire rq = request();
        postern_error err = { 0 };

        if (run(answers, 2, &rq, &err) != cases[i].want)
            fail_msg("%s: %s %s", cases[i].why, postern_err_reason(err.code), err.detail);
    }
}

static void a_token_of_16_kib_is_taken_and_one_byte_more_is_not(void **state)
{
    static char body[POSTERN_TOKEN_MAX + 100];
    struct fake_answer answers[] = { GOOD_METADATA, { .status = 200 } };
    postern_acquire rq = request();
    postern_error err = { 0 };

    (void)state;
    for (int more = 0; more <= 1; more++) {
        int n = snprintf(body, sizeof body, "{" BEARER ",\"access_token\":\"");

        memset(body + n, 'a', (size_t)(POSTERN_TOKEN_MAX + more));
        memcpy(body + n + POSTERN_TOKEN_MAX + more, "\"}", 3);
        answers[1].body = postern_bytes_str(body);
        assert_int_equal(run(answers, 2, &rq, &err),
                         more == 0 ? POSTERN_OK : POSTERN_ERR_ISSUER_ANSWER);
    }
}

/* The verdict's detail, by way of the op. */
static void assert_refusal(const char *json, const char *want_detail, const char *want_error)
{
    struct fake_answer answers[] = { GOOD_METADATA,
                                     { .status = 400, .body = postern_bytes_str(json) } };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_error err = { 0 };
    postern_op *op;

    fake_transport_init(&f, answers, 2);
    op = start(&f, &rq);
    assert_int_equal(finish(op, &err), POSTERN_ERR_TOKEN_REFUSED);
    assert_string_equal(err.detail, want_detail);
    assert_string_equal(postern_acquire_oauth_error(op), want_error);
    postern_op_free(op);
}

static void a_refusal_tells_the_servers_own_words_made_harmless(void **state)
{
    char longer[700], want[300];

    (void)state;
    assert_refusal("{\"error\":\"invalid_client\"}", "invalid_client", "invalid_client");
    assert_refusal("{\"error\":\"invalid_scope\",\"error_description\":\"no mail.write\"}",
                   "invalid_scope: no mail.write", "invalid_scope");
    assert_refusal("{\"error\":\"x\",\"error_description\":\"a\\r\\nb\\u001b[2J\\u00e9\"}",
                   "x: a??b?[2J??", "x");
    assert_refusal("{\"error\":\"x\",\"error_description\":7}", "x", "x");
    assert_refusal("{\"error\":\"x\",\"error_description\":\"bad secret s3cr3t+/:% given\"}", "x",
                   "x");
    (void)snprintf(longer, sizeof longer, "{\"error\":\"x\",\"error_description\":\"%0500d\"}", 0);
    (void)snprintf(want, sizeof want, "x: %0200d", 0);
    assert_refusal(longer, want, "x");
}

static void too_many_requests_says_when_to_come_back(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA,
                                                  { .status = 429, .retry_after_s = 30 } };
    postern_acquire rq = request();
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(run(answers, 2, &rq, &err), POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_non_null(strstr(err.detail, "30 s"));
}

static void silence_ends_at_the_deadline_by_the_clock(void **state)
{
    static const struct fake_answer silent_metadata[] = { { .again = FAKE_FOREVER } };
    static const struct fake_answer silent_endpoint[] = { GOOD_METADATA,
                                                          { .again = FAKE_FOREVER } };
    static const struct {
        const struct fake_answer *answers;
        size_t count;
    } cases[] = { { silent_metadata, 1 }, { silent_endpoint, 2 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_acquire rq = request();
        struct fake_transport f;
        postern_op *op;

        fake_now_ms = 1000;
        rq.agent.deadline_ms = 300;
        fake_transport_init(&f, cases[i].answers, cases[i].count);
        op = start(&f, &rq);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
        assert_int_equal(f.records[f.started - 1].deadline_ms, 300);
        fake_now_ms = 1299;
        assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
        assert_true(postern_op_wait_ms(op) <= 1);
        fake_now_ms = 1300;
        assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_TIMEOUT);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_TIMEOUT);
        postern_op_free(op);
        assert_int_equal(f.open, 0);
    }
}

static void the_second_exchange_gets_only_the_time_that_is_left(void **state)
{
    static const struct fake_answer answers[] = {
        { .again = 1, .status = 200, .body = METADATA },
        { .again = FAKE_FOREVER },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    postern_op *op;

    (void)state;
    fake_now_ms = 0;
    fake_transport_init(&f, answers, COUNT(answers));
    op = start(&f, &rq);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fake_now_ms = 4000;
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    assert_int_equal(f.started, 2);
    assert_int_equal(f.records[1].deadline_ms, POSTERN_OP_DEADLINE_MS - 4000);
    postern_op_free(op); /* cancelled in flight */
    assert_int_equal(f.open, 0);
}

static void misuse_is_told_at_the_start(void **state)
{
    static char long_text[3000];
    postern_acquire cases[16];
    size_t n = 0;
    struct fake_transport f;

    (void)state;
    memset(long_text, 'a', sizeof long_text - 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        cases[i] = request();
    cases[n++].size = 8;
    cases[n++].agent.issuer = NULL;
    cases[n++].agent.issuer = "sso";
    cases[n++].agent.issuer = "https://h?q";
    cases[n++].agent.issuer = long_text;
    cases[n++].agent.client_id = NULL;
    cases[n++].agent.client_id = "";
    cases[n++].agent.client_id = long_text;
    cases[n++].agent.credential = POSTERN_BYTES_NONE;
    cases[n++].agent.credential = postern_bytes_str(long_text);
    cases[n++].resource = "";
    cases[n++].resource = long_text;
    cases[n++].scope = "";
    cases[n++].scope = "a  b";
    cases[n++].scope = "a\"b";
    cases[n++].scope = long_text;
    assert_int_equal(n, COUNT(cases));
    fake_transport_init(&f, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        postern_op *op = NULL;

        if (postern_acquire_start_with(&f.transport, &fake_clock, &cases[i], &op, NULL) !=
            POSTERN_ERR_USAGE)
            fail_msg("case %zu was taken", i);
        assert_null(op);
    }
}

static postern_err acquire_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = {
        { .status = 404 },
        { .again = 1, .status = 200, .body = METADATA },
        { .status = 200,
          .body = LIT("{\"access_token\":\"t\\u002et\",\"token_type\":\"B\\u0065arer\",\"scope\":"
                      "\"mail.read "
                      "mail.write\"}") },
    };
    postern_acquire rq = request();
    struct fake_transport f;
    POSTERN_AUTO(op) op = NULL;
    POSTERN_AUTO(secret) token = NULL;

    (void)arg;
    fake_now_ms = 0;
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_acquire_start_with(&f.transport, &fake_clock, &rq, &op, err));
    POSTERN_TRY(finish(op, err));
    token = postern_op_take_token(op);
    assert_true(postern_bytes_equal_str(postern_secret_bytes(token), "t.t"));
    return POSTERN_OK;
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(acquire_once, NULL, POSTERN_OK) > 10);
}

/* Over libcurl, and nothing goes out before the first step. */
static void what_hosts_call_begins_the_same_and_sends_nothing_yet(void **state)
{
    postern_acquire rq = request();
    postern_op *op = NULL;

    (void)state;
    assert_int_equal(postern_acquire_start(&fake_clock, &rq, &op, NULL), POSTERN_OK);
    assert_false(postern_acquire_was_sent(op));
    assert_null(postern_acquire_info(op));
    assert_null(postern_acquire_oauth_error(op));
    assert_null(postern_acquire_take_refresh_token(op));
    postern_op_free(op);
    op = NULL;
    rq.size--;
    assert_int_equal(postern_acquire_start(&fake_clock, &rq, &op, NULL), POSTERN_ERR_USAGE);
    assert_null(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_as_rfc_6749_and_8707_say),
        cmocka_unit_test(what_is_not_asked_for_is_not_sent),
        cmocka_unit_test(a_scope_that_the_answer_leaves_out_is_the_one_asked_for),
        cmocka_unit_test(metadata_is_looked_for_in_three_places_while_the_answer_is_404),
        cmocka_unit_test(without_metadata_nothing_secret_is_sent),
        cmocka_unit_test(an_answer_that_cannot_be_used_gives_no_token),
        cmocka_unit_test(a_token_of_16_kib_is_taken_and_one_byte_more_is_not),
        cmocka_unit_test(a_refusal_tells_the_servers_own_words_made_harmless),
        cmocka_unit_test(too_many_requests_says_when_to_come_back),
        cmocka_unit_test(silence_ends_at_the_deadline_by_the_clock),
        cmocka_unit_test(the_second_exchange_gets_only_the_time_that_is_left),
        cmocka_unit_test(misuse_is_told_at_the_start),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
        cmocka_unit_test(what_hosts_call_begins_the_same_and_sends_nothing_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
