/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/discovery.c: when an issuer is asked for its metadata, and what counts meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/op_stub.h"
#include "oauth/discovery.h"
#include "oauth/retry.h"

#define LIT(s)  POSTERN_BYTES_LIT(s)
#define ISSUER  "https://h/t"
#define DOC(at) LIT("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" at "\"}")
#define GOOD                                                                                       \
    {                                                                                              \
        .status = 200, .body = DOC("https://h/jwks")                                               \
    }
#define DOWN                                                                                       \
    {                                                                                              \
        .step_err = POSTERN_ERR_ISSUER_UNREACHABLE                                                 \
    }
#define HOUR_MS INT64_C(3600000)

static struct op_stub stub;
static struct fake_transport net;
static struct server server;
static struct discovery *d;
static struct postern_metadata found;
static postern_error err;

static void begin(const struct fake_answer *answers, size_t count)
{
    op_stub_make(&stub);
    fake_transport_init(&net, answers, count);
    server = (struct server){ .issuer = ISSUER,
                              .tls_ca_file = "/etc/ca.pem",
                              .transport = &net.transport,
                              .clock = stub.clock };
    assert_int_equal(postern_discovery_new(&server, POSTERN_NEED_JWKS, &d, NULL), POSTERN_OK);
}

#define BEGIN(answers) begin(answers, sizeof(answers) / sizeof *(answers))

static int tear_down(void **state)
{
    (void)state;
    postern_discovery_free(d);
    d = NULL;
    assert_int_equal(net.open, 0);
    op_stub_remove(&stub);
    return 0;
}

static postern_err look(enum discovery_look how)
{
    struct fetch *wait = NULL;
    postern_err e = postern_discovery_get(d, stub.op, how, &found, &wait, &err);

    assert_int_equal(e == POSTERN_AGAIN, wait != NULL);
    postern_fetch_free(wait);
    return e;
}

static postern_err get(void)
{
    return look(DISCOVERY_LOOK_WHEN_OLD);
}

static void assert_get(postern_err want, size_t exchanges, const char *events)
{
    postern_err e = get();
    const char *seen = op_stub_events(&stub);

    if (e != want || net.started != exchanges || strcmp(seen, events) != 0)
        fail_msg("wanted %s, %zu exchanges, \"%s\"; got %s (%s), %zu, \"%s\"",
                 postern_err_reason(want), exchanges, events, postern_err_reason(e), err.detail,
                 net.started, seen);
}

static void one_document_serves_an_hour_of_questions(void **state)
{
    static const struct fake_answer answers[] = { GOOD, GOOD };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    assert_string_equal(found.jwks.url, "https://h/jwks");
    assert_true(found.jwks.is_host_configured);
    assert_string_equal(net.records[0].url, "https://h/.well-known/oauth-authorization-server/t");
    assert_string_equal(net.records[0].method, "GET");
    assert_string_equal(net.records[0].tls_ca_file, "/etc/ca.pem");
    assert_true(net.records[0].is_host_configured);
    assert_true(net.records[0].check_listener);
    stub.mono_ms += HOUR_MS - 1;
    assert_get(POSTERN_OK, 1, "");
    stub.mono_ms += 1;
    assert_get(POSTERN_OK, 2, "");
}

static void places_are_asked_in_order_until_one_is_not_404(void **state)
{
    static const struct fake_answer answers[] = {
        { .url = "https://h/.well-known/oauth-authorization-server/t", .status = 404 },
        { .url = "https://h/.well-known/openid-configuration/t", .status = 404 },
        { .url = "https://h/t/.well-known/openid-configuration",
          .status = 200,
          .body = DOC("https://h/jwks") },
    };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 3, "metadata.loaded ");
}

static void where_no_place_has_a_document_the_issuer_has_none(void **state)
{
    static const struct fake_answer answers[] = { { .status = 404 },
                                                  { .status = 404 },
                                                  { .status = 404 } };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_ERR_ISSUER_ANSWER, 3, "metadata.unusable ");
}

static void any_other_failure_ends_the_search(void **state)
{
    static const struct {
        struct fake_answer answer;
        postern_err want;
    } cases[] = {
        { { .status = 403 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 410 }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 500 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .status = 429 }, POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .status = 200, .body = LIT("") }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .content_type = "text/html", .body = DOC("https://h/jwks") },
          POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .body = LIT("{\"issuer\":\"" ISSUER "\"}") },
          POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .body = DOC("http://h/jwks") }, POSTERN_ERR_ISSUER_ANSWER },
        { { .status = 200, .body = LIT("{\"issuer\":\"https://h\",\"jwks_uri\":\"https://h/j\"}") },
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { { .status = 200,
            .body = LIT("{\"issuer\":\"https://h/t/\",\"jwks_uri\":\"https://h/j\"}") },
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { { .start_err = POSTERN_ERR_ISSUER_UNTRUSTED }, POSTERN_ERR_ISSUER_UNTRUSTED },
        { { .step_err = POSTERN_ERR_TIMEOUT }, POSTERN_ERR_TIMEOUT },
        { { .step_err = POSTERN_ERR_CONFIG_FILE }, POSTERN_ERR_CONFIG_FILE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&cases[i].answer, 1);
        assert_get(cases[i].want, 1, "metadata.unusable ");
        assert_get(cases[i].want, 1, ""); /* what it was is said again, not asked again */
        (void)tear_down(state);
    }
    begin(NULL, 0);
}

static void keys_on_another_host_are_not_the_issuers_own(void **state)
{
    static const struct fake_answer answers[] = { { .status = 200,
                                                    .body = DOC("https://10.0.0.1/jwks") } };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    assert_false(found.jwks.is_host_configured); /* the URL guard refuses private addresses then */
}

static void pauses_grow_while_the_issuer_is_down(void **state)
{
    static const struct fake_answer answers[] = { DOWN, DOWN, DOWN, GOOD };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 1, "metadata.unusable ");
    stub.mono_ms += 499;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 1, "");
    stub.mono_ms += 501;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 2, "");
    stub.mono_ms += 999;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 2, "");
    stub.mono_ms += 1001;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 3, "");
    stub.mono_ms += 1999;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 3, "");
    stub.mono_ms += 2001;
    assert_get(POSTERN_OK, 4, "metadata.loaded ");
}

static void retry_after_is_waited_for(void **state)
{
    static const struct fake_answer answers[] = { { .status = 503, .retry_after_s = 90 }, GOOD };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 1, "metadata.unusable ");
    stub.mono_ms += 89999;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 1, "");
    assert_int_equal(postern_discovery_due_in_ms(d, stub.mono_ms), 1);
    stub.mono_ms += 1;
    assert_get(POSTERN_OK, 2, "metadata.loaded ");
}

static void old_metadata_serves_seven_days_and_not_longer(void **state)
{
    static const struct fake_answer answers[] = { GOOD, DOWN, DOWN, DOWN, GOOD };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    stub.mono_ms += HOUR_MS;
    assert_get(POSTERN_OK, 2, "metadata.unusable ");
    stub.mono_ms += POSTERN_DISCOVERY_STALE_MS - HOUR_MS - 1;
    assert_get(POSTERN_OK, 3, "metadata.unusable "); /* reminded: more than an hour went by */
    stub.mono_ms += 1;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 3, "");
    stub.mono_ms += 2000;
    assert_get(POSTERN_ERR_ISSUER_UNREACHABLE, 4, "");
    stub.mono_ms += 4000;
    assert_get(POSTERN_OK, 5, "metadata.loaded ");
}

static void a_document_of_another_issuer_does_not_replace_a_good_one(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD,
        { .status = 200, .body = LIT("{\"issuer\":\"https://e\",\"jwks_uri\":\"https://e/j\"}") },
    };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    stub.mono_ms += HOUR_MS;
    assert_get(POSTERN_OK, 2, "metadata.unusable ");
    assert_string_equal(found.jwks.url, "https://h/jwks");
}

static void a_moved_key_host_is_told(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD,
        { .status = 200, .body = DOC("https://h/other-path") },
        { .status = 200, .body = DOC("https://elsewhere.example/jwks") },
    };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    stub.mono_ms += HOUR_MS;
    assert_get(POSTERN_OK, 2, "");
    stub.mono_ms += HOUR_MS;
    assert_get(POSTERN_OK, 3, "metadata.moved ");
}

static void cache_control_counts_between_an_hour_and_a_day(void **state)
{
    static const struct {
        int max_age_s;
        int64_t life_ms;
    } cases[] = {
        { FAKE_NO_STORE, HOUR_MS }, { 60, HOUR_MS }, { 7200, 2 * HOUR_MS }, { 86401, 24 * HOUR_MS }
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_answer answers[] = { GOOD, GOOD };

        answers[0].max_age_s = cases[i].max_age_s;
        BEGIN(answers);
        assert_get(POSTERN_OK, 1, "metadata.loaded ");
        stub.mono_ms += cases[i].life_ms - 1;
        assert_get(POSTERN_OK, 1, "");
        stub.mono_ms += 1;
        assert_get(POSTERN_OK, 2, "");
        (void)tear_down(state);
    }
    begin(NULL, 0);
}

static void upkeep_fetches_ahead_and_nobody_waits_for_it(void **state)
{
    static const struct fake_answer answers[] = {
        GOOD, { .again = 2, .status = 200, .body = DOC("https://h/2") }
    };
    int64_t due_ms;

    (void)state;
    BEGIN(answers);
    assert_int_equal(postern_discovery_due_in_ms(d, stub.mono_ms), 0);
    assert_int_equal(look(DISCOVERY_LOOK_AHEAD), POSTERN_OK);
    due_ms = postern_discovery_due_in_ms(d, stub.mono_ms);
    assert_in_range(due_ms, HOUR_MS / 40 * 27, HOUR_MS / 4 * 3);
    stub.mono_ms += due_ms - 1;
    assert_int_equal(look(DISCOVERY_LOOK_AHEAD), POSTERN_OK);
    assert_int_equal(net.started, 1);
    stub.mono_ms += 1;
    assert_int_equal(look(DISCOVERY_LOOK_AHEAD), POSTERN_AGAIN);
    assert_int_equal(get(), POSTERN_OK); /* a login meanwhile */
    assert_string_equal(found.jwks.url, "https://h/jwks");
    assert_int_equal(look(DISCOVERY_LOOK_AHEAD), POSTERN_OK);
    assert_string_equal(found.jwks.url, "https://h/2");
    assert_int_equal(net.started, 2);
}

static void many_who_ask_cause_one_fetch(void **state)
{
    static const struct fake_answer answers[] = {
        { .again = 100, .status = 200, .body = DOC("https://h/jwks") }
    };

    (void)state;
    BEGIN(answers);
    for (int i = 0; i < 100; i++)
        assert_int_equal(get(), POSTERN_AGAIN);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
}

static void a_silent_issuer_is_given_up_after_four_seconds(void **state)
{
    static const struct fake_answer answers[] = { GOOD, { .again = FAKE_FOREVER } };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    stub.mono_ms += HOUR_MS;
    for (int i = 0; i < 4; i++) {
        assert_get(POSTERN_AGAIN, 2, "");
        stub.mono_ms += 999;
    }
    stub.mono_ms += 4;
    assert_get(POSTERN_OK, 2, "metadata.unusable ");
    assert_int_equal(net.open, 0);
}

static void a_fetch_that_everybody_left_is_begun_anew(void **state)
{
    static const struct fake_answer answers[] = { { .again = FAKE_FOREVER }, GOOD };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_AGAIN, 1, "");
    stub.mono_ms += POSTERN_FETCH_ABANDONED_MS + 1;
    assert_get(POSTERN_OK, 2, "metadata.loaded ");
}

static void what_is_under_way_or_paused_says_when_it_is_due(void **state)
{
    static const struct fake_answer answers[] = { { .again = 1, .status = 200, .body = DOC("https://h/jwks") },
                                                  DOWN, DOWN };
    int64_t ahead_ms, pause_ms;

    (void)state;
    BEGIN(answers);
    assert_int_equal(postern_discovery_due_in_ms(d, stub.mono_ms), 0); /* never asked */
    assert_get(POSTERN_AGAIN, 1, "");
    assert_int_equal(postern_discovery_due_in_ms(d, stub.mono_ms), 0); /* it wants its steps */
    assert_get(POSTERN_OK, 1, "metadata.loaded ");
    ahead_ms = postern_discovery_due_in_ms(d, stub.mono_ms);
    assert_in_range(ahead_ms, HOUR_MS * 675 / 1000, HOUR_MS * 3 / 4);
    stub.mono_ms += ahead_ms;
    assert_int_equal(look(DISCOVERY_LOOK_AHEAD), POSTERN_OK); /* what is there serves on */
    pause_ms = postern_discovery_due_in_ms(d, stub.mono_ms);
    assert_in_range(pause_ms, 1, POSTERN_RETRY_FIRST_MS);
    stub.mono_ms += pause_ms;
    assert_int_equal(postern_discovery_due_in_ms(d, stub.mono_ms), 0);
    assert_string_equal(op_stub_events(&stub), "metadata.unusable ");
}

static void an_issuer_that_is_no_url_has_no_metadata(void **state)
{
    struct server none = { .issuer = "sso" };
    struct discovery *other = NULL;

    (void)state;
    begin(NULL, 0);
    assert_int_equal(postern_discovery_new(&none, POSTERN_NEED_JWKS, &other, NULL),
                     POSTERN_ERR_USAGE);
    assert_null(other);
}

static postern_err discover_once(void *arg, postern_error *e)
{
    static const struct fake_answer answers[] = { { .status = 404 }, GOOD };
    struct fake_transport here;
    struct server s = server;
    struct discovery *one;
    struct op_stub *o = arg;
    postern_op *op = NULL;
    struct fetch *wait = NULL;
    postern_err verdict;

    fake_transport_init(&here, answers, 2);
    s.transport = &here.transport;
    POSTERN_TRY(postern_discovery_new(&s, POSTERN_NEED_JWKS, &one, e));
    verdict = postern_op_new(o->op->class, &o->clock, 0, &op, e);
    if (verdict == POSTERN_OK)
        verdict = postern_discovery_get(one, op, DISCOVERY_LOOK_WHEN_OLD, &found, &wait, e);
    postern_op_free(op);
    postern_discovery_free(one);
    return verdict;
}

static void out_of_memory_says_nothing_about_the_issuer(void **state)
{
    (void)state;
    begin(NULL, 0);
    assert_true(alloc_fail_sweep(discover_once, &stub, POSTERN_OK) > 5);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_document_serves_an_hour_of_questions),
        TEST(places_are_asked_in_order_until_one_is_not_404),
        TEST(where_no_place_has_a_document_the_issuer_has_none),
        TEST(any_other_failure_ends_the_search),
        TEST(keys_on_another_host_are_not_the_issuers_own),
        TEST(pauses_grow_while_the_issuer_is_down),
        TEST(retry_after_is_waited_for),
        TEST(old_metadata_serves_seven_days_and_not_longer),
        TEST(a_document_of_another_issuer_does_not_replace_a_good_one),
        TEST(a_moved_key_host_is_told),
        TEST(cache_control_counts_between_an_hour_and_a_day),
        TEST(upkeep_fetches_ahead_and_nobody_waits_for_it),
        TEST(many_who_ask_cause_one_fetch),
        TEST(a_silent_issuer_is_given_up_after_four_seconds),
        TEST(a_fetch_that_everybody_left_is_begun_anew),
        TEST(what_is_under_way_or_paused_says_when_it_is_due),
        TEST(an_issuer_that_is_no_url_has_no_metadata),
        TEST(out_of_memory_says_nothing_about_the_issuer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
