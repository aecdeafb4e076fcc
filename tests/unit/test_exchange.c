/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/exchange.c, refresh.c, revoke.c and their answers, against a fake transport that misbehaves on command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <postern/request.h>

#include "oauth/exchange.h"
#include "oauth/login.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/fake_transport.h"

#define LIT(s)   POSTERN_BYTES_LIT(s)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define GOOD_METADATA                                                                              \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\","            \
                    "\"revocation_endpoint\":\"https://h/revoke\"}")                               \
    }
#define ACCESS "\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\""
#define BEARER "\"token_type\":\"Bearer\""

static int64_t stand(void *arg)
{
    (void)arg;
    return 1700000000;
}

static const postern_clock clock_ = { stand, stand, NULL };

static postern_agent agent(void)
{
    return (postern_agent){ .issuer = "https://h", .client_id = "a", .credential = LIT("s3cr3t") };
}

static postern_exchange exchange(void)
{
    return (postern_exchange){ .size = sizeof(postern_exchange),
                               .agent = agent(),
                               .subject_token = LIT("subj.ect.token"),
                               .resource = "https://x/imap" };
}

static postern_refresh refresh(void)
{
    return (postern_refresh){
        .size = sizeof(postern_refresh), .agent = agent(), .refresh_token = LIT("r3fr3sh")
    };
}

static postern_err finish(postern_op *op, postern_error *err)
{
    postern_err e = POSTERN_AGAIN;

    for (int i = 0; i < 100 && e == POSTERN_AGAIN; i++)
        e = postern_op_step(op, err);
    if (e != POSTERN_OK) {
        assert_null(postern_op_take_token(op));
        assert_null(postern_acquire_take_refresh_token(op));
        assert_null(postern_acquire_info(op));
    }
    return e;
}

/* ---- exchange ---- */

static void an_exchange_is_asked_as_rfc_8693_says(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .url = "https://h/token",
          .status = 200,
          .body = LIT("{\"access_token\":\"new\"," ACCESS "," BEARER
                      ",\"expires_in\":9,\"refresh_token\":\"never\"}") },
    };
    postern_exchange rq = exchange();
    struct fake_transport f;
    postern_secret *token;
    postern_op *op;

    (void)state;
    rq.scope = "a b";
    rq.purpose = "read mail";
    rq.actor_token = LIT("act.or");
    rq.authorization_details = "[{\"type\":\"t\"}]";
    fake_transport_init(&f, answers, COUNT(answers));
    assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_string_equal(
        f.records[1].body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
        "&subject_token=subj.ect.token"
        "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
        "&actor_token=act.or"
        "&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
        "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
        "&purpose=read+mail&authorization_details=%5B%7B%22type%22%3A%22t%22%7D%5D"
        "&resource=https%3A%2F%2Fx%2Fimap&scope=a+b");
    assert_string_equal(f.records[1].authorization, "Basic YTpzM2NyM3Q=");
    token = postern_op_take_token(op);
    assert_true(postern_bytes_equal_str(postern_secret_bytes(token), "new"));
    assert_null(postern_acquire_take_refresh_token(op)); /* no answer to an exchange brings one */
    assert_true(postern_acquire_was_sent(op));
    postern_secret_free(token);
    postern_op_free(op);
}

static void only_a_bearer_access_token_is_an_answer_to_an_exchange(void **state)
{
    static const struct {
        const char *why, *json;
        postern_err want;
    } cases[] = {
        { "good", "{\"access_token\":\"n\"," ACCESS "," BEARER "}", POSTERN_OK },
        { "more scope than asked is told, not hidden",
          "{\"access_token\":\"n\"," ACCESS "," BEARER ",\"scope\":\"a b c\"}", POSTERN_OK },
        { "no type", "{\"access_token\":\"n\"," BEARER "}", POSTERN_ERR_ISSUER_ANSWER },
        { "refresh token",
          "{\"access_token\":\"n\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:refresh_"
          "token\"," BEARER "}",
          POSTERN_ERR_ISSUER_ANSWER },
        { "id token",
          "{\"access_token\":\"n\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:id_"
          "token\",\"token_type\":\"N_A\"}",
          POSTERN_ERR_ISSUER_ANSWER },
        { "N_A", "{\"access_token\":\"n\"," ACCESS ",\"token_type\":\"N_A\"}",
          POSTERN_ERR_ISSUER_ANSWER },
        { "DPoP", "{\"access_token\":\"n\"," ACCESS ",\"token_type\":\"DPoP\"}",
          POSTERN_ERR_ISSUER_ANSWER },
        { "type is a list", "{\"access_token\":\"n\",\"issued_token_type\":[]," BEARER "}",
          POSTERN_ERR_ISSUER_ANSWER },
        { "fewer scopes", "{\"access_token\":\"n\"," ACCESS "," BEARER ",\"scope\":\"a\"}",
          POSTERN_ERR_INSUFFICIENT_SCOPE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[] = {
            GOOD_METADATA, { .status = 200, .body = postern_bytes_str(cases[i].json) }
        };
        postern_exchange rq = exchange();
        struct fake_transport f;
        postern_error err = { 0 };
        postern_op *op;

        rq.scope = "a b";
        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        if (finish(op, &err) != cases[i].want)
            fail_msg("%s: %s", cases[i].why, err.detail);
        postern_op_free(op);
    }
}

/* It would go on to a service that must not have it. */
static void the_token_that_was_sent_is_no_answer_to_its_exchange(void **state)
{
    static const char *const sent[] = { "subj.ect.token", "act.or" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char body[256];
        struct fake_answer answers[] = { GOOD_METADATA, { .status = 200 } };
        postern_exchange rq = exchange();
        struct fake_transport f;
        postern_op *op;

        (void)snprintf(body, sizeof body, "{\"access_token\":\"%s\"," ACCESS "," BEARER "}", sent[i]);
        answers[1].body = postern_bytes_str(body);
        rq.actor_token = LIT("act.or");
        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, NULL), POSTERN_ERR_ISSUER_ANSWER);
        postern_op_free(op);
    }
}

static void no_message_shows_a_token_that_went_out(void **state)
{
    static const char *const echoes[] = { "subj.ect.token", "act.or", "s3cr3t" };
    postern_exchange rq = exchange();

    (void)state;
    rq.actor_token = LIT("act.or");
    for (size_t i = 0; i < COUNT(echoes); i++) {
        char json[256];
        struct fake_answer answers[] = { GOOD_METADATA, { .status = 400 } };
        struct fake_transport f;
        postern_error err = { 0 };
        postern_op *op;

        (void)snprintf(json, sizeof json,
                       "{\"error\":\"invalid_request\",\"error_description\":\"bad %s!\"}",
                       echoes[i]);
        answers[1].body = postern_bytes_str(json);
        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, &err), POSTERN_ERR_TOKEN_REFUSED);
        assert_string_equal(err.detail, "invalid_request");
        assert_false(postern_acquire_was_sent(op)); /* refused: nothing came of it */
        postern_op_free(op);
    }
}

static void lying_metadata_gets_no_token_and_no_secret(void **state)
{
    static const char *const lies[] = {
        "{\"issuer\":\"https://evil\",\"token_endpoint\":\"https://h/token\"}",
        "{\"issuer\":\"https://h/\",\"token_endpoint\":\"https://h/token\"}",
        "{\"issuer\":\"https://h\",\"token_endpoint\":\"http://h/token\"}",
        "{\"issuer\":\"https://h\",\"token_endpoint\":\"https://user@evil/token\"}",
        "{\"issuer\":\"https://h\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct fake_answer answers[] = { { .status = 200, .body = postern_bytes_str(lies[i]) } };
        postern_exchange rq = exchange();
        struct fake_transport f;
        postern_op *op;

        fake_transport_init(&f, answers, 1);
        assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_not_equal(finish(op, NULL), POSTERN_OK);
        assert_int_equal(f.started, 1);
        assert_string_equal(f.records[0].body, "");
        assert_string_equal(f.records[0].authorization, "");
        assert_false(postern_acquire_was_sent(op));
        postern_op_free(op);
    }
}

static void a_malformed_exchange_is_told_at_the_start(void **state)
{
    static char long_text[POSTERN_TOKEN_MAX + 2];
    postern_exchange cases[14];
    struct fake_transport f;
    size_t n = 0;

    (void)state;
    memset(long_text, 'a', sizeof long_text - 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        cases[i] = exchange();
    cases[n++].size = 1;
    cases[n++].subject_token = POSTERN_BYTES_NONE;
    cases[n++].subject_token = LIT("a b");
    cases[n++].subject_token = postern_bytes_str(long_text);
    cases[n++].subject_token_type = "";
    cases[n++].actor_token = LIT("a\n");
    cases[n++].actor_token_type = POSTERN_TOKEN_TYPE_JWT; /* without a token */
    cases[n++].resource = NULL;
    cases[n++].resource = "";
    cases[n++].scope = "a  b";
    cases[n++].purpose = "";
    cases[n++].purpose = "two\nlines";
    cases[n++].authorization_details = "{}";
    cases[n++].authorization_details = "[";
    assert_int_equal(n, COUNT(cases));
    fake_transport_init(&f, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        postern_op *op = NULL;

        if (postern_exchange_start_with(&f.transport, &clock_, &cases[i], &op, NULL) !=
            POSTERN_ERR_USAGE)
            fail_msg("case %zu was taken", i);
        assert_null(op);
    }
}

/* ---- refresh ---- */

static void a_refresh_gives_the_new_refresh_token_or_none(void **state)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        { "{\"access_token\":\"n\"," BEARER ",\"refresh_token\":\"r2\"}", "r2" },
        { "{\"access_token\":\"n\"," BEARER "}", NULL },
        { "{\"access_token\":\"n\"," BEARER ",\"refresh_token\":\"\"}", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[] = {
            GOOD_METADATA, { .status = 200, .body = postern_bytes_str(cases[i].json) }
        };
        postern_refresh rq = refresh();
        struct fake_transport f;
        postern_secret *got;
        postern_op *op;

        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_refresh_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_false(postern_acquire_was_sent(op));
        assert_int_equal(finish(op, NULL), POSTERN_OK);
        assert_string_equal(f.records[1].body, "grant_type=refresh_token&refresh_token=r3fr3sh");
        got = postern_acquire_take_refresh_token(op);
        if (cases[i].want == NULL)
            assert_null(got);
        else
            assert_true(postern_bytes_equal_str(postern_secret_bytes(got), cases[i].want));
        postern_secret_free(got);
        postern_op_free(op);
    }
}

static void whether_a_refresh_token_was_used_up_is_known_or_counts_as_yes(void **state)
{
    static const struct {
        const char *why;
        struct fake_answer answer;
        bool was_sent;
    } cases[] = {
        { "refused connection",
          { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE, .is_unsent = true },
          false },
        { "cut off", { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE }, true },
        { "silence", { .again = FAKE_FOREVER }, true },
        { "silence before a byte was sent", { .again = FAKE_FOREVER, .is_unsent = true }, false },
        { "start failed", { .start_err = POSTERN_ERR_ISSUER_UNTRUSTED }, false },
        { "invalid_grant", { .status = 400, .body = LIT("{\"error\":\"invalid_grant\"}") }, false },
        { "invalid_client", { .status = 401, .body = LIT("{\"error\":\"invalid_client\"}") }, false },
        { "400 that says nothing", { .status = 400, .body = LIT("{}") }, true },
        { "429", { .status = 429 }, false },
        { "503", { .status = 503 }, false },
        { "500", { .status = 500 }, true },
        { "502", { .status = 502 }, true },
        { "200 that cannot be read", { .status = 200, .body = LIT("{") }, true },
        { "200 of another type",
          { .status = 200, .body = LIT("{\"access_token\":\"a\",\"token_type\":\"DPoP\"}") },
          true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[] = { GOOD_METADATA, cases[i].answer };
        postern_refresh rq = refresh();
        struct fake_transport f;
        postern_op *op;

        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_refresh_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_not_equal(finish(op, NULL), POSTERN_OK);
        if (postern_acquire_was_sent(op) != cases[i].was_sent)
            fail_msg("%s", cases[i].why);
        postern_op_free(op);
    }
}

static void a_refresh_without_a_token_is_misuse(void **state)
{
    postern_refresh cases[3] = { refresh(), refresh(), refresh() };
    struct fake_transport f;
    postern_op *op = NULL;

    (void)state;
    cases[0].size = 0;
    cases[1].refresh_token = POSTERN_BYTES_NONE;
    cases[2].agent.auth = POSTERN_CLIENT_AUTH_NONE; /* with a secret: whose? */
    fake_transport_init(&f, NULL, 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(postern_refresh_start_with(&f.transport, &clock_, &cases[i], &op, NULL),
                         POSTERN_ERR_USAGE);
    assert_null(op);
}

/* ---- revocation ---- */

static void a_token_is_given_back_at_the_revocation_endpoint(void **state)
{
    static const struct {
        struct fake_answer answer;
        postern_err want;
    } cases[] = {
        { { .url = "https://h/revoke", .status = 200, .content_type = "" }, POSTERN_OK },
        { { .status = 400, .body = LIT("{\"error\":\"unsupported_token_type\"}") },
          POSTERN_ERR_TOKEN_REFUSED },
        { { .status = 503 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .status = 404 }, POSTERN_ERR_ISSUER_ANSWER },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_answer answers[] = { GOOD_METADATA, cases[i].answer };
        postern_revoke rq = { .size = sizeof rq,
                              .agent = agent(),
                              .token = LIT("r3fr3sh"),
                              .is_refresh_token = true };
        struct fake_transport f;
        postern_op *op;

        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_revoke_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, NULL), cases[i].want);
        assert_string_equal(f.records[1].body, "token_type_hint=refresh_token&token=r3fr3sh");
        postern_op_free(op);
    }
}

static void without_a_revocation_endpoint_nothing_is_sent(void **state)
{
    static const struct fake_answer answers[] = {
        { .status = 200,
          .body = LIT("{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\"}") },
    };
    postern_revoke rq = { .size = sizeof rq, .agent = agent(), .token = LIT("t") };
    struct fake_transport f;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    assert_int_equal(postern_revoke_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(finish(op, NULL), POSTERN_ERR_ISSUER_ANSWER);
    assert_int_equal(f.started, 1);
    postern_op_free(op);
    rq.token = POSTERN_BYTES_NONE;
    op = NULL;
    assert_int_equal(postern_revoke_start_with(&f.transport, &clock_, &rq, &op, NULL),
                     POSTERN_ERR_USAGE);
    assert_null(op);
}

/* ---- memory ---- */

static postern_err exchange_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"n\"," ACCESS "," BEARER "}") },
    };
    postern_exchange rq = exchange();
    struct fake_transport f;
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    rq.actor_token = LIT("act.or");
    rq.scope = "a";
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, err));
    return finish(op, err);
}

static postern_err refresh_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"n\",\"refresh_token\":\"r\\u0032\"," BEARER "}") },
    };
    postern_refresh rq = refresh();
    struct fake_transport f;
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    rq.scope = "a";
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_refresh_start_with(&f.transport, &clock_, &rq, &op, err));
    return finish(op, err);
}

static postern_err revoke_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = { GOOD_METADATA, { .status = 200 } };
    postern_revoke rq = { .size = sizeof rq, .agent = agent(), .token = LIT("t") };
    struct fake_transport f;
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_revoke_start_with(&f.transport, &clock_, &rq, &op, err));
    return finish(op, err);
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(exchange_once, NULL, POSTERN_OK) > 10);
    assert_true(alloc_fail_sweep(refresh_once, NULL, POSTERN_OK) > 8);
    assert_true(alloc_fail_sweep(revoke_once, NULL, POSTERN_OK) > 5);
}

/* ---- over libcurl ---- */

/* Nothing goes out before the first step: what is dropped then was never sent. */
static void what_hosts_call_begins_the_same_and_sends_nothing_yet(void **state)
{
    const postern_exchange x = exchange();
    const postern_refresh r = refresh();
    postern_revoke v = { .size = sizeof v, .agent = agent(), .token = LIT("t") };
    postern_op *op = NULL;

    (void)state;
    assert_int_equal(postern_exchange_start(&clock_, &x, &op, NULL), POSTERN_OK);
    assert_false(postern_acquire_was_sent(op));
    postern_op_free(op);
    assert_int_equal(postern_refresh_start(&clock_, &r, &op, NULL), POSTERN_OK);
    assert_false(postern_acquire_was_sent(op));
    postern_op_free(op);
    assert_int_equal(postern_revoke_start(&clock_, &v, &op, NULL), POSTERN_OK);
    postern_op_free(op);
    op = NULL;
    v.size--;
    assert_int_equal(postern_revoke_start(&clock_, &v, &op, NULL), POSTERN_ERR_USAGE);
    v.size++;
    v.agent.client_id = NULL;
    assert_int_equal(postern_revoke_start(&clock_, &v, &op, NULL), POSTERN_ERR_USAGE);
    assert_null(op);
}

static void a_token_longer_than_any_is_not_given_back(void **state)
{
    static const uint8_t bytes[POSTERN_TOKEN_MAX + 1];
    postern_revoke v = { .size = sizeof v, .agent = agent(), .token = { bytes, sizeof bytes } };
    postern_refresh r = refresh();
    postern_op *op = NULL;

    (void)state;
    r.refresh_token = v.token;
    assert_int_equal(postern_revoke_start(&clock_, &v, &op, NULL), POSTERN_ERR_USAGE);
    assert_int_equal(postern_refresh_start(&clock_, &r, &op, NULL), POSTERN_ERR_USAGE);
    r = refresh();
    r.size--;
    assert_int_equal(postern_refresh_start(&clock_, &r, &op, NULL), POSTERN_ERR_USAGE);
    assert_null(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_asked_as_rfc_8693_says),
        cmocka_unit_test(only_a_bearer_access_token_is_an_answer_to_an_exchange),
        cmocka_unit_test(the_token_that_was_sent_is_no_answer_to_its_exchange),
        cmocka_unit_test(no_message_shows_a_token_that_went_out),
        cmocka_unit_test(lying_metadata_gets_no_token_and_no_secret),
        cmocka_unit_test(a_malformed_exchange_is_told_at_the_start),
        cmocka_unit_test(a_refresh_gives_the_new_refresh_token_or_none),
        cmocka_unit_test(whether_a_refresh_token_was_used_up_is_known_or_counts_as_yes),
        cmocka_unit_test(a_refresh_without_a_token_is_misuse),
        cmocka_unit_test(a_token_is_given_back_at_the_revocation_endpoint),
        cmocka_unit_test(without_a_revocation_endpoint_nothing_is_sent),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
        cmocka_unit_test(what_hosts_call_begins_the_same_and_sends_nothing_yet),
        cmocka_unit_test(a_token_longer_than_any_is_not_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
