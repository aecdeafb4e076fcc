/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/oauth/token_call.c, the engine of every request of an agent, and what stands around it:
 * token_answer.c, login.c, exchange.c.  The limits of each field, the descriptor that stands for an
 * operation, and what an operation of another kind is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <postern-private/form.h>
#include <postern/acquire.h>
#include <postern/request.h>

#include "oauth/client_credentials.h"
#include "oauth/exchange.h"
#include "oauth/login.h"
#include "oauth/token_call.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/fake_transport.h"
#include "tests/support/op_stub.h"
#include "tests/support/test_keys.h"

#define LIT(s)   POSTERN_BYTES_LIT(s)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define METADATA                                                                                   \
    "{\"issuer\":\"https://h\",\"token_endpoint\":\"https://h/token\","                            \
    "\"authorization_endpoint\":\"https://h/authorize\","                                          \
    "\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\",\"private_key_jwt\","      \
    "\"none\"],\"code_challenge_methods_supported\":[\"S256\"]}"
#define GOOD_METADATA                                                                              \
    {                                                                                              \
        .status = 200, .body = LIT(METADATA)                                                       \
    }
#define LONGER(n) (n), 0 /* printf's "%0*d": n digits */

static int64_t now_ms, step_ms;

static int64_t get_now_s(void *arg)
{
    (void)arg;
    return 1700000000;
}

/* Each look finds step_ms gone. */
static int64_t get_mono_ms(void *arg)
{
    (void)arg;
    return now_ms += step_ms;
}

static const postern_clock clock_ = { get_now_s, get_mono_ms, NULL };

static int set_up(void **state)
{
    (void)state;
    now_ms = 1000000;
    step_ms = 0;
    return 0;
}

static postern_agent agent(void)
{
    return (postern_agent){ .issuer = "https://h", .client_id = "a", .credential = LIT("s3cr3t") };
}

static postern_acquire acquire(void)
{
    return (postern_acquire){ .size = sizeof(postern_acquire), .agent = agent() };
}

static postern_err finish(postern_op *op, postern_error *err)
{
    postern_err e = POSTERN_AGAIN;

    for (int i = 0; i < 100 && e == POSTERN_AGAIN; i++)
        e = postern_op_step(op, err);
    return e;
}

/* ---- the operation ---- */

static int count_watched(int epoll_fd)
{
    struct epoll_event ev;

    return epoll_wait(epoll_fd, &ev, 1, 0);
}

static void one_descriptor_stands_for_all_exchanges_of_an_operation(void **state)
{
    static const struct fake_answer answers[] = {
        { .again = 1, .has_fd = true, .status = 200, .body = LIT(METADATA) },
        { .again = 1,
          .has_fd = true,
          .status = 200,
          .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    postern_acquire rq = acquire();
    struct fake_transport f;
    postern_op *op = NULL;
    int fd;

    (void)state;
    fake_transport_init(&f, answers, COUNT(answers));
    assert_int_equal(postern_acquire_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_fd(op), -1); /* nothing is in flight: step it */
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = postern_op_fd(op);
    assert_true(fd >= 0);
    assert_int_equal(count_watched(fd), 0);
    assert_false(postern_acquire_was_sent(op)); /* metadata uses up nothing */
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    assert_int_equal(f.started, 2);
    assert_int_equal(postern_op_fd(op), fd);
    assert_true(postern_acquire_was_sent(op)); /* in flight */
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_fd(op), -1);
    postern_op_free(op);
    assert_int_equal(f.open, 0);
}

/* The engine looked at the deadline a moment before: what is left is a millisecond, not "for ever".
 */
static void an_exchange_begun_at_the_deadline_has_a_millisecond(void **state)
{
    static const struct fake_answer answers[] = { { .again = FAKE_FOREVER } };
    postern_acquire rq = acquire();
    struct fake_transport f;
    postern_op *op = NULL;

    (void)state;
    rq.agent.deadline_ms = 15;
    fake_transport_init(&f, answers, 1);
    assert_int_equal(postern_acquire_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    step_ms = 10;
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_TIMEOUT);
    assert_int_equal(f.started, 1);
    assert_int_equal(f.records[0].deadline_ms, 1);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_TIMEOUT);
    postern_op_free(op);
}

/* Some servers say so for unauthorized_client, where RFC 6749 has 400. */
static void a_403_with_an_oauth_error_is_a_refusal(void **state)
{
    static const struct {
        const char *body;
        postern_err want;
        bool was_sent;
    } cases[] = {
        { "{\"error\":\"unauthorized_client\"}", POSTERN_ERR_TOKEN_REFUSED, false },
        { "{\"message\":\"forbidden\"}", POSTERN_ERR_ISSUER_ANSWER, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            GOOD_METADATA, { .status = 403, .body = postern_bytes_str(cases[i].body) }
        };
        postern_acquire rq = acquire();
        struct fake_transport f;
        postern_op *op = NULL;

        fake_transport_init(&f, answers, 2);
        assert_int_equal(postern_acquire_start_with(&f.transport, &clock_, &rq, &op, NULL),
                         POSTERN_OK);
        assert_int_equal(finish(op, NULL), cases[i].want);
        assert_int_equal(postern_acquire_was_sent(op), cases[i].was_sent);
        if (cases[i].want == POSTERN_ERR_TOKEN_REFUSED)
            assert_string_equal(postern_acquire_oauth_error(op), "unauthorized_client");
        else
            assert_null(postern_acquire_oauth_error(op));
        postern_op_free(op);
    }
}

static void an_operation_of_another_kind_has_nothing_of_a_call(void **state)
{
    struct op_stub stub;

    (void)state;
    op_stub_make(&stub);
    assert_null(postern_call_of(stub.op));
    assert_null(postern_acquire_info(stub.op));
    assert_null(postern_acquire_oauth_error(stub.op));
    assert_null(postern_acquire_take_refresh_token(stub.op));
    assert_false(postern_acquire_was_sent(stub.op));
    assert_null(postern_login_url(stub.op));
    assert_false(postern_login_is_answer(stub.op, LIT("state=a")));
    op_stub_remove(&stub);
}

static const struct postern_call_kind plain_kind = {
    .class = POSTERN_CALL_CLASS("plain", struct postern_call),
    .needs = POSTERN_NEED_TOKEN,
    .endpoint = postern_call_token_endpoint,
    .accept = postern_call_accept_token,
};

/* Else a message could show the one that nobody remembered. */
static void a_call_remembers_three_secrets_and_takes_no_fourth(void **state)
{
    postern_agent a = agent();
    struct postern_call *call = NULL;
    struct fake_transport f;
    postern_error err = { 0 };
    size_t len;

    (void)state;
    fake_transport_init(&f, NULL, 0);
    assert_int_equal(postern_call_new(&plain_kind, &f.transport, &clock_, &a, &call, NULL),
                     POSTERN_OK);
    for (int i = 0; i < POSTERN_CALL_SECRETS; i++)
        assert_int_equal(postern_call_add_secret(call, "x", LIT("secret"), &err), POSTERN_OK);
    len = call->form.len;
    assert_int_equal(postern_call_add_secret(call, "x", LIT("secret"), &err), POSTERN_ERR_INTERNAL);
    assert_string_equal(err.detail, "plain: too many secrets");
    assert_int_equal(call->form.len, len);
    postern_op_free(&call->op);
}

/* ---- who asks ---- */

static void a_client_proves_itself_in_one_of_three_ways_and_wholly(void **state)
{
    static char long_pem[POSTERN_SIGNER_PEM_MAX + 2], long_secret[1026];
    static const char *const usage[] = {
        "client secret is empty or longer than 1024 bytes",
        "private key is empty or longer than 16384 bytes",
        "a client without authentication has no credential",
        "client authentication of no kind that there is",
    };
    const struct {
        postern_client_auth auth;
        postern_bytes credential;
        postern_err want;
        const char *detail; /* NULL: any */
    } cases[] = {
        { POSTERN_CLIENT_AUTH_SECRET, LIT("s"), POSTERN_OK, "" },
        { POSTERN_CLIENT_AUTH_SECRET, POSTERN_BYTES_NONE, POSTERN_ERR_USAGE, usage[0] },
        { POSTERN_CLIENT_AUTH_SECRET, postern_bytes_str(long_secret), POSTERN_ERR_USAGE, usage[0] },
        { POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT, POSTERN_BYTES_NONE, POSTERN_ERR_USAGE, usage[1] },
        { POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT, postern_bytes_str(long_pem), POSTERN_ERR_USAGE,
          usage[1] },
        { POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT, LIT("no key"), POSTERN_ERR_CONFIG_FILE, NULL },
        { POSTERN_CLIENT_AUTH_NONE, POSTERN_BYTES_NONE, POSTERN_OK, "" },
        { POSTERN_CLIENT_AUTH_NONE, LIT("s"), POSTERN_ERR_USAGE, usage[2] },
        { (postern_client_auth)9, LIT("s"), POSTERN_ERR_USAGE, usage[3] },
    };
    struct fake_transport f;

    (void)state;
    memset(long_pem, 'a', sizeof long_pem - 1);
    memset(long_secret, 'a', sizeof long_secret - 1);
    fake_transport_init(&f, NULL, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_agent a = agent();
        struct postern_call *call = NULL;
        postern_error err = { 0 };

        a.auth = cases[i].auth;
        a.credential = cases[i].credential;
        if (i == 2)
            a.credential = postern_bytes_str(long_secret);
        if (i == 4)
            a.credential = postern_bytes_str(long_pem);
        if (postern_call_new(&plain_kind, &f.transport, &clock_, &a, &call, &err) !=
                cases[i].want ||
            (cases[i].detail != NULL && strcmp(err.detail, cases[i].detail) != 0))
            fail_msg("case %zu: %s", i, err.detail);
        if (call != NULL)
            postern_op_free(&call->op);
    }
}

static void a_private_key_signs_and_is_not_sent(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    test_key *key = test_key_new("P-256");
    char *pem = test_key_private_pem(key);
    postern_acquire rq = acquire();
    struct fake_transport f;
    postern_op *op = NULL;

    (void)state;
    rq.agent.auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT;
    rq.agent.credential = postern_bytes_str(pem);
    fake_transport_init(&f, answers, COUNT(answers));
    assert_int_equal(postern_acquire_start_with(&f.transport, &clock_, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    assert_string_equal(f.records[1].authorization, "");
    assert_ptr_equal(
        strstr(f.records[1].body,
               "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
               "client-assertion-type%3Ajwt-bearer&client_assertion=eyJ"),
        f.records[1].body);
    assert_null(strstr(f.records[1].body, "PRIVATE"));
    postern_op_free(op);
    free(pem);
    test_key_free(key);
}

static void a_public_client_gets_no_token_of_its_own(void **state)
{
    postern_acquire rq = acquire();
    postern_error err = { 0 };
    postern_op *op = NULL;
    struct fake_transport f;

    (void)state;
    fake_transport_init(&f, NULL, 0);
    rq.agent.auth = POSTERN_CLIENT_AUTH_NONE;
    rq.agent.credential = POSTERN_BYTES_NONE;
    assert_int_equal(postern_acquire_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(err.detail,
                        "a public client gets no token of its own (OAuth 2.1 section 4.2)");
    assert_null(op);
}

/* ---- what a server answers ---- */

static postern_err read_answer(const char *json, const struct postern_token_asked *asked,
                               struct postern_token_answer *ret, postern_error *err)
{
    struct postern_http_response r = { .status = 200, .content_type = "application/json" };
    postern_err e;

    memset(ret, 0, sizeof *ret);
    r.body = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    postern_buf_add_str(&r.body, json);
    assert_false(r.body.failed);
    e = postern_token_answer_read(&r, asked, ret, err);
    postern_buf_free(&r.body);
    return e;
}

static void free_answer(struct postern_token_answer *a)
{
    postern_secret_free(POSTERN_STEAL(a->token));
    postern_secret_free(POSTERN_STEAL(a->refresh_token));
}

#define TOKEN "\"access_token\":\"t\",\"token_type\":\"Bearer\""

static void a_refresh_token_is_printable_text_that_fits_a_request(void **state)
{
    static const struct postern_token_asked asked = { .wants_refresh = true };
    static const struct postern_token_asked not_asked = { .wants_refresh = false };
    static const struct {
        const char *value, *detail; /* NULL: taken */
    } cases[] = {
        { "\"r3fr3sh ~\"", NULL },
        { "null", "answer's \"refresh_token\" is not a string" },
        { "[\"r\"]", "answer's \"refresh_token\" is not a string" },
        { "\"r\\n\"", "answer's \"refresh_token\" is too long or not printable" },
        { "\"caf\xc3\xa9\"", "answer's \"refresh_token\" is too long or not printable" },
    };
    char *longest = test_printf("\"%0*d\"", LONGER(POSTERN_TOKEN_MAX));
    char *longer = test_printf("\"%0*d\"", LONGER(POSTERN_TOKEN_MAX + 1));
    const char *texts[COUNT(cases) + 2], *details[COUNT(cases) + 2];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        texts[i] = cases[i].value;
        details[i] = cases[i].detail;
    }
    texts[COUNT(cases)] = longest;
    details[COUNT(cases)] = NULL;
    texts[COUNT(cases) + 1] = longer;
    details[COUNT(cases) + 1] = "answer's \"refresh_token\" is too long or not printable";
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *json = test_printf("{" TOKEN ",\"refresh_token\":%s}", texts[i]);
        struct postern_token_answer a;
        postern_error err = { 0 };
        postern_err e = read_answer(json, &asked, &a, &err);

        if (e != (details[i] == NULL ? POSTERN_OK : POSTERN_ERR_ISSUER_ANSWER) ||
            (details[i] != NULL && strcmp(err.detail, details[i]) != 0))
            fail_msg("case %zu: %s", i, err.detail);
        assert_int_equal(a.refresh_token != NULL, e == POSTERN_OK);
        free_answer(&a);
        assert_int_equal(read_answer(json, &not_asked, &a, NULL), POSTERN_OK);
        assert_null(a.refresh_token); /* nobody asked: it is dropped unread */
        free_answer(&a);
        free(json);
    }
    free(longest), free(longer);
}

static char *make_id_token(const char *claims)
{
    char *payload = test_base64url(claims, strlen(claims));
    char *token = test_printf("eyJhbGciOiJub25lIn0.%s.c2ln", payload);

    free(payload);
    return token;
}

#define MINE "{\"iss\":\"https://h\",\"aud\":\"a\",\"sub\":\"alice\"}"

/* Only shown: whatever is wrong with it, the access token is as good. */
static void an_id_token_names_the_person_when_it_is_ours_and_whole(void **state)
{
    static const struct postern_token_asked asked = { .issuer = "https://h", .client_id = "a" };
    static const struct postern_token_asked of_nobody = { .issuer = "https://h" };
    static const struct postern_token_asked by_nobody = { .client_id = "a" };
    char *good = make_id_token(MINE), *listed, *long_sub, *big, *foreign, *other, *broken;
    char *long_subject = test_printf("{" TOKEN ",\"sub\":\"%0*d\"}", LONGER(256));

    char *claims =
        test_printf("{\"iss\":\"https://h\",\"aud\":\"a\",\"sub\":\"%0*d\"}", LONGER(256));

    (void)state;
    long_sub = make_id_token(claims);
    free(claims);
    claims = test_printf("{\"iss\":\"https://h\",\"aud\":\"a\",\"sub\":\"alice\",\"x\":\"%0*d\"}",
                         LONGER(16384));
    big = make_id_token(claims);
    free(claims);
    listed = make_id_token("{\"iss\":\"https://h\",\"aud\":[\"b\",\"a\"],\"sub\":\"alice\"}");
    foreign = make_id_token("{\"iss\":\"https://i\",\"aud\":\"a\",\"sub\":\"alice\"}");
    other = make_id_token("{\"iss\":\"https://h\",\"aud\":\"b\",\"sub\":\"alice\"}");
    broken = make_id_token("{\"iss\":\"https://h\",\"aud\":\"a\",\"sub\":\"alice\"");
    const struct {
        const char *why, *id_token;
        const struct postern_token_asked *asked;
        const char *subject;
    } cases[] = {
        { "ours", good, &asked, "alice" },
        { "one of its audiences", listed, &asked, "alice" },
        { "another issuer's", foreign, &asked, "" },
        { "another client's", other, &asked, "" },
        { "no JSON", broken, &asked, "" },
        { "a subject of 256 bytes", long_sub, &asked, "" },
        { "more than 16 KiB", big, &asked, "" },
        { "no dot", "eyJhbGciOiJub25lIn0", &asked, "" },
        { "one dot", "eyJhbGciOiJub25lIn0.e30", &asked, "" },
        { "no base64url", "eyJhbGciOiJub25lIn0.!!!!.c2ln", &asked, "" },
        { "no client asked", good, &of_nobody, "" },
        { "no issuer asked", good, &by_nobody, "" },
    };
    struct postern_token_answer a;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *json = test_printf("{" TOKEN ",\"id_token\":\"%s\"}", cases[i].id_token);

        assert_int_equal(read_answer(json, cases[i].asked, &a, NULL), POSTERN_OK);
        if (strcmp(a.info.subject, cases[i].subject) != 0)
            fail_msg("%s: %s", cases[i].why, a.info.subject);
        free_answer(&a);
        free(json);
    }
    assert_int_equal(read_answer(long_subject, &of_nobody, &a, NULL), POSTERN_OK);
    assert_string_equal(a.info.subject, ""); /* shown whole or not at all */
    free_answer(&a);
    free(good), free(listed), free(long_sub), free(big), free(foreign), free(other), free(broken);
    free(long_subject);
}

/* Never half a name, never a name that was not there. */
static void an_id_token_for_which_memory_lacks_is_left_out(void **state)
{
    static const struct postern_token_asked asked = { .issuer = "https://h", .client_id = "a" };
    char *id_token = make_id_token(MINE);
    char *json = test_printf("{" TOKEN ",\"id_token\":\"%s\"}", id_token);
    unsigned left_out = 0;
    bool has_failed = true;

    (void)state;
    for (unsigned nth = 2; has_failed; nth++) { /* the first one is the body itself */
        struct postern_token_answer a;
        postern_err e;

        alloc_fail_arm(nth);
        e = read_answer(json, &asked, &a, NULL);
        has_failed = alloc_fail_disarm();
        if (e == POSTERN_OK && has_failed) {
            assert_string_equal(a.info.subject, "");
            left_out++;
        } else if (has_failed) {
            assert_int_equal(e, POSTERN_ERR_NOMEM);
        } else {
            assert_string_equal(a.info.subject, "alice");
        }
        free_answer(&a);
    }
    assert_true(left_out >= 3); /* its bytes, its payload, its claims */
    free(id_token), free(json);
}

static void a_scope_longer_than_what_is_told_is_misuse(void **state)
{
    char scope[sizeof((postern_token_info *)NULL)->scope + 1];
    struct postern_token_asked asked = { .scope = scope };
    struct postern_token_answer a;
    postern_error err = { 0 };

    (void)state;
    memset(scope, 's', sizeof scope - 1);
    scope[sizeof scope - 1] = '\0';
    assert_int_equal(read_answer("{" TOKEN "}", &asked, &a, &err), POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, "scope is too long");
    scope[sizeof scope - 2] = '\0';
    assert_int_equal(read_answer("{" TOKEN "}", &asked, &a, &err), POSTERN_OK);
    assert_string_equal(a.info.scope, scope);
    free_answer(&a);
}

/* ---- exchange ---- */

static void what_an_exchange_says_of_itself_has_limits(void **state)
{
    static char long_text[POSTERN_AUTHORIZATION_DETAILS_MAX + 2];
    static const struct fake_answer answers[] = { GOOD_METADATA, { .again = FAKE_FOREVER } };
    postern_exchange rq = { .size = sizeof rq,
                            .agent = agent(),
                            .subject_token = LIT("subj.ect.token"),
                            .subject_token_type = POSTERN_TOKEN_TYPE_JWT,
                            .resource = "https://x/imap" };
    postern_error err = { 0 };
    postern_op *op = NULL;
    struct fake_transport f;

    (void)state;
    memset(long_text, 'a', sizeof long_text - 1);
    fake_transport_init(&f, answers, COUNT(answers));
    rq.purpose = long_text;
    assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, "purpose is empty, longer than 256 bytes or not printable");
    rq.purpose = NULL;
    memset(long_text, ' ', sizeof long_text - 1);
    long_text[0] = '[';
    long_text[sizeof long_text - 2] = ']';
    rq.authorization_details = long_text;
    assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_ERR_USAGE);
    long_text[sizeof long_text - 3] = ']';
    long_text[sizeof long_text - 2] = '\0'; /* as long as it may be */
    assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_OK);
    postern_op_free(POSTERN_STEAL(op));
    rq.authorization_details = NULL;
    assert_int_equal(postern_exchange_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_OK);
    assert_int_equal(finish(op, NULL), POSTERN_AGAIN);
    assert_non_null(strstr(f.records[1].body,
                           "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&"));
    postern_op_free(op);
}

/* ---- login ---- */

static postern_login login(void)
{
    return (postern_login){ .size = sizeof(postern_login),
                            .agent = agent(),
                            .redirect_uri = "http://127.0.0.1:4711/callback" };
}

/* A login whose address is ready. */
static postern_op *begin_login(struct fake_transport *f, const postern_login *rq)
{
    postern_op *op = NULL;

    assert_int_equal(postern_login_start_with(&f->transport, &clock_, rq, &op, NULL), POSTERN_OK);
    assert_int_equal(finish(op, NULL), POSTERN_OK);
    return op;
}

/* "state=…" of its address; freed by the caller. */
static char *copy_state(const postern_op *op)
{
    const char *at = strstr(postern_login_url(op), "&state=");

    assert_non_null(at);
    return test_printf("%.*s", (int)strcspn(at + 1, "&"), at + 1);
}

static void a_login_asks_for_nothing_that_nobody_wanted(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA };
    postern_login rq = login();
    struct fake_transport f;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    op = begin_login(&f, &rq);
    assert_null(strstr(postern_login_url(op), "scope="));
    assert_null(strstr(postern_login_url(op), "resource="));
    assert_null(strstr(postern_login_url(op), "login_hint="));
    assert_null(strstr(postern_login_url(op), "prompt="));
    postern_op_free(op);
}

static void a_login_asks_for_nine_resources_at_most(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA };
    static const char *const more[] = { "https://x/1", "https://x/2", "https://x/3",
                                        "https://x/4", "https://x/5", "https://x/6",
                                        "https://x/7", "https://x/8", NULL };
    static const char *const too_many[] = { "https://x/1", "https://x/2", "https://x/3",
                                            "https://x/4", "https://x/5", "https://x/6",
                                            "https://x/7", "https://x/8", "https://x/9",
                                            NULL };
    postern_login rq = login();
    postern_error err = { 0 };
    struct fake_transport f;
    postern_op *op = NULL;

    (void)state;
    rq.resource = "https://x/0";
    rq.more_resources = too_many;
    fake_transport_init(&f, answers, 1);
    assert_int_equal(postern_login_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, "more than 8 more resources, or no first one");
    rq.more_resources = more;
    op = begin_login(&f, &rq);
    assert_non_null(strstr(postern_login_url(op), "resource=https%3A%2F%2Fx%2F0&"));
    assert_non_null(strstr(postern_login_url(op), "&resource=https%3A%2F%2Fx%2F8"));
    postern_op_free(op);
}

static void a_hint_longer_than_256_bytes_is_misuse(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA };
    postern_login rq = login();
    postern_error err = { 0 };
    struct fake_transport f;
    postern_op *op = NULL;
    char hint[258];

    (void)state;
    memset(hint, 'a', sizeof hint - 1);
    hint[sizeof hint - 1] = '\0';
    rq.login_hint = hint;
    fake_transport_init(&f, answers, 1);
    assert_int_equal(postern_login_start_with(&f.transport, &clock_, &rq, &op, &err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, "login_hint is empty, longer than 256 bytes or not printable");
    hint[256] = '\0';
    op = begin_login(&f, &rq);
    assert_non_null(strstr(postern_login_url(op), hint));
    postern_op_free(op);
}

static void only_a_whole_answer_with_the_own_state_is_one_to_this_login(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA };
    postern_login rq = login();
    struct fake_transport f;
    char *state_text, *query;
    postern_op *op;

    (void)state;
    fake_transport_init(&f, answers, 1);
    op = begin_login(&f, &rq);
    state_text = copy_state(op);
    assert_true(postern_login_is_answer(op, postern_bytes_str(state_text)));
    query = test_printf("%s&code=%%zz", state_text);
    assert_false(postern_login_is_answer(op, postern_bytes_str(query)));
    free(query);
    query = test_printf("%s&%s", state_text, state_text);
    assert_false(postern_login_is_answer(op, postern_bytes_str(query)));
    free(query);
    query = test_printf("%sx", state_text);
    assert_false(postern_login_is_answer(op, postern_bytes_str(query)));
    free(query);
    query = test_printf("%s&x=%0*d", state_text, LONGER(8192));
    assert_false(postern_login_is_answer(op, postern_bytes_str(query)));
    assert_false(postern_login_is_answer(op, LIT("code=1")));
    free(query), free(state_text);
    postern_op_free(op);
}

/* What the browser brings, behind the state; nothing of it may reach the token endpoint. */
static void an_answer_that_does_not_fit_is_not_redeemed(void **state)
{
    static const struct fake_answer answers[] = { GOOD_METADATA };
    const struct {
        char *more;
        const char *detail;
    } cases[] = {
        { test_printf("code=%0*d", LONGER(4097)), "the code is too long or not printable" },
        { test_printf("code=a%%0Ab"), "the code is too long or not printable" },
        { test_printf("code=1&x=%0*d", LONGER(8192)), "the browser's answer: too long" },
        { test_printf("error=%0*d", LONGER(64)),
          "the answer holds neither one code nor one error" },
        { test_printf("error=a%%0Ab"), "the answer holds neither one code nor one error" },
        { test_printf("code=1&code=2"), "the answer holds neither one code nor one error" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_login rq = login();
        postern_error err = { 0 };
        struct fake_transport f;
        postern_op *op, *redemption = NULL;
        char *state_text, *query;

        fake_transport_init(&f, answers, 1);
        op = begin_login(&f, &rq);
        state_text = copy_state(op);
        query = test_printf("%s&%s", state_text, cases[i].more);
        assert_int_equal(
            postern_login_redeem_start(op, postern_bytes_str(query), &redemption, NULL),
            POSTERN_OK);
        assert_int_equal(finish(redemption, &err), POSTERN_ERR_ISSUER_ANSWER);
        assert_string_equal(err.detail, cases[i].detail);
        assert_int_equal(f.started, 1);
        postern_op_free(redemption);
        postern_op_free(op);
        free(state_text), free(query), free(cases[i].more);
    }
}

static postern_err redeem_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = {
        GOOD_METADATA,
        { .status = 200, .body = LIT("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}") },
    };
    postern_login rq = login();
    struct fake_transport f;
    POSTERN_AUTO(op) op = NULL;
    POSTERN_AUTO(op) redemption = NULL;
    char query[5000];

    (void)arg;
    fake_transport_init(&f, answers, COUNT(answers));
    POSTERN_TRY(postern_login_start_with(&f.transport, &clock_, &rq, &op, err));
    POSTERN_TRY(finish(op, err));
    (void)snprintf(query, sizeof query, "%.*s&code=%0*d",
                   (int)strcspn(strstr(postern_login_url(op), "state="), "&"),
                   strstr(postern_login_url(op), "state="), LONGER(4096));
    POSTERN_TRY(postern_login_redeem_start(op, postern_bytes_str(query), &redemption, err));
    POSTERN_TRY(finish(redemption, err));
    assert_non_null(strstr(f.records[1].body, "&code=0000"));
    return POSTERN_OK;
}

/* With the longest code: the form grows while it is judged. */
static void every_failing_allocation_of_a_long_code_is_out_of_memory(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(redeem_once, NULL, POSTERN_OK) > 20);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_descriptor_stands_for_all_exchanges_of_an_operation),
        TEST(an_exchange_begun_at_the_deadline_has_a_millisecond),
        TEST(a_403_with_an_oauth_error_is_a_refusal),
        TEST(an_operation_of_another_kind_has_nothing_of_a_call),
        TEST(a_call_remembers_three_secrets_and_takes_no_fourth),
        TEST(a_client_proves_itself_in_one_of_three_ways_and_wholly),
        TEST(a_private_key_signs_and_is_not_sent),
        TEST(a_public_client_gets_no_token_of_its_own),
        TEST(a_refresh_token_is_printable_text_that_fits_a_request),
        TEST(an_id_token_names_the_person_when_it_is_ours_and_whole),
        TEST(an_id_token_for_which_memory_lacks_is_left_out),
        TEST(a_scope_longer_than_what_is_told_is_misuse),
        TEST(what_an_exchange_says_of_itself_has_limits),
        TEST(a_login_asks_for_nothing_that_nobody_wanted),
        TEST(a_login_asks_for_nine_resources_at_most),
        TEST(a_hint_longer_than_256_bytes_is_misuse),
        TEST(only_a_whole_answer_with_the_own_state_is_one_to_this_login),
        TEST(an_answer_that_does_not_fit_is_not_redeemed),
        TEST(every_failing_allocation_of_a_long_code_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
