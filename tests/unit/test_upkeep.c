/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/upkeep.c, and logins whose keys are fetched: the whole way, by a fake transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/upkeep.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/test_login.h"
#include "oauth/context_inner.h"

#define QUARTER_MS 900000

static test_login t;
static test_key *other;
static char *set_a, *set_b;
static struct fake_transport net;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    other = test_key_new("P-256");
    set_a = test_key_jwks(t.key, "a", NULL);
    set_b = test_key_jwks(other, "b", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_key_free(other);
    free(set_a);
    free(set_b);
    test_login_remove(&t);
    assert_int_equal(net.open, 0);
    return 0;
}

static void begin(const char *more, const struct fake_answer *answers, size_t count)
{
    char *text = test_printf("issuer: " TEST_ISSUER "\n%s", more);

    test_folder_put(&t.folder, "issuers/sso.conf", text);
    free(text);
    test_login_reload(&t);
    fake_transport_init(&net, answers, count);
    postern_context_set_transport(t.context, &net.transport);
}

static struct fake_answer answer_with(const char *set)
{
    return (struct fake_answer){ .status = 200, .body = postern_bytes_str(set) };
}

/* Runs a round; names of its events. */
static const char *run_round(void)
{
    static char names[512];
    postern_op *op = NULL;
    postern_event event;
    postern_err e;

    names[0] = '\0';
    assert_int_equal(postern_upkeep_start(t.context, &op, NULL), POSTERN_OK);
    do {
        e = postern_op_step(op, NULL);
        while (postern_op_next_event(op, &event)) {
            size_t used = strlen(names);

            (void)snprintf(names + used, sizeof names - used, "%s ", event.name);
        }
    } while (e == POSTERN_AGAIN);
    assert_int_equal(e, POSTERN_OK);
    postern_op_free(op);
    return names;
}

static void assert_login(postern_err want, size_t exchanges)
{
    postern_err e = test_login_try(&t, NULL, NULL);

    if (e != want || net.started != exchanges)
        fail_msg("wanted %s after %zu exchanges, got %s after %zu (%s)", postern_err_reason(want),
                 exchanges, postern_err_reason(e), net.started, t.err.detail);
}

static void with_keys_from_files_there_is_nothing_to_keep_up(void **state)
{
    (void)state;
    test_login_reload(&t);
    assert_int_equal(postern_upkeep_in_ms(t.context), -1);
    assert_string_equal(run_round(), "");
}

static void a_round_fetches_what_is_due_and_logins_wait_for_nothing(void **state)
{
    const struct fake_answer answers[] = {
        { .status = 200,
          .body = POSTERN_BYTES_LIT("{\"issuer\":\"" TEST_ISSUER
                                    "\",\"jwks_uri\":\"https://sso.example.org/jwks\"}") },
        answer_with(set_a),
        answer_with(set_a),
    };

    (void)state;
    begin("", answers, 3);
    assert_int_equal(postern_upkeep_in_ms(t.context), 0);
    assert_string_equal(run_round(), "metadata.loaded keys.loaded ");
    assert_int_equal(net.started, 2);
    assert_in_range(postern_upkeep_in_ms(t.context), QUARTER_MS / 40 * 27, QUARTER_MS / 4 * 3);
    assert_login(POSTERN_OK, 2);
    t.mono_ms += postern_upkeep_in_ms(t.context);
    assert_string_equal(run_round(), "");
    assert_int_equal(net.started, 3);
}

static void a_round_ends_well_where_issuers_are_down(void **state)
{
    static const struct fake_answer answers[] = { { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE } };

    (void)state;
    begin("", answers, 1);
    assert_string_equal(run_round(), "metadata.unusable keys.unusable ");
    assert_true(postern_upkeep_in_ms(t.context) >= 500);
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, 1);
}

static void a_login_waits_for_keys_that_nobody_fetched_yet(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a) };

    (void)state;
    answers[0].again = 3;
    begin("jwks_uri: https://sso.example.org/jwks\n", answers, 1);
    assert_login(POSTERN_OK, 1);
    assert_string_equal(t.events, "keys.loaded ");
    assert_login(POSTERN_OK, 1);
}

static void a_trail_that_waited_tells_each_step_once(void **state)
{
    struct fake_answer answers[] = { answer_with(set_a) };
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);
    postern_trail *trail = NULL;
    postern_trail_step s;

    (void)state;
    answers[0].again = 3;
    begin("jwks_uri: https://sso.example.org/jwks\n", answers, 1);
    assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
    rq.trail = trail;
    assert_int_equal(test_login_run(&t, &rq, NULL), POSTERN_OK);
    for (size_t i = 0; postern_trail_at(trail, i, &s); i++)
        if (strcmp(s.name, "keys") == 0)
            assert_string_equal(s.facts, "https://sso.example.org/jwks");
    postern_trail_free(trail);
    free(token);
}

static void a_rotated_key_counts_at_once(void **state)
{
    struct fake_answer answers[] = { answer_with(set_b), answer_with(set_a) };

    (void)state;
    answers[1].again = 3;
    begin("jwks_uri: https://sso.example.org/jwks\n", answers, 2);
    assert_string_equal(run_round(), "keys.loaded ");
    t.mono_ms += 1;
    assert_login(POSTERN_OK, 2);
}

static void a_withdrawn_key_counts_no_longer_than_the_set_lives(void **state)
{
    const struct fake_answer answers[] = { answer_with(set_a), answer_with(set_b),
                                           answer_with(set_b) };

    (void)state;
    begin("jwks_uri: https://sso.example.org/jwks\n", answers, 3);
    assert_login(POSTERN_OK, 1);
    assert_login(POSTERN_OK, 1); /* from the cache of proved tokens */
    t.mono_ms += QUARTER_MS;
    assert_login(POSTERN_ERR_UNKNOWN_KID, 2);
}

static void ten_thousand_tokens_with_unknown_kids_cause_one_fetch(void **state)
{
    const struct fake_answer answers[] = { answer_with(set_b), answer_with(set_b),
                                           answer_with(set_b) };

    (void)state;
    begin("jwks_uri: https://sso.example.org/jwks\n", answers, 3);
    assert_string_equal(run_round(), "keys.loaded ");
    t.mono_ms += 1;
    for (int i = 0; i < 10000; i++) {
        char *claims = test_login_claims(NULL, NULL), kid[16];
        char *token;
        postern_request rq;

        (void)snprintf(kid, sizeof kid, "k%d", i % 500);
        token = test_token(t.key, "ES256", kid, claims);
        rq = test_login_request(token);
        assert_int_equal(test_login_run(&t, &rq, NULL), POSTERN_ERR_UNKNOWN_KID);
        free(token);
        free(claims);
    }
    assert_int_equal(net.started, 2);
}

static void a_ca_file_that_others_can_write_is_a_start_error(void **state)
{
    postern_config *config = NULL;
    postern_context *ctx = NULL;
    char *text = test_printf("issuer: " TEST_ISSUER "\ntls_ca_file: %s\n",
                             test_folder_at(&t.folder, "ca.pem"));

    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf", text);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(postern_config_load(t.folder.path, &config, &t.err), POSTERN_OK);
        assert_int_equal(postern_context_new(config, &t.clock, &ctx, &t.err),
                         POSTERN_ERR_CONFIG_FILE);
        test_folder_put(&t.folder, "ca.pem", "");
        test_folder_mode(&t.folder, "ca.pem", 0666);
    }
    test_folder_mode(&t.folder, "ca.pem", 0644);
    assert_int_equal(postern_config_load(t.folder.path, &config, &t.err), POSTERN_OK);
    assert_int_equal(postern_context_new(config, &t.clock, &ctx, &t.err), POSTERN_OK);
    postern_context_free(ctx);
    free(text);
}

static void a_round_that_waits_says_for_what_and_may_be_dropped(void **state)
{
    const struct fake_answer answers[] = {
        { .again = 2, .status = 200, .body = postern_bytes_str(set_a) }
    };
    postern_op *op = NULL;
    postern_err e;

    (void)state;
    for (int is_dropped = 0; is_dropped < 2; is_dropped++) {
        begin("jwks_uri: https://sso.example.org/jwks\n", answers, 1);
        assert_int_equal(postern_upkeep_start(t.context, &op, NULL), POSTERN_OK);
        assert_int_equal(postern_op_fd(op), -1);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
        assert_true(postern_op_fd(op) >= 0);
        assert_true(postern_op_wait_ms(op) >= 0);
        while (!is_dropped && (e = postern_op_step(op, NULL)) != POSTERN_OK)
            assert_int_equal(e, POSTERN_AGAIN);
        postern_op_free(op);
    }
}

static void the_next_round_is_when_the_keys_are_due(void **state)
{
    int64_t one_ms;

    (void)state;
    begin("jwks_uri: https://sso.example.org/jwks\n",
          (const struct fake_answer[]){ answer_with(set_a) }, 1);
    assert_int_equal(postern_upkeep_in_ms(t.context), 0);
    assert_string_equal(run_round(), "keys.loaded ");
    one_ms = postern_upkeep_in_ms(t.context);
    assert_in_range(one_ms, 1, QUARTER_MS * 8);
    t.mono_ms += one_ms - 1;
    assert_int_equal(postern_upkeep_in_ms(t.context), 1);
    t.mono_ms++;
    assert_int_equal(postern_upkeep_in_ms(t.context), 0);
}

static void without_issuers_a_round_is_over_at_once_and_none_is_due(void **state)
{
    postern_op *op = NULL;

    (void)state;
    test_folder_drop(&t.folder, "issuers/sso.conf");
    test_folder_drop(&t.folder, "services/imap.conf");
    test_login_reload(&t);
    assert_int_equal(postern_upkeep_in_ms(t.context), -1);
    assert_int_equal(postern_upkeep_start(t.context, &op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_fd(op), -1);
    assert_int_equal(postern_op_wait_ms(op), 0);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    postern_op_free(op);
}

/* One whose keys stand in a file is never due, wherever it stands in the list. */
static void the_next_round_is_that_of_the_issuer_who_is_due_first(void **state)
{
    static const char other_issuer[] = "issuer: https://other.example.org\n";
    char *by_file = test_printf("%sjwks_file: %s\n", other_issuer, test_folder_at(&t.folder, "keys.json"));
    char *by_uri = test_printf("%sjwks_uri: https://other.example.org/jwks\n", other_issuer);

    (void)state;
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nissuers: sso\n");
    for (int i = 0; i < 2; i++) { /* before it and behind it */
        const char *file = i == 0 ? "issuers/a.conf" : "issuers/z.conf";

        test_folder_put(&t.folder, file, by_file);
        begin("jwks_uri: https://sso.example.org/jwks\n", NULL, 0);
        assert_int_equal(postern_upkeep_in_ms(t.context), 0);
        test_folder_drop(&t.folder, file);
    }
    test_folder_put(&t.folder, "issuers/a.conf", by_uri);
    begin("jwks_uri: https://sso.example.org/jwks\n",
          (const struct fake_answer[]){ answer_with(set_a), { .status = 503, .retry_after_s = 7 } }, 2);
    (void)run_round();
    assert_int_equal(postern_upkeep_in_ms(t.context), 7000); /* a good one's is a quarter of an hour */
    free(by_file), free(by_uri);
}

/* ---- memory ---- */

static postern_err keep_up_once(void *arg, postern_error *err)
{
    const struct fake_answer answers[] = { answer_with("{\"issuer\":\"" TEST_ISSUER
                                                       "\",\"jwks_uri\":\"https://sso.example.org/jwks\"}"),
                                           answer_with(arg) };
    POSTERN_AUTO(op) op = NULL;
    postern_config *config = NULL;
    POSTERN_AUTO(context) ctx = NULL;
    postern_err e;

    fake_transport_init(&net, answers, 2);
    POSTERN_TRY(postern_config_load(t.folder.path, &config, err));
    POSTERN_TRY(postern_context_new(config, &t.clock, &ctx, err));
    postern_context_set_transport(ctx, &net.transport);
    POSTERN_TRY(postern_upkeep_start(ctx, &op, err));
    while ((e = postern_op_step(op, err)) == POSTERN_AGAIN)
        continue;
    return e;
}

static void a_round_survives_every_failing_allocation(void **state)
{
    (void)state;
    begin("", NULL, 0);
    assert_true(alloc_fail_sweep(keep_up_once, set_a, POSTERN_OK) > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_keys_from_files_there_is_nothing_to_keep_up),
        TEST(a_round_fetches_what_is_due_and_logins_wait_for_nothing),
        TEST(a_round_ends_well_where_issuers_are_down),
        TEST(a_login_waits_for_keys_that_nobody_fetched_yet),
        TEST(a_trail_that_waited_tells_each_step_once),
        TEST(a_rotated_key_counts_at_once),
        TEST(a_withdrawn_key_counts_no_longer_than_the_set_lives),
        TEST(ten_thousand_tokens_with_unknown_kids_cause_one_fetch),
        TEST(a_round_that_waits_says_for_what_and_may_be_dropped),
        TEST(the_next_round_is_when_the_keys_are_due),
        TEST(without_issuers_a_round_is_over_at_once_and_none_is_due),
        TEST(the_next_round_is_that_of_the_issuer_who_is_due_first),
        TEST(a_round_survives_every_failing_allocation),
        TEST(a_ca_file_that_others_can_write_is_a_start_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
