/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/key_fetch.c under lib/oauth/keyring.c: when an issuer is asked for its keys, and which
 * count meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/op_stub.h"
#include "../support/test_keys.h"
#include "oauth/key_fetch.h"

#define URL     "https://h/jwks"
#define DOWN    { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE }
#define QUARTER_MS INT64_C(900000)
#define DAY_MS     INT64_C(86400000)

static test_key *key_a, *key_b;
static char *set_a, *set_b;
static struct op_stub stub;
static struct fake_transport net;
static struct server server;
static struct discovery *discovery;
static struct keyring *ring;
static uint64_t generation;
static size_t key_count;
static postern_error err;

static int make_keys(void **state)
{
    (void)state;
    key_a = test_key_new("P-256");
    key_b = test_key_new("P-256");
    set_a = test_key_jwks(key_a, "a", NULL);
    set_b = test_key_jwks(key_b, "b", NULL);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    test_key_free(key_a);
    test_key_free(key_b);
    free(set_a);
    free(set_b);
    return 0;
}

static struct fake_answer answer_with(const char *set)
{
    return (struct fake_answer){ .status = 200, .body = postern_bytes_str(set) };
}

static void begin(const struct fake_answer *answers, size_t count)
{
    struct key_source *source;

    op_stub_make(&stub);
    fake_transport_init(&net, answers, count);
    server = (struct server){ .issuer = "https://h",
                              .tls_ca_file = "/etc/ca.pem",
                              .transport = &net.transport,
                              .clock = stub.clock };
    assert_int_equal(postern_key_fetch_new(&server, URL, NULL, &source, NULL), POSTERN_OK);
    assert_int_equal(postern_keyring_new(source, &ring, NULL), POSTERN_OK);
}

static void begin_by_discovery(const struct fake_answer *answers, size_t count)
{
    struct key_source *source;

    op_stub_make(&stub);
    fake_transport_init(&net, answers, count);
    server = (struct server){ .issuer = "https://h",
                              .transport = &net.transport,
                              .clock = stub.clock };
    assert_int_equal(postern_discovery_new(&server, POSTERN_NEED_JWKS, &discovery, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_key_fetch_new(&server, NULL, discovery, &source, NULL), POSTERN_OK);
    assert_int_equal(postern_keyring_new(source, &ring, NULL), POSTERN_OK);
}

#define BEGIN(answers) begin(answers, sizeof(answers) / sizeof *(answers))

static int tear_down(void **state)
{
    (void)state;
    postern_keyring_free(ring);
    postern_discovery_free(discovery);
    ring = NULL;
    discovery = NULL;
    assert_int_equal(net.open, 0);
    op_stub_remove(&stub);
    return 0;
}

static postern_err look_for(enum keyring_look how, const char *kid)
{
    struct key_look look = { how, postern_bytes_str(kid), stub.mono_ms };
    struct fetch *wait = NULL;
    postern_jwks *keys = NULL;
    postern_err e = postern_keyring_get(ring, stub.op, &look, &keys, &generation, &wait, &err);

    assert_int_equal(e == POSTERN_AGAIN, wait != NULL);
    assert_int_equal(e == POSTERN_OK, keys != NULL);
    key_count = keys == NULL ? 0 : postern_jwks_count(keys);
    postern_fetch_free(wait);
    postern_jwks_free(keys);
    return e;
}

static void assert_look(enum keyring_look how, const char *kid, postern_err want, size_t exchanges,
                        const char *events)
{
    postern_err e = look_for(how, kid);
    const char *seen = op_stub_events(&stub);

    if (e != want || net.started != exchanges || strcmp(seen, events) != 0)
        fail_msg("wanted %s, %zu exchanges, \"%s\"; got %s (%s), %zu, \"%s\"",
                 postern_err_reason(want), exchanges, events, postern_err_reason(e), err.detail,
                 net.started, seen);
}

static void assert_get(postern_err want, size_t exchanges, const char *events)
{
    assert_look(KEYRING_LOOK_WHEN_DUE, "", want, exchanges, events);
}

static void one_set_serves_a_quarter_of_an_hour(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_a), answer_with(set_b) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    assert_int_equal(key_count, 1);
    assert_int_equal(generation, 1);
    assert_string_equal(net.records[0].url, URL);
    assert_string_equal(net.records[0].tls_ca_file, "/etc/ca.pem");
    assert_true(net.records[0].is_host_configured);
    assert_true(net.records[0].check_listener);
    stub.mono_ms += QUARTER_MS - 1;
    assert_get(POSTERN_OK, 1, "");
    stub.mono_ms += 1;
    assert_get(POSTERN_OK, 2, ""); /* the same bytes: no other generation */
    assert_int_equal(generation, 1);
    stub.mono_ms += QUARTER_MS;
    assert_get(POSTERN_OK, 3, "keys.loaded ");
    assert_int_equal(generation, 2);
}

static void cache_control_counts_between_a_minute_and_a_day(void **state)
{
    static const struct {
        int max_age_s;
        int64_t life_ms;
    } cases[] = { { FAKE_NO_STORE, 60000 }, { 59, 60000 }, { 3600, 3600000 }, { 86401, DAY_MS } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_answer answers[] = { answer_with(set_a), answer_with(set_a) };

        answers[0].max_age_s = cases[i].max_age_s;
        BEGIN(answers);
        assert_get(POSTERN_OK, 1, "keys.loaded ");
        stub.mono_ms += cases[i].life_ms - 1;
        assert_get(POSTERN_OK, 1, "");
        stub.mono_ms += 1;
        assert_get(POSTERN_OK, 2, "");
        (void)tear_down(state);
    }
    begin(NULL, 0);
}

static void an_unchanged_set_is_confirmed_by_its_etag(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), { .status = 304, .etag = "\"2\"" },
                                     { .status = 304 } };

    (void)state;
    answers[0].etag = "\"1\"";
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    assert_string_equal(net.records[0].etag, "");
    stub.mono_ms += QUARTER_MS;
    assert_get(POSTERN_OK, 2, "");
    assert_string_equal(net.records[1].etag, "\"1\"");
    assert_int_equal(generation, 1);
    stub.mono_ms += QUARTER_MS;
    assert_get(POSTERN_OK, 3, "");
    assert_string_equal(net.records[2].etag, "\"2\"");
}

static void not_modified_without_a_question_is_no_answer(void **state)
{
    static const struct fake_answer answers[] = { { .status = 304 } };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "keys.unusable ");
}

static void what_cannot_be_used_replaces_no_good_set(void **state)
{
    static const struct fake_answer bad[] = {
        { .status = 200, .body = POSTERN_BYTES_LIT("") },
        { .status = 200, .body = POSTERN_BYTES_LIT("<html>") },
        { .status = 200, .body = POSTERN_BYTES_LIT("{\"keys\":[]}") },
        { .status = 200, .body = POSTERN_BYTES_LIT("{\"keys\":{}}") },
        { .status = 200,
          .body = POSTERN_BYTES_LIT("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAAA\"}]}") },
        { .status = 200,
          .body = POSTERN_BYTES_LIT("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}") },
        { .status = 200, .content_type = "text/html", .body = POSTERN_BYTES_LIT("{\"keys\":[]}") },
        { .status = 404 },
        { .status = 500 },
        { .status = 429, .retry_after_s = 1 },
        { .start_err = POSTERN_ERR_ISSUER_UNTRUSTED },
        { .step_err = POSTERN_ERR_TIMEOUT },
        { .step_err = POSTERN_ERR_ISSUER_ANSWER },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fake_answer answers[] = { answer_with(set_a), bad[i] };

        begin(&bad[i], 1);
        assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "keys.unusable ");
        (void)tear_down(state);
        BEGIN(answers);
        assert_get(POSTERN_OK, 1, "keys.loaded ");
        stub.mono_ms += QUARTER_MS;
        assert_get(POSTERN_OK, 2, "keys.unusable ");
        assert_int_equal(generation, 1);
        (void)tear_down(state);
    }
    begin(NULL, 0);
}

static void keys_outlive_the_last_good_fetch_by_a_day_with_an_event_an_hour(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), DOWN, DOWN, DOWN, answer_with(set_a) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += QUARTER_MS;
    assert_get(POSTERN_OK, 2, "keys.unusable ");
    stub.mono_ms += 3599999;
    assert_get(POSTERN_OK, 3, "");
    stub.mono_ms += DAY_MS - QUARTER_MS - 3600000;
    assert_get(POSTERN_OK, 4, "keys.unusable ");
    stub.mono_ms += 1;
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 4, "keys.dropped ");
    stub.mono_ms += 4000;
    assert_get(POSTERN_OK, 5, "keys.loaded ");
    assert_string_equal(net.records[4].etag, "");
    assert_int_equal(generation, 3);
}

static void an_unknown_kid_earns_one_fetch_in_a_cool_down(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_a), answer_with(set_b) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += 1;
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_OK, 2, "");
    stub.mono_ms += POSTERN_KEY_FETCH_HURRY_MS - 1;
    assert_look(KEYRING_LOOK_AGAIN, "c", POSTERN_OK, 2, "");
    stub.mono_ms += 1;
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_OK, 3, "keys.loaded ");
}

static void a_flood_of_ten_thousand_unknown_kids_causes_one_fetch(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_a), answer_with(set_a) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += 1;
    for (int i = 0; i < 10000; i++) {
        char kid[16];

        (void)snprintf(kid, sizeof kid, "k%d", i);
        assert_int_equal(look_for(KEYRING_LOOK_AGAIN, kid), POSTERN_OK);
        stub.mono_ms += i % 4 == 0; /* 2.5 s in all */
    }
    assert_int_equal(net.started, 2);
    assert_get(POSTERN_OK, 2, ""); /* and the good keys are there */
    assert_int_equal(key_count, 1);
}

static void an_hour_of_unknown_kids_causes_about_ten_fetches(void **state)
{
    struct fake_answer again = answer_with(set_a);
    size_t fetches = 0;

    (void)state;
    again.max_age_s = 86400;
    begin(&again, 1);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    for (int s = 1; s <= 3600; s++) {
        char kid[16];

        (void)snprintf(kid, sizeof kid, "k%d", s);
        stub.mono_ms += 1000;
        net.started = 0; /* the fake's script begins anew */
        assert_int_equal(look_for(KEYRING_LOOK_AGAIN, kid), POSTERN_OK);
        fetches += net.started;
    }
    assert_in_range(fetches, 10, 20);
}

static void a_kid_that_was_looked_for_is_not_looked_for_again_for_a_minute(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_a), answer_with(set_a) };
    struct key_look look = { KEYRING_LOOK_AGAIN, POSTERN_BYTES_LIT("x"), 0 };
    struct fetch *wait = NULL;
    postern_jwks *keys = NULL;

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += 1;
    look.asked_ms = stub.mono_ms;
    for (int i = 0; i < 2; i++) { /* it came, a set was fetched, and it is not there */
        assert_int_equal(postern_keyring_get(ring, stub.op, &look, &keys, &generation, &wait, &err),
                         POSTERN_OK);
        postern_jwks_free(keys);
    }
    assert_int_equal(net.started, 2);
    stub.mono_ms += POSTERN_KEY_FETCH_ABSENT_MS - 1;
    assert_look(KEYRING_LOOK_AGAIN, "x", POSTERN_OK, 2, "");
    stub.mono_ms += 1;
    assert_look(KEYRING_LOOK_AGAIN, "x", POSTERN_OK, 3, "");
}

static void a_failing_issuer_is_not_hurried(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), DOWN, answer_with(set_b) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += QUARTER_MS;
    assert_get(POSTERN_OK, 2, "keys.unusable ");
    stub.mono_ms += 499;
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_OK, 2, "");
    stub.mono_ms += 501;
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_OK, 3, "keys.loaded ");
}

static void who_has_good_keys_does_not_wait_for_somebody_elses_kid(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_b) };

    (void)state;
    answers[1].again = 4;
    BEGIN(answers);
    assert_get(POSTERN_OK, 1, "keys.loaded ");
    stub.mono_ms += 1;
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_AGAIN, 2, "");
    assert_get(POSTERN_OK, 2, "");
    assert_look(KEYRING_LOOK_AGAIN, "c", POSTERN_AGAIN, 2, ""); /* waits with it */
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_AGAIN, 2, "");
    assert_look(KEYRING_LOOK_AGAIN, "b", POSTERN_OK, 2, "keys.loaded ");
}

static void upkeep_fetches_ahead(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a), answer_with(set_b) };
    int64_t due_ms;

    (void)state;
    BEGIN(answers);
    assert_int_equal(postern_keyring_due_in_ms(ring, stub.mono_ms), 0);
    assert_look(KEYRING_LOOK_AHEAD, "", POSTERN_OK, 1, "keys.loaded ");
    due_ms = postern_keyring_due_in_ms(ring, stub.mono_ms);
    assert_in_range(due_ms, QUARTER_MS / 40 * 27, QUARTER_MS / 4 * 3);
    stub.mono_ms += due_ms - 1;
    assert_look(KEYRING_LOOK_AHEAD, "", POSTERN_OK, 1, "");
    stub.mono_ms += 1;
    assert_look(KEYRING_LOOK_AHEAD, "", POSTERN_OK, 2, "keys.loaded ");
}

static void retry_after_is_waited_for(void **state)
{
    struct fake_answer answers[] = { { .status = 503, .retry_after_s = 120 }, answer_with(set_a) };

    (void)state;
    BEGIN(answers);
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "keys.unusable ");
    assert_int_equal(postern_keyring_due_in_ms(ring, stub.mono_ms), 120000);
    stub.mono_ms += 119999;
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "");
    stub.mono_ms += 1;
    assert_get(POSTERN_OK, 2, "keys.loaded ");
}

static void without_a_url_the_metadata_comes_first(void **state)
{
    struct fake_answer answers[] = {
        { .again = 1,
          .status = 200,
          .body = POSTERN_BYTES_LIT("{\"issuer\":\"https://h\",\"jwks_uri\":\"https://k/jwks\"}") },
        answer_with(set_a),
    };

    (void)state;
    begin_by_discovery(answers, 2);
    assert_get(POSTERN_AGAIN, 1, "");
    assert_get(POSTERN_OK, 2, "metadata.loaded keys.loaded ");
    assert_string_equal(net.records[1].url, "https://k/jwks");
    assert_false(net.records[1].is_host_configured);
}

/* A document that leads nowhere is looked at again, but not each time that it does. */
static void metadata_that_led_to_no_keys_is_doubted(void **state)
{
    struct fake_answer answers[] = {
        { .status = 200,
          .body = POSTERN_BYTES_LIT("{\"issuer\":\"https://h\",\"jwks_uri\":\"https://bad/jwks\"}") },
        DOWN,
        DOWN,
        { .status = 200,
          .body = POSTERN_BYTES_LIT("{\"issuer\":\"https://h\",\"jwks_uri\":\"https://k/jwks\"}") },
        answer_with(set_a),
    };

    (void)state;
    begin_by_discovery(answers, 5);
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 2, "metadata.loaded keys.unusable ");
    stub.mono_ms += POSTERN_DISCOVERY_DOUBT_MS - 1;
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 3, "");
    stub.mono_ms += POSTERN_DISCOVERY_DOUBT_MS;
    assert_get(POSTERN_OK, 5, "metadata.moved keys.loaded ");
    assert_string_equal(net.records[4].url, "https://k/jwks");
}

static void without_metadata_there_are_no_keys(void **state)
{
    static const struct fake_answer answers[] = { DOWN };

    (void)state;
    begin_by_discovery(answers, 1);
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "metadata.unusable keys.unusable ");
    assert_get(POSTERN_ERR_KEYS_UNAVAILABLE, 1, "");
    assert_true(postern_keyring_due_in_ms(ring, stub.mono_ms) >= 500);
}

/* ---- threads ---- */

#define THREADS 8

static atomic_uint proved;

static void *look_until_there(void *arg)
{
    const struct key_look look = { .how = KEYRING_LOOK_WHEN_DUE };
    postern_op *op = NULL;
    postern_err e;

    (void)arg;
    if (postern_op_new(stub.op->class, &stub.clock, 0, &op, NULL) != POSTERN_OK)
        return NULL;
    do {
        struct fetch *wait = NULL;
        postern_jwks *keys = NULL;
        uint64_t here;

        e = postern_keyring_get(ring, op, &look, &keys, &here, &wait, NULL);
        postern_fetch_free(wait);
        postern_jwks_free(keys);
    } while (e == POSTERN_AGAIN);
    atomic_fetch_add(&proved, e == POSTERN_OK);
    postern_op_free(op);
    return NULL;
}

static void many_threads_cause_one_fetch(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a) };
    pthread_t threads[THREADS];

    (void)state;
    answers[0].again = 1000;
    BEGIN(answers);
    atomic_store(&proved, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_until_there, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&proved), THREADS);
    assert_int_equal(net.started, 1);
}

/* ---- memory ---- */

static postern_err fetch_once(void *arg, postern_error *e)
{
    struct fake_answer answers[] = { answer_with(set_a) };
    const struct key_look look = { .how = KEYRING_LOOK_WHEN_DUE };
    struct fake_transport here;
    struct server s = server;
    struct key_source *source;
    struct keyring *one;
    struct op_stub *o = arg;
    postern_op *op = NULL;
    struct fetch *wait = NULL;
    postern_jwks *keys = NULL;
    uint64_t seen;
    postern_err verdict;

    fake_transport_init(&here, answers, 1);
    s.transport = &here.transport;
    POSTERN_TRY(postern_key_fetch_new(&s, URL, NULL, &source, e));
    POSTERN_TRY(postern_keyring_new(source, &one, e));
    verdict = postern_op_new(o->op->class, &o->clock, 0, &op, e);
    if (verdict == POSTERN_OK)
        verdict = postern_keyring_get(one, op, &look, &keys, &seen, &wait, e);
    postern_jwks_free(keys);
    postern_op_free(op);
    postern_keyring_free(one);
    return verdict;
}

static void out_of_memory_says_nothing_about_the_issuer(void **state)
{
    (void)state;
    begin(NULL, 0);
    assert_true(alloc_fail_sweep(fetch_once, &stub, POSTERN_OK) > 8);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_set_serves_a_quarter_of_an_hour),
        TEST(cache_control_counts_between_a_minute_and_a_day),
        TEST(an_unchanged_set_is_confirmed_by_its_etag),
        TEST(not_modified_without_a_question_is_no_answer),
        TEST(what_cannot_be_used_replaces_no_good_set),
        TEST(keys_outlive_the_last_good_fetch_by_a_day_with_an_event_an_hour),
        TEST(an_unknown_kid_earns_one_fetch_in_a_cool_down),
        TEST(a_flood_of_ten_thousand_unknown_kids_causes_one_fetch),
        TEST(an_hour_of_unknown_kids_causes_about_ten_fetches),
        TEST(a_kid_that_was_looked_for_is_not_looked_for_again_for_a_minute),
        TEST(a_failing_issuer_is_not_hurried),
        TEST(who_has_good_keys_does_not_wait_for_somebody_elses_kid),
        TEST(upkeep_fetches_ahead),
        TEST(retry_after_is_waited_for),
        TEST(without_a_url_the_metadata_comes_first),
        TEST(metadata_that_led_to_no_keys_is_doubted),
        TEST(without_metadata_there_are_no_keys),
        TEST(many_threads_cause_one_fetch),
        TEST(out_of_memory_says_nothing_about_the_issuer),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
