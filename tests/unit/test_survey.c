/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/survey.c: one look at an issuer, and how far it got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "oauth/survey.h"

#define LIT(s) POSTERN_BYTES_LIT(s)
#define ISSUER "https://h/realms/a"
#define DOC                                                                                        \
    LIT("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://h/jwks\",\"token_endpoint\":"           \
        "\"https://h/token\",\"introspection_endpoint\":\"https://h/introspect\"}")
/* RFC 8037 appendix A.2. */
#define KEYS                                                                                       \
    LIT("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"                                   \
        "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{\"kty\":\"oct\",\"k\":\"AA\"}]}")
#define NOT_THERE                                                                                  \
    {                                                                                              \
        .status = 404                                                                              \
    }

static struct fake_transport net;
static postern_error err;

static int64_t get_now(void *arg)
{
    (void)arg;
    return 1700000000;
}

static int64_t get_mono(void *arg)
{
    (void)arg;
    return 5000;
}

static const postern_clock clock_of_tests = { get_now, get_mono, NULL };

static postern_err run(const postern_survey_target *target, postern_survey *ret)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err e = postern_survey_start_with(&net.transport, target, &clock_of_tests, &op, &err);

    if (e != POSTERN_OK)
        return e;
    assert_null(postern_survey_result(op));
    e = postern_op_run(op, &err);
    assert_non_null(postern_survey_result(op));
    *ret = *postern_survey_result(op);
    return e;
}

static postern_err look(const struct fake_answer *answers, size_t count, postern_survey *ret)
{
    const postern_survey_target target = { .issuer = ISSUER, .tls_ca_file = "/ca.pem" };

    fake_transport_init(&net, answers, count);
    return run(&target, ret);
}

#define LOOK(answers, ret) look(answers, sizeof(answers) / sizeof *(answers), ret)

static void metadata_keys_and_the_servers_clock_are_told(void **state)
{
    static const struct fake_answer answers[] = {
        { .status = 200, .body = DOC, .date_s = 1699999990 },
        { .url = "https://h/jwks", .status = 200, .body = KEYS, .date_s = 1699999991,
          .max_age_s = 300 },
    };
    postern_survey s;

    (void)state;
    assert_int_equal(LOOK(answers, &s), POSTERN_OK);
    assert_string_equal(s.metadata_url, "https://h/.well-known/oauth-authorization-server/realms/a");
    assert_string_equal(s.jwks_uri, "https://h/jwks");
    assert_string_equal(s.introspection, "https://h/introspect");
    assert_string_equal(s.token_endpoint, "https://h/token");
    assert_true(s.has_keys);
    assert_int_equal(s.key_count, 1);
    assert_int_equal(s.skipped_count, 1);
    assert_string_equal(s.algorithms, "EdDSA Ed25519");
    assert_int_equal(s.max_age_s, 300);
    assert_int_equal(s.date_s, 1699999991);
    assert_int_equal(s.came_s, 1700000000);
    assert_int_equal(s.written_s, -1);
    assert_string_equal(net.records[1].tls_ca_file, "/ca.pem");
    assert_true(net.records[1].check_listener);
    assert_int_equal(net.open, 0);
}

static void a_document_without_introspection_is_a_document(void **state)
{
    static const struct fake_answer answers[] = {
        NOT_THERE,
        NOT_THERE,
        { .url = "https://h/realms/a/.well-known/openid-configuration",
          .status = 200,
          .body = LIT("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://h/jwks\"}") },
        { .status = 200, .body = LIT("{\"keys\":[]}") },
    };
    postern_survey s;

    (void)state;
    assert_int_equal(LOOK(answers, &s), POSTERN_OK);
    assert_string_equal(s.introspection, "");
    assert_string_equal(s.token_endpoint, "");
    assert_true(s.has_keys);
    assert_int_equal(s.key_count, 0);
    assert_string_equal(s.algorithms, "");
    assert_int_equal(s.date_s, -1);
}

static void another_issuer_is_not_trusted(void **state)
{
    static const struct fake_answer answers[] = {
        { .status = 200,
          .body = LIT("{\"issuer\":\"https://h/realms/b\",\"jwks_uri\":\"https://h/jwks\"}"),
          .date_s = 1700000100 },
    };
    postern_survey s;

    (void)state;
    assert_int_equal(LOOK(answers, &s), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_false(s.has_keys);
    assert_int_equal(s.date_s, 1700000100);
}

static void what_is_missing_or_no_key_set_is_told_by_name(void **state)
{
    static const struct {
        struct fake_answer answers[3];
        postern_err want;
    } cases[] = {
        { { NOT_THERE, NOT_THERE, NOT_THERE }, POSTERN_ERR_ISSUER_ANSWER },
        { { { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE } }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { { .status = 500 } }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { { .status = 200, .body = LIT("{\"issuer\":\"" ISSUER "\"}") } },
          POSTERN_ERR_ISSUER_ANSWER },
        { { { .status = 200, .body = DOC }, { .status = 200, .body = LIT("{}") } },
          POSTERN_ERR_ISSUER_ANSWER },
        { { { .status = 200, .body = DOC },
            { .status = 200, .content_type = "text/html", .body = KEYS } },
          POSTERN_ERR_ISSUER_ANSWER },
        { { { .status = 200, .body = DOC }, { .status = 503 } }, POSTERN_ERR_ISSUER_UNREACHABLE },
    };
    postern_survey s;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(LOOK(cases[i].answers, &s), cases[i].want);
        assert_false(s.has_keys);
        assert_int_equal(net.open, 0);
    }
}

static void a_jwks_uri_of_the_administrators_needs_no_metadata(void **state)
{
    static const struct fake_answer answers[] = { { .url = "https://k/x", .status = 200,
                                                    .body = KEYS } };
    const postern_survey_target target = { .issuer = ISSUER, .jwks_uri = "https://k/x" };
    postern_survey s;

    (void)state;
    fake_transport_init(&net, answers, 1);
    assert_int_equal(run(&target, &s), POSTERN_OK);
    assert_int_equal(s.key_count, 1);
    assert_string_equal(s.metadata_url, "");
    assert_true(net.records[0].is_host_configured);
}

static void a_file_is_read_and_nobody_is_asked(void **state)
{
    const postern_survey_target target = { .issuer = ISSUER, .jwks_file = "/nowhere/jwks.json" };
    postern_survey s;

    (void)state;
    fake_transport_init(&net, NULL, 0);
    assert_int_equal(run(&target, &s), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(net.started, 0);
}

static void what_is_no_issuer_is_refused_at_once(void **state)
{
    static const postern_survey_target bad[] = {
        { .issuer = NULL },
        { .issuer = "" },
        { .issuer = "https://h/?q" },
        { .issuer = "ftp://h/" },
        { .issuer = ISSUER, .tls_ca_file = "" },
    };
    postern_survey s;

    (void)state;
    fake_transport_init(&net, NULL, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(run(&bad[i], &s), POSTERN_ERR_USAGE);
}

/* "https://h/" and so many letters. */
static const char *make_long_issuer(char room[POSTERN_SURVEY_URL_MAX], size_t len)
{
    static const char begin[] = "https://h/";

    memset(room, 'a', len);
    memcpy(room, begin, sizeof begin - 1);
    room[len] = '\0';
    return room;
}

static void an_issuer_whose_metadata_has_too_long_a_url_is_refused(void **state)
{
    static const size_t suffix = sizeof "/.well-known/oauth-authorization-server" - 1;
    static const struct fake_answer answers[] = { NOT_THERE, NOT_THERE, NOT_THERE };
    char room[POSTERN_SURVEY_URL_MAX];
    postern_survey_target target = { .tls_ca_file = "/ca.pem" };
    postern_survey s;

    (void)state;
    target.issuer = make_long_issuer(room, POSTERN_SURVEY_URL_MAX - 1 - suffix);
    fake_transport_init(&net, answers, 3);
    assert_int_equal(run(&target, &s), POSTERN_ERR_ISSUER_ANSWER);
    for (size_t len = POSTERN_SURVEY_URL_MAX - suffix; len < POSTERN_SURVEY_URL_MAX; len++) {
        target.issuer = make_long_issuer(room, len);
        fake_transport_init(&net, answers, 3);
        assert_int_equal(run(&target, &s), POSTERN_ERR_USAGE);
    }
}

static postern_err look_once(void *arg, postern_error *e)
{
    static const struct fake_answer answers[] = { { .status = 200, .body = DOC },
                                                  { .status = 200, .body = KEYS } };
    const postern_survey_target target = { .issuer = ISSUER };
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    fake_transport_init(&net, answers, 2);
    POSTERN_TRY(postern_survey_start_with(&net.transport, &target, &clock_of_tests, &op, e));
    return postern_op_run(op, e);
}

static void out_of_memory_is_said_at_every_step(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(look_once, NULL, POSTERN_OK) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_keys_and_the_servers_clock_are_told),
        cmocka_unit_test(a_document_without_introspection_is_a_document),
        cmocka_unit_test(another_issuer_is_not_trusted),
        cmocka_unit_test(what_is_missing_or_no_key_set_is_told_by_name),
        cmocka_unit_test(a_jwks_uri_of_the_administrators_needs_no_metadata),
        cmocka_unit_test(a_file_is_read_and_nobody_is_asked),
        cmocka_unit_test(what_is_no_issuer_is_refused_at_once),
        cmocka_unit_test(an_issuer_whose_metadata_has_too_long_a_url_is_refused),
        cmocka_unit_test(out_of_memory_is_said_at_every_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
